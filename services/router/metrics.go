package router

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	copies   *prometheus.CounterVec
	dead     *prometheus.CounterVec
	dropped  prometheus.Counter
	endToEnd prometheus.Histogram
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
		dropped: f.NewCounter(prometheus.CounterOpts{
			Name: "relais_dedupe_hits_total",
			Help: "Outcomes on the log more than once, dropped by their number.",
		}),
		endToEnd: f.NewHistogram(prometheus.HistogramOpts{
			Name:    "relais_event_end_to_end_seconds",
			Help:    "From receivedtime to the copy acknowledged on the recipient's topic.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 17), ConstLabels: prometheus.Labels{"stage": "routed"},
		}),
	}
}
