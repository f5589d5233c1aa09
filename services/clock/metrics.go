package clock

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/relais-fr/relais/services/internal/telemetry"
)

type metrics struct {
	timers     *prometheus.GaugeVec
	handedIn   *prometheus.CounterVec
	refused    *prometheus.CounterVec
	lateness   prometheus.Histogram
	dropped    prometheus.Counter
	roundTrip  prometheus.Histogram
	probesOut  prometheus.Gauge
	probesLost prometheus.Counter
	reports    prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	return &metrics{
		timers: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "relais_timers_pending",
			Help: "Timers that run or whose outcome is awaited, by partition.",
		}, []string{"partition"}),
		handedIn: f.NewCounterVec(prometheus.CounterOpts{
			Name: "relais_deadlines_handed_in_total",
			Help: "What the clocks handed in, by clock; handed in again counts again.",
		}, []string{"clock"}),
		refused: f.NewCounterVec(prometheus.CounterOpts{
			Name: "relais_deadlines_refused_total",
			Help: "What the clocks handed in and the ledger refused, by clock and reason: mostly a party was quicker.",
		}, []string{"clock", "reason"}),
		lateness: f.NewHistogram(prometheus.HistogramOpts{
			Name:    "relais_deadline_lateness_seconds",
			Help:    "From when a deadline was due to the log's acknowledgement of what was handed in.",
			Buckets: []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 3600, 86400},
		}),
		dropped: telemetry.DedupeHits(reg),
		roundTrip: f.NewHistogram(prometheus.HistogramOpts{
			Name:    "relais_probe_roundtrip_seconds",
			Help:    "The whole road: a probe from relais.from.hub back to relais.to.hub.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 17),
		}),
		probesOut: f.NewGauge(prometheus.GaugeOpts{
			Name: "relais_probes_outstanding",
			Help: "Probes that were sent within the last minute and have not come back.",
		}),
		probesLost: f.NewCounter(prometheus.CounterOpts{
			Name: "relais_probes_lost_total",
			Help: "Probes that did not come back within a minute.",
		}),
		reports: f.NewCounter(prometheus.CounterOpts{
			Name: "relais_delivery_reports_total",
			Help: "Deliveries that are dead or were not collected, reported to the sender of their event.",
		}),
	}
}

func (m *metrics) pending(partition int, n int64) {
	m.timers.WithLabelValues(strconv.Itoa(partition)).Set(float64(n))
}

func (m *metrics) forget(partition int) { m.timers.DeleteLabelValues(strconv.Itoa(partition)) }
