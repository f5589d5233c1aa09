package ledger

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// A submission on which the ledger panics is poison: it would end the process, and
// the next one's, for ever. It gets hub_error instead, whichever step panicked, and
// the partition goes on. What is made of it then asks less of the code each time it
// panics again: first it is refused as it was read, then without its data being read.
// One that cannot even be refused halts its partition.

// fault is why a submission gets hub_error.
type fault struct {
	detail string
	// unread leaves its data alone.
	unread bool
}

// panicError is a panic, told as an error.
type panicError struct {
	what  any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.what) }

// guarded does something, and tells a panic in it as a *panicError.
func guarded(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{p, debug.Stack()}
		}
	}()
	return do()
}

// decideOne makes the outcome of one submission. The dossier stays as it was.
func (o *owner) decideOne(ctx context.Context, d *dossier, r broker.Record) (out *outcome, err error) {
	for {
		err = guarded(func() (err error) {
			out, err = o.outcomeFor(ctx, d, r)
			return err
		})
		if err = o.poisoned(ctx, r, err); !errors.Is(err, errPoison) {
			return out, err
		}
	}
}

// applyOne changes the dossier as the outcome says. After a panic nobody knows how
// far that came: the memory is dropped with errFoldAgain, and the submission gets
// another outcome.
func (o *owner) applyOne(ctx context.Context, d *dossier, out *outcome, r broker.Record) error {
	err := o.poisoned(ctx, r, guarded(func() error {
		apply(d, out)
		return nil
	}))
	if errors.Is(err, errPoison) {
		return fmt.Errorf("%w (%w)", errFoldAgain, err)
	}
	return err
}

// errPoison says that a submission made the ledger panic, and will be refused.
var errPoison = errors.New("a submission made the ledger panic")

// poisoned writes down that a submission made the ledger panic, if err says so, and
// turns that into errPoison. Any other error it returns as it is.
func (o *owner) poisoned(ctx context.Context, r broker.Record, err error) error {
	var panicked *panicError
	if !errors.As(err, &panicked) {
		return err
	}
	place := schemas.Place{Partition: r.Partition, Offset: r.Offset}
	o.log.ErrorContext(ctx, "judging panicked", telemetry.KeyPlace, place.String(),
		telemetry.KeyEventType, string(r.Header("ce_type")), "panic", panicked.what, "stack", string(panicked.stack))
	before, again := o.faulty[r.Offset]
	switch {
	case !again:
		o.metrics.poison.Inc()
		o.faulty[r.Offset] = fault{}
	case !before.unread:
		o.faulty[r.Offset] = fault{detail: before.detail, unread: true}
	default:
		return &IntegrityError{Partition: o.partition, What: fmt.Sprintf("submission %d makes this build panic even when it refuses it", r.Offset), OfBuild: true}
	}
	return errPoison
}

// unfoldable tells a panic while a recorded outcome was folded: there is no other
// outcome to make then, and no dossier without it.
func (o *owner) unfoldable(ctx context.Context, offset int64, err error) error {
	var panicked *panicError
	if !errors.As(err, &panicked) {
		return err
	}
	o.log.ErrorContext(ctx, "folding panicked", telemetry.KeyOffset, offset, "panic", panicked.what, "stack", string(panicked.stack))
	return &IntegrityError{Partition: o.partition, What: fmt.Sprintf("record %d of %s makes this build panic", offset, o.recorded), OfBuild: true}
}

// refused says what follows when the broker does not take an outcome: it is a
// hub_error then. When it does not take that one either, the partition pauses.
func (o *owner) refused(ctx context.Context, out *outcome, cause *broker.RefusedError) error {
	if _, again := o.faulty[out.Place.Offset]; again {
		return fmt.Errorf("not even the refusal of %s is taken: %w", out.Place, cause)
	}
	o.faulty[out.Place.Offset] = fault{detail: cause.Error()}
	o.log.ErrorContext(ctx, "outcome was refused by the broker", telemetry.KeyPlace, out.Place.String(), telemetry.KeyError, cause)
	return errFoldAgain
}
