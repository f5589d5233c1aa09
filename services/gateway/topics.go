package gateway

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/pause"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// topicDoor hands in what comes by the topics `relais.from.…`. It repeats a batch
// after a crash; the ledger recognises what it has seen.
type topicDoor struct{ *Gateway }

const (
	// lookEvery is how often topics that did not exist are looked for again.
	lookEvery = 5 * time.Second
	// lookFor bounds the look for one topic.
	lookFor = time.Second
)

// run consumes the topics of all participants until ctx ends. When the directory
// names other participants than before, it joins the group anew.
func (d *topicDoor) run(ctx context.Context) error {
	for ctx.Err() == nil {
		topics := d.existing(ctx)
		if len(topics) == 0 {
			_ = pause.For(ctx, lookEvery)
			continue
		}
		if err := d.consume(ctx, topics); err != nil {
			return err
		}
	}
	return nil
}

// consume consumes until other topics are to be consumed than these.
func (d *topicDoor) consume(ctx context.Context, topics []string) error {
	consuming, stop := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	watcher.Go(func() {
		d.watch(consuming, topics)
		stop()
	})
	defer watcher.Wait()
	defer stop()
	return d.broker.Consume(consuming, d.broker.Topic(d.Name()), topics, d.handle)
}

// watch returns when other topics are to be consumed than these, or ctx ends.
func (d *topicDoor) watch(ctx context.Context, topics []string) {
	for ctx.Err() == nil {
		_, changed := d.host.Directory.Watch()
		var look <-chan time.Time
		if !slices.Equal(d.wanted(), topics) {
			if found := d.existing(ctx); !slices.Equal(found, topics) {
				return
			}
			look = time.After(lookEvery)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-look:
		}
	}
}

// wanted are the ways in of all participants, by name.
func (d *topicDoor) wanted() []string {
	topics := []string{d.from(schemas.OfficesParticipant), d.from(schemas.HubParticipant)}
	for _, p := range d.host.Directory.Snapshot().Participants() {
		if p.HasTopics() {
			topics = append(topics, d.from(p.ID))
		}
	}
	slices.Sort(topics)
	return topics
}

func (d *topicDoor) from(participant string) string { return d.broker.Topic("from." + participant) }

// existing are those of the wanted topics that exist.
func (d *topicDoor) existing(ctx context.Context) []string {
	var found []string
	for _, topic := range d.wanted() {
		look, cancel := context.WithTimeout(ctx, lookFor)
		_, err := d.broker.Partitions(look, topic)
		cancel()
		if err == nil {
			found = append(found, topic)
		}
	}
	return found
}

// principal is whose way in the topic is.
func (g *Gateway) principal(topic string) auth.Principal {
	id := auth.FromTopic(g.host.Settings.Prefix, topic)
	switch id {
	case schemas.OfficesParticipant, schemas.HubParticipant:
		return auth.Principal{ID: id, Role: schemas.RoleHub}
	}
	if p, ok := g.host.Directory.Participant(id); ok {
		return auth.Of(p)
	}
	return auth.Principal{ID: id}
}

// handle hands in one partition, step by step, and commits after each.
func (d *topicDoor) handle(ctx context.Context, claim *broker.Claim) error {
	offset, _, ok, err := claim.Committed(ctx)
	if err != nil {
		return err
	}
	if !ok {
		if offset, err = d.earliest(ctx, claim); err != nil {
			return err
		}
	}
	cursor := claim.Cursor(offset)
	for {
		if err := d.waitOpen(ctx); err != nil {
			return err
		}
		batch, err := cursor.Fetch(ctx)
		if errors.Is(err, broker.ErrOutOfRange) {
			if offset, err = d.earliest(ctx, claim); err != nil {
				return err
			}
			d.log.Warn("the topic does not reach to the committed offset, going on at its earliest", telemetry.KeyTopic, claim.Topic,
				telemetry.KeyPartition, claim.Partition, "committed", cursor.Position(), telemetry.KeyOffset, offset)
			cursor.SeekTo(offset)
			continue
		}
		if err != nil {
			return err
		}
		if batch.Next == batch.Start {
			continue
		}
		for step := range steps(batch) {
			if err := d.pace(ctx, &step); err != nil {
				return err
			}
			if err := d.handIn(ctx, step); err != nil {
				return err
			}
			if err := claim.Commit(ctx, step.Next, ""); err != nil {
				return err
			}
		}
	}
}

