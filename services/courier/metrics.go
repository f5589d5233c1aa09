package courier

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/relais-fr/relais/services/internal/telemetry"
)

type metrics struct {
	delivered  prometheus.Counter
	unreadable prometheus.Counter
	requests   *prometheus.CounterVec
	repeats    prometheus.Counter
	scanned    prometheus.Counter
	waiting    prometheus.Gauge
	gaps       prometheus.Counter
	streamed   prometheus.Counter
	streams    prometheus.Gauge
	cut        prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	attempts := telemetry.DeliveryAttempts(reg)
	return &metrics{
		delivered:  attempts.WithLabelValues(channelMailbox, "delivered", "2xx"),
		unreadable: attempts.WithLabelValues(channelMailbox, "unreadable", ""),
		requests: f.NewCounterVec(prometheus.CounterOpts{
			Name: "relais_mailbox_requests_total",
			Help: "Requests to the mailbox, by the class of the answer's status.",
		}, []string{"code_class"}),
		repeats: telemetry.DedupeHits(reg),
		scanned: f.NewCounter(prometheus.CounterOpts{
			Name: "relais_mailbox_scanned_total",
			Help: "Records looked at for the mailbox, those for other offices included.",
		}),
		waiting: f.NewGauge(prometheus.GaugeOpts{
			Name: "relais_mailbox_waiting",
			Help: "Requests to the mailbox, and streams, that wait for an event.",
		}),
		gaps: f.NewCounter(prometheus.CounterOpts{
			Name: "relais_mailbox_gaps_total",
			Help: "Readers of a mailbox or a stream who came back too late: what they had not read yet was deleted.",
		}),
		streamed: attempts.WithLabelValues(channelStream, "delivered", "2xx"),
		streams: f.NewGauge(prometheus.GaugeOpts{
			Name: "relais_streams",
			Help: "Streams that participants read.",
		}),
		cut: f.NewCounter(prometheus.CounterOpts{
			Name: "relais_streams_cut_total",
			Help: "Streams that were cut off because their reader took nothing for too long.",
		}),
	}
}
