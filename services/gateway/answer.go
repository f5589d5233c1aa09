package gateway

import (
	"encoding/json"
	"net/http"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/problem"
)

// answer is what the caller is told of one event: in a body of its own, as an
// item of a batch's answer, or as a line of a stream's.
type answer struct {
	// Line is the line of a stream, from 1 on; 0 elsewhere.
	Line int `json:"line,omitempty"`
	// Status is what HTTP would say of this event alone; 0 in a body of its own.
	Status int `json:"status,omitempty"`
	// ID is the event's, where it could be read.
	ID       string `json:"id,omitempty"`
	Place    string `json:"place,omitempty"`
	Location string `json:"location,omitempty"`
	// Outcome is fact, refusal or repeat, or pending for one that is not there
	// yet; empty when nobody waited.
	Outcome  string `json:"outcome,omitempty"`
	Sequence string `json:"sequence,omitempty"`
	// First is, for a repeat, the place of the first submission and what became
	// of it.
	First *first `json:"first,omitempty"`
	// Ignored names the attributes that were dropped.
	Ignored []string          `json:"ignored,omitempty"`
	Problem *problem.Document `json:"problem,omitempty"`
}

type first struct {
	Place    string `json:"place"`
	Location string `json:"location"`
	// Reason is the code of the first one's refusal; empty for a fact.
	Reason string `json:"reason,omitempty"`
}

// location is where the outcome of a submission can be asked for.
func location(place schemas.Place) string { return eventsPath + "/" + place.String() }

func (a *answer) at(place schemas.Place) {
	a.Place, a.Location = place.String(), location(place)
}

// is adds the outcome to the answer.
func (a *answer) is(o outcome) {
	a.Status, a.Outcome, a.Sequence = http.StatusOK, o.kind, o.sequence
	if o.kind == outcomeRepeat {
		a.First = &first{Place: o.first.String(), Location: location(o.first), Reason: string(o.reason)}
	}
	if o.reason != "" {
		a.refuse(problem.New(o.reason, o.detail))
	}
}

func (a *answer) refuse(d problem.Document) {
	a.Problem, a.Status = &d, d.Status
}

// problemBody is a problem document about a submission that has a place.
type problemBody struct {
	problem.Document
	Place    string   `json:"place,omitempty"`
	Location string   `json:"location,omitempty"`
	Outcome  string   `json:"outcome,omitempty"`
	First    *first   `json:"first,omitempty"`
	Ignored  []string `json:"ignored,omitempty"`
}

// write answers a request that was about one event.
func (a answer) write(w http.ResponseWriter) {
	if a.Location != "" {
		w.Header().Set("Location", a.Location)
	}
	if a.Problem == nil {
		status := a.Status
		a.Status, a.ID = 0, ""
		writeJSON(w, status, a)
		return
	}
	if a.Place == "" {
		problem.Write(w, *a.Problem)
		return
	}
	w.Header().Set("Content-Type", problem.ContentType)
	writeJSON(w, a.Status, problemBody{
		Document: *a.Problem, Place: a.Place, Location: a.Location, Outcome: a.Outcome, First: a.First, Ignored: a.Ignored,
	})
}

// writeJSON answers with v, as JSON unless a content type is set.
func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", schemas.JSONContentType)
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// An error means that the caller is gone; the event is not.
	_, _ = w.Write(append(body, '\n'))
}
