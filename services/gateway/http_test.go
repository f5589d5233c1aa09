package gateway

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/schemas"
)

func TestAnEventIsAcceptedAndStamped(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		w := h.post("dev-fs-1", schemas.StructuredContentType, referral().structured())
		if w.Code != http.StatusAccepted {
			t.Fatalf("POST = %d %s", w.Code, w.Body)
		}
		e, ok := h.submission("ev-1")
		if !ok {
			t.Fatal("nothing was submitted")
		}
		want := map[string]string{
			"partitionkey": caseA, "receivedtime": e.Extensions["receivedtime"], "rules": "1", "territory": "56",
			"senderrole": "office", "recipientrole": "operator", "submitter": "fs-1", "door": "http",
		}
		if diff := cmp.Diff(want, e.Extensions); diff != "" {
			t.Errorf("attributes (-want +got):\n%s", diff)
		}
		if got := w.Header().Get("Location"); got != "/v1/events/"+decoded(t, w)["place"].(string) {
			t.Errorf("Location = %s", got)
		}
	})
}

func TestACallerMayWaitForTheOutcome(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		h.ledger()
		wait := []string{"Prefer", "respond-async, wait=10"}
		w := h.post("dev-fs-1", schemas.StructuredContentType, referral().structured(), wait...)
		fact := decoded(t, w)
		if w.Code != http.StatusOK || fact["outcome"] != "fact" || fact["sequence"] != "0000000001" {
			t.Errorf("a fact: %d %v", w.Code, fact)
		}
		w = h.post("dev-fs-1", schemas.StructuredContentType, referral().structured(), wait...)
		repeat := decoded(t, w)
		first, _ := repeat["first"].(map[string]any)
		if w.Code != http.StatusOK || repeat["outcome"] != "repeat" || first["place"] != fact["place"] {
			t.Errorf("a repeat: %d %v", w.Code, repeat)
		}
		w = h.post("dev-cnaf", schemas.StructuredContentType, answered(attr("id", "transition")).structured(), wait...)
		refusal := decoded(t, w)
		if w.Code != http.StatusConflict || refusal["code"] != "transition_not_allowed" || refusal["outcome"] != "refusal" || refusal["place"] == nil {
			t.Errorf("a refusal: %d %v", w.Code, refusal)
		}
		if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
			t.Errorf("a refusal is %s", got)
		}
	})
}

func TestACallerIsNotKeptWaitingForEver(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		started := time.Now()
		w := h.post("dev-fs-1", schemas.StructuredContentType, referral().structured(), "Prefer", "wait=3")
		if took := time.Since(started); w.Code != http.StatusAccepted || took < 2*time.Second || took > 4*time.Second {
			t.Errorf("after %s: %d %s", took, w.Code, w.Body)
		}
		h.outcomes.mu.Lock()
		defer h.outcomes.mu.Unlock()
		if h.outcomes.waiting != 0 {
			t.Errorf("%d expectations are left", h.outcomes.waiting)
		}
	})
}

func TestAnOutcomeCanBeAskedForLater(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		var places []string
		for i := range 20 {
			w := h.post("dev-fs-1", schemas.StructuredContentType, referral(attr("id", fmt.Sprint("ev-", i))).structured())
			places = append(places, decoded(t, w)["place"].(string))
		}
		path := "/v1/events/" + places[13]
		if got := decoded(t, h.get("dev-fs-1", path)); got["outcome"] != "pending" {
			t.Errorf("before the ledger: %v", got)
		}
		// Outcomes stand further on than their submissions when some were
		// appended twice.
		for range 2 {
			for _, rec := range h.read(h.submitted)[:9] {
				if err := h.decide(t.Context(), newSeen(), rec); err != nil {
					t.Fatal(err)
				}
			}
		}
		h.ledger()
		var got map[string]any
		h.wait(func() bool { got = decoded(t, h.get("dev-fs-1", path)); return got["outcome"] != "pending" })
		if got["outcome"] != "fact" || got["place"] != places[13] || got["id"] != "ev-13" {
			t.Errorf("after the ledger: %v", got)
		}
		for _, other := range []string{"dev-fs-2", "dev-cnaf", "dev-feeder"} {
			if w := h.get(other, path); w.Code != http.StatusNotFound {
				t.Errorf("%s reads what is not its own: %d %s", other, w.Code, w.Body)
			}
		}
		if w := h.get("dev-admin", path); w.Code != http.StatusOK {
			t.Errorf("an admin: %d %s", w.Code, w.Body)
		}
		for _, nowhere := range []string{"0-999", "99-0", "x", "0-01", "1-0"} {
			if w := h.get("dev-fs-2", "/v1/events/"+nowhere); w.Code != http.StatusNotFound {
				t.Errorf("%s: %d %s", nowhere, w.Code, w.Body)
			}
		}
	})
}

