package router

import (
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/relais-fr/relais/services/internal/telemetry"
)

// Outcomes of an attempt, besides that of the broker's answer.
const (
	outcomeDelivered = "delivered"
	outcomeRefused   = "refused"
	outcomeGone      = "gone"
)

// queueTo is where events wait for their copy on the recipient's topic.
const queueTo = "to"

// queueCollect is where copies wait on the recipient's topic to be collected.
const queueCollect = "collect"

type metrics struct {
	copies   *prometheus.CounterVec
	dead     *prometheus.CounterVec
	replayed *prometheus.CounterVec
	attempts *prometheus.CounterVec
	dropped  prometheus.Counter
	endToEnd prometheus.Observer

	uncollected *prometheus.GaugeVec
	deleted     *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	return &metrics{
		copies: f.NewCounterVec(prometheus.CounterOpts{
			Name: "relais_events_routed_total",
			Help: "Copies acknowledged on a recipient's topic; all offices are one recipient.",
		}, []string{"recipient"}),
		dead: f.NewCounterVec(prometheus.CounterOpts{
			Name: "relais_dead_deliveries_total",
			Help: "Copies that the broker refused for good, because the recipient's topic is gone, say.",
		}, []string{"recipient"}),
		replayed: f.NewCounterVec(prometheus.CounterOpts{
			Name: "relais_events_replayed_total",
			Help: "Events written again into a recipient's topic because it asked for them.",
		}, []string{"recipient"}),
		attempts: telemetry.DeliveryAttempts(reg),
		dropped:  telemetry.DedupeHits(reg),
		endToEnd: telemetry.EndToEnd(reg, telemetry.StageRouted),
		uncollected: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "relais_uncollected_events",
			Help: "Events on a participant's topic that none of its groups has collected, on the partitions of this router.",
		}, []string{"recipient"}),
		deleted: f.NewCounterVec(prometheus.CounterOpts{
			Name: "relais_deleted_uncollected_total",
			Help: "Events that were deleted before their recipient had collected them.",
		}, []string{"recipient"}),
	}
}

// tell registers what is looked up when it is asked for.
func (r *Router) tell(reg prometheus.Registerer) {
	telemetry.OldestPending(reg, queueTo, r.waiting.oldest)
	telemetry.OldestPending(reg, queueCollect, r.uncollected.ages)
	telemetry.DeadLetters(reg, r.letters.depth, r.letters.age)
}

// uncollected is since when the oldest event that a participant has not collected
// has stood on its topic. Safe for concurrent use.
type uncollected struct {
	mu    sync.Mutex
	since map[string]time.Time
}

// set takes what a look found; the zero time when all is collected.
func (u *uncollected) set(participant string, since time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.since == nil {
		u.since = map[string]time.Time{}
	}
	u.since[participant] = since
}

func (u *uncollected) ages() map[string]float64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	ages := map[string]float64{}
	for participant, since := range u.since {
		ages[participant] = 0
		if !since.IsZero() {
			ages[participant] = max(time.Since(since), 0).Seconds()
		}
	}
	return ages
}

// waiting are the partitions that are routed here. Safe for concurrent use.
type waiting struct {
	mu         sync.Mutex
	partitions map[*partition]bool
}

func (w *waiting) add(p *partition) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.partitions == nil {
		w.partitions = map[*partition]bool{}
	}
	w.partitions[p] = true
}

func (w *waiting) remove(p *partition) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.partitions, p)
}

// numbers are the partitions' numbers.
func (w *waiting) numbers() []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []int
	for p := range w.partitions {
		all = append(all, p.number)
	}
	slices.Sort(all)
	return all
}

// oldest is how many seconds each recipient's oldest event has waited.
func (w *waiting) oldest() map[string]float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	ages := map[string]float64{}
	for p := range w.partitions {
		p.mu.Lock()
		for _, l := range p.lanes {
			ages[l.label] = max(ages[l.label], l.age().Seconds())
		}
		p.mu.Unlock()
	}
	return ages
}

// age is how long the oldest event has waited; p.mu is held.
func (l *lane) age() time.Duration {
	switch {
	case len(l.pending) > 0:
		return max(time.Since(l.pending[0].received), 0)
	case l.behind:
		return max(time.Since(l.oldest), 0)
	}
	return 0
}
