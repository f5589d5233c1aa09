package router

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/relais-fr/relais/services"
)

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestATopicThatIsGoneIsFilledInOrderBeforeAnythingNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		_, stop := w.router()
		all := []string{w.record(0, "cnaf", "cpam", "offices/demo-1")}
		time.Sleep(time.Second)
		if err := w.broker.DeleteTopics(t.Context(), "relais.to.cnaf"); err != nil {
			t.Fatal(err)
		}
		var missed []string
		for range 3 {
			missed = append(missed, w.record(0, "cnaf", "cpam"))
		}
		time.Sleep(20 * time.Second)
		all = append(all, missed...)
		same(t, "cpam has", w.places("relais.to.cpam"), all)
		dead := map[string]string{}
		for _, place := range missed {
			dead[place+"/cnaf"] = "dead topic_gone"
		}
		same(t, "told", w.told(), dead)

		// Another router takes up where this one ends, and still knows.
		stop()
		r, _ := w.router()
		missed = append(missed, w.record(0, "cnaf", "cpam"))
		time.Sleep(20 * time.Second)
		if age := r.waiting.ages((*lane).age)["cnaf"]; age < 40 {
			t.Errorf("the oldest for cnaf has waited %v s", age)
		}
		if err := w.broker.EnsureTopics(t.Context(), services.ParticipantTopics(w.settings, "cnaf")...); err != nil {
			t.Fatal(err)
		}
		missed = append(missed, w.record(0, "cnaf"))
		time.Sleep(10 * time.Second)
		after := w.record(0, "cnaf")
		time.Sleep(time.Second)
		same(t, "cnaf has", w.places("relais.to.cnaf"), append(missed, after))
		redriven := map[string]string{}
		for _, place := range missed[:4] {
			redriven[place+"/cnaf"] = "redriven topic_gone"
		}
		steps := w.told()
		delete(steps, missed[4]+"/cnaf") // told or not: it came while the topic came back
		same(t, "told in the end", steps, redriven)
		if age := r.waiting.ages((*lane).age)["cnaf"]; age != 0 {
			t.Errorf("something for cnaf still waits, for %v s", age)
		}
	})
}

// TestALogThatWasCutIsCopiedFromTheBeginning takes the end of recorded away, as a
// restore of last night's disk does, below where the router stands. The ledger writes
// what is missing again, at other places on the log.
func TestALogThatWasCutIsCopiedFromTheBeginning(t *testing.T) {
	for _, running := range []bool{false, true} {
		t.Run(fmt.Sprintf("the router runs meanwhile: %t", running), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				_, stop := w.router()
				var all []string
				for range 6 {
					all = append(all, w.record(0, "cnaf"))
				}
				time.Sleep(time.Second)
				same(t, "cnaf has", w.places("relais.to.cnaf"), all)
				if !running {
					stop()
				}
				if err := w.broker.DeleteTopics(t.Context(), "relais.recorded"); err != nil {
					t.Fatal(err)
				}
				if err := w.broker.EnsureTopics(t.Context(), services.HubTopics(w.settings)...); err != nil {
					t.Fatal(err)
				}
				for number := range int64(4) {
					w.repeat(0, number, "cnaf")
				}
				if !running {
					w.router()
				}
				time.Sleep(20 * time.Second)
				w.repeat(0, 4, "cnaf")
				w.repeat(0, 5, "cnaf")
				all = append(all, w.record(0, "cnaf"))
				time.Sleep(20 * time.Second)
				same(t, "cnaf takes", w.firsts("relais.to.cnaf"), all)
				same(t, "cnaf has", w.places("relais.to.cnaf"), append(all[:6:6], all...))
			})
		})
	}
}

func TestTheVeryFirstEventForATopicThatIsGoneIsADeadDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if err := w.broker.DeleteTopics(t.Context(), "relais.to.cnaf"); err != nil {
			t.Fatal(err)
		}
		w.router()
		place := w.record(0, "cnaf", "offices/demo-1")
		time.Sleep(20 * time.Second)
		same(t, "told", w.told(), map[string]string{place + "/cnaf": "dead topic_gone"})
	})
}

func TestARecipientThatTakesNothingHoldsNobodyUp(t *testing.T) {
	for _, fault := range []*kerr.Error{kerr.NotEnoughReplicas, kerr.NotLeaderForPartition, kerr.UnknownServerError} {
		t.Run(fault.Message, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				_, stop := w.router()
				time.Sleep(time.Second)
				w.refuse("relais.to.cnaf", fault)
				var cnaf, cpam []string
				for i := range 30 {
					place := w.record(0, "cnaf", "cpam")
					cnaf, cpam = append(cnaf, place), append(cpam, place)
					time.Sleep(100 * time.Millisecond)
					if got := w.places("relais.to.cpam"); !slices.Equal(got, cpam) {
						t.Fatalf("cpam has %v after event %d, want %v", got, i, cpam)
					}
				}
				same(t, "cnaf has meanwhile", w.places("relais.to.cnaf"), []string(nil))
				// A restart repeats little for the others.
				stop()
				_, stop = w.router()
				time.Sleep(5 * time.Second)
				if n := len(w.places("relais.to.cpam")); n > len(cpam)+12 {
					t.Errorf("cpam has %d records of %d events", n, len(cpam))
				}
				w.refuse("relais.to.cnaf", nil)
				time.Sleep(5 * time.Second)
				cnaf = append(cnaf, w.record(0, "cnaf"))
				time.Sleep(time.Second)
				same(t, "cnaf takes in the end", w.firsts("relais.to.cnaf"), cnaf)
				same(t, "cpam takes in the end", w.firsts("relais.to.cpam"), cpam)
				same(t, "told", w.told(), map[string]string{})
				stop()
			})
		})
	}
}

func TestACopyThatIsRefusedIsADeadDeliveryAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.router()
		w.refuse("relais.to.cnaf", kerr.InvalidRecord)
		first := w.record(1, "cnaf", "cpam")
		time.Sleep(time.Second)
		w.refuse("relais.to.cnaf", nil)
		second := w.record(1, "cnaf")
		time.Sleep(time.Second)
		same(t, "cnaf has", w.places("relais.to.cnaf"), []string{second})
		same(t, "told", w.told(), map[string]string{first + "/cnaf": "dead refused"})
	})
}

func TestTwoRoutersShareThePartitionsAndLoseNothingWhenOneEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		_, stopFirst := w.router()
		w.router()
		var all []string
		for i := range 40 {
			for p := range partitions {
				all = append(all, w.record(p, "cnaf", "offices/demo-1"))
			}
			if i == 20 {
				stopFirst()
			}
			time.Sleep(50 * time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		slices.Sort(all)
		for _, topic := range []string{"relais.to.cnaf", "relais.to.offices"} {
			got := w.firsts(topic)
			slices.Sort(got)
			same(t, topic, got, all)
		}
	})
}

func TestABacklogIsReadOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var all []string
		for range 3000 {
			all = append(all, w.record(0, "cnaf", "cpam"))
		}
		w.router()
		time.Sleep(30 * time.Second)
		same(t, "cnaf has", w.places("relais.to.cnaf"), all)
		same(t, "cpam has", w.places("relais.to.cpam"), all)
	})
}