// pace waits where the participant hands in more than it may: a rate limit pauses
// the reading of a topic, it never refuses. Offices are limited at the inbox.
func (d *topicDoor) pace(ctx context.Context, step *broker.Batch) error {
	by := d.principal(step.Topic)
	if by.Role == schemas.RoleHub {
		return nil
	}
	return d.topicPace.pace(ctx, by, len(step.Records))
}

// stepRecords bounds what is handed in between two commits, and so what is handed in
// again after a crash, or when the partition goes to another gateway: a fetch brings
// thousands of small records.
const stepRecords = 500

// steps cuts a batch into what goes between two commits.
func steps(batch broker.Batch) iter.Seq[broker.Batch] {
	return func(yield func(broker.Batch) bool) {
		for len(batch.Records) > stepRecords {
			step := batch
			step.Records, batch.Records = batch.Records[:stepRecords], batch.Records[stepRecords:]
			step.Next = batch.Records[0].Offset
			batch.Start = step.Next
			if !yield(step) {
				return
			}
		}
		yield(batch)
	}
}

func (d *topicDoor) earliest(ctx context.Context, claim *broker.Claim) (int64, error) {
	r, err := d.broker.RangeOf(ctx, claim.Topic, claim.Partition)
	return r.First, err
}

// waitOpen waits while the doors are shut: what stands on a topic can wait.
func (d *topicDoor) waitOpen(ctx context.Context) error {
	for d.closed() != "" {
		if err := pause.For(ctx, time.Second); err != nil {
			return err
		}
	}
	return nil
}

// handIn sends every record of the batch on its way and waits until all are
// acknowledged. A later record of a dossier is sent only once the earlier ones
// are, so that none of unknown fate is overtaken.
func (d *topicDoor) handIn(ctx context.Context, batch broker.Batch) error {
	started := time.Now()
	by := d.principal(batch.Topic)
	sum := tally{log: d.log}
	handed := make([]*handed, 0, len(batch.Records))
	last := make(map[string]int, len(batch.Records))
	settled := 0
	for i := range batch.Records {
		h, err := d.rule(ctx, by, &batch.Records[i])
		if err != nil {
			return err
		}
		if earlier, ok := last[h.dossier()]; ok && h.dossier() != "" && earlier >= settled {
			for ; settled <= earlier; settled++ {
				if err := handed[settled].settle(ctx); err != nil {
					return err
				}
			}
		}
		if err := h.send(ctx); err != nil {
			return err
		}
		last[h.dossier()] = len(handed)
		handed = append(handed, h)
	}
	for _, h := range handed[settled:] {
		if err := h.settle(ctx); err != nil {
			return err
		}
	}
	for _, h := range handed {
		h.count(&sum)
	}
	d.log.Info("records taken", telemetry.KeyParticipant, by.ID, telemetry.KeyTopic, batch.Topic, telemetry.KeyPartition, batch.Partition,
		telemetry.KeyOffset, batch.Start, telemetry.KeyCount, len(batch.Records), "accepted", sum.accepted, "refused", sum.refused,
		"quarantined", sum.quarantined, "lag", batch.End-batch.Next, telemetry.KeyDuration, time.Since(started))
	return nil
}

// tally counts what became of a batch or a request, and says of the first
// refusals why. Safe for concurrent use while it is counted.
type tally struct {
	log *slog.Logger

	mu                             sync.Mutex
	accepted, refused, quarantined int
}

func (t *tally) acceptedOne() {
	t.mu.Lock()
	t.accepted++
	t.mu.Unlock()
}

// maxRefusalLines bounds the lines on refusals of one batch or request.
const maxRefusalLines = 20

// refusal counts one refusal. The line says what was wrong with which field, not
// what stood there.
func (t *tally) refusal(by auth.Principal, eventType, reason, detail string) {
	t.mu.Lock()
	t.refused++
	said := t.refused > maxRefusalLines
	t.mu.Unlock()
	if said {
		return
	}
	name := labelUnknown
	if e, ok := schemas.Lookup(eventType); ok {
		name = e.Name
	}
	t.log.Info("event refused", telemetry.KeyParticipant, by.ID, telemetry.KeyEventType, name, telemetry.KeyReason, reason, "detail", detail)
}

// unsettledError says what the broker does not take.
func unsettledError(rec *broker.Record, err error) error {
	return fmt.Errorf("hand in %s/%d-%d: %w", rec.Topic, rec.Partition, rec.Offset, err)
}
