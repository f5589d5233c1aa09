package gateway

import (
	"encoding/json"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/contract"
	"github.com/relais-fr/relais/services/internal/directory"
)

// What the documents show of an event that somebody may hand in, the gateway takes.
func TestTheExamplesOfTheDocumentsAreTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The examples are of May 2026.
		time.Sleep(time.Until(time.Date(2026, time.May, 30, 12, 0, 0, 0, time.UTC)))
		view := viewOf(t, append(testDirectory(),
			directory.Participant{ID: "msa", Name: "MSA", Role: directory.RoleOperator},
			directory.Office{ID: "fs-563", Name: "Arradon", Department: "56"},
			directory.Office{ID: "demo-1", Name: "Vannes", Department: "56"},
			directory.Service{Code: "impots-argent/declaration-de-revenus-en-ligne", Operators: []string{"dgfip"}},
			directory.Service{Code: "logement/demande-d-une-allocation-logement-apl-als-alf", Operators: []string{"cnaf"}},
			directory.Service{Code: "social-famille/prime-d-activite-demande-et-declaration-trimestrielle", Operators: []string{"msa"}},
		)...)
		h := newHub(t, view)
		h.run()
		taken := 0
		for _, e := range schemas.Catalogue() {
			body, err := json.Marshal(contract.Example(e))
			if err != nil {
				t.Fatal(err)
			}
			sender := contract.ExampleSender(e)
			if sender == schemas.HubParticipant {
				continue
			}
			if w := h.post("dev-"+sender, schemas.StructuredContentType, string(body)); w.Code != http.StatusAccepted {
				t.Errorf("%s by %s: %d %s\n%s", e.Name, sender, w.Code, w.Body, body)
			}
			taken++
		}
		if taken < 15 {
			t.Errorf("only %d examples were handed in", taken)
		}
	})
}

// The documents are there for anybody, and not sent again to who has them.
func TestTheDocumentsAreServed(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		for _, path := range []string{contract.OpenAPIPath, contract.AsyncAPIPath, contract.PagePath} {
			w := h.get("nobody", path)
			if w.Code != http.StatusOK || w.Body.Len() < 10_000 || w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: %d, %d bytes, %v", path, w.Code, w.Body.Len(), w.Header())
			}
		}
	})
}
