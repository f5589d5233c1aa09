package bulk

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/relais-fr/relais/cmd/hubctl/internal/door"
	"github.com/relais-fr/relais/schemas"
)

// hub is a door that records facts, recognises repeats by id and refuses what
// stands before its opener. Its fields say what goes wrong.
type hub struct {
	t   *testing.T
	url string

	mu       sync.Mutex
	places   map[string]int64 // by event id
	openers  map[string]bool  // dossiers
	taken    []string         // ids in the order of facts
	requests int

	// cutAfter closes a connection after so many answers, the event behind them
	// recorded already; 0 never.
	cutAfter int
	// busyEvery answers every so many-th request with 503.
	busyEvery int
	// balk answers these ids with not_ready the first time.
	balk map[string]bool
	// slow are ids whose outcome is not there at first.
	slow map[string]bool
	// status answers everything with it, if it is not 0.
	status int
	// onTaken is called with the number of facts.
	onTaken func(int)
}

func newHub(t *testing.T) *hub {
	h := &hub{t: t, places: map[string]int64{}, openers: map[string]bool{}, balk: map[string]bool{}, slow: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/events", h.post)
	mux.HandleFunc("GET /v1/events/{place}", h.get)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

func (h *hub) client() *door.Client {
	c, err := door.New(h.url, "dev-feeder")
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

func (h *hub) post(w http.ResponseWriter, r *http.Request) {
	if got := r.Header.Get("Authorization") + " " + r.Header.Get("Content-Type") + " " + r.Header.Get("Prefer"); got != "Bearer dev-feeder application/x-ndjson wait=30" {
		h.t.Errorf("asked with %q", got)
	}
	if h.turnedAway(w) {
		return
	}
	out := bufio.NewWriter(w)
	lines := bufio.NewScanner(r.Body)
	lines.Buffer(nil, 4<<20)
	var read []string
	for lines.Scan() {
		read = append(read, lines.Text())
	}
	seen := map[string]bool{}
	for i, line := range read {
		answer := h.answer(line, seen)
		answer["line"] = i + 1
		if h.cutAfter > 0 && i >= h.cutAfter {
			_ = out.Flush()
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		_ = json.NewEncoder(out).Encode(answer)
	}
	_ = out.Flush()
}

func (h *hub) turnedAway(w http.ResponseWriter) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests++
	status := h.status
	if h.busyEvery > 0 && h.requests%h.busyEvery == 0 {
		status = http.StatusServiceUnavailable
	}
	if status != 0 {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"title":"The hub is not ready yet.","code":"not_ready","remedy":"Try again."}`))
	}
	return status != 0
}

// answer decides one line. seen are the dossiers of this request.
func (h *hub) answer(line string, seen map[string]bool) map[string]any {
	h.mu.Lock()
	defer h.mu.Unlock()
	e, err := schemas.ParseStructured([]byte(line))
	if err != nil {
		return map[string]any{"status": 400, "problem": map[string]any{"code": "malformed", "detail": "line"}}
	}
	dossier := schemas.Dossier(e.Subject)
	if seen[dossier] {
		h.t.Errorf("two events of dossier %s in one request", dossier)
	}
	seen[dossier] = true
	if h.balk[e.ID] {
		delete(h.balk, e.ID)
		return map[string]any{"status": 503, "problem": map[string]any{"code": "not_ready"}}
	}
	if offset, ok := h.places[e.ID]; ok {
		return map[string]any{"status": 200, "place": "0-9", "outcome": "repeat", "first": map[string]any{"place": place(offset)}}
	}
	entry, _ := schemas.Lookup(e.Type)
	if entry.Opens {
		h.openers[dossier] = true
	}
	if !h.openers[dossier] {
		return map[string]any{"status": 403, "place": "0-8", "outcome": "refusal", "problem": map[string]any{"code": "not_a_party", "detail": "subject"}}
	}
	h.places[e.ID] = int64(100 + len(h.taken))
	h.taken = append(h.taken, e.ID)
	if h.onTaken != nil {
		h.onTaken(len(h.taken))
	}
	if h.slow[e.ID] {
		return map[string]any{"status": 202, "place": place(h.places[e.ID])}
	}
	return map[string]any{"status": 200, "place": place(h.places[e.ID]), "outcome": "fact", "sequence": "0000000001"}
}

func place(offset int64) string { return fmt.Sprintf("3-%d", offset) }

// get tells the outcome of a slow event, the second time it is asked.
func (h *hub) get(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, offset := range h.places {
		if place(offset) != r.PathValue("place") {
			continue
		}
		outcome := "fact"
		if h.slow[id] {
			delete(h.slow, id)
			outcome = "pending"
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"place": place(offset), "outcome": outcome})
		return
	}
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write([]byte(`{"title":"There is nothing here.","code":"not_found"}`))
}

// notes is a Progress that keeps what it is told.
type notes struct {
	mu    sync.Mutex
	lines []string
}

func (n *notes) Look()                 {}
func (n *notes) Start(_, done int)     { n.Note(fmt.Sprintf("start at %d", done)) }
func (n *notes) Step(Counts, int, int) {}
func (n *notes) End()                  {}

func (n *notes) Note(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, text)
}

func (n *notes) has(part string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Contains(strings.Join(n.lines, "\n"), part)
}

func event(id, name, subject string) string {
	typ := "fr.relais.appointment.v1." + name
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/participants/cnaf/si","type":%q,"subject":%q,"data":{}}`, id, typ, subject)
}

func booked(id string) string            { return event(id, "AppointmentBooked", id) }
func attended(id, subject string) string { return event(id, "AppointmentAttended", subject) }
