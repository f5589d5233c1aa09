package observatory

import (
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/relais-fr/relais/services/internal/telemetry"
)

type metrics struct {
	failed prometheus.Counter
	// differences and auditedAt are of the last audit of all participants.
	differences, auditedAt prometheus.Gauge

	mu    sync.Mutex
	spans map[string]time.Time // the end of the last statement's span, by participant
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	m := &metrics{
		failed: f.NewCounter(prometheus.CounterOpts{
			Name: "relais_statement_failures_total",
			Help: "Statements that could not be issued when they were due; the next one makes up for it.",
		}),
		differences: f.NewGauge(prometheus.GaugeOpts{
			Name: "relais_audit_differences",
			Help: "Differences that the last audit of all participants found.",
		}),
		auditedAt: f.NewGauge(prometheus.GaugeOpts{
			Name: "relais_audit_timestamp_seconds",
			Help: "When the last audit of all participants was done; 0 before the first.",
		}),
		spans: map[string]time.Time{},
	}
	telemetry.GaugesFunc(reg, prometheus.GaugeOpts{
		Name: "relais_statement_age_seconds",
		Help: "Time since the end of the span of a participant's last statement, where this process issues them.",
	}, "participant", m.ages)
	return m
}

// issued notes a participant's last statement.
func (m *metrics) issued(participant string, spanEnd time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.spans[participant] = spanEnd
}

// forget lets go of a participant that is issued no statements.
func (m *metrics) forget(participant string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.spans, participant)
}

// audited notes the result of an audit of all participants.
func (m *metrics) audited(participant string, differences int64) {
	if participant == "" {
		m.differences.Set(float64(differences))
		m.auditedAt.SetToCurrentTime()
	}
}

func (m *metrics) ages() map[string]float64 {
	m.mu.Lock()
	spans := maps.Clone(m.spans)
	m.mu.Unlock()
	ages := make(map[string]float64, len(spans))
	for participant, end := range spans {
		ages[participant] = time.Since(end).Seconds()
	}
	return ages
}
