package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/broker"
)

func TestAGatewayWhoseBrokersAreAwaySaysSoAndComesBack(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		ready := func(want bool) func() bool {
			return func() bool {
				is, _ := h.host.Ready.State()
				return is == want
			}
		}
		h.wait(ready(true))
		fault := h.kafka.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce, kmsg.ListOffsets, kmsg.Fetch}, Err: kerr.LeaderNotAvailable, Count: -1})
		gone := time.Now()
		h.wait(ready(false))
		if took := time.Since(gone); took < awayAfter-lookAtLogEvery || took > awayAfter+2*(logLimit+lookAtLogEvery) {
			t.Errorf("it says so after %s", took)
		}
		if _, words := h.host.Ready.State(); words != logAway {
			t.Errorf("readiness says %q", words)
		}
		asked := time.Now()
		w := h.post("dev-fs-1", schemas.StructuredContentType, referral().structured())
		got := decoded(t, w)
		if w.Code != http.StatusServiceUnavailable || got["code"] != "not_ready" || got["detail"] != logAway || w.Header().Get("Retry-After") == "" {
			t.Errorf("POST = %d %v %v", w.Code, w.Header(), got)
		}
		if took := time.Since(asked); took > time.Second {
			t.Errorf("the caller waits %s for it", took)
		}
		fault.Remove()
		h.wait(ready(true))
		if w := h.post("dev-fs-1", schemas.StructuredContentType, referral(attr("id", "ev-2")).structured()); w.Code != http.StatusAccepted {
			t.Errorf("POST = %d %s", w.Code, w.Body)
		}
	})
}

func TestALogThatIsTooBusyToBeLookedAtIsNotAway(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		h.wait(func() bool { is, _ := h.host.Ready.State(); return is })
		h.kafka.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.LeaderNotAvailable, Count: -1})
		for n := range 20 {
			time.Sleep(time.Second)
			if w := h.post("dev-fs-1", schemas.StructuredContentType, referral(attr("id", fmt.Sprint("busy-", n))).structured()); w.Code != http.StatusAccepted {
				t.Fatalf("after %d s: POST = %d %s", n+1, w.Code, w.Body)
			}
		}
		h.wait(func() bool { is, _ := h.host.Ready.State(); return !is })
	})
}

// cutSubmitted makes relais.submitted anew, with nothing on it.
func (h *hub) cutSubmitted() {
	h.t.Helper()
	if err := h.broker.DeleteTopics(h.t.Context(), h.submitted); err != nil {
		h.t.Fatal(err)
	}
	if err := h.broker.EnsureTopics(h.t.Context(), services.HubTopics(h.host.Settings)...); err != nil {
		h.t.Fatal(err)
	}
}

func TestALogThatIsCutUnderARunningGatewayShutsThatPartitionUntilItIsMended(t *testing.T) {
	for _, trial := range []struct {
		name string
		// after is how long after the cut the next event comes.
		after time.Duration
		want  string
	}{
		{"and the next event comes at once", 0, "It is not known whether the event was taken."},
		{"and nothing comes before it is looked at", testPartitions*lookAtLogEvery + time.Second, "has lost its tail"},
	} {
		t.Run(trial.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, h *hub) {
				for _, id := range []string{"ev-1", "ev-2"} {
					if w := h.post("dev-fs-1", schemas.StructuredContentType, referral(attr("id", id)).structured()); w.Code != http.StatusAccepted {
						t.Fatalf("POST = %d %s", w.Code, w.Body)
					}
				}
				before := h.read(h.submitted)
				p := before[0].Partition
				for _, rec := range before {
					if err := h.decide(t.Context(), newSeen(), rec); err != nil {
						t.Fatal(err)
					}
				}
				h.wait(func() bool { return h.outcomes.written(p) == 2 })
				h.cutSubmitted()
				<-time.After(trial.after)
				w := h.post("dev-fs-1", schemas.StructuredContentType, referral(attr("id", "ev-3")).structured())
				if got, _ := decoded(t, w)["detail"].(string); w.Code != http.StatusServiceUnavailable || !strings.Contains(got, trial.want) {
					t.Errorf("POST = %d %s", w.Code, w.Body)
				}
				h.wait(func() bool {
					ready, words := h.host.Ready.State()
					return !ready && strings.Contains(words, "hubctl repair")
				})
				w = h.post("dev-fs-1", schemas.StructuredContentType, referral(attr("id", "ev-3")).structured())
				if got, _ := decoded(t, w)["detail"].(string); w.Code != http.StatusServiceUnavailable || !strings.Contains(got, "hubctl repair") {
					t.Errorf("while it is shut: %d %s", w.Code, w.Body)
				}
				// What comes by a topic waits, and another partition goes on.
				h.produce("from.offices", referral(attr("id", "ev-4")).record(caseA))
				other := elsewhere(p)
				if w := h.post("dev-fs-1", schemas.StructuredContentType, referral(attr("subject", other)).structured()); w.Code != http.StatusAccepted {
					t.Errorf("elsewhere: %d %s", w.Code, w.Body)
				}
				<-time.After(10 * time.Second)
				if _, ok := h.submission("ev-4"); ok {
					t.Error("it was handed in to a log that is cut")
				}

				// A repair makes both logs agree again, above what was judged.
				for len(h.partition(p)) < 4 {
					again := before[len(before)-1]
					if _, err := h.broker.ProduceBatch(t.Context(), h.submitted, p, []broker.Record{again}); err != nil {
						t.Fatal(err)
					}
				}
				mark := h.partition(p)[3]
				if err := h.decide(t.Context(), newSeen(), mark); err != nil {
					t.Fatal(err)
				}
				h.wait(func() bool {
					ready, _ := h.host.Ready.State()
					return ready
				})
				h.awaitSubmission("ev-4")
				if w := h.post("dev-fs-1", schemas.StructuredContentType, referral(attr("id", "ev-3")).structured()); w.Code != http.StatusAccepted {
					t.Errorf("after the repair: %d %s", w.Code, w.Body)
				}
			})
		})
	}
}

func (h *hub) partition(p int) (records []broker.Record) {
	for _, rec := range h.read(h.submitted) {
		if rec.Partition == p {
			records = append(records, rec)
		}
	}
	return records
}

// elsewhere is a case of another partition.
func elsewhere(p int) string {
	for _, id := range []string{"00000000000000000000000000000001", "00000000000000000000000000000002", "00000000000000000000000000000003", "00000000000000000000000000000004", "00000000000000000000000000000005"} {
		if broker.PartitionOf([]byte(id), testPartitions) != p {
			return id
		}
	}
	panic("all the same")
}
