// Package router copies each outcome to those whom the ledger named on it. It
// decides nothing and keeps no state of a case.
//
// It reads relais.recorded and writes relais.to.<participant>, keyed by dossier,
// and relais.to.offices, keyed by office. It may repeat itself after a crash: the
// readers of those topics drop by number what they have seen.
package router

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// Router is the service.
type Router struct {
	host     services.Host
	metrics  *metrics
	recorded string
}

var _ services.Service = (*Router)(nil)

// New makes a router and registers its door, POST /v1/replays.
func New(host services.Host) (*Router, error) {
	r := &Router{host: host, metrics: newMetrics(host.Metrics), recorded: host.Broker.Topic("recorded")}
	host.HTTP.Handle("POST "+replaysPath, &replays{Router: r, running: map[string]bool{}})
	return r, nil
}

// Name is the service's name.
func (r *Router) Name() string { return "router" }

// Run copies until ctx ends.
func (r *Router) Run(ctx context.Context) error {
	if err := r.host.Broker.WaitTopics(ctx, r.recorded, r.host.Broker.Topic("to.offices")); err != nil {
		return err
	}
	defer r.host.Ready.AwaitPartitions("routing")()
	return r.host.Broker.Consume(ctx, r.host.Broker.Topic("router"), []string{r.recorded}, r.route)
}

// route copies one partition for as long as it is ours. It goes on from the pair
// in the group's commit; an unknown one means the beginning, never the end.
func (r *Router) route(ctx context.Context, claim *broker.Claim) error {
	pair, err := committed(ctx, claim)
	if err != nil {
		return err
	}
	r.host.Ready.Set(true, "routing")
	seen := broker.NewDedup(pair)
	cursor := claim.Cursor(pair.Next)
	for {
		batch, err := cursor.Fetch(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if len(batch.Records) == 0 {
			continue
		}
		started := time.Now()
		copies, err := r.copyAll(ctx, batch.Records, seen)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, broker.ErrBadPair) && seen.Pair() != broker.Beginning():
			r.host.Log.WarnContext(ctx, "position does not fit the log: routing from the beginning", telemetry.KeyPartition, claim.Partition, telemetry.KeyError, err)
			seen = broker.NewDedup(broker.Beginning())
			cursor.SeekTo(0)
			continue
		case err != nil:
			return err
		}
		seen.Skip(batch.Next)
		if err := claim.Commit(ctx, seen.Pair().Next, seen.Pair().String()); err != nil && ctx.Err() == nil {
			// Uncommitted copies are made again by the next owner, and dropped.
			r.host.Log.WarnContext(ctx, "position is not committed", telemetry.KeyPartition, claim.Partition, telemetry.KeyError, err)
		}
		r.host.Log.InfoContext(ctx, "outcomes routed", telemetry.KeyPartition, claim.Partition, telemetry.KeyCount, len(batch.Records),
			"copies", copies, telemetry.KeyDuration, time.Since(started))
	}
}

func committed(ctx context.Context, claim *broker.Claim) (broker.Pair, error) {
	_, metadata, ok, err := claim.Committed(ctx)
	if err != nil {
		return broker.Pair{}, fmt.Errorf("position of partition %d: %w", claim.Partition, err)
	}
	if ok {
		if pair, err := broker.ParsePair(metadata); err == nil {
			return pair, nil
		}
	}
	return broker.Beginning(), nil
}

// copied is one record on its way to one recipient.
type copied struct {
	record    broker.Record
	recipient string
	received  time.Time
	ack       *broker.Ack
}

