package ledger

import (
	"errors"
	"fmt"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/lifecycle"
)

// Rules is the newest rules version that this build knows. Any change in any
// outcome's bytes, bug fixes included, is a new version. The versions:
//
//	1  the first
//	2  a probe goes to the party `hub`, so that the whole road can be timed; a
//	   DeliveryChanged that the hub hands in is a fact for the sender it names
const (
	Rules = rulesReports

	rulesReports = 2
)

// rulesFor is the version by which a submission is judged: the one that was in
// force when it came, but never an older one than has judged its dossier before.
func rulesFor(d *dossier, s *submission) int { return max(d.Rules, s.Rules) }

// decision is what the ledger makes of a submission: a fact for the parties, a
// refusal with a reason, or a repeat of what was seen.
type decision struct {
	reason  schemas.Reason
	detail  string
	repeat  *seen
	parties []string
	late    bool
}

// decide judges a submission as of the dossier before it. It is a pure function:
// no clock, no randomness, no other dossier.
func decide(d *dossier, s *submission) decision {
	if s.Verdict != "" {
		return refuse(s.Verdict, s.VerdictDetail)
	}
	if first := d.remembered(s.Source, s.ID); first != nil {
		if string(first.Digest) != string(s.Digest) {
			return refuse(schemas.ReasonDuplicateIDOtherContent, "the id was used before, at "+first.Place+", with other content")
		}
		return decision{repeat: first}
	}
	var verdict decision
	entry, _ := schemas.Lookup(s.Type)
	switch {
	case entry.Kind == schemas.KindHub:
		verdict = decideOwn(s, rulesFor(d, s))
	case entry.Opens:
		verdict = decideOpening(d, s)
	default:
		verdict = decideNext(d, s)
	}
	if verdict.reason == "" {
		verdict.parties = withSubmitter(verdict.parties, s)
	}
	return verdict
}

func refuse(reason schemas.Reason, detail string) decision {
	return decision{reason: reason, detail: detail}
}

// notAParty is the one answer to strangers: it never tells whether the case
// exists.
func notAParty() decision { return refuse(schemas.ReasonNotAParty, "") }

// decideOwn judges the hub's own events, which belong to no case.
func decideOwn(s *submission, rules int) decision {
	switch p := s.Payload.(type) {
	case *schemas.ProbeSent:
		if rules < rulesReports {
			return decision{}
		}
		return decision{parties: []string{schemas.HubParticipant}}
	case *schemas.StatementIssued:
		return decision{parties: []string{p.Participant}}
	case *schemas.DeliveryChanged:
		switch {
		case rules < rulesReports:
		case p.Sender == nil:
			return decision{}
		default:
			return decision{parties: []string{*p.Sender}}
		}
	}
	return refuse(schemas.ReasonNotYourParticipant, "only the ledger makes this event")
}

func decideOpening(d *dossier, s *submission) decision {
	sender := s.Participant()
	switch {
	case d.Find(s.Subject) != nil && d.Find(s.Subject).Hats(sender) == 0:
		return notAParty()
	case d.Find(s.Subject) != nil:
		return refuse(schemas.ReasonTransitionNotAllowed, "the case exists already")
	case len(d.Cases) == 0 && s.Subject != s.dossier:
		return notAParty()
	case len(d.Cases) > 0 && !d.HasParty(sender):
		return notAParty()
	case len(d.Cases) > 0 && (d.Cases[0].Kind == schemas.KindVisit || s.Type == schemas.TypeVisitRecorded):
		return refuse(schemas.ReasonTransitionNotAllowed, "a visit is always a dossier of its own")
	}
	switch p := s.Payload.(type) {
	case *schemas.ReferralMade:
		if p.Parent != nil {
			return decideChild(d, s, p)
		}
		if p.From != sender {
			return notAParty()
		}
		c := opened(s)
		return decision{parties: c.Parties()}
	case *schemas.AppointmentBooked:
		if p.Office != sender && p.Operator != sender {
			return notAParty()
		}
		if p.Referral != nil && d.ReferralOf(*p.Referral) == nil {
			return notAParty()
		}
		c := opened(s)
		return decision{parties: append(c.Parties(), referralParties(d, c.Referral, p.Referral)...)}
	case *schemas.VisitRecorded:
		if p.Office != sender {
			return notAParty()
		}
		c := opened(s)
		return decision{parties: c.Parties()}
	}
	return refuse(schemas.ReasonTransitionNotAllowed, "this event opens no case")
}

// referralParties are the parties of the referral that an appointment moves.
func referralParties(d *dossier, named string, asked *string) []string {
	if asked != nil {
		named = *asked
	}
	if r := d.ReferralOf(named); r != nil {
		return r.Parties()
	}
	return nil
}

