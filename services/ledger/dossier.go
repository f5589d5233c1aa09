package ledger

import (
	"slices"
	"time"

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
	Last  int64
	Cases []kase
	// Seen are the submissions that are remembered.
	Seen []seen
}

// kase is a case: `case` is Go's word.
type kase struct {
	ID          string
	Kind        schemas.Kind
	State       lifecycle.State
	Interrupted lifecycle.State
	// Since is when State was entered, in Unix milliseconds of receivedtime.
	Since int64
	// Opened, Entered and Paused are the places that clocks may name as what
	// started them: the fact that opened the case (or reopened it), the one that
	// led to State, and the one that led to the state that was interrupted.
	Opened  string
	Entered string
	Paused  string

	// Sender and Recipient are the parties: from and to of a referral, operator
	// and office of an appointment, the office of a visit (Sender).
	Sender          string
	Recipient       string
	SenderOffice    bool
	RecipientOffice bool

	// Child is the case id that ReferralRerouted announced, Competent whom it
	// named, HasChild whether that child has been opened.
	Child     string
	Competent string
	HasChild  bool
	// Referral is the referral that an appointment belongs to, Starts its start
	// in Unix milliseconds.
	Referral string
	Starts   int64
}

// seen is a remembered submission and its outcome.
type seen struct {
	Source string
	ID     string
	Digest []byte
	Place  string
	// Reason is empty for a fact.
	Reason schemas.Reason
}

func (d *dossier) find(id string) *kase {
	for i := range d.Cases {
		if d.Cases[i].ID == id {
			return &d.Cases[i]
		}
	}
	return nil
}

func (d *dossier) remembered(source, id string) *seen {
	for i := range d.Seen {
		if d.Seen[i].ID == id && d.Seen[i].Source == source {
			return &d.Seen[i]
		}
	}
	return nil
}

// hasParty says whether the participant is a party of any case of the dossier.
func (d *dossier) hasParty(participant string) bool {
	return slices.ContainsFunc(d.Cases, func(c kase) bool { return c.hats(participant) != 0 })
}

// referralOf is the referral that an appointment belongs to: the one it names,
// else the dossier's latest; nil when there is none.
func (d *dossier) referralOf(named string) *kase {
	for i := len(d.Cases) - 1; i >= 0; i-- {
		if c := &d.Cases[i]; c.Kind == schemas.KindReferral && (named == "" || c.ID == named) {
			return c
		}
	}
	return nil
}

// liveAppointments counts the appointments of a referral whose end is not known.
func (d *dossier) liveAppointments(referral string) int {
	n := 0
	for _, c := range d.Cases {
		if c.Kind == schemas.KindAppointment && c.Referral == referral && !lifecycle.Appointment.Ended(c.State) {
			n++
		}
	}
	return n
}

// hats are what the participant is to the case.
func (c *kase) hats(participant string) lifecycle.Hat {
	var h lifecycle.Hat
	if participant == c.Sender {
		h |= lifecycle.Sender | lifecycle.Party
	}
	if participant == c.Recipient {
		h |= lifecycle.Recipient | lifecycle.Party
	}
	return h
}

func (c *kase) lifecycle() lifecycle.Case {
	return lifecycle.Case{State: c.State, Interrupted: c.Interrupted, Since: time.UnixMilli(c.Since).UTC(), HasChild: c.HasChild}
}

// enter moves the case to a state at a time by the fact at a place. The clocks of
// an interrupted state stand still: they go on from what had started them.
func (c *kase) enter(s lifecycle.State, at int64, place string) {
	if s == c.State {
		return
	}
	switch {
	case s == lifecycle.InfoRequested:
		c.Interrupted, c.Paused, c.Entered = c.State, c.Entered, place
	case c.State == lifecycle.InfoRequested && s == c.Interrupted:
		c.Entered, c.Interrupted, c.Paused = c.Paused, "", ""
	default:
		c.Entered, c.Interrupted, c.Paused = place, "", ""
	}
	c.State, c.Since = s, at
}

// parties are the case's parties as the attribute parties names them.
func (c *kase) parties() []string {
	list := []string{partyName(c.Sender, c.SenderOffice)}
	if c.Recipient != "" {
		list = append(list, partyName(c.Recipient, c.RecipientOffice))
	}
	return list
}

// partyName marks an office, which has no topic of its own.
func partyName(participant string, office bool) string {
	if office {
		return schemas.OfficesParticipant + "/" + participant
	}
	return participant
}