// copyAll hands over the copies of a batch and waits until all are acknowledged.
func (r *Router) copyAll(ctx context.Context, records []broker.Record, seen *broker.Dedup) (int, error) {
	var copies []*copied
	for _, record := range records {
		number, err := strconv.ParseInt(header(record, schemas.AttrSubmittedOffset), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("outcome at %d/%d has no number: %w", record.Partition, record.Offset, err)
		}
		fresh, err := seen.Take(record.Offset, number)
		if err != nil {
			return 0, err
		}
		if !fresh {
			r.metrics.dropped.Inc()
			continue
		}
		for party := range strings.SplitSeq(header(record, schemas.AttrParties), ",") {
			if party != "" {
				copies = append(copies, r.copyFor(party, record))
			}
		}
	}
	for i, c := range copies {
		if err := r.enqueue(ctx, copies[:i], c); err != nil {
			return 0, err
		}
	}
	for _, c := range copies {
		if err := r.settle(ctx, c); err != nil {
			return 0, err
		}
	}
	return len(copies), nil
}

// enqueue hands one copy over; when the buffer is full it waits for the oldest
// that is still under way, so that the order of a dossier holds.
func (r *Router) enqueue(ctx context.Context, before []*copied, c *copied) error {
	for {
		c.ack = r.host.Broker.Enqueue(c.record)
		if !full(ctx, c.ack) {
			return nil
		}
		for _, b := range before {
			if _, err := b.ack.Wait(ctx); err != nil && ctx.Err() != nil {
				return ctx.Err()
			}
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

// full says whether the broker's buffer had no room: the record was not taken.
func full(ctx context.Context, ack *broker.Ack) bool {
	select {
	case <-ack.Done():
		_, err := ack.Wait(ctx)
		return errors.Is(err, broker.ErrBufferFull)
	default:
		return false
	}
}

// settle waits for one copy. A definite refusal is a dead delivery: it is counted
// and told, and holds nobody else up.
func (r *Router) settle(ctx context.Context, c *copied) error {
	_, err := c.ack.Wait(ctx)
	var refused *broker.RefusedError
	switch {
	case err == nil:
		r.metrics.copies.WithLabelValues(c.recipient).Inc()
		if !c.received.IsZero() {
			r.metrics.endToEnd.Observe(time.Since(c.received).Seconds())
		}
	case errors.As(err, &refused):
		r.metrics.dead.WithLabelValues(c.recipient).Inc()
		r.host.Log.ErrorContext(ctx, "delivery is dead", telemetry.KeyTopic, c.record.Topic, telemetry.KeyParticipant, c.recipient, telemetry.KeyError, err)
	default:
		return fmt.Errorf("copy to %s: %w", c.record.Topic, err)
	}
	return nil
}

// stripped are the stamps that recipients do not need.
var stripped = map[string]bool{
	"ce_" + schemas.AttrParties:       true,
	"ce_" + schemas.AttrSenderRole:    true,
	"ce_" + schemas.AttrRecipientRole: true,
	"ce_" + schemas.AttrSubmitter:     true,
	"ce_" + schemas.AttrDoor:          true,
	"ce_" + schemas.AttrRecipient:     true,
}

// copyFor addresses an outcome to one party: `cnaf`, or `offices/demo-1`.
func (r *Router) copyFor(party string, record broker.Record) *copied {
	c := &copied{recipient: party}
	key, topic, recipient := record.Key, "to."+party, party
	if office, ok := strings.CutPrefix(party, schemas.OfficesParticipant+"/"); ok {
		key, topic, recipient = []byte(office), "to."+schemas.OfficesParticipant, office
		c.recipient = schemas.OfficesParticipant
	}
	headers := make([]schemas.Header, 0, len(record.Headers))
	for _, h := range record.Headers {
		if !stripped[h.Key] {
			headers = append(headers, h)
		}
	}
	headers = append(headers, schemas.Header{Key: "ce_" + schemas.AttrRecipient, Value: []byte(recipient)})
	c.received, _ = time.Parse(time.RFC3339Nano, header(record, schemas.AttrReceivedTime))
	c.record = broker.Record{
		Topic: r.host.Broker.Topic(topic), Partition: broker.PartitionOf(key, r.host.Settings.Partitions),
		Key: key, Value: record.Value, Headers: headers, Time: record.Time,
	}
	return c
}

func header(r broker.Record, attribute string) string {
	for _, h := range r.Headers {
		if h.Key == "ce_"+attribute {
			return string(h.Value)
		}
	}
	return ""
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
