// Package follow keeps a projection of a topic in step with it, one partition at a
// time.
//
// It is the reader that the house plan asks for: it goes on from the position that is
// stored with the projection, begins anew where that does not fit the log, drops
// what is on the log more than once, and commits effects and position together,
// compared with what was read. What the records mean is the caller's: it makes
// operations of the store of them. The clock reads recorded so, the inbox
// to.offices; the ledger folds for itself, for it writes to the same log.
package follow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/pause"
	"github.com/relais-fr/relais/services/internal/store"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

const (
	// stepRecords bounds one commit.
	stepRecords = 1000
	// lagEvery is how often the group's offset is committed. Nothing rests on it:
	// it is for those who watch the lag.
	lagEvery = 5 * time.Second
	// retryAfter is the pause after a fault of the store or the registry.
	retryAfter = time.Second
)

// Partition is one partition of a topic while it is ours, and what is made of it. It
// belongs to one goroutine.
type Partition struct {
	Broker     *broker.Broker
	Projection *store.Projection
	Claim      *broker.Claim
	Log        *slog.Logger
	// Mixed says that records of several submitted partitions stand here, as on
	// to.offices: Apply gets them all, and drops by numbers of its own. Else the
	// topic is recorded, and one pair says what is new.
	Mixed bool
	// Apply makes operations of records that are new, in their order; what they
	// rest on was read at the position. store.ErrMoved and other errors of the
	// store are handed on as they are. What is too much for one commit it gets
	// again in halves.
	Apply func(ctx context.Context, at store.Position, fresh []broker.Record) ([]store.Op, error)
	// Stored is called once they are stored, with where the partition stands now
	// and how many were dropped as had before.
	Stored func(ctx context.Context, at store.Position, fresh []broker.Record, dropped int)
	// Progress is called with how far the partition is of what stood on the log
	// when it was last taken up.
	Progress func(done, goal int64)

	at    store.Position
	goal  int64
	lagAt time.Time
}

// Goal is the end of what stood on the log when the partition was last taken up.
func (p *Partition) Goal() int64 { return p.goal }

// Run follows the partition until ctx ends, and then returns nil. Faults are
// logged and tried again.
func (p *Partition) Run(ctx context.Context) error {
	for {
		err := p.attempt(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, store.ErrMoved):
			p.Log.InfoContext(ctx, "partition goes on from the stored position", telemetry.KeyError, err)
			continue
		case (errors.Is(err, broker.ErrBadPair) || errors.Is(err, broker.ErrOutOfRange)) && !p.at.Absent():
			p.Log.WarnContext(ctx, "stored position does not fit the log: building from the beginning", telemetry.KeyOffset, p.at.Next, telemetry.KeyError, err)
			if err = p.Projection.Reset(ctx, p.Claim.Partition); err == nil {
				continue
			}
		}
		p.Log.WarnContext(ctx, "partition pauses", telemetry.KeyError, err)
		if pause.For(ctx, retryAfter) != nil {
			return nil
		}
	}
}

// attempt follows from the stored position until something fails.
func (p *Partition) attempt(ctx context.Context) error {
	if err := p.resume(ctx); err != nil {
		return err
	}
	cursor := p.Claim.Cursor(p.at.Next)
	for {
		p.Progress(min(p.at.Next, p.goal), p.goal)
		batch, err := cursor.Fetch(ctx)
		if err != nil {
			return err
		}
		if len(batch.Records) == 0 {
			if err := p.checkStored(ctx); err != nil {
				return err
			}
		}
		for records := range slices.Chunk(batch.Records, stepRecords) {
			if err := p.take(ctx, records); err != nil {
				return err
			}
		}
		p.tellLag(ctx)
	}
}

