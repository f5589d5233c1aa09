package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/pause"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// The kinds of outcome, as the answers name them.
const (
	outcomeFact    = "fact"
	outcomeRefusal = "refusal"
	outcomeRepeat  = "repeat"
	// outcomePending says that the ledger has not decided yet.
	outcomePending = "pending"
)

// outcome is what the ledger made of a submission, as far as callers are told.
type outcome struct {
	offset int64 // of the submission
	kind   string
	// sequence is a fact's, as it stands on the record.
	sequence string
	// reason and detail are a refusal's; for a repeat, reason is the first
	// outcome's, "" when that was a fact.
	reason schemas.Reason
	detail string
	// first is the place of a repeat's first.
	first schemas.Place
}

// Header keys of outcomes, as they stand on a record.
const (
	headerPrefix          = "ce_"
	headerType            = headerPrefix + "type"
	headerSequence        = headerPrefix + schemas.AttrSequence
	headerSubmittedOffset = headerPrefix + schemas.AttrSubmittedOffset
)

var errNoPlace = errors.New("the outcome does not name its submission")

// readOutcome reads what callers are told from a record of `relais.recorded`.
func readOutcome(ctx context.Context, codec *schemas.Codec, rec *broker.Record) (outcome, error) {
	offset, err := strconv.ParseInt(string(rec.Header(headerSubmittedOffset)), 10, 64)
	if err != nil || offset < 0 {
		return outcome{}, errNoPlace
	}
	o := outcome{offset: offset, kind: outcomeFact}
	switch typ := string(rec.Header(headerType)); typ {
	case schemas.TypeSubmissionRefused, schemas.TypeSubmissionRepeated:
		payload, err := codec.Decode(ctx, typ, rec.Value)
		if err != nil {
			return outcome{}, fmt.Errorf("decode %s: %w", typ, err)
		}
		switch p := payload.(type) {
		case *schemas.SubmissionRefused:
			o.kind, o.reason, o.detail = outcomeRefusal, schemas.Reason(p.Reason), p.Detail
		case *schemas.SubmissionRepeated:
			o.kind, o.reason = outcomeRepeat, schemas.Reason(p.FirstReason)
			o.first = schemas.Place{Partition: p.FirstPartition, Offset: p.FirstOffset}
		}
	default:
		o.sequence = string(rec.Header(headerSequence))
	}
	return o, nil
}

const (
	// keptOutcomes is how many of the latest outcomes of a partition are kept
	// for a caller who asks just after.
	keptOutcomes = 1024
	// maxWaiting bounds the callers who wait, all partitions together; whoever
	// comes after is told that the event was accepted and no more.
	maxWaiting = 100_000
)

// outcomes follows `relais.recorded` and tells callers who wait what became of
// their submissions. It starts at the topic's end and keeps no position: what a
// caller waits for comes later. Safe for concurrent use.
type outcomes struct {
	broker *broker.Broker
	codec  *schemas.Codec
	log    *slog.Logger
	topic  string
	// pending is told what is no longer.
	pending *pending
	// following is closed once every partition has its starting point: what is
	// handed in from then on is not missed.
	following chan struct{}

	mu         sync.Mutex
	unstarted  int
	partitions []followed
	waiting    int
}

// followed is one partition of `relais.recorded`. Its latest outcomes lie in a
// ring by the submission's offset.
type followed struct {
	started bool
	highest int64
	kept    []outcome
	waiters map[int64][]chan outcome
}

func newOutcomes(b *broker.Broker, codec *schemas.Codec, log *slog.Logger, topic string, partitions int, pending *pending) *outcomes {
	o := &outcomes{
		broker: b, codec: codec, log: log, topic: topic, pending: pending, following: make(chan struct{}),
		unstarted: partitions, partitions: make([]followed, partitions),
	}
	for p := range o.partitions {
		o.partitions[p] = followed{highest: -1, waiters: map[int64][]chan outcome{}}
	}
	return o
}

// run follows until ctx ends.
func (o *outcomes) run(ctx context.Context) error {
	err := o.broker.Follow(ctx, o.topic, o.start, o.take)
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("follow %s: %w", o.topic, err)
}

func (o *outcomes) start(partition int, r broker.Range) int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if partition < len(o.partitions) && !o.partitions[partition].started {
		o.partitions[partition].started = true
		if o.unstarted--; o.unstarted == 0 {
			close(o.following)
		}
	}
	return r.Next
}

// written is the lowest submission of a partition that may have no outcome yet: all
// below it were on the log.
func (o *outcomes) written(partition int) int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.partitions[partition].highest + 1
}

// take reads a batch; an outcome that was appended twice is taken once.
func (o *outcomes) take(ctx context.Context, batch broker.Batch) error {
	if batch.Partition >= len(o.partitions) {
		return nil
	}
	read := make([]outcome, 0, len(batch.Records))
	for i := range batch.Records {
		out, err := o.read(ctx, &batch.Records[i])
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			o.log.Error("an outcome cannot be read, its caller is not told", telemetry.KeyTopic, batch.Topic,
				telemetry.KeyPartition, batch.Partition, telemetry.KeyOffset, batch.Records[i].Offset, telemetry.KeyError, err)
		default:
			read = append(read, out)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	p := &o.partitions[batch.Partition]
	if p.kept == nil && len(read) > 0 {
		p.kept = make([]outcome, keptOutcomes)
	}
	for _, out := range read {
		if out.offset <= p.highest {
			continue
		}
		p.highest = out.offset
		p.kept[out.offset%keptOutcomes] = out
		for _, w := range p.waiters[out.offset] {
			w <- out
			o.waiting--
		}
		delete(p.waiters, out.offset)
	}
	o.pending.decide(batch.Partition, p.highest)
	return nil
}

// registryPause is how long the reading of an outcome waits before it asks a
// registry again that did not answer.
const registryPause = 200 * time.Millisecond

// read reads one outcome, however long the registry takes. Any error but ctx's
// is final.
func (o *outcomes) read(ctx context.Context, rec *broker.Record) (outcome, error) {
	for {
		out, err := readOutcome(ctx, o.codec, rec)
		var refusal *schemas.Refusal
		if err == nil || errors.As(err, &refusal) || errors.Is(err, errNoPlace) {
			return out, err
		}
		if err := pause.For(ctx, registryPause); err != nil {
			return outcome{}, err
		}
	}
}

// expect asks for the outcome of a submission. It comes on the channel; nil when
// too many wait already.
func (o *outcomes) expect(place schemas.Place) <-chan outcome {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waiting >= maxWaiting {
		return nil
	}
	w := make(chan outcome, 1)
	p := &o.partitions[place.Partition]
	if p.highest >= place.Offset {
		// It has gone by. One that is kept no more is found by GET.
		if out := p.kept[place.Offset%keptOutcomes]; out.offset == place.Offset && out.kind != "" {
			w <- out
			return w
		}
		return nil
	}
	p.waiters[place.Offset] = append(p.waiters[place.Offset], w)
	o.waiting++
	return w
}

// forget ends an expectation that is given up.
func (o *outcomes) forget(place schemas.Place, w <-chan outcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := &o.partitions[place.Partition]
	all := p.waiters[place.Offset]
	for i := range all {
		if all[i] != w {
			continue
		}
		o.waiting--
		if all = append(all[:i], all[i+1:]...); len(all) == 0 {
			delete(p.waiters, place.Offset)
		} else {
			p.waiters[place.Offset] = all
		}
		return
	}
}
