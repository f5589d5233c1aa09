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
		began := time.Now()
		const n = 60
		for i := range n {
			h.produce("from.cnaf", answered(attr("id", fmt.Sprint("paced-", i))).record(caseA))
			h.produce("from.dgfip", answered(attr("id", fmt.Sprint("free-", i)), attr("source", schemas.Source("dgfip", "test"))).record(caseA))
		}
		h.awaitSubmission(fmt.Sprint("free-", n-1))
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("another participant waited %s", took)
		}
		for i := range n {
			if verdict := h.awaitSubmission(fmt.Sprint("paced-", i)).Extensions[schemas.AttrVerdict]; verdict != "" {
				t.Errorf("event %d is refused: %s", i, verdict)
			}
		}
		if took := time.Since(began); took < time.Second {
			t.Errorf("%d events at ten a second took %s", n, took)
		}
	})
}
