package broker

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	batchRecords   prometheus.Histogram
	produceSeconds prometheus.Histogram
	refused        *prometheus.CounterVec
	retries        *prometheus.CounterVec
	bufferBytes    prometheus.Gauge
	bufferRecords  prometheus.Gauge
	bufferFull     prometheus.Counter
	fetched        *prometheus.CounterVec
	lag            *prometheus.GaugeVec
	lagAge         *prometheus.GaugeVec
	rebuilds       *prometheus.CounterVec
	generations    *prometheus.CounterVec
	unreadable     *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	auto := promauto.With(reg)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return auto.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	seconds := []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	return &metrics{
		batchRecords: auto.NewHistogram(prometheus.HistogramOpts{
			Name: "relais_produce_batch_records", Help: "Records per acknowledged group commit.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 12),
		}),
		produceSeconds: auto.NewHistogram(prometheus.HistogramOpts{
			Name: "relais_produce_duration_seconds", Help: "From the first attempt of a group commit to its acknowledgement.",
			Buckets: seconds,
		}),
		refused:       counter("relais_produce_refused_total", "Records that the broker refused for good, by topic.", "topic"),
		retries:       counter("relais_broker_retries_total", "Attempts that failed and were repeated, by operation.", "operation"),
		bufferBytes:   auto.NewGauge(prometheus.GaugeOpts{Name: "relais_produce_buffer_bytes", Help: "Bytes that wait to be acknowledged."}),
		bufferRecords: auto.NewGauge(prometheus.GaugeOpts{Name: "relais_produce_buffer_records", Help: "Records that wait to be acknowledged."}),
		bufferFull:    auto.NewCounter(prometheus.CounterOpts{Name: "relais_produce_buffer_full_total", Help: "Records that found no room in the buffer."}),
		fetched:       counter("relais_fetched_records_total", "Records read, by topic.", "topic"),
		lag: auto.NewGaugeVec(prometheus.GaugeOpts{
			Name: "relais_consumer_lag_events", Help: "Records of the partition that the group has not read yet.",
		}, []string{"group", "topic", "partition"}),
		lagAge: auto.NewGaugeVec(prometheus.GaugeOpts{
			Name: "relais_consumer_lag_seconds",
			Help: "Age, by its timestamp, of the oldest record of the partition that the group has not read yet; 0 at the end. Measured every 10 s.",
		}, []string{"group", "topic", "partition"}),
		rebuilds:    counter("relais_cursor_rebuilds_total", "Times the watchdog renewed the connections of a cursor that had stalled, by topic.", "topic"),
		generations: counter("relais_consumer_generations_total", "Times the consumer group was shared out anew.", "group"),
		unreadable:  counter("relais_unreadable_batches_total", "Stored batches that could not be unpacked, by topic.", "topic"),
	}
}

func (m *metrics) setLag(group string, tp topicPartition, lag int64) {
	m.lag.WithLabelValues(group, tp.topic, strconv.Itoa(tp.partition)).Set(float64(lag))
}

func (m *metrics) setLagAge(group string, tp topicPartition, age time.Duration) {
	m.lagAge.WithLabelValues(group, tp.topic, strconv.Itoa(tp.partition)).Set(max(age, 0).Seconds())
}

func (m *metrics) forgetLag(group string, tp topicPartition) {
	m.lag.DeleteLabelValues(group, tp.topic, strconv.Itoa(tp.partition))
	m.lagAge.DeleteLabelValues(group, tp.topic, strconv.Itoa(tp.partition))
}
