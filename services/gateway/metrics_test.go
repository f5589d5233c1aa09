package gateway

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/relais-fr/relais/schemas"
)

// gauges are the values of a gauge, by one of its labels.
func (h *hub) gauges(name, label string) map[string]float64 {
	h.t.Helper()
	families, err := h.metrics.Gather()
	if err != nil {
		h.t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			by := ""
			for _, l := range m.GetLabel() {
				if l.GetName() == label {
					by = l.GetValue()
				}
			}
			values[by] = m.GetGauge().GetValue()
		}
	}
	return values
}

func TestTheLatestEventOfEachOperatorIsTimed(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		seconds := func() float64 { return float64(time.Now().UnixNano()) / 1e9 }
		h.post("dev-fs-1", schemas.StructuredContentType, referral().structured())
		office := seconds()
		time.Sleep(time.Minute)
		h.post("dev-cnaf", schemas.StructuredContentType, answered().structured())
		operator := seconds()
		time.Sleep(time.Minute)
		h.post("dev-cnaf", schemas.StructuredContentType, answered(attr("id", "refused"), attr("type", "x")).structured())
		h.post("dev-dgfip", schemas.StructuredContentType, "{")
		want := map[string]float64{"offices": office, "cnaf": operator}
		if diff := cmp.Diff(want, h.gauges("relais_last_event_timestamp_seconds", "operator")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestHowMuchOfAnAllowanceIsUsed(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		take := func(id string, n int) { h.limiter.take(principalOf(t, h, id), n) }
		take("cnaf", 5_000)
		take("fs-1", 1_000)
		take("fs-2", 6_000)
		take("feeder", 50_000)
		used := func() map[string]float64 { return h.gauges("relais_quota_used_ratio", "operator") }
		if diff := cmp.Diff(map[string]float64{"cnaf": 0.5, "offices": 0.6, "feeder": 0.5}, used()); diff != "" {
			t.Errorf("at once (-want +got):\n%s", diff)
		}
		time.Sleep(time.Second)
		if diff := cmp.Diff(map[string]float64{"cnaf": 0.3, "offices": 0.4, "feeder": 0}, used(), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
			t.Errorf("a second later (-want +got):\n%s", diff)
		}
	})
}