// decideChild judges the referral that carries a rerouted one on: the parent's
// recipient hands it in for the parent's sender, to whom the parent named.
func decideChild(d *dossier, s *submission, p *schemas.ReferralMade) decision {
	parent := d.Find(*p.Parent)
	if parent == nil || parent.Kind != schemas.KindReferral || parent.Hats(s.Participant()) == 0 {
		return notAParty()
	}
	not := func(why string) decision { return refuse(schemas.ReasonTransitionNotAllowed, why) }
	switch {
	case parent.Hats(s.Participant())&lifecycle.Recipient == 0:
		return not("only the recipient of the rerouted referral hands the child in")
	case parent.State != lifecycle.Rerouted:
		return not("the parent is not rerouted")
	case parent.HasChild:
		return not("the parent has its child already")
	case parent.Child != s.Subject:
		return not("the parent announced another child")
	case parent.Competent != p.To:
		return not("the parent named another participant as competent")
	case parent.Sender != p.From:
		return not("from must be the sender of the parent")
	}
	c := opened(s)
	c.SenderOffice = parent.SenderOffice
	return decision{parties: append(c.Parties(), parent.Parties()...)}
}

// decideNext judges an event of a case that must exist.
func decideNext(d *dossier, s *submission) decision {
	c := d.Find(s.Subject)
	sender := s.Participant()
	if c == nil {
		return notAParty()
	}
	hats := c.Hats(sender)
	if sender == schemas.HubParticipant {
		hats = lifecycle.Hub
	}
	if hats == 0 {
		return notAParty()
	}
	machine, ok := lifecycle.ByKind(c.Kind)
	if !ok || !machine.Has(s.Type) {
		return refuse(schemas.ReasonTransitionNotAllowed, "it is no event of a "+string(c.Kind))
	}
	at := time.UnixMilli(clamp(d, s)).UTC()
	if refusal := checkClock(c, s, at); refusal.reason != "" {
		return refusal
	}
	if _, err := machine.Next(c.Case(), s.Type, hats, at); err != nil {
		if limit := new(lifecycle.NotAllowed); errors.As(err, &limit) {
			return refuse(schemas.ReasonTransitionNotAllowed, limit.Error())
		}
		return refuse(schemas.ReasonTransitionNotAllowed, err.Error())
	}
	verdict := decision{parties: c.Parties()}
	switch p := s.Payload.(type) {
	case *schemas.ReferralRerouted:
		if schemas.Dossier(p.Child) != s.dossier || d.Find(p.Child) != nil {
			return refuse(schemas.ReasonTransitionNotAllowed, "child must be a new case id of this dossier, "+s.dossier+"~…")
		}
		if p.Competent == c.Recipient {
			return refuse(schemas.ReasonTransitionNotAllowed, "competent must be somebody else")
		}
	case *schemas.MessagePosted:
		if p.Audience == audienceOperators {
			verdict.parties = operatorsOnly(c, sender)
		}
	case *schemas.AppointmentCancelled:
		limit := time.UnixMilli(c.Starts).Add(-lifecycle.LateCancellation)
		verdict.late = p.By == byPerson && s.Time.After(limit)
	}
	if c.Kind == schemas.KindAppointment && c.Referral != "" {
		verdict.parties = append(verdict.parties, d.Find(c.Referral).Parties()...)
	}
	return verdict
}

// Codes of the tables audience and cancelled_by that a decision looks at.
const (
	audienceOperators = "operators_only"
	byPerson          = "person"
)

// operatorsOnly are the parties that are no offices, and the sender, who gets
// its receipt.
func operatorsOnly(c *kase, sender string) []string {
	var list []string
	if !c.SenderOffice || c.Sender == sender {
		list = append(list, lifecycle.PartyName(c.Sender, c.SenderOffice))
	}
	if !c.RecipientOffice || c.Recipient == sender {
		list = append(list, lifecycle.PartyName(c.Recipient, c.RecipientOffice))
	}
	return list
}

// checkClock refuses what a clock hands in after it was stopped or started
// again, and what is not due yet. It computes no calendar.
func checkClock(c *kase, s *submission, at time.Time) decision {
	ran, ok := lifecycle.RanOut(s.Payload)
	if !ok {
		return decision{}
	}
	if ran.StartedBy != c.Opened && ran.StartedBy != c.Entered {
		return refuse(schemas.ReasonTransitionNotAllowed, "the clock that "+ran.StartedBy+" started has stopped or was started again")
	}
	// A warning comes before the deadline: what must have come is the warning's
	// time, which only the clock knows.
	if !ran.Early && at.Before(ran.Due) {
		return refuse(schemas.ReasonNotYetDue, fmt.Sprintf("due at %s, received at %s", ran.Due.UTC().Format(time.RFC3339), at.Format(time.RFC3339)))
	}
	return decision{}
}

// clamp is the receivedtime used: not before the dossier's last one.
func clamp(d *dossier, s *submission) int64 { return max(d.Last, s.Received) }

// withSubmitter adds the sender, who gets its receipt, and the feeder that handed
// it in for an office, and drops doubles. The hub's own clocks get none.
func withSubmitter(parties []string, s *submission) []string {
	sender, submitter := s.Participant(), s.submitter
	if sender != schemas.HubParticipant {
		parties = append(parties, lifecycle.PartyName(sender, s.senderOffice))
		if submitter != sender && submitter != "" {
			parties = append(parties, submitter)
		}
	}
	unique := parties[:0:0]
	for _, p := range parties {
		if p != "" && !contains(unique, p) {
			unique = append(unique, p)
		}
	}
	return unique
}
