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
	outcomeClosed    = "closed"
)

// queueTo is where events wait for their copy on the recipient's topic.
const queueTo = "to"

// queueHeld is where events wait for their recipient, who is suspended, to be resumed.
const queueHeld = "held"

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
	telemetry.OldestPending(reg, queueTo, func() map[string]float64 { return r.waiting.ages((*lane).age) })
	telemetry.OldestPending(reg, queueHeld, func() map[string]float64 { return r.waiting.ages((*lane).heldAge) })
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

// ages is how many seconds each recipient's oldest event has waited, of those that
// `age` counts.
func (w *waiting) ages(age func(l *lane) time.Duration) map[string]float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	ages := map[string]float64{}
	for p := range w.partitions {
		p.mu.Lock()
		for _, l := range p.lanes {
			ages[l.label] = max(ages[l.label], age(l).Seconds())
		}
		p.mu.Unlock()
	}
	return ages
}

// age is how long the oldest event has waited for its copy; p.mu is held. One that
// was held back has waited for it since the recipient was resumed.
func (l *lane) age() time.Duration {
	switch {
	case l.held:
		return 0
	case len(l.pending) > 0:
		return l.since(l.pending[0].received)
	case l.behind:
		return l.since(l.oldest)
	}
	return 0
}

// since is how long ago t was; p.mu is held.
func (l *lane) since(t time.Time) time.Duration {
	if l.at().Next < l.late.Next && t.Before(l.resumed) {
		t = l.resumed
	}
	if t.IsZero() {
		return 0 // a router that has just begun does not know yet
	}
	return max(time.Since(t), 0)
}

// heldAge is how long the oldest event has waited for its recipient to be resumed;
// p.mu is held.
func (l *lane) heldAge() time.Duration {
	if !l.held || l.oldest.IsZero() {
		return 0
	}
	return max(time.Since(l.oldest), 0)
}
