package schemas

import "github.com/relais-fr/relais/schemas/internal/personal"

// Validate says whether a payload, a pointer to one of the event types, is well
// formed: required fields, codes of their tables, ids, lengths, times, lists, and
// no personal data in clear. It knows no directory and no case: whether an office
// or a service exists, or a transition is allowed, is for others to say.
//
// The error is a *Refusal whose detail names the first field at fault. Validate
// is safe for concurrent use and keeps nothing.
func Validate(payload any) error {
	var c checker
	if !c.referralEvent(payload) && !c.appointmentEvent(payload) && !c.visitEvent(payload) && !c.hubEvent(payload) {
		return refuse(ReasonUnknownSchema, "data is not an event of the catalogue")
	}
	if c.refusal != nil {
		return c.refusal
	}
	return nil
}

// PersonalData says what in s looks like personal data: "an e-mail address", "a
// telephone number" or "a social security number"; "" when nothing does. It is
// conservative: it finds what is written the usual ways and stands by itself, not
// digits inside a longer word, such as a UUID's. An opaque number that happens to
// look like one needs a prefix.
//
// Validate looks at every string of a payload; the attributes of an event (its
// id, its subject) are the gateway's to look at.
func PersonalData(s string) string { return personal.Data(s) }
