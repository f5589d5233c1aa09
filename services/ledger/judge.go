package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/pause"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// checkLogs compares the last submission that both logs have. When it is not the
// same, or relais.submitted is the shorter, offsets were used twice or are about
// to be (a power cut, a restore).
func (o *owner) checkLogs(ctx context.Context) error {
	ranges, err := o.host.Broker.Ranges(ctx, o.submitted)
	if err != nil {
		return err
	}
	r := ranges[o.partition]
	if o.highest >= r.Next {
		return &IntegrityError{Partition: o.partition, What: fmt.Sprintf("%s ends at %d, but submission %d has an outcome", o.submitted, r.Next, o.highest), Mendable: true}
	}
	if r.First > o.highest+1 {
		return &IntegrityError{Partition: o.partition, What: fmt.Sprintf("%s begins at %d, but submission %d has no outcome yet", o.submitted, r.First, o.highest+1)}
	}
	if o.highest < r.First {
		return nil
	}
	submitted, err := o.recordAt(ctx, o.submitted, o.highest)
	if err != nil {
		return err
	}
	// The log may end in repeated writes of older outcomes: the last outcome of
	// the highest submission is at or before the last record.
	recorded, err := o.outcomeOf(ctx, o.highest)
	if err != nil {
		return err
	}
	e, err := schemas.FromRecord(submitted.Headers, submitted.Value)
	if err != nil {
		return &IntegrityError{Partition: o.partition, What: fmt.Sprintf("submission %d cannot be read: %v", o.highest, err)}
	}
	if string(submitted.Key) != recorded.Dossier || !recorded.answers(e) {
		return &IntegrityError{Partition: o.partition, What: fmt.Sprintf("submission %d is not the one that its outcome was made for", o.highest), Mendable: true}
	}
	if recorded.postponed() {
		return &IntegrityError{Partition: o.partition, What: fmt.Sprintf("a repair was broken off after submission %d", o.highest), Mendable: true}
	}
	return nil
}

// outcomeOf finds the outcome of a submission near the end of the log.
func (o *owner) outcomeOf(ctx context.Context, offset int64) (*outcome, error) {
	for at := o.at.Next - 1; at >= 0; at-- {
		r, err := o.recordAt(ctx, o.recorded, at)
		if err != nil {
			return nil, err
		}
		out, err := o.outcomes.read(ctx, r)
		if err != nil {
			return nil, err
		}
		if out.Place.Offset == offset {
			return out, nil
		}
	}
	return nil, &IntegrityError{Partition: o.partition, What: fmt.Sprintf("%s has no outcome of submission %d", o.recorded, offset)}
}

// answers says whether the outcome is one of the event.
func (o *outcome) answers(e schemas.Event) bool {
	source, id := o.submission()
	return source == e.Source && id == e.ID
}

// submission is the source and the id of the submission that it is the outcome of.
func (o *outcome) submission() (source, id string) {
	switch {
	case o.Fact != nil:
		return o.Fact.Source, o.Fact.ID
	case o.Refusal != nil:
		return o.Refusal.SubmissionSource, o.Refusal.SubmissionID
	}
	return o.Repeat.SubmissionSource, o.Repeat.SubmissionID
}

// postponed says whether it is a repeat of a later submission: only a repair, which
// hands in again what stands before its mark, makes such.
func (o *outcome) postponed() bool {
	return o.Repeat != nil && o.Repeat.FirstPartition == o.Place.Partition && o.Repeat.FirstOffset > o.Place.Offset
}

// judge decides submissions from the first that has no outcome, for as long as
// the partition is ours.
func (o *owner) judge(ctx context.Context) error {
	cursor := o.claim.Cursor(o.highest + 1)
	var waiting []broker.Record
	more, idle := true, false // more is on the log, for all that is known
	var told struct {
		offset int64
		at     time.Time
	}
	for {
		// A step as large as may be costs the brokers least, so that a small rest is
		// decided with what follows it, where that is there already.
		if len(waiting) == 0 || more && len(waiting) < batchRecords/2 {
			batch, err := cursor.Fetch(ctx)
			if err != nil {
				return fmt.Errorf("judge: %w", err)
			}
			waiting, more, idle = append(waiting, batch.Records...), !batch.AtEnd(), len(batch.Records) == 0
		}
		if len(waiting) > 0 {
			decided, err := o.step(ctx, waiting[:min(len(waiting), batchRecords)])
			if err != nil {
				return err
			}
			if waiting = waiting[decided:]; len(waiting) == 0 {
				// What was fetched is not kept for the sake of its end.
				waiting = nil
			}
		}
		// For lag exporters only, nobody starts from it: seldom, as the next step waits
		// for it, or when there is nothing else to do.
		if next := o.highest + 1; next != told.offset && (idle || time.Since(told.at) > tellEvery) {
			told.offset, told.at = next, time.Now()
			if err := o.claim.Commit(ctx, next, ""); err != nil && ctx.Err() == nil {
				o.log.WarnContext(ctx, "group offset is not committed", telemetry.KeyError, err)
			}
		}
	}
}

