package clock

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// lostAfter is when a probe that has not come back counts as lost.
const lostAfter = time.Minute

// probes sends a probe through the whole road every few seconds, from.hub to
// to.hub, and times it. The partitions that are ours take turns: the logs keep
// every probe for ever, and one every few seconds tells enough. A probe leaves
// nothing in any state, and what is under way is only in memory: a probe of another
// clock, or of before a restart, is nobody's.
type probes struct {
	pen     *pen
	metrics *metrics
	// subjects are the dossiers of the probes, one on each partition.
	subjects []string

	mu   sync.Mutex
	ours map[int]bool
	last int                  // partition probed last
	out  map[string]time.Time // when each was sent that is not back, by id
}

func newProbes(p *pen, m *metrics, partitions int) *probes {
	return &probes{pen: p, metrics: m, subjects: probeSubjects(partitions), ours: map[int]bool{}, last: -1, out: map[string]time.Time{}}
}

// probeSubjects are always the same, so that an installation has one dossier of
// probes per partition, however long it runs.
func probeSubjects(partitions int) []string {
	subjects := make([]string, partitions)
	for found, i := 0, 0; found < partitions; i++ {
		id := derivedID("probe", strconv.Itoa(i))
		if p := broker.PartitionOf([]byte(id), partitions); subjects[p] == "" {
			subjects[p] = id
			found++
		}
	}
	return subjects
}

func (p *probes) topic(b *broker.Broker) string { return b.Topic("to." + schemas.HubParticipant) }

// own says whether a partition is ours.
func (p *probes) own(partition int, ours bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ours {
		p.ours[partition] = true
	} else {
		delete(p.ours, partition)
	}
}

// turn is the partition whose turn it is; ok is false when none is ours.
func (p *probes) turn() (partition int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ours := slices.Sorted(maps.Keys(p.ours))
	if len(ours) == 0 {
		return 0, false
	}
	next := ours[0]
	for _, o := range slices.Backward(ours) {
		if o > p.last {
			next = o
		}
	}
	p.last = next
	return next, true
}

// send sends a probe now and again until ctx ends.
func (p *probes) send(ctx context.Context, every time.Duration, log *slog.Logger) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		p.giveUp(time.Now())
		partition, ok := p.turn()
		if !ok {
			continue
		}
		if err := p.sendOne(ctx, partition); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "probe is not sent", telemetry.KeyPartition, partition, telemetry.KeyError, err)
		}
	}
}

func (p *probes) sendOne(ctx context.Context, partition int) error {
	made, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("id of a probe: %w", err)
	}
	id, now := made.String(), time.Now()
	p.mu.Lock()
	p.out[id] = now
	p.mu.Unlock()
	p.tell()
	_, err = p.pen.write(ctx, id, p.subjects[partition], now, &schemas.ProbeSent{Sent: now.UTC().Truncate(time.Millisecond)})
	return err
}

// giveUp counts those as lost that should have come back.
func (p *probes) giveUp(now time.Time) {
	p.mu.Lock()
	for id, sent := range p.out {
		if now.Sub(sent) > lostAfter {
			delete(p.out, id)
			p.metrics.probesLost.Inc()
		}
	}
	p.mu.Unlock()
	p.tell()
}

func (p *probes) tell() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.metrics.probesOut.Set(float64(len(p.out)))
}

// watch follows to.hub from its end, and times the probes that come back.
func (p *probes) watch(ctx context.Context, b *broker.Broker) error {
	return b.Follow(ctx, p.topic(b), func(_ int, r broker.Range) int64 { return r.Next }, func(_ context.Context, batch broker.Batch) error {
		for _, r := range batch.Records {
			if string(r.Header("ce_type")) == schemas.TypeProbeSent {
				p.back(string(r.Header("ce_id")), time.Now())
			}
		}
		return nil
	})
}

func (p *probes) back(id string, now time.Time) {
	p.mu.Lock()
	sent, ours := p.out[id]
	delete(p.out, id)
	p.mu.Unlock()
	if ours {
		p.metrics.roundTrip.Observe(now.Sub(sent).Seconds())
		p.tell()
	}
}
