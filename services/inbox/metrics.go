package inbox

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/relais-fr/relais/services/internal/telemetry"
)

type metrics struct {
	applied     prometheus.Counter
	dropped     prometheus.Counter
	unreadable  prometheus.Counter
	endToEnd    prometheus.Observer
	clients     prometheus.Gauge
	gaps        prometheus.Counter
	submissions *prometheus.CounterVec
}

// Results of a submission from a page.
const (
	resultRecorded    = "recorded"
	resultRefused     = "refused"
	resultPending     = "pending"
	resultInvalid     = "invalid"
	resultRateLimited = "rate_limited"
	resultUnknown     = "unknown_fate"
	resultNotTaken    = "not_taken"
)

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	return &metrics{
		applied: f.NewCounter(prometheus.CounterOpts{
			Name: "relais_inbox_events_total",
			Help: "Events put on the desk of an office.",
		}),
		dropped: telemetry.DedupeHits(reg),
		unreadable: f.NewCounter(prometheus.CounterOpts{
			Name: "relais_inbox_unreadable_total",
			Help: "Records on to.offices that could not be read and were left out.",
		}),
		endToEnd: telemetry.EndToEnd(reg, telemetry.StagePage),
		clients: f.NewGauge(prometheus.GaugeOpts{
			Name: "relais_sse_clients",
			Help: "Pages that listen for what arrives.",
		}),
		gaps: f.NewCounter(prometheus.CounterOpts{
			Name: "relais_sse_resume_gap_total",
			Help: "Pages that came back too late to be told what they missed, and were told to load again.",
		}),
		submissions: f.NewCounterVec(prometheus.CounterOpts{
			Name: "relais_inbox_submissions_total",
			Help: "What offices' pages handed in, by what became of it while the page waited.",
		}, []string{"result"}),
	}
}