// step decides a run of submissions, as many of them as one request holds, and says
// how many: read the dossiers as of the position, decide, produce, then store. Only
// what is on the log is true.
func (o *owner) step(ctx context.Context, records []broker.Record) (decided int, err error) {
	started := time.Now()
	// Outcomes are larger than their submissions: what does not fit is left for the
	// next step.
	for n, size := 0, 0; n < len(records); n++ {
		if size += sizeOf(records[n]); size > batchBytes && n > 0 {
			records = records[:n]
			break
		}
		// Its own fault is all that the ledger decides by something else than the log:
		// nothing goes with it that rests on it, until it is known to be the first.
		if _, faulty := o.faulty[records[n].Offset]; faulty {
			records = records[:max(n, 1)]
			break
		}
	}
	dossiers, err := o.load(ctx, func(yield func(string) bool) {
		for _, r := range records {
			if !yield(string(r.Key)) {
				return
			}
		}
	})
	if err != nil {
		return 0, err
	}
	made := make([]*outcome, 0, len(records))
	changed := make(map[string]*dossier, len(dossiers))
	size := 0
	for _, r := range records {
		if r.Offset != o.highest+1+int64(len(made)) {
			return 0, &IntegrityError{Partition: o.partition, What: fmt.Sprintf("%s has a gap before %d", o.submitted, r.Offset)}
		}
		d := dossiers[string(r.Key)]
		out, err := o.decideOne(ctx, d, r)
		if err != nil {
			return 0, err
		}
		if size += sizeOf(out.record); size > batchBytes && len(made) > 0 {
			break
		}
		if err := o.applyOne(ctx, d, out, r); err != nil {
			return 0, err
		}
		made, changed[out.Dossier] = append(made, out), d
	}
	if err := o.produce(ctx, made); err != nil {
		return 0, err
	}
	last := made[len(made)-1].record
	last.Offset = o.at.Next + int64(len(made)) - 1
	if err := o.commit(ctx, changed, last, o.highest+int64(len(made))); err != nil {
		return 0, err
	}
	o.count(made, time.Since(started))
	return len(made), nil
}

// outcomeFor makes the outcome of one submission; it may panic.
func (o *owner) outcomeFor(ctx context.Context, d *dossier, r broker.Record) (*outcome, error) {
	wrong, faulty := o.faulty[r.Offset]
	s, err := readHeaders(r)
	if err == nil && !wrong.unread {
		err = s.read(ctx, o.codec)
	}
	if err != nil {
		if errors.Is(err, errNoAnswer) {
			return nil, err
		}
		return nil, &IntegrityError{Partition: o.partition, What: err.Error()}
	}
	if asked := rulesFor(d, s); asked > Rules {
		return nil, &UnknownRulesError{Place: s.Place, Asked: asked}
	}
	var verdict decision
	later, postponed := o.postponed[r.Offset]
	switch {
	case postponed:
		verdict = decision{repeat: &seen{Place: later.String()}}
	case faulty:
		verdict = refuse(schemas.ReasonHubError, wrong.detail)
	default:
		verdict = decide(d, s)
	}
	return o.outcomes.make(ctx, d, s, verdict)
}

// produce appends the outcomes. A request of unknown fate is repeated unchanged
// before anything later is sent; if the acknowledgement's base offset is not the
// end that was known, somebody else wrote.
func (o *owner) produce(ctx context.Context, made []*outcome) error {
	records := make([]broker.Record, len(made))
	for i, out := range made {
		records[i] = out.record
	}
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		base, err := o.host.Broker.ProduceBatch(ctx, o.recorded, o.partition, records)
		var refused *broker.RefusedError
		switch {
		case err == nil && base != o.at.Next:
			return errFoldAgain
		case err == nil:
			return nil
		case errors.As(err, &refused) && !refused.OfTheRecord():
			// No fault of theirs (rights that were taken away, say): they wait.
			return err
		case errors.As(err, &refused) && len(made) > 1:
			// One of them is at fault: those before it go first.
			return o.produceHalves(ctx, made, refused)
		case errors.As(err, &refused):
			return o.refused(ctx, made[0], refused)
		}
		o.log.WarnContext(ctx, "outcomes are of unknown fate: repeated unchanged", telemetry.KeyCount, len(made), telemetry.KeyError, err)
		if pause.For(ctx, wait) != nil {
			return ctx.Err()
		}
	}
}

// produceHalves sends the first half of a batch that was refused for good, and
// has the rest decided again: what follows a refused outcome rests on it.
func (o *owner) produceHalves(ctx context.Context, made []*outcome, cause error) error {
	if err := o.produce(ctx, made[:len(made)/2]); err != nil {
		return err
	}
	return fmt.Errorf("%w (%w)", errFoldAgain, cause)
}

func (o *owner) count(made []*outcome, took time.Duration) {
	facts, refusals, repeats := 0, 0, 0
	for _, out := range made {
		switch {
		case out.Fact != nil:
			facts++
			o.metrics.outcome("fact", out.Fact.Type, "")
		case out.Refusal != nil:
			refusals++
			o.metrics.outcome("refusal", out.Refusal.SubmissionType, out.Refusal.Reason)
			o.log.Info("submission refused", telemetry.KeyPlace, out.Place.String(), telemetry.KeyReason, out.Refusal.Reason,
				telemetry.KeyEventType, out.Refusal.SubmissionType, "detail", out.Refusal.Detail)
		default:
			repeats++
			o.metrics.outcome("repeat", out.Repeat.SubmissionType, "")
		}
	}
	o.metrics.step.Observe(took.Seconds())
	o.log.Info("submissions judged", "facts", facts, "refusals", refusals, "repeats", repeats, telemetry.KeyDuration, took)
}
