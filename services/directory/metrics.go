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
	reg.MustRegister(expiries{view})
	return m
}

// expiries tells when the credentials of each participant end, so that somebody is
// warned before a door is shut by the calendar.
type expiries struct{ view *dir.View }

var expiry = prometheus.NewDesc("relais_credential_expiry_timestamp_seconds",
	"When a participant's credential of the kind ends, of several the one made last.", []string{"participant", "kind"}, nil)

// Describe implements prometheus.Collector.
func (e expiries) Describe(to chan<- *prometheus.Desc) { to <- expiry }

// Collect implements prometheus.Collector.
func (e expiries) Collect(to chan<- prometheus.Metric) {
	type of struct{ participant, kind string }
	// What lives on for a while after a rotation is meant to end: nobody is warned.
	last := map[of]dir.Credential{}
	now := e.view.Snapshot()
	for _, c := range now.AllCredentials() {
		p, _ := now.Participant(c.Participant)
		if c.Expires.IsZero() || p.Closed() {
			continue
		}
		if had, ok := last[of{c.Participant, c.Kind}]; !ok || c.Created.After(had.Created) {
			last[of{c.Participant, c.Kind}] = c
		}
	}
	for of, c := range last {
		to <- prometheus.MustNewConstMetric(expiry, prometheus.GaugeValue, float64(c.Expires.Unix()), of.participant, of.kind)
	}
}

func (m *metrics) count(o outcome) { m.imports.WithLabelValues(string(o)).Inc() }
