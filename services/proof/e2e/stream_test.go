package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestStreamGoesOnAfterTheHubIsKilled reads an operator's stream over three lives of a
// hub that is killed each time, and that hands in meanwhile what the reader has not
// seen. It gets everything once and in order.
func TestStreamGoesOnAfterTheHubIsKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var sent, got []string
	last := ""
	for life := range 3 {
		h := ownHub(t, dir)
		for range 5 {
			e, _ := newReferral("cnaf", "demo-1")
			// All in one dossier, which has one order.
			e.with("subject", fmt.Sprintf("cnaf.stream~%d", len(sent)))
			if len(sent) == 0 {
				e.with("subject", "cnaf.stream")
			}
			h.fact(t, "cnaf", e)
			sent = append(sent, e["id"].(string))
		}
		wanted := len(sent) - 2
		if life == 2 {
			wanted = len(sent)
		}
		ids, id := listen(t, h, last, wanted-len(got))
		got, last = append(got, ids...), id
		h.kill()
	}
	if diff := cmp.Diff(sent, got); diff != "" {
		t.Errorf("what the stream gave (-sent +got)\n%s", diff)
	}
}

// listen reads so many events of cnaf's stream after an id, and says the last one's.
func listen(t *testing.T, h *hub, last string, n int) (ids []string, id string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.http+"/v1/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer dev-cnaf")
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	answer, err := (&http.Client{Timeout: time.Minute}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("the stream is answered with %s", answer.Status)
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	for len(ids) < n && lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			id = value
		case "data":
			var e struct{ ID string }
			if err := json.Unmarshal([]byte(value), &e); err != nil {
				t.Fatalf("%s: %v", value, err)
			}
			ids = append(ids, e.ID)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("after %d events: %v", len(ids), err)
	}
	return ids, id
}
