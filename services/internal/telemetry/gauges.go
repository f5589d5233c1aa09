package telemetry

import "github.com/prometheus/client_golang/prometheus"

// GaugesFunc registers a gauge with one label whose values are looked up when
// they are asked for: what grows with time alone would otherwise need a ticker.
// read returns the values by the label's, in a map of its own; it must be safe
// for concurrent use and quick. A nil reg registers nothing.
func GaugesFunc(reg prometheus.Registerer, opts prometheus.GaugeOpts, label string, read func() map[string]float64) {
	if reg == nil {
		return
	}
	reg.MustRegister(&gauges{prometheus.NewDesc(nameOf(prometheus.Opts(opts)), opts.Help, []string{label}, opts.ConstLabels), prometheus.GaugeValue, read})
}

// CountersFunc is GaugesFunc for counters that somebody else keeps.
func CountersFunc(reg prometheus.Registerer, opts prometheus.CounterOpts, label string, read func() map[string]float64) {
	if reg == nil {
		return
	}
	reg.MustRegister(&gauges{prometheus.NewDesc(nameOf(prometheus.Opts(opts)), opts.Help, []string{label}, opts.ConstLabels), prometheus.CounterValue, read})
}

func nameOf(opts prometheus.Opts) string {
	return prometheus.BuildFQName(opts.Namespace, opts.Subsystem, opts.Name)
}

type gauges struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func() map[string]float64
}

var _ prometheus.Collector = (*gauges)(nil)

// Describe implements prometheus.Collector.
func (g *gauges) Describe(to chan<- *prometheus.Desc) { to <- g.desc }

// Collect implements prometheus.Collector.
func (g *gauges) Collect(to chan<- prometheus.Metric) {
	for label, value := range g.read() {
		to <- prometheus.MustNewConstMetric(g.desc, g.kind, value, label)
	}
}
