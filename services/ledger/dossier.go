package ledger

import (
	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/lifecycle"
)

// dossier is all that a decision knows besides the submission. Its zero value is
// a dossier that nobody has opened. Decisions read it; only apply changes it.
type dossier struct {
	// Rules is the highest rules version that has judged it.
	Rules int
	// Sequence counts its facts.
	Sequence int64
	// Last is the receivedtime of its last outcome, in Unix milliseconds.
	Last int64
	// Dossier is where its cases stand.
	lifecycle.Dossier
	// Seen are the submissions that are remembered.
	Seen []seen
}

// kase is a case: `case` is Go's word.
type kase = lifecycle.Standing

// seen is a remembered submission and its outcome.
type seen struct {
	Source string
	ID     string
	Digest []byte
	Place  string
	// Reason is empty for a fact.
	Reason schemas.Reason
}

func (d *dossier) remembered(source, id string) *seen {
	for i := range d.Seen {
		if d.Seen[i].ID == id && d.Seen[i].Source == source {
			return &d.Seen[i]
		}
	}
	return nil
}
