package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/pause"
	"github.com/relais-fr/relais/services/internal/store"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// Bounds of one step. A batch is produced whole before the next is decided; a
// broker takes a little more than this.
const (
	batchRecords = 2000
	batchBytes   = 950_000
)

// tellEvery is how often the group's offset is told at most.
const tellEvery = time.Second

// errFoldAgain says that what the owner knew is not what the log says: memory is
// dropped and the fold goes on from the stored position.
var errFoldAgain = errors.New("somebody else wrote to the log: fold again")

// IntegrityError says that the two logs, or log and projection, do not belong
// together. Nobody can decide then: the partition halts, and a person must
// look.
type IntegrityError struct {
	Partition int
	What      string
	// Mendable says that a repair can make the logs go on.
	Mendable bool
	// OfBuild says that the logs are whole, and this build is at fault.
	OfBuild bool
}

func (e *IntegrityError) Error() string {
	switch {
	case e.OfBuild:
		return fmt.Sprintf("partition %d is halted: %s; run another build", e.Partition, e.What)
	case e.Mendable:
		return fmt.Sprintf("partition %d is halted: %s; `hubctl repair` says what it would do about it", e.Partition, e.What)
	}
	return fmt.Sprintf("partition %d is halted: %s; nothing is decided until the log is restored from where it is whole", e.Partition, e.What)
}

// UnknownRulesError says that a submission is to be judged by rules that this
// build does not know. The ledger stops: a newer one must judge it.
type UnknownRulesError struct {
	Place schemas.Place
	Asked int
}

func (e *UnknownRulesError) Error() string {
	return fmt.Sprintf("submission %s asks for rules version %d, this build knows %d: run a newer build", e.Place, e.Asked, Rules)
}

// owner owns one partition: it folds relais.recorded into dossiers, then decides
// what relais.submitted brings.
type owner struct {
	*Ledger
	partition int
	log       *slog.Logger
	claim     *broker.Claim
	// at is the pair up to which the stored dossiers are true; highest is the
	// submitted offset last applied, -1 for none.
	at      store.Position
	highest int64
	// memory are dossiers as of at.
	memory *memory
	// faulty are submissions that get hub_error: judging them panicked, or the
	// broker refused their outcome.
	faulty map[int64]fault
	// fromBeginning says that the fold began at the log's beginning.
	fromBeginning bool
	// postponed are submissions that a repair hands in again: each is a repeat of
	// the one that it names. Nil but during a repair.
	postponed map[int64]schemas.Place
}

func newOwner(l *Ledger, c *broker.Claim) *owner {
	return &owner{
		Ledger: l, partition: c.Partition, claim: c, faulty: map[int64]fault{},
		log: l.host.Log.With(telemetry.KeyPartition, c.Partition),
	}
}

// run owns the partition until ctx, the generation's, ends.
func (o *owner) run(ctx context.Context) error {
	part := fmt.Sprintf("partition %d", o.partition)
	o.host.Ready.Assigned(part, "judging")
	defer o.host.Ready.Forget(part)
	for {
		err := o.attempt(ctx, part)
		var broken *IntegrityError
		var unknown *UnknownRulesError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &unknown):
			return err
		case errors.As(err, &broken):
			o.halt(ctx, part, broken)
		case errors.Is(err, store.ErrMoved), errors.Is(err, errFoldAgain):
			o.metrics.refolds.Inc()
			o.log.InfoContext(ctx, "partition is folded again", telemetry.KeyError, err)
		default:
			// The store or the registry does not answer: the partition pauses, the
			// doors stay open, and it goes on from what is stored.
			o.log.WarnContext(ctx, "partition pauses", telemetry.KeyError, err)
			if pause.For(ctx, time.Second) != nil {
				return nil
			}
		}
	}
}

// attempt is one tenure on one memory: everything it knows it has from the fold.
func (o *owner) attempt(ctx context.Context, part string) error {
	end, err := o.resume(ctx)
	if err != nil {
		return err
	}
	if err := o.fold(ctx, part, end); err != nil {
		return err
	}
	if err := o.checkLogs(ctx); err != nil {
		return err
	}
	return o.judge(ctx)
}

// resume takes the stored position up, or starts from the beginning where there
// is none or it does not fit the log. It returns the end of the log.
func (o *owner) resume(ctx context.Context) (end int64, err error) {
	o.memory = newMemory()
	ranges, err := o.host.Broker.Ranges(ctx, o.recorded)
	if err != nil {
		return 0, err
	}
	r := ranges[o.partition]
	if r.First > 0 {
		return 0, &IntegrityError{Partition: o.partition, What: fmt.Sprintf("%s begins at offset %d: its beginning was deleted", o.recorded, r.First)}
	}
	at, ok, err := o.projection.Position(ctx, o.partition)
	if err != nil {
		return 0, err
	}
	if ok && at.Next <= r.Next {
		last, err := o.recordAt(ctx, o.recorded, at.Next-1)
		if err != nil {
			return 0, err
		}
		if last.Mark() == at.Mark {
			o.at, o.highest, o.fromBeginning = at, at.Highest, false
			return r.Next, nil
		}
	}
	if ok {
		o.log.WarnContext(ctx, "stored position does not fit the log: folding from the beginning", telemetry.KeyOffset, at.Next)
	}
	return r.Next, o.restart(ctx)
}

func (o *owner) restart(ctx context.Context) error {
	o.at, o.highest, o.fromBeginning, o.memory = store.Position{}, -1, true, newMemory()
	return o.projection.Reset(ctx, o.partition)
}

// fold applies relais.recorded from the position up to end, dropping what is not
// above the highest number seen.
func (o *owner) fold(ctx context.Context, part string, end int64) error {
	started, from := time.Now(), o.at.Next
	cursor := o.host.Broker.Cursor(o.recorded, o.partition, o.at.Next)
	for next := o.at.Next; next < end; {
		o.host.Ready.Progress(part, next, end)
		batch, err := cursor.Fetch(ctx)
		if err != nil {
			return fmt.Errorf("fold: %w", err)
		}
		for records := range chunks(batch.Records) {
			if err := o.foldBatch(ctx, records); err != nil {
				return err
			}
		}
		next = batch.Next
	}
	o.host.Ready.Progress(part, end, end)
	if end > from {
		took := time.Since(started)
		o.metrics.folded.Add(float64(end - from))
		o.log.InfoContext(ctx, "partition is folded", telemetry.KeyCount, end-from, telemetry.KeyDuration, took)
	}
	return nil
}

func (o *owner) foldBatch(ctx context.Context, records []broker.Record) error {
	var applied []*outcome
	highest := o.highest
	for _, r := range records {
		var out *outcome
		if err := o.unfoldable(ctx, r.Offset, guarded(func() (err error) {
			out, err = o.outcomes.read(ctx, r)
			return err
		})); err != nil {
			return err
		}
		switch {
		case out.Place.Offset <= highest:
			o.metrics.dropped.Inc()
			continue
		case out.Place.Offset > highest+1 && o.fromBeginning:
			return &IntegrityError{Partition: o.partition, What: fmt.Sprintf("%s has no outcome of submission %d", o.recorded, highest+1)}
		case out.Place.Offset > highest+1:
			if err := o.restart(ctx); err != nil {
				return err
			}
			return errFoldAgain
		}
		highest = out.Place.Offset
		applied = append(applied, out)
	}
	return o.applyAll(ctx, records[len(records)-1], applied)
}
