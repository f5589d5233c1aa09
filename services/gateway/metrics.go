package gateway

import (
	"cmp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// Labels for what is folded: offices are 2,845, and what is not in the catalogue
// may be anything.
const (
	labelOffices = "offices"
	labelUnknown = "unknown"
)

// Stages of the road within the gateway.
const (
	stageForm   = "form"   // one event through the rules
	stageAppend = "append" // from its enqueueing to its acknowledgement
)

// queueSubmitted is where events wait for the ledger.
const queueSubmitted = "submitted"

type metrics struct {
	ingested    *prometheus.CounterVec
	last        *prometheus.GaugeVec
	rejected    *prometheus.CounterVec
	ignored     *prometheus.CounterVec
	quarantined *prometheus.CounterVec
	form        prometheus.Observer
	appended    prometheus.Observer
	open        prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	auto := promauto.With(reg)
	stages := telemetry.StageDuration(reg)
	return &metrics{
		ingested: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "relais_events_ingested_total",
			Help: "Events accepted by form and acknowledged by the log, by who handed them in (offices as one).",
		}, []string{"operator", "event_type", "channel"}),
		last: auto.NewGaugeVec(prometheus.GaugeOpts{
			Name: "relais_last_event_timestamp_seconds",
			Help: "When, in seconds since 1970, the latest event was accepted and acknowledged, by who handed it in (offices as one); from this gateway's start on.",
		}, []string{"operator"}),
		rejected: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "relais_events_rejected_total",
			Help: "Events refused at a door, by who handed them in (offices as one) and reason.",
		}, []string{"operator", "reason"}),
		ignored: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "relais_attributes_ignored_total",
			Help: "Attributes dropped because they are the hub's own or known to nobody.",
		}, []string{"operator"}),
		quarantined: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "relais_quarantined_total",
			Help: "Records of `from` topics that could not be read, by whose topic it was.",
		}, []string{"operator"}),
		form:     stages.WithLabelValues(stageForm),
		appended: stages.WithLabelValues(stageAppend),
		open: auto.NewGauge(prometheus.GaugeOpts{
			Name: "relais_gateway_doors_open",
			Help: "1 while the doors accept events.",
		}),
	}
}

// tell registers what is looked up when it is asked for.
func (g *Gateway) tell(reg prometheus.Registerer) {
	telemetry.GaugesFunc(reg, prometheus.GaugeOpts{
		Name: "relais_quota_used_ratio",
		Help: "How much of its allowance at this gateway each participant has used up, 0 to 1: of what is set for it, by any door, else of what is usual by HTTP; of all offices the most.",
	}, "operator", g.limiter.used)
	telemetry.OldestPending(reg, queueSubmitted, g.pending.oldest)
	telemetry.DeadLetters(reg, g.census.depth, g.census.age)
}

// accepted counts an acknowledged event.
func (m *metrics) accepted(by auth.Principal, r ruling, channel string, since time.Time) {
	operator := operatorLabel(by)
	m.ingested.WithLabelValues(operator, cmp.Or(r.entry.Name, labelUnknown), channel).Inc()
	m.last.WithLabelValues(operator).SetToCurrentTime()
	if n := len(r.ignored); n > 0 {
		m.ignored.WithLabelValues(operator).Add(float64(n))
	}
	m.appended.Observe(time.Since(since).Seconds())
}

// refused counts an event that was refused at a door.
func (m *metrics) refused(by auth.Principal, reason string) {
	m.rejected.WithLabelValues(operatorLabel(by), reason).Inc()
}

// operatorLabel is who hands in: participants that are no offices are few, and
// the directory knows each.
func operatorLabel(by auth.Principal) string {
	switch by.Role {
	case schemas.RoleOffice:
		return labelOffices
	case schemas.RoleOperator, schemas.RolePartner, schemas.RoleFeeder, schemas.RoleHub, schemas.RoleAdmin:
		return by.ID
	case schemas.RoleSender, schemas.RoleRecipient, schemas.RoleSubmitter, schemas.RoleAddressee, schemas.RoleObservatory:
	}
	return labelUnknown
}
