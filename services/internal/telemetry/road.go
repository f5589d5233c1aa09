package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// What several services tell of an event's road stands here, because one name may
// have one help text and one set of buckets only. Each service registers it
// through its own Registerer, which adds its label.

// Labels of EndToEnd: how far the event has come.
const (
	// StageRouted is the copy acknowledged on its recipient's topic.
	StageRouted = "routed"
	// StagePage is the event on the desk that an office's pages show.
	StagePage = "page"
)

// StageDuration is the histogram of how long each stage of the road takes, by
// stage.
func StageDuration(reg prometheus.Registerer) *prometheus.HistogramVec {
	return promauto.With(reg).NewHistogramVec(prometheus.HistogramOpts{
		Name:    "relais_stage_duration_seconds",
		Help:    "How long a stage of an event's road takes, by stage.",
		Buckets: []float64{.000025, .0001, .00025, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"stage"})
}

// EndToEnd is the histogram of how long an event has been under way when it has
// come as far as the stage. It starts at the gateway's receivedtime: what happened
// is often typed days later.
func EndToEnd(reg prometheus.Registerer, stage string) prometheus.Observer {
	return promauto.With(reg).NewHistogramVec(prometheus.HistogramOpts{
		Name:    "relais_event_end_to_end_seconds",
		Help:    "From an event's receivedtime to its recipient, by how far: the copy on its topic (routed), the page of its office (page).",
		Buckets: prometheus.ExponentialBuckets(0.001, 2, 17),
	}, []string{"stage"}).WithLabelValues(stage)
}

// DedupeHits counts what a reader of the log dropped because it had it already.
func DedupeHits(reg prometheus.Registerer) prometheus.Counter {
	return promauto.With(reg).NewCounter(prometheus.CounterOpts{
		Name: "relais_dedupe_hits_total",
		Help: "Outcomes on the log more than once, dropped by their number.",
	})
}

// DeliveryAttempts counts attempts to bring an event to a recipient.
func DeliveryAttempts(reg prometheus.Registerer) *prometheus.CounterVec {
	return promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "relais_delivery_attempts_total",
		Help: "Events that were tried to be brought to a recipient, by the way taken and what came of it.",
	}, []string{"channel", "outcome", "code_class"})
}

// OldestPending tells how long the oldest event of each participant has waited in
// a queue.
func OldestPending(reg prometheus.Registerer, queue string, read func() map[string]float64) {
	GaugesFunc(reg, prometheus.GaugeOpts{
		Name: "relais_oldest_pending_seconds",
		Help: "How long the oldest event in the queue has waited, by participant (offices as one): in submitted for its outcome, by who handed it in; " +
			"in to for its copy, by who is to get it; in held for that one, who is suspended, to be resumed; in collect, on its recipient's topic, for one of its groups or its mailbox to acknowledge it.",
		ConstLabels: prometheus.Labels{"queue": queue},
	}, "operator", read)
}

// DeadLetters tells how many records or deliveries wait for somebody to look at
// them, by reason, and how long the oldest has.
func DeadLetters(reg prometheus.Registerer, depth func() map[string]float64, oldest func() float64) {
	GaugesFunc(reg, prometheus.GaugeOpts{
		Name: "relais_dlq_depth",
		Help: "What waits for somebody to look at it, by reason: records in quarantine (gateway), deliveries that are dead (router). Every replica tells all.",
	}, "reason", depth)
	promauto.With(reg).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "relais_dlq_oldest_seconds",
		Help: "How long the oldest of relais_dlq_depth has waited; 0 when there is none.",
	}, oldest)
}
