package gateway

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/directory"
)

func TestOneAllowanceIsForAllDoorsOfAParticipant(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		rate, err := directory.Setting{Name: directory.RateSetting("cnaf"), Value: "10"}.Record()
		if err != nil {
			t.Fatal(err)
		}
		if err := h.host.Directory.Apply(rate); err != nil {
			t.Fatal(err)
		}
		// A hundred by topic are five seconds more than the fifty that may come at once.
		const n = 100
		for i := range n {
			h.produce("from.cnaf", answered(attr("id", fmt.Sprint("topic-", i))).record(caseA))
		}
		h.awaitSubmission(fmt.Sprint("topic-", n-1))
		w := h.post("dev-cnaf", schemas.StructuredContentType, answered(attr("id", "http-1")).structured())
		wait, err := strconv.Atoi(w.Header().Get("Retry-After"))
		if w.Code != http.StatusTooManyRequests || err != nil || wait < 1 || wait > 10 {
			t.Fatalf("by HTTP: %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
		}
		if used := h.gauges("relais_quota_used_ratio", "operator")["cnaf"]; used < 0.99 {
			t.Errorf("%v of the allowance is used", used)
		}
		if w := h.post("dev-dgfip", schemas.StructuredContentType, answered(attr("id", "http-2"), attr("source", schemas.Source("dgfip", "test"))).structured()); w.Code != http.StatusAccepted {
			t.Errorf("another participant: %d %s", w.Code, w.Body)
		}
		time.Sleep(time.Duration(wait) * time.Second)
		if w := h.post("dev-cnaf", schemas.StructuredContentType, answered(attr("id", "http-1")).structured()); w.Code != http.StatusAccepted {
			t.Errorf("after the wait that it was told: %d %s", w.Code, w.Body)
		}
	})
}

func TestARateLimitPausesATopicAndRefusesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		rate, err := directory.Setting{Name: directory.RateSetting("cnaf"), Value: "10"}.Record()
		if err != nil {
			t.Fatal(err)
		}
		if err := h.host.Directory.Apply(rate); err != nil {
			t.Fatal(err)
		}
		// What comes at once is let through and paid for afterwards, so that what
		// comes after it waits.
		const n = 60
		hand := func(name string) {
			for i := range n {
				h.produce("from.cnaf", answered(attr("id", fmt.Sprint("paced-", name, i))).record(caseA))
				h.produce("from.dgfip", answered(attr("id", fmt.Sprint("free-", name, i)), attr("source", schemas.Source("dgfip", "test"))).record(caseA))
			}
			h.awaitSubmission(fmt.Sprint("free-", name, n-1))
		}
		began := time.Now()
		hand("first-")
		h.awaitSubmission(fmt.Sprint("paced-first-", n-1))
		hand("then-")
		if took := time.Since(began); took > 9*time.Second {
			t.Errorf("another participant waited %s", took)
		}
		for _, name := range []string{"first-", "then-"} {
			for i := range n {
				if verdict := h.awaitSubmission(fmt.Sprint("paced-", name, i)).Extensions[schemas.AttrVerdict]; verdict != "" {
					t.Errorf("event %d is refused: %s", i, verdict)
				}
			}
		}
		if took := time.Since(began); took < 4*time.Second {
			t.Errorf("%d events at ten a second took %s", 2*n, took)
		}
	})
}
