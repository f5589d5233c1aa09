package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/inbox/internal/desk"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/follow"
	"github.com/relais-fr/relais/services/internal/store"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

const ceReplay = "ce_" + schemas.AttrReplay

// follower keeps the desks of one partition of `to.offices` while it is ours.
type follower struct {
	*Inbox
	partition int
	part      string
	log       *slog.Logger
	reader    *follow.Partition
	// step is what was applied last, since when.
	step    *step
	started time.Time
}

func (in *Inbox) follow(ctx context.Context, c *broker.Claim) error {
	f := &follower{
		Inbox: in, partition: c.Partition, part: fmt.Sprintf("partition %d", c.Partition),
		log: in.host.Log.With(telemetry.KeyPartition, c.Partition),
	}
	f.reader = &follow.Partition{
		Broker: in.host.Broker, Projection: in.projection, Claim: c, Log: f.log, Mixed: true,
		Apply: f.apply, Stored: f.stored, Progress: f.progress,
	}
	defer in.tenancy.end(c.Partition)
	defer in.host.Ready.Forget(f.part)
	return f.reader.Run(ctx)
}

func (f *follower) progress(done, goal int64) {
	f.host.Ready.Progress(f.part, done, goal)
	f.tenancy.set(f.partition, progress{done, goal})
}

// apply puts records on the desks.
func (f *follower) apply(ctx context.Context, at store.Position, records []broker.Record) ([]store.Op, error) {
	f.started = time.Now()
	events, err := f.readAll(ctx, records)
	if err != nil {
		return nil, err
	}
	if f.step, err = load(ctx, f.projection, f.partition, at, events); err != nil {
		return nil, err
	}
	for _, e := range events {
		if err := f.step.apply(e); err != nil {
			return nil, err
		}
	}
	ops, err := f.step.finish()
	return append(ops, goalOp(f.reader.Goal())), err
}

func (f *follower) readAll(ctx context.Context, records []broker.Record) ([]*desk.Event, error) {
	events := make([]*desk.Event, 0, len(records))
	for _, r := range records {
		if r.Header(ceReplay) != nil {
			// The desk has it, or will have it from the router: a replay may run ahead
			// of that, and its numbers do not count.
			continue
		}
		e, err := read(ctx, f.codec, r)
		var refusal *schemas.Refusal
		switch {
		case err == nil:
			events = append(events, e)
		case errors.As(err, &refusal):
			f.metrics.unreadable.Inc()
			f.log.ErrorContext(ctx, "record is left out", telemetry.KeyOffset, r.Offset, telemetry.KeyError, err)
		default:
			return nil, err
		}
	}
	return events, nil
}

// stored counts what was committed and wakes the pages.
func (f *follower) stored(ctx context.Context, at store.Position, _ []broker.Record, _ int) {
	s, now := f.step, time.Now()
	f.metrics.applied.Add(float64(len(s.applied)))
	f.metrics.dropped.Add(float64(s.dropped))
	if at.Next > f.reader.Goal() {
		for _, e := range s.applied {
			f.metrics.endToEnd.Observe(now.Sub(e.Received).Seconds())
		}
	}
	f.wake.up(maps.Keys(s.offices))
	f.log.InfoContext(ctx, "events put on desks", telemetry.KeyOffset, at.Next, telemetry.KeyCount, len(s.applied),
		"repeated", s.dropped, "offices", len(s.offices), telemetry.KeyDuration, now.Sub(f.started))
}
