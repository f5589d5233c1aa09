package bulk

import (
	"fmt"

	"github.com/relais-fr/relais/schemas"
)

// result is what became of a line.
type result string

// The results. A line of the file has exactly one.
const (
	// resultFact: it was recorded.
	resultFact result = "fact"
	// resultRepeat: the hub had it already.
	resultRepeat result = "repeat"
	// resultRefusal: the hub, or the mapping before it, refused it.
	resultRefusal result = "refusal"
)

// outcome is the result of one line, as the journal keeps it.
type outcome struct {
	line   int
	result result
	// name is the event's.
	name string
	// first is the place of the first submission of the event: its own for a fact,
	// the earlier one for a repeat. zero for a refusal without a place.
	first schemas.Place
	// reason and detail say why it was refused; for a repeat, why the first was.
	reason, detail string
}

// answer is what the hub says of one line of a stream.
type answer struct {
	Line    int    `json:"line"`
	Status  int    `json:"status"`
	Place   string `json:"place"`
	Outcome string `json:"outcome"`
	First   *struct {
		Place  string `json:"place"`
		Reason string `json:"reason"`
	} `json:"first"`
	Problem *struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
	} `json:"problem"`
}

// settled is the outcome that the answer tells; false when it tells none yet.
func (a answer) settled(line int, name string) (o outcome, ok bool, err error) {
	o = outcome{line: line, name: name}
	if a.Problem != nil {
		o.reason, o.detail = a.Problem.Code, a.Problem.Detail
	}
	place := a.Place
	switch result(a.Outcome) {
	case resultFact, resultRefusal:
		o.result = result(a.Outcome)
	case resultRepeat:
		o.result = resultRepeat
		if a.First != nil {
			place, o.reason = a.First.Place, a.First.Reason
		}
	default:
		// A refusal at the door: nothing was handed in.
		if a.Problem == nil || a.passing() {
			return outcome{}, false, nil
		}
		o.result = resultRefusal
	}
	if place != "" {
		if o.first, err = schemas.ParsePlace(place); err != nil {
			return outcome{}, false, fmt.Errorf("the hub's answer for line %d: %w", line, err)
		}
	}
	return o, true, nil
}

// passing says whether the line was not taken but may be later.
func (a answer) passing() bool {
	return a.Problem != nil && a.Outcome == "" && (a.Status == 429 || a.Status >= 500)
}
