package ledger

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/relais-fr/relais/schemas"
)

// refuseRecords lets the broker refuse every request to relais.recorded that has the
// text in it, and says how many it refused.
func (h *house) refuseRecords(text string) (refused *int) {
	refused = new(int)
	h.kafka.Cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		h.kafka.Cluster.KeepControl()
		asked := req.(*kmsg.ProduceRequest)
		topic := asked.Topics[0]
		if topic.Topic != "relais.recorded" || !bytes.Contains(topic.Partitions[0].Records, []byte(text)) {
			return nil, nil, false
		}
		*refused++
		p := kmsg.NewProduceResponseTopicPartition()
		p.Partition, p.ErrorCode = topic.Partitions[0].Partition, kerr.MessageTooLarge.Code
		t := kmsg.NewProduceResponseTopic()
		t.Topic, t.Partitions = topic.Topic, append(t.Partitions, p)
		resp := asked.ResponseKind().(*kmsg.ProduceResponse)
		resp.Topics = append(resp.Topics, t)
		return resp, nil, true
	})
	return refused
}

func TestOneOutcomeThatTheBrokerRefusesDoesNotDisturbItsNeighbours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		refused := h.refuseRecords("too much of it")
		h.submit("demo-1", "e1", "d1", referral("demo-1", "cnaf"))
		h.submit("cnaf", "e2", "d1", &schemas.ReferralReceived{})
		h.submit("demo-1", "m1", "d1", &schemas.MessagePosted{Audience: "all", Sealed: []byte("before")})
		h.submit("demo-1", "m2", "d1", &schemas.MessagePosted{Audience: "all", Sealed: []byte("too much of it")})
		h.submit("demo-1", "m3", "d1", &schemas.MessagePosted{Audience: "all", Sealed: []byte("after")})
		h.submit("cnaf", "e3", "d1", &schemas.ReferralAccepted{})
		h.open()
		want := []string{
			"d1 ReferralMade 0000000001 → offices/demo-1,cnaf",
			"d1 ReferralReceived 0000000002 → offices/demo-1,cnaf",
			"d1 MessagePosted 0000000003 → offices/demo-1,cnaf",
			"d1 SubmissionRefused  → offices/demo-1",
			"d1 MessagePosted 0000000004 → offices/demo-1,cnaf",
			"d1 ReferralAccepted 0000000005 → offices/demo-1,cnaf",
		}
		if diff := cmp.Diff(want, h.recorded(6)); diff != "" {
			t.Errorf("recorded (-want +got):\n%s", diff)
		}
		if got := h.refusals("d1"); !cmp.Equal(got, []string{"m2 hub_error"}) {
			t.Errorf("refused %q", got)
		}
		if *refused < 2 {
			t.Errorf("the broker refused %d requests: nothing was split", *refused)
		}
		h.stop()
	})
}

func TestRightsThatAreTakenAwayForAWhileRefuseNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.open()
		h.submit("demo-1", "e1", "d1", referral("demo-1", "cnaf"))
		h.recorded(1)
		fault := h.kafka.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "relais.recorded", Err: kerr.TopicAuthorizationFailed, Count: -1})
		h.submit("cnaf", "e2", "d1", &schemas.ReferralReceived{})
		h.submit("cnaf", "e3", "d1", &schemas.ReferralAccepted{})
		<-time.After(10 * time.Second)
		fault.Remove()
		want := []string{
			"d1 ReferralMade 0000000001 → offices/demo-1,cnaf",
			"d1 ReferralReceived 0000000002 → offices/demo-1,cnaf",
			"d1 ReferralAccepted 0000000003 → offices/demo-1,cnaf",
		}
		if diff := cmp.Diff(want, h.recorded(3)); diff != "" {
			t.Errorf("recorded (-want +got):\n%s", diff)
		}
		h.stop()
	})
}

// TestRecordedTimesNeverGoBackWithinADossier has gateways whose clocks jump, as far
// as the year 1970, hand in for one dossier.
func TestRecordedTimesNeverGoBackWithinADossier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.handIn(10, "demo-1", "e1", referral("demo-1", "cnaf"))
		h.handIn(3, "cnaf", "e2", &schemas.ReferralReceived{}) // seven minutes back
		h.handIn(-29_648_700, "cnaf", "e3", &schemas.ReferralAccepted{})
		h.handIn(9, "msa", "x", &schemas.ReferralAccepted{})
		h.handIn(12, "cnaf", "e4", &schemas.ReferralStarted{})
		h.handIn(11, "cnaf", "e4", &schemas.ReferralStarted{})
		h.open()
		h.recorded(6)
		var told []string
		for _, r := range h.records("relais.recorded", 0) {
			told = append(told, string(r.Header("ce_receivedtime")))
			if said := formatMillis(r.Time.UnixMilli()); said != told[len(told)-1] {
				t.Errorf("the record's own time is %s, its receivedtime %s", said, told[len(told)-1])
			}
		}
		for _, r := range h.records("relais.recorded", 1) {
			told = append(told, string(r.Header("ce_receivedtime")))
		}
		ten, twelve := "2026-05-14T09:10:00.000Z", "2026-05-14T09:12:00.000Z"
		if diff := cmp.Diff([]string{ten, ten, ten, ten, twelve, twelve}, told); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		h.stop()
	})
}
