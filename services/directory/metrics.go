package directory

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	dir "github.com/relais-fr/relais/services/internal/directory"
)

// outcome is how an import's step ended.
type outcome string

const (
	outcomePlanned outcome = "planned"
	outcomeRefused outcome = "refused"
	outcomeApplied outcome = "applied"
	outcomeStale   outcome = "stale"
	outcomeFailed  outcome = "failed"
)

type metrics struct {
	imports *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer, view *dir.View) *metrics {
	factory := promauto.With(reg)
	m := &metrics{imports: factory.NewCounterVec(prometheus.CounterOpts{
		Name: "relais_directory_imports_total", Help: "Steps of imports of the official list of offices, by how they ended.",
	}, []string{"outcome"})}
	for _, o := range []outcome{outcomePlanned, outcomeRefused, outcomeApplied, outcomeStale, outcomeFailed} {
		m.imports.WithLabelValues(string(o))
	}
	factory.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "relais_directory_offices", Help: "Offices in the directory, closed ones and samples included.",
	}, func() float64 { return float64(view.Snapshot().OfficeCount()) })
	return m
}

func (m *metrics) count(o outcome) { m.imports.WithLabelValues(string(o)).Inc() }