func TestWhoeverIsNotKnownIsNotLetIn(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		for _, token := range []string{"", "dev-nobody", "dev-hub", "dev-offices", "dev-fs-3"} {
			if w := h.post(token, schemas.StructuredContentType, referral().structured()); w.Code != http.StatusUnauthorized {
				t.Errorf("%q: %d", token, w.Code)
			}
		}
		if w := h.post("dev-admin", schemas.StructuredContentType, referral().structured()); w.Code != http.StatusForbidden {
			t.Errorf("an admin hands in: %d", w.Code)
		}
		for _, path := range []string{"/v1/quarantine", "/v1/quarantine/0-0"} {
			if w := h.get("dev-cnaf", path); w.Code != http.StatusForbidden {
				t.Errorf("%s by an operator: %d", path, w.Code)
			}
		}
	})
}

func TestBodiesBeyondAllBounds(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		zeros := packed(t, bytes.Repeat([]byte{' '}, 60<<20))
		if len(zeros) > 1<<20 {
			t.Fatalf("the trial is %d bytes packed", len(zeros))
		}
		ten := strings.Repeat(" ", 10<<20)
		trials := []struct {
			name, contentType, body string
			header                  []string
			want                    int
		}{
			{"10 MB", schemas.StructuredContentType, ten, nil, http.StatusRequestEntityTooLarge},
			{"10 MB of data", schemas.JSONContentType, ten, referral().httpHeaders(), http.StatusRequestEntityTooLarge},
			{"10 MB in a batch", schemas.BatchContentType, ten, nil, http.StatusRequestEntityTooLarge},
			{"60 MB that compress under 1 MB", schemas.StructuredContentType, zeros, []string{"Content-Encoding", "gzip"}, http.StatusRequestEntityTooLarge},
			{"60 MB that compress under 1 MB in a batch", schemas.BatchContentType, zeros, []string{"Content-Encoding", "gzip"}, http.StatusRequestEntityTooLarge},
			{"an event that is packed", schemas.StructuredContentType, packed(t, []byte(referral().structured())), []string{"Content-Encoding", "gzip"}, http.StatusAccepted},
			{"what is no gzip", schemas.StructuredContentType, referral().structured(), []string{"Content-Encoding", "gzip"}, http.StatusBadRequest},
			{"a gzip cut short", schemas.StructuredContentType, packed(t, []byte(referral().structured()))[:60], []string{"Content-Encoding", "gzip"}, http.StatusBadRequest},
			{"another packing", schemas.StructuredContentType, referral().structured(), []string{"Content-Encoding", "br"}, http.StatusUnsupportedMediaType},
			{"another content type", "text/plain", "hello", nil, http.StatusUnsupportedMediaType},
			{"JSON without attributes", schemas.JSONContentType, "{}", nil, http.StatusBadRequest},
			{"nothing", schemas.StructuredContentType, "", nil, http.StatusBadRequest},
			{"an attribute twice", schemas.JSONContentType, referral().data, append(referral().httpHeaders(), "Ce-Id", "other"), http.StatusBadRequest},
			{"an attribute with broken percent-encoding", schemas.JSONContentType, referral().data, append(referral().httpHeaders(), "Ce-Correlationid", "%zz"), http.StatusBadRequest},
			{"a batch that is no list", schemas.BatchContentType, referral().structured(), nil, http.StatusBadRequest},
			{"a batch of too many", schemas.BatchContentType, "[" + strings.Repeat("{},", maxBatchEvents) + "{}]", nil, http.StatusRequestEntityTooLarge},
		}
		for _, trial := range trials {
			if w := h.post("dev-fs-1", trial.contentType, trial.body, trial.header...); w.Code != trial.want {
				t.Errorf("%s: %d %s, want %d", trial.name, w.Code, w.Body, trial.want)
			}
		}
	})
}

