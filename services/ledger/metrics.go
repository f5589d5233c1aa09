package ledger

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

type metrics struct {
	outcomes *prometheus.CounterVec
	step     prometheus.Observer
	folded   prometheus.Counter
	dropped  prometheus.Counter
	refolds  prometheus.Counter
	halted   prometheus.Gauge
	poison   prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	return &metrics{
		outcomes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "relais_outcomes_total",
			Help: "Outcomes recorded, by what became of the submission (fact, refusal, repeat), its type, and the reason of a refusal.",
		}, []string{"outcome", "event_type", "reason"}),
		step: telemetry.StageDuration(reg).WithLabelValues("judge"),
		folded: f.NewCounter(prometheus.CounterOpts{
			Name: "relais_ledger_folded_total",
			Help: "Outcomes folded into dossiers after a start or a change of owner.",
		}),
		halted: f.NewGauge(prometheus.GaugeOpts{
			Name: "relais_ledger_halted",
			Help: "Partitions that are halted because their logs do not belong together: hubctl repair says what to do.",
		}),
		poison: f.NewCounter(prometheus.CounterOpts{
			Name: "relais_ledger_panics_total",
			Help: "Submissions that got hub_error because the ledger panicked on them: its log names each.",
		}),
		dropped: telemetry.DedupeHits(reg),
		refolds: f.NewCounter(prometheus.CounterOpts{
			Name: "relais_ledger_refolds_total",
			Help: "Times that a partition's memory was dropped because somebody else wrote, or the store moved.",
		}),
	}
}

// outcome counts one outcome. Types and reasons are from closed sets: anything
// else is folded into "unknown".
func (m *metrics) outcome(outcome, eventType, reason string) {
	name := "unknown"
	if e, ok := schemas.Lookup(eventType); ok {
		name = e.Name
	}
	if reason != "" && schemas.Reason(reason).Code().Name == "" {
		reason = "unknown"
	}
	m.outcomes.WithLabelValues(outcome, name, reason).Inc()
}
