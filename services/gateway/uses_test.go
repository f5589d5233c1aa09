package gateway

import (
	"net/http"
	"testing"
)

// The gateway tells with which schema an event was written that it took, to its
// participant and to an admin; what it did not take is not counted.
func TestUsesAreTold(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		h.post("dev-fs-1", "application/cloudevents+json", visit().structured())
		h.post("dev-fs-1", "application/cloudevents+json", visit(data("{")).structured())
		for token, want := range map[string]int{"dev-fs-1": 1, "dev-admin": 1, "dev-cnaf": 0} {
			w := h.get(token, usesPath)
			all, _ := decoded(t, w)["uses"].([]any)
			if w.Code != http.StatusOK || len(all) != want {
				t.Errorf("%s: %d %s", token, w.Code, w.Body)
				continue
			}
			if want == 1 {
				if use := all[0].(map[string]any); use["participant"] != "fs-1" || use["channel"] != "http" || use["count"] != 1.0 {
					t.Errorf("%s: %v", token, use)
				}
			}
		}
	})
}