func packed(t testing.TB, data []byte) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestABatchIsAnsweredEventByEvent(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		h.ledger()
		batch := "[" + strings.Join([]string{
			referral().structured(),
			visit(attr("id", "ev-2"), attr("subject", caseB), replace("cnaf", "caf")).structured(),
			`{"specversion":"1.0"}`, `7`,
			visit(attr("id", "ev-3"), attr("subject", caseB)).structured(),
			referral().structured(),
		}, ",") + "]"
		w := h.post("dev-fs-1", schemas.BatchContentType, batch, "Prefer", "wait=5")
		if w.Code != http.StatusOK {
			t.Fatalf("POST = %d %s", w.Code, w.Body)
		}
		var answers []answer
		if err := json.Unmarshal(w.Body.Bytes(), &answers); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, a := range answers {
			word := a.Outcome
			if a.Problem != nil {
				word = a.Problem.Code
			}
			got = append(got, fmt.Sprint(a.ID, " ", a.Status, " ", word))
		}
		want := []string{"ev-1 200 fact", "ev-2 422 unknown_participant", " 400 malformed", " 400 malformed", "ev-3 200 fact", "ev-1 200 repeat"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
	})
}

func TestAStreamIsAnsweredLineByLineWhileItRuns(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		h.ledger()
		body, lines := io.Pipe()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://hub/v1/events", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer dev-fs-1")
		r.Header.Set("Content-Type", "application/x-ndjson")
		r.Header.Set("Prefer", "wait=10")
		res, err := h.client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		answers := bufio.NewScanner(res.Body)
		ask := func(line string) answer {
			t.Helper()
			if _, err := io.WriteString(lines, line+"\n"); err != nil {
				t.Fatal(err)
			}
			if !answers.Scan() {
				t.Fatalf("no answer to %.60s: %v", line, answers.Err())
			}
			var a answer
			if err := json.Unmarshal(answers.Bytes(), &a); err != nil {
				t.Fatal(err)
			}
			return a
		}
		if a := ask(referral().structured()); a.Line != 1 || a.Outcome != "fact" {
			t.Errorf("the first line: %+v", a)
		}
		if a := ask("\n{broken"); a.Line != 3 || a.Problem == nil || a.Problem.Code != "malformed" {
			t.Errorf("a broken line: %+v", a)
		}
		if a := ask(strings.Repeat("x", maxLine+1)); a.Line != 4 || a.Problem == nil || a.Problem.Code != "too_large" {
			t.Errorf("a line that is too long: %+v", a)
		}
		time.Sleep(idleLimit - time.Second)
		if a := ask(referral().structured()); a.Line != 5 || a.Outcome != "repeat" {
			t.Errorf("after a pause: %+v", a)
		}
		_ = lines.Close()
		if answers.Scan() {
			t.Errorf("an answer to nothing: %s", answers.Text())
		}
	})
}

func TestALongStreamIsAnsweredInOrderAndWhole(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		h.ledger()
		const n = 3000
		var lines strings.Builder
		for i := range n {
			fmt.Fprintln(&lines, visit(attr("id", fmt.Sprint("ev-", i)), attr("subject", fmt.Sprintf("%032x", i/2))).structured())
		}
		w := h.post("dev-fs-1", "application/x-ndjson", packed(t, []byte(lines.String())), "Content-Encoding", "gzip", "Prefer", "wait=60")
		answers := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
		if len(answers) != n {
			t.Fatalf("%d answers to %d lines", len(answers), n)
		}
		for i, line := range answers {
			var a answer
			if err := json.Unmarshal([]byte(line), &a); err != nil {
				t.Fatal(err)
			}
			if a.Line != i+1 || a.ID != fmt.Sprint("ev-", i) || a.Outcome != "fact" {
				t.Fatalf("answer %d: %s", i+1, line)
			}
		}
		// The two events of a dossier stand in the order in which they came.
		last := map[string]string{}
		for _, e := range h.submissions() {
			if before := last[e.Subject]; before > e.ID && len(before) == len(e.ID) {
				t.Fatalf("%s stands after %s", before, e.ID)
			}
			last[e.Subject] = e.ID
		}
	})
}

func TestAStreamThatBringsNothingEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		body, lines := io.Pipe()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://hub/v1/events", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer dev-fs-1")
		r.Header.Set("Content-Type", "application/x-ndjson")
		started := time.Now()
		res, err := h.client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		if took := time.Since(started); took < idleLimit || took > idleLimit+5*time.Second {
			t.Errorf("the stream ended after %s", took)
		}
		_ = res.Body.Close()
		_ = lines.Close()
	})
}

func TestTheDoorsSayWhyTheyAreShut(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		h.closed.Store("The disk is full.")
		w := h.post("dev-fs-1", schemas.StructuredContentType, referral().structured())
		if got := decoded(t, w); w.Code != http.StatusServiceUnavailable || got["code"] != "not_ready" || got["detail"] != h.why() {
			t.Errorf("POST = %d %v", w.Code, got)
		}
		h.closed.Store("")
		h.registry.setDown(true)
		w = h.post("dev-fs-1", schemas.StructuredContentType, referral().structured())
		if got := decoded(t, w); w.Code != http.StatusServiceUnavailable || got["code"] != "not_ready" {
			t.Errorf("without a registry: %d %v", w.Code, got)
		}
		h.registry.setDown(false)
		if w = h.post("dev-fs-1", schemas.StructuredContentType, referral().structured()); w.Code != http.StatusAccepted {
			t.Errorf("with it again: %d %s", w.Code, w.Body)
		}
	})
}

func TestAnAcknowledgementThatDoesNotComeIsNotANo(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		if w := h.post("dev-fs-1", schemas.StructuredContentType, referral().structured()); w.Code != http.StatusAccepted {
			t.Fatalf("POST = %d %s", w.Code, w.Body)
		}
		h.kafka.Stop()
		w := h.post("dev-fs-1", schemas.StructuredContentType, referral(attr("id", "ev-2")).structured())
		got := decoded(t, w)
		if remedy, _ := got["remedy"].(string); w.Code != http.StatusServiceUnavailable || !strings.Contains(remedy, "same id") {
			t.Errorf("POST = %d %v", w.Code, got)
		}
		// It has been noticed meanwhile, and the doors are shut; that they were not
		// when the next request came is what is told here.
		h.open()
		// The record is still in line; a later one of the dossier may not be sent
		// in the same request.
		var batch []string
		for i := range 40 {
			batch = append(batch, referral(attr("id", fmt.Sprint("ev-1", i)), attr("subject", fmt.Sprintf("%032x", i/2))).structured())
		}
		started := time.Now()
		w = h.post("dev-fs-1", schemas.BatchContentType, "["+strings.Join(batch, ",")+"]")
		if n := strings.Count(w.Body.String(), `{"status":503,`); n != len(batch) {
			t.Errorf("a batch without a broker: %d of %d not ready", n, len(batch))
		}
		if took := time.Since(started); took > 2*ackLimit+time.Second {
			t.Errorf("a batch without a broker is answered after %s", took)
		}
		h.kafka.Start(t)
		synctest.Wait()
	})
}

func TestARateBeyondTheAllowanceIsToldWhen(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		for h.limiter.take(principalOf(t, h, "fs-1"), 1000) == 0 {
		}
		w := h.post("dev-fs-1", schemas.BatchContentType, "["+strings.Repeat("{},", 999)+"{}]")
		if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
			t.Errorf("POST = %d %s", w.Code, w.Body)
		}
		time.Sleep(2 * time.Second)
		if w := h.post("dev-fs-1", schemas.StructuredContentType, referral().structured()); w.Code != http.StatusAccepted {
			t.Errorf("after a pause: %d %s", w.Code, w.Body)
		}
		if w := h.post("dev-fs-2", schemas.StructuredContentType, "{}"); w.Code != http.StatusBadRequest {
			t.Errorf("another participant: %d", w.Code)
		}
	})
}
