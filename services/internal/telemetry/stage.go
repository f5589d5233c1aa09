package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// StageDuration is the histogram of how long each stage of the road takes, by
// stage. Every service registers it through its own Registerer; it stands here
// because one name may have one help text only.
func StageDuration(reg prometheus.Registerer) *prometheus.HistogramVec {
	return promauto.With(reg).NewHistogramVec(prometheus.HistogramOpts{
		Name:    "relais_stage_duration_seconds",
		Help:    "How long a stage of an event's road takes, by stage.",
		Buckets: []float64{.000025, .0001, .00025, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"stage"})
}
