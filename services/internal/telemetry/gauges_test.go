package telemetry_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/relais-fr/relais/services/internal/telemetry"
)

func TestGaugesAreLookedUpWhenAskedFor(t *testing.T) {
	reg := prometheus.NewRegistry()
	waiting := map[string]float64{"cnaf": 1}
	opts := prometheus.GaugeOpts{Name: "relais_waiting", Help: "Events that wait.", ConstLabels: prometheus.Labels{"queue": "submitted"}}
	read := func() map[string]float64 { return waiting }
	telemetry.GaugesFunc(telemetry.ForService(reg, "gateway"), opts, "operator", read)
	telemetry.GaugesFunc(nil, opts, "operator", read)
	waiting["dgfip"] = 2
	const want = `
# HELP relais_waiting Events that wait.
# TYPE relais_waiting gauge
relais_waiting{operator="cnaf",queue="submitted",service="gateway"} 1
relais_waiting{operator="dgfip",queue="submitted",service="gateway"} 2
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

func TestServicesOfOneProcessShareTheNamesOfTheRoad(t *testing.T) {
	reg := prometheus.NewRegistry()
	for service, stage := range map[string]string{"router": telemetry.StageRouted, "inbox": telemetry.StagePage} {
		own := telemetry.ForService(reg, service)
		telemetry.EndToEnd(own, stage).Observe(1)
		telemetry.DedupeHits(own).Inc()
		telemetry.StageDuration(own).WithLabelValues(stage).Observe(1)
	}
	for _, name := range []string{"relais_event_end_to_end_seconds", "relais_dedupe_hits_total", "relais_stage_duration_seconds"} {
		if n, err := testutil.GatherAndCount(reg, name); n != 2 || err != nil {
			t.Errorf("%s: %d series, %v", name, n, err)
		}
	}
	if problems, err := testutil.GatherAndLint(telemetry.NewRegistry()); len(problems) > 0 || err != nil {
		t.Errorf("a new registry: %v, %v", problems, err)
	}
}
