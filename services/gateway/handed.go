package gateway

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/pause"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// handed is one record of a `from` topic on its way: as an accepted event, as a
// refused one with its verdict, or into quarantine.
type handed struct {
	g      *Gateway
	by     auth.Principal
	origin *broker.Record

	ruling  ruling
	event   schemas.Event
	verdict *schemas.Refusal
	// hearing is how far a refused event came; nil for one that was not read.
	hearing *hearing
	// quarantined is set when nothing names the event; cut, when its record is
	// larger than the quarantine takes.
	quarantined, cut bool

	out   broker.Record
	ack   *broker.Ack
	since time.Time
}

// The pauses of a claim that cannot be judged or written now, doubling.
const (
	firstRetry = 200 * time.Millisecond
	lastRetry  = 10 * time.Second
)

// rule judges a record until there is a ruling. The error is ctx's: a record is
// never given up, and never blocks because of what is in it.
func (g *Gateway) rule(ctx context.Context, by auth.Principal, rec *broker.Record) (*handed, error) {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		h, err := g.ruleOnce(ctx, by, rec)
		if err == nil {
			return h, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if wait == lastRetry {
			g.log.Warn("records wait to be judged", telemetry.KeyTopic, rec.Topic, telemetry.KeyPartition, rec.Partition,
				telemetry.KeyOffset, rec.Offset, telemetry.KeyError, err)
		}
		if err := pause.For(ctx, wait); err != nil {
			return nil, err
		}
	}
}

func (g *Gateway) ruleOnce(ctx context.Context, by auth.Principal, rec *broker.Record) (*handed, error) {
	h := &handed{g: g, by: by, origin: rec, since: time.Now()}
	c := claim{by: by, channel: channelKafka, key: rec.Key, record: g.doorOf(rec), written: rec.Time}
	var err error
	if c.event, err = readRecord(rec, by); err == nil {
		h.ruling, h.hearing, err = g.judge.judge(ctx, c)
	} else {
		// What could be read of it may be enough to tell its sender.
		var notReady error
		if h.hearing, notReady = g.judge.unheard(ctx, c); notReady != nil {
			return nil, notReady
		}
	}
	g.metrics.form.Observe(time.Since(h.since).Seconds())
	if err == nil {
		h.event = h.ruling.event
		return h, nil
	}
	if !errors.As(err, &h.verdict) {
		return nil, err
	}
	var ok bool
	if h.event, ok = h.hearing.refused(h.verdict); !ok {
		h.quarantined = true
	}
	return h, nil
}

// doorOf is where a record stands, in words that are the same in every
// installation.
func (g *Gateway) doorOf(rec *broker.Record) schemas.Door {
	return schemas.Door{Topic: strings.TrimPrefix(rec.Topic, g.host.Settings.Prefix+"."), Partition: rec.Partition, Offset: rec.Offset}
}

// readRecord reads the event of a record from outside.
func readRecord(rec *broker.Record, by auth.Principal) (schemas.Event, error) {
	switch {
	case rec.Unreadable == nil:
		return recordEvent(rec.Headers, rec.Value, by, channelKafka)
	case errors.Is(rec.Unreadable.Reason, broker.ErrBatchTooLarge):
		return schemas.Event{}, refuse(schemas.ReasonTooLarge, "record: its batch is too large once unpacked")
	}
	return schemas.Event{}, refuse(schemas.ReasonMalformed, "record: its batch is damaged")
}

func (h *handed) dossier() string { return h.event.Extensions[schemas.AttrPartitionKey] }

// send enqueues the record, waiting for room.
func (h *handed) send(ctx context.Context) (err error) {
	if h.quarantined {
		h.out = h.g.quarantineRecord(h.by, h.origin, h.verdict, h.cut)
	} else {
		h.out = h.g.record(h.event)
	}
	h.ack, err = h.g.enqueueWhenRoom(ctx, h.out)
	return err
}

// settle waits until the record is written. What the broker refuses is made
// smaller, or judged and sent again until it is taken: the same goes for nobody's
// fault but the hub's.
func (h *handed) settle(ctx context.Context) error {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		offset, err := h.ack.Wait(ctx)
		if err == nil {
			if !h.quarantined {
				h.g.pending.add(schemas.Place{Partition: h.out.Partition, Offset: offset}, operatorLabel(h.by), h.since)
			}
			return nil
		}
		var refused *broker.RefusedError
		switch {
		case h.g.isCut(h.out.Partition, err):
			// It is sent again once the partition is whole.
		case !errors.As(err, &refused):
			return unsettledError(h.origin, err)
		case refused.TooLarge():
			if err := h.shrink(); err != nil {
				return unsettledError(h.origin, err)
			}
		default:
			h.g.log.Error("the broker does not take submissions", telemetry.KeyTopic, h.out.Topic, telemetry.KeyError, err)
			if err := pause.For(ctx, wait); err != nil {
				return err
			}
			again, err := h.g.rule(ctx, h.by, h.origin)
			if err != nil {
				return err
			}
			*h = *again
		}
		if err := h.send(ctx); err != nil {
			return err
		}
	}
}

// shrink makes of an event that is too large for the log a refusal without data,
// of a refusal that still is a quarantined record, and of that one its beginning.
func (h *handed) shrink() error {
	switch {
	case h.cut:
		return errors.New("even the beginning of a quarantined record is too large for its topic")
	case h.verdict != nil:
		h.quarantined, h.cut = true, true
		h.verdict = refuse(schemas.ReasonTooLarge, "record: larger than the hub's topics take")
	default:
		h.verdict = refuse(schemas.ReasonTooLarge, "event: larger than the hub's topics take")
		event, ok := h.hearing.refused(h.verdict)
		h.event, h.quarantined = event, !ok
	}
	return nil
}

// count adds what became of the record to the metrics and the tally.
func (h *handed) count(sum *tally) {
	m := h.g.metrics
	switch {
	case h.quarantined:
		sum.quarantined++
		m.quarantined.WithLabelValues(operatorLabel(h.by)).Inc()
		fallthrough
	case h.verdict != nil:
		m.refused(h.by, string(h.verdict.Reason))
		sum.refusal(h.by, h.event.Type, string(h.verdict.Reason), h.verdict.Detail)
	default:
		sum.acceptedOne()
		m.accepted(h.by, h.ruling, channelKafka, h.since)
	}
}
