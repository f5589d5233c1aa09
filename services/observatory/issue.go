package observatory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/statement"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// system is the system of what the observatory hands in.
const system = "observatory"

// issueAll issues to every participant the statements whose span ends at `at`, as
// far as they are not issued yet. What fails is tried again at the next hour, or
// by the next observatory: nothing is lost with it.
func (o *Observatory) issueAll(ctx context.Context, at time.Time) {
	started := time.Now()
	accounts := o.due(ctx, at)
	issued := 0
	for len(accounts) > 0 && ctx.Err() == nil {
		if err := o.gather(ctx, accounts); err != nil {
			o.failed(ctx, "", err)
			break
		}
		var more []*account
		for _, a := range accounts {
			complete, err := o.hand(ctx, a, at)
			switch {
			case err != nil:
				o.failed(ctx, a.participant, err)
				continue
			case !complete:
				more = append(more, a)
			}
			issued++
		}
		accounts = more
	}
	if issued > 0 && ctx.Err() == nil {
		o.host.Log.InfoContext(ctx, "statements issued", telemetry.KeyCount, issued, "span_end", at, telemetry.KeyDuration, time.Since(started))
	}
}

func (o *Observatory) failed(ctx context.Context, participant string, err error) {
	if ctx.Err() == nil {
		o.metrics.failed.Inc()
		o.host.Log.ErrorContext(ctx, "no statement could be issued", telemetry.KeyParticipant, participant, telemetry.KeyError, err)
	}
}

// due are the accounts whose last statement ends before `at`, with the ranges to
// gather begun.
func (o *Observatory) due(ctx context.Context, at time.Time) []*account {
	var all []*account
	for _, p := range o.host.Directory.Snapshot().Participants() {
		if !p.HasTopics() {
			continue
		}
		if !p.Active() {
			// It could not read one, and none would come onto its topic. The next one
			// covers all of it.
			o.metrics.forget(p.ID)
			continue
		}
		a, err := o.open(ctx, p, at)
		switch {
		case err != nil:
			o.failed(ctx, p.ID, err)
		case a != nil:
			all = append(all, a)
		}
	}
	return all
}

// topicsLimit is how long a participant's topics are waited for.
const topicsLimit = 10 * time.Second

// open is a participant's account; nil where nothing is due.
func (o *Observatory) open(ctx context.Context, p directory.Participant, at time.Time) (*account, error) {
	a := newAccount(p.ID, o.host.Broker)
	// A participant's topics are made a moment after it has come; nobody else waits
	// for them.
	limited, cancel := context.WithTimeout(ctx, topicsLimit)
	defer cancel()
	if err := o.host.Broker.WaitTopics(limited, a.topics()...); err != nil {
		return nil, err
	}
	last, err := o.last(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	if last != nil {
		o.metrics.issued(p.ID, last.SpanEnd)
		if !at.After(last.SpanEnd) && last.Complete {
			return nil, nil
		}
		a.last = last
		return a, nil
	}
	some, err := o.hadEvents(ctx, a, at)
	if err != nil || !some {
		return nil, err
	}
	return a, nil
}

// hadEvents says whether anything stood on the participant's topics before `at`:
// an account begins with the first event.
func (o *Observatory) hadEvents(ctx context.Context, a *account, at time.Time) (bool, error) {
	for _, topic := range a.topics() {
		ranges, err := o.host.Broker.Ranges(ctx, topic)
		if err != nil {
			return false, err
		}
		for p, r := range ranges {
			if r.Next == r.First {
				continue
			}
			first, err := o.host.Broker.OffsetAt(ctx, topic, p, at)
			if err != nil {
				return false, err
			}
			if first > r.First {
				return true, nil
			}
		}
	}
	return false, nil
}

// hand signs what was gathered, hands it in and waits until the participant has
// it. complete says that nothing more of the span is left.
func (o *Observatory) hand(ctx context.Context, a *account, at time.Time) (complete bool, err error) {
	s := a.statement(at, o.interval)
	o.key.Sign(s)
	if err := schemas.Validate(s); err != nil {
		return false, fmt.Errorf("statement %d: %w", s.Number, err)
	}
	value, err := o.codec.Encode(ctx, s)
	if err != nil {
		return false, fmt.Errorf("statement %d: %w", s.Number, err)
	}
	id, _ := schemas.SchemaID(value)
	e := schemas.Event{
		ID: statement.ID(s.Participant, s.Number), Source: schemas.Source(schemas.HubParticipant, system), Type: schemas.TypeStatementIssued,
		Subject: statement.Subject(s.Participant, s.Number), Time: at, DataContentType: schemas.AvroContentType,
		DataSchema: fmt.Sprintf("%s/schemas/ids/%d", o.host.Settings.RegistryURL, id), Data: value,
	}
	topic := o.host.Broker.Topic("from." + schemas.HubParticipant)
	n, err := o.host.Broker.Partitions(ctx, topic)
	if err != nil {
		return false, err
	}
	rec := broker.Record{Topic: topic, Partition: broker.PartitionOf([]byte(e.Subject), n), Key: []byte(e.Subject), Value: value, Headers: schemas.Headers(e)}
	if _, err := o.host.Broker.Produce(ctx, rec); err != nil {
		return false, fmt.Errorf("statement %d: %w", s.Number, err)
	}
	issued, err := o.await(ctx, a, e)
	if err != nil {
		return false, fmt.Errorf("statement %d: %w", s.Number, err)
	}
	// What became the fact is what the next one follows: another observatory's,
	// where that was first.
	a.goOn(issued)
	o.metrics.issued(a.participant, issued.SpanEnd)
	return issued.Complete, nil
}

// awaitLimit is how long a statement may be on its way.
const awaitLimit = 2 * time.Minute

var errNotSeen = errors.New("it does not come back on the participant's topic; it is issued again at the next hour")

// await reads the participant's topic until the statement is there.
func (o *Observatory) await(ctx context.Context, a *account, e schemas.Event) (*statement.Issued, error) {
	limited, cancel := context.WithTimeout(ctx, awaitLimit)
	defer cancel()
	partition := broker.PartitionOf([]byte(e.Subject), o.partitions())
	from, _ := a.positionBefore(schemas.BookTo, partition)
	topic := o.host.Broker.Topic("to." + a.participant)
	cursor := o.host.Broker.Cursor(topic, partition, from)
	for {
		batch, err := cursor.Fetch(limited)
		if errors.Is(err, broker.ErrOutOfRange) {
			r, err := o.host.Broker.RangeOf(limited, topic, partition)
			if err != nil {
				return nil, err
			}
			cursor.SeekTo(r.First)
			continue
		}
		if err != nil && limited.Err() != nil && ctx.Err() == nil {
			return nil, errNotSeen
		}
		if err != nil {
			return nil, err
		}
		for i := range batch.Records {
			r := &batch.Records[i]
			if isStatement(r) && string(r.Header("ce_id")) == e.ID {
				return o.read(ctx, r)
			}
		}
	}
}
