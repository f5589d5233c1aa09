package gateway

import (
	"fmt"
	"testing"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/directory"
)

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
