package clock

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// report follows one partition of relais.deliveries while it is ours and hands in,
// for the sender of an event, that a recipient will not have it or has not
// collected it, and that it has it after all. It goes on from the group's commit, which follows the log's
// acknowledgement; an unknown one means the beginning. What it hands in again then
// has the same id.
func (c *Clock) report(ctx context.Context, claim *broker.Claim) error {
	offset, _, ok, err := claim.Committed(ctx)
	if err != nil {
		return err
	}
	if !ok {
		if offset, err = c.earliest(ctx, claim); err != nil {
			return err
		}
	}
	cursor := claim.Cursor(offset)
	for {
		batch, err := cursor.Fetch(ctx)
		if errors.Is(err, broker.ErrOutOfRange) {
			if offset, err = c.earliest(ctx, claim); err != nil {
				return err
			}
			cursor.SeekTo(offset)
			continue
		}
		if err != nil {
			return err
		}
		if batch.Next == batch.Start {
			continue
		}
		if err := c.reportAll(ctx, batch); err != nil {
			return err
		}
		if err := claim.Commit(ctx, batch.Next, ""); err != nil {
			return err
		}
	}
}

func (c *Clock) earliest(ctx context.Context, claim *broker.Claim) (int64, error) {
	r, err := c.host.Broker.RangeOf(ctx, claim.Topic, claim.Partition)
	return r.First, err
}

// reportAll hands a batch's reports in and waits until all are acknowledged,
// through faults that pass.
func (c *Clock) reportAll(ctx context.Context, batch broker.Batch) error {
	started := time.Now()
	for {
		n, err := c.tryReports(ctx, batch)
		if err == nil {
			if n > 0 {
				c.host.Log.InfoContext(ctx, "deliveries reported", telemetry.KeyPartition, batch.Partition, telemetry.KeyCount, n, telemetry.KeyDuration, time.Since(started))
			}
			c.metrics.reports.Add(float64(n))
			return nil
		}
		c.host.Log.WarnContext(ctx, "deliveries are not reported, trying again", telemetry.KeyPartition, batch.Partition, telemetry.KeyError, err)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Second):
		}
	}
}

func (c *Clock) tryReports(ctx context.Context, batch broker.Batch) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, ackLimit)
	defer cancel()
	var acks []*broker.Ack
	for _, r := range batch.Records {
		d, err := c.toReport(ctx, r)
		if err != nil {
			return 0, err
		}
		if d == nil {
			continue
		}
		ack, err := c.pen.write(ctx, reportID(d), d.Subject, d.Since, reported(d))
		if err != nil {
			return 0, fmt.Errorf("report %s: %w", r.Key, err)
		}
		acks = append(acks, ack)
	}
	for _, ack := range acks {
		if _, err := ack.Wait(ctx); err != nil {
			return 0, err
		}
	}
	return len(acks), nil
}

// toReport is the step of a delivery that its event's sender is to be told of; nil
// for any other, and for what can never be read.
func (c *Clock) toReport(ctx context.Context, r broker.Record) (*schemas.DeliveryChanged, error) {
	if r.Value == nil {
		return nil, nil
	}
	payload, err := c.codec.Decode(ctx, schemas.TypeDeliveryChanged, r.Value)
	if _, refused := errors.AsType[*schemas.Refusal](err); refused {
		c.host.Log.ErrorContext(ctx, "step of a delivery is left out", telemetry.KeyPartition, r.Partition, telemetry.KeyOffset, r.Offset, telemetry.KeyError, err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	d, ok := payload.(*schemas.DeliveryChanged)
	if !ok || d.Sender == nil || !d.Undelivered() && !d.Recovered() || isStillDead(d) {
		return nil, nil
	}
	return d, nil
}

// isStillDead says that a redrive was in vain. Whoever was told that the event is
// not delivered learns nothing by that, and a redrive in bulk would tell it to
// thousands.
func isStillDead(d *schemas.DeliveryChanged) bool {
	return d.State == schemas.DeliveryDead && d.Attempt > 1 && d.ErrorCode != nil
}

// reported is a step without what differs when its writer tells it again after a
// crash, so that the ledger knows a repeat when it sees one. It says instead since
// when the event has waited: the report has a time of its own.
func reported(d *schemas.DeliveryChanged) *schemas.DeliveryChanged {
	r := *d
	if d.LatencyMillis != nil {
		r.Since = d.Since.Add(-time.Duration(*d.LatencyMillis) * time.Millisecond).Truncate(time.Millisecond)
	}
	r.LatencyMillis, r.NextAttempt, r.CopyOffset = nil, nil, nil
	return &r
}

// reportID is made of the delivery and of what became of it: whoever tells the same
// again, at another time, reports it once.
func reportID(d *schemas.DeliveryChanged) string {
	reason := ""
	if d.Reason != nil {
		reason = *d.Reason
	}
	return derivedID("delivery", d.Place, d.Recipient, d.State, reason, fmt.Sprint(d.Attempt))
}

// derivedID is a UUIDv8 made of what caused an event.
func derivedID(causes ...string) string {
	h := sha256.New()
	for _, cause := range causes {
		_, _ = fmt.Fprintf(h, "%s\x00", cause)
	}
	id := uuid.UUID(h.Sum(nil)[:16])
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}