// resume takes the stored position up. One beyond the log's end, or whose last
// record is another, is as broker.ErrOutOfRange.
func (p *Partition) resume(ctx context.Context) error {
	bounds, err := p.Broker.RangeOf(ctx, p.Claim.Topic, p.Claim.Partition)
	if err != nil {
		return err
	}
	p.goal = bounds.Next
	at, ok, err := p.Projection.Position(ctx, p.Claim.Partition)
	if err != nil {
		return err
	}
	if p.at = at; !ok {
		// Its own zero is absent; the highest submission before the first is -1.
		p.at = store.Position{}
		p.Progress(0, max(p.goal, 1))
		return nil
	}
	if at.Next > bounds.Next {
		return fmt.Errorf("position %d: %w", at.Next, broker.ErrOutOfRange)
	}
	last, err := p.recordAt(ctx, at.Next-1)
	if err != nil {
		return err
	}
	if last.Mark() != at.Mark {
		return fmt.Errorf("the record at %d is another: %w", at.Next-1, broker.ErrOutOfRange)
	}
	return nil
}

func (p *Partition) recordAt(ctx context.Context, offset int64) (broker.Record, error) {
	cursor := p.Broker.Cursor(p.Claim.Topic, p.Claim.Partition, offset)
	for {
		batch, err := cursor.Fetch(ctx)
		if err != nil {
			return broker.Record{}, fmt.Errorf("read %s/%d at %d: %w", p.Claim.Topic, p.Claim.Partition, offset, err)
		}
		if len(batch.Records) > 0 {
			return batch.Records[0], nil
		}
	}
}

// checkStored notices, while nothing arrives, that the store was emptied: whoever
// reads it would else wait until the next outcome.
func (p *Partition) checkStored(ctx context.Context) error {
	at, _, err := p.Projection.Position(ctx, p.Claim.Partition)
	if err == nil && at != p.at {
		err = store.ErrMoved
	}
	return err
}

// pair is where the reader stands.
func (p *Partition) pair() broker.Pair {
	if p.at.Absent() {
		return broker.Beginning()
	}
	return broker.Pair{Next: p.at.Next, Highest: p.at.Highest}
}

// take makes its effects of records and moves the position beyond them, in one
// commit; what is too much for one is taken in halves.
func (p *Partition) take(ctx context.Context, records []broker.Record) error {
	err := p.commit(ctx, records)
	if !errors.Is(err, store.ErrTooLarge) || len(records) == 1 {
		return err
	}
	half := len(records) / 2
	if err := p.take(ctx, records[:half]); err != nil {
		return err
	}
	return p.take(ctx, records[half:])
}

func (p *Partition) commit(ctx context.Context, records []broker.Record) error {
	fresh, highest, err := p.fresh(records)
	if err != nil {
		return err
	}
	ops, err := p.Apply(ctx, p.at, fresh)
	if err != nil {
		return err
	}
	last := records[len(records)-1]
	to := store.Position{Next: last.Offset + 1, Highest: highest, Mark: last.Mark()}
	if last.Unreadable != nil {
		to.Next = last.Unreadable.Last + 1
	}
	if err := p.Projection.Commit(ctx, p.Claim.Partition, p.at, to, ops); err != nil {
		return err
	}
	p.at = to
	p.Stored(ctx, to, fresh, len(records)-len(fresh))
	return nil
}

// fresh are the records that the pair has not seen, and the highest number then.
func (p *Partition) fresh(records []broker.Record) ([]broker.Record, int64, error) {
	if p.Mixed {
		return records, 0, nil
	}
	seen := broker.NewDedup(p.pair())
	fresh := make([]broker.Record, 0, len(records))
	for _, r := range records {
		number, err := strconv.ParseInt(string(r.Header("ce_"+schemas.AttrSubmittedOffset)), 10, 64)
		if err != nil {
			return nil, 0, fmt.Errorf("outcome at %d/%d has no number: %w", r.Partition, r.Offset, err)
		}
		isNew, err := seen.Take(r.Offset, number)
		if err != nil {
			return nil, 0, err
		}
		if isNew {
			fresh = append(fresh, r)
		}
	}
	return fresh, seen.Pair().Highest, nil
}

func (p *Partition) tellLag(ctx context.Context) {
	if p.at.Absent() || time.Since(p.lagAt) < lagEvery {
		return
	}
	p.lagAt = time.Now()
	if err := p.Claim.Commit(ctx, p.at.Next, ""); err != nil && ctx.Err() == nil {
		p.Log.WarnContext(ctx, "group offset not committed", telemetry.KeyError, err)
	}
}
