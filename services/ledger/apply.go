package ledger

import (
	"slices"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/lifecycle"
)

func contains(list []string, s string) bool { return slices.Contains(list, s) }

// opened is the case that an opening event makes.
func opened(s *submission) kase { return lifecycle.Opened(s.asFact(s.Received)) }

// applyFact changes the dossier as the fact says. It is the only way a dossier
// changes: after a decision, and again whenever the log is folded.
func applyFact(d *dossier, s *submission, received int64) { d.Apply(s.asFact(received)) }

// asFact is what the submission says that changes where cases stand.
func (s *submission) asFact(received int64) lifecycle.Fact {
	return lifecycle.Fact{
		Type: s.Type, Subject: s.Subject, Place: s.Place.String(), Received: received, Payload: s.Payload,
		SenderOffice:    s.senderOffice,
		RecipientOffice: s.recipientOffice,
	}
}

// rememberable says whether the id of a submission refused for the reason stays
// taken. What the gateway refused, strangers, the hub's own faults and clocks
// that are early are recorded but not remembered, so that nobody can burn
// another's id.
func rememberable(reason schemas.Reason) bool {
	return reason == schemas.ReasonTransitionNotAllowed
}
