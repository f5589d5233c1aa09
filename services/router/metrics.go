package router

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/relais-fr/relais/services/internal/telemetry"
)

type metrics struct {
	copies   *prometheus.CounterVec
	dead     *prometheus.CounterVec
	replayed *prometheus.CounterVec
	dropped  prometheus.Counter
	endToEnd prometheus.Observer
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
		dropped:  telemetry.DedupeHits(reg),
		endToEnd: telemetry.EndToEnd(reg, telemetry.StageRouted),
	}
}
