package gateway

import (
	"net/http"
	"testing"

	"github.com/relais-fr/relais/schemas"
)

func TestASubmissionSaysByWhichDoorItCame(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		if w := h.post("dev-fs-1", schemas.StructuredContentType, referral(attr(schemas.AttrDoor, "from.cnaf/0/7")).structured()); w.Code != http.StatusAccepted {
			t.Fatalf("POST = %d %s", w.Code, w.Body)
		}
		h.produce("from.cnaf", answered(attr("id", "first"), attr(schemas.AttrDoor, "http")).record(caseA))
		h.produce("from.cnaf", answered(attr("id", "refused"), attr("type", "fr.relais.nothing")).record(caseA))
		for id, want := range map[string]string{"ev-1": "http", "first": "from.cnaf/0/0", "refused": "from.cnaf/0/1"} {
			if got := h.awaitSubmission(id).Extensions[schemas.AttrDoor]; got != want {
				t.Errorf("%s came by %q, want %q", id, got, want)
			}
		}
	})
}
