package gateway

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
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

func TestHowLongTheOldestSubmissionHasWaited(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		waited := func() map[string]float64 {
			return h.gauges("relais_oldest_pending_seconds", "operator")
		}
		h.post("dev-cnaf", schemas.StructuredContentType, answered(attr("id", "a")).structured())
		time.Sleep(90 * time.Second)
		h.post("dev-cnaf", schemas.StructuredContentType, answered(attr("id", "b")).structured())
		h.produce("from.offices", referral(attr("id", "c")).record(caseA))
		h.awaitSubmission("c")
		time.Sleep(30 * time.Second)
		want := map[string]float64{"cnaf": 120, "offices": 30}
		if diff := cmp.Diff(want, waited(), cmpopts.EquateApprox(0, 1)); diff != "" {
			t.Errorf("while the ledger stands still (-want +got):\n%s", diff)
		}
		h.ledger()
		time.Sleep(10 * time.Second)
		want = map[string]float64{"cnaf": 0, "offices": 0}
		if diff := cmp.Diff(want, waited()); diff != "" {
			t.Errorf("when all is decided (-want +got):\n%s", diff)
		}
		h.post("dev-cnaf", schemas.StructuredContentType, answered(attr("id", "d")).structured())
		time.Sleep(10 * time.Second)
		if diff := cmp.Diff(want, waited()); diff != "" {
			t.Errorf("what comes later (-want +got):\n%s", diff)
		}
	})
}

func TestWhatWaitsIsRememberedInSpells(t *testing.T) {
	start := time.Now().Add(-time.Hour)
	at := func(second float64) time.Time { return start.Add(time.Duration(second * float64(time.Second))) }
	place := func(offset int64) schemas.Place { return schemas.Place{Partition: 1, Offset: offset} }
	p := newPending(2)
	p.add(place(1), "cnaf", at(0))
	p.add(place(0), "cnaf", at(0.5)) // acknowledged earlier, told later
	p.add(place(2), "cnaf", at(1))
	p.add(place(3), "dgfip", at(1.5))
	for _, tc := range []struct {
		highest     int64
		cnaf, dgfip []spell
	}{
		{0, []spell{{at(0), 1}, {at(1), 2}}, []spell{{at(1.5), 3}}},
		{1, []spell{{at(1), 2}}, []spell{{at(1.5), 3}}},
		{0, []spell{{at(1), 2}}, []spell{{at(1.5), 3}}},
		{9, []spell{}, []spell{}},
	} {
		p.decide(1, tc.highest)
		want := map[string][]spell{"cnaf": tc.cnaf, "dgfip": tc.dgfip}
		if diff := cmp.Diff(want, p.partitions[1].spells, cmp.AllowUnexported(spell{})); diff != "" {
			t.Errorf("once %d is decided (-want +got):\n%s", tc.highest, diff)
		}
	}
	p.add(place(8), "offices", at(2)) // its outcome was quicker than its acknowledgement
	if diff := cmp.Diff(map[string]float64{"cnaf": 0, "dgfip": 0, "offices": 0}, p.oldest()); diff != "" {
		t.Errorf("at last (-want +got):\n%s", diff)
	}
	for i := range int64(3 * maxSpells) {
		p.add(place(10+i), "feeder", at(float64(i)))
	}
	if n := len(p.partitions[1].spells["feeder"]); n != maxSpells {
		t.Errorf("%d spells are remembered", n)
	}
	p.decide(1, 10+3*maxSpells-1)
	if got := p.oldest()["feeder"]; got != 0 {
		t.Errorf("the feeder still waits for %v s", got)
	}
}

func TestWhatLiesInQuarantineIsCounted(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		compare := func(when string, malformed, tooLarge float64, oldest time.Duration) {
			t.Helper()
			want := map[string]float64{"malformed": malformed, "too_large": tooLarge}
			if diff := cmp.Diff(want, h.gauges("relais_dlq_depth", "reason")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", when, diff)
			}
			if got := h.gauges("relais_dlq_oldest_seconds", "")[""]; got < oldest.Seconds()-1 || got > oldest.Seconds()+1 {
				t.Errorf("%s the oldest lies there for %v s, want %s", when, got, oldest)
			}
		}
		h.wait(func() bool { return len(h.gauges("relais_dlq_depth", "reason")) > 0 })
		compare("at first", 0, 0, 0)
		h.produce("from.cnaf", broker.Record{Key: []byte("k"), Value: []byte("no headers")})
		h.awaitQuarantine(1)
		time.Sleep(2 * time.Minute)
		h.produce("from.cnaf", broker.Record{Key: []byte("k"), Value: []byte("neither")})
		h.awaitQuarantine(2)
		origin := broker.Record{Topic: h.broker.Topic("from.cnaf"), Value: []byte("large")}
		if _, err := h.broker.Produce(t.Context(), h.quarantineRecord(principalOf(t, h, "cnaf"), &origin, refuse(schemas.ReasonTooLarge, "large"), true)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		compare("two minutes later", 2, 1, 2*time.Minute+10*time.Second)

		h.stop()
		h.make(h.broker, h.host.Directory, h.host.Settings)
		h.run()
		time.Sleep(10 * time.Second)
		compare("after a restart", 2, 1, 2*time.Minute+20*time.Second)

		if err := h.kafka.Cluster.DeleteRecords(h.quarantine, 0, 1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		compare("when the first was deleted", 1, 1, 2*time.Minute+20*time.Second)
	})
}
