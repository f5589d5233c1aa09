package store

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	duration *prometheus.HistogramVec
	moved    *prometheus.CounterVec
	resets   *prometheus.CounterVec
	swept    prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	auto := promauto.With(reg)
	return &metrics{
		duration: auto.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "relais_store_operation_duration_seconds",
			Help:    "How long the store took, by owner of the projection and operation.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		}, []string{"owner", "operation"}),
		moved: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "relais_store_moved_total",
			Help: "Reads and commits refused because the stored position was not the expected one.",
		}, []string{"owner"}),
		resets: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "relais_store_resets_total",
			Help: "Partitions whose projection was begun anew.",
		}, []string{"owner"}),
		swept: auto.NewCounter(prometheus.CounterOpts{
			Name: "relais_store_swept_keys_total",
			Help: "Keys of retired generations that were removed.",
		}),
	}
}

func (m *metrics) timed(owner, operation string, start time.Time) {
	m.duration.WithLabelValues(owner, operation).Observe(time.Since(start).Seconds())
}
