package inbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/inbox/internal/desk"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/store"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

const (
	// stepRecords bounds one commit; one record of a referral makes some ten
	// operations of the store.
	stepRecords = 2000
	// lagEvery is how often the group's offset is committed. Nothing rests on it:
	// it is for those who watch the lag.
	lagEvery = 5 * time.Second
	// retryAfter is the pause after a fault of the store or the registry.
	retryAfter = time.Second

	ceReplay = "ce_" + schemas.AttrReplay
)

// follower keeps the desks of one partition of `to.offices` while it is ours.
type follower struct {
	*Inbox
	partition int
	part      string
	claim     *broker.Claim
	log       *slog.Logger
	at        store.Position
	goal      int64 // end of the partition when it became ours
	lagAt     time.Time
}

func (in *Inbox) follow(ctx context.Context, c *broker.Claim) error {
	f := &follower{
		Inbox: in, partition: c.Partition, part: fmt.Sprintf("partition %d", c.Partition), claim: c,
		log: in.host.Log.With(telemetry.KeyPartition, c.Partition),
	}
	defer in.tenancy.end(c.Partition)
	defer in.host.Ready.Forget(f.part)
	for {
		err := f.attempt(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, store.ErrMoved):
			f.log.InfoContext(ctx, "partition goes on from the stored position", telemetry.KeyError, err)
		case errors.Is(err, broker.ErrOutOfRange):
			f.log.WarnContext(ctx, "stored position does not fit the log: building from the beginning", telemetry.KeyOffset, f.at.Next)
			if err := in.projection.Reset(ctx, f.partition); err != nil {
				f.log.WarnContext(ctx, "partition pauses", telemetry.KeyError, err)
			}
		default:
			f.log.WarnContext(ctx, "partition pauses", telemetry.KeyError, err)
			if !sleep(ctx, retryAfter) {
				return nil
			}
		}
	}
}

// attempt follows the partition from the stored position until something fails.
func (f *follower) attempt(ctx context.Context) error {
	if err := f.resume(ctx); err != nil {
		return err
	}
	cursor := f.claim.Cursor(f.at.Next)
	for {
		f.tellProgress()
		batch, err := cursor.Fetch(ctx)
		if err != nil {
			return err
		}
		if len(batch.Records) == 0 {
			if err := f.checkStored(ctx); err != nil {
				return err
			}
		}
		for records := range slices.Chunk(batch.Records, stepRecords) {
			if err := f.take(ctx, records); err != nil {
				return err
			}
		}
		f.tellLag(ctx)
	}
}

func (f *follower) tellProgress() {
	done := min(f.at.Next, f.goal)
	f.host.Ready.Progress(f.part, done, f.goal)
	f.tenancy.set(f.partition, progress{done, f.goal})
}

// checkStored notices, while nothing arrives, that the store was emptied: pages
// would else say "not yet" until the next event.
func (f *follower) checkStored(ctx context.Context) error {
	at, _, err := f.projection.Position(ctx, f.partition)
	if err == nil && at != f.at {
		err = store.ErrMoved
	}
	return err
}

// resume takes the stored position up, or begins anew where it does not fit the
// log.
func (f *follower) resume(ctx context.Context) error {
	bounds, err := f.host.Broker.RangeOf(ctx, f.topic, f.partition)
	if err != nil {
		return err
	}
	f.goal = bounds.Next
	at, ok, err := f.projection.Position(ctx, f.partition)
	if err != nil {
		return err
	}
	f.at = at
	if !ok {
		f.at = store.Position{}
		return nil
	}
	if at.Next > bounds.Next {
		return fmt.Errorf("position %d: %w", at.Next, broker.ErrOutOfRange)
	}
	last, err := f.recordAt(ctx, at.Next-1)
	if err != nil {
		return err
	}
	if mark(last) != at.Mark {
		return fmt.Errorf("the record at %d is another: %w", at.Next-1, broker.ErrOutOfRange)
	}
	return nil
}

func (f *follower) recordAt(ctx context.Context, offset int64) (broker.Record, error) {
	cursor := f.host.Broker.Cursor(f.topic, f.partition, offset)
	for {
		batch, err := cursor.Fetch(ctx)
		if err != nil {
			return broker.Record{}, fmt.Errorf("read %s/%d at %d: %w", f.topic, f.partition, offset, err)
		}
		if len(batch.Records) > 0 {
			return batch.Records[0], nil
		}
	}
}

// take puts records on the desks and moves the position beyond them, in one
// commit; what is too much for one is taken in halves.
func (f *follower) take(ctx context.Context, records []broker.Record) error {
	started := time.Now()
	events, err := f.readAll(ctx, records)
	if err != nil {
		return err
	}
	s, err := load(ctx, f.projection, f.partition, f.at, events)
	if err != nil {
		return err
	}
	for _, e := range events {
		if err := s.apply(e); err != nil {
			return err
		}
	}
	ops, err := s.finish()
	if err != nil {
		return err
	}
	last := records[len(records)-1]
	to := store.Position{Next: last.Offset + 1, Mark: mark(last)}
	if last.Unreadable != nil {
		to.Next = last.Unreadable.Last + 1
	}
	err = f.projection.Commit(ctx, f.partition, f.at, to, append(ops, goalOp(f.goal)))
	if errors.Is(err, store.ErrTooLarge) && len(records) > 1 {
		half := len(records) / 2
		if err := f.take(ctx, records[:half]); err != nil {
			return err
		}
		return f.take(ctx, records[half:])
	}
	if err != nil {
		return err
	}
	f.at = to
	f.done(ctx, s, started)
	return nil
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

// done counts what was committed and wakes the pages.
func (f *follower) done(ctx context.Context, s *step, started time.Time) {
	now := time.Now()
	f.metrics.applied.Add(float64(len(s.applied)))
	f.metrics.dropped.Add(float64(s.dropped))
	if f.at.Next > f.goal {
		for _, e := range s.applied {
			f.metrics.endToEnd.Observe(now.Sub(e.Received).Seconds())
		}
	}
	f.wake.up(maps.Keys(s.offices))
	f.log.InfoContext(ctx, "events put on desks", telemetry.KeyOffset, f.at.Next, telemetry.KeyCount, len(s.applied),
		"repeated", s.dropped, "offices", len(s.offices), telemetry.KeyDuration, now.Sub(started))
}

func (f *follower) tellLag(ctx context.Context) {
	if f.at.Absent() || time.Since(f.lagAt) < lagEvery {
		return
	}
	f.lagAt = time.Now()
	if err := f.claim.Commit(ctx, f.at.Next, ""); err != nil && ctx.Err() == nil {
		f.log.WarnContext(ctx, "group offset not committed", telemetry.KeyError, err)
	}
}

// mark is a record's fingerprint: a log that was cut and grew again has another
// record there.
func mark(r broker.Record) string {
	h := fnv.New128a()
	write := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		_, _ = h.Write(n[:])
		_, _ = h.Write(b)
	}
	write(r.Key)
	write(r.Value)
	for _, header := range r.Headers {
		write([]byte(header.Key))
		write(header.Value)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
