package registry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	requests *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer, store *Store) *metrics {
	factory := promauto.With(reg)
	gauge := func(name, help string, value func(*state) int) {
		factory.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			n := 0
			store.read(func(s *state) { n = value(s) })
			return float64(n)
		})
	}
	gauge("relais_registry_subjects", "Subjects of the schema registry, deleted ones included.", func(s *state) int { return len(s.subjects) })
	gauge("relais_registry_schemas", "Different schemas of the schema registry.", func(s *state) int { return len(s.contents) })
	return &metrics{
		requests: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "relais_registry_requests_total",
			Help: "Calls of the schema registry by their route and the status of the answer.",
		}, []string{"call", "code"}),
	}
}
