package ledger

import (
	"slices"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/lifecycle"
)

func contains(list []string, s string) bool { return slices.Contains(list, s) }

// opened is the case that an opening event makes.
func opened(s *submission) kase {
	c := kase{ID: s.Subject}
	switch p := s.Payload.(type) {
	case *schemas.ReferralMade:
		c.Kind, c.State = schemas.KindReferral, lifecycle.Made
		c.Sender, c.Recipient = p.From, p.To
		c.SenderOffice = s.senderOffice()
		c.RecipientOffice = s.Extensions[schemas.AttrRecipientRole] == string(schemas.RoleOffice)
	case *schemas.AppointmentBooked:
		c.Kind, c.State = schemas.KindAppointment, lifecycle.Booked
		c.Sender, c.SenderOffice = p.Office, true
		c.Recipient = p.Operator
		c.Starts = p.Starts.UnixMilli()
		if p.Referral != nil {
			c.Referral = *p.Referral
		}
	case *schemas.VisitRecorded:
		c.Kind, c.State = schemas.KindVisit, lifecycle.Recorded
		c.Sender, c.SenderOffice = p.Office, true
	}
	return c
}

// applyFact changes the dossier as the fact says. It is the only way a dossier
// changes: after a decision, and again whenever the log is folded.
func applyFact(d *dossier, s *submission, received int64) {
	place := s.Place.String()
	entry, _ := schemas.Lookup(s.Type)
	switch {
	case entry.Kind == schemas.KindHub:
		return
	case entry.Opens:
		c := opened(s)
		c.Opened, c.Entered, c.Since = place, place, received
		if p, ok := s.Payload.(*schemas.ReferralMade); ok && p.Parent != nil {
			if parent := d.find(*p.Parent); parent != nil {
				parent.HasChild = true
				c.SenderOffice = parent.SenderOffice
			}
		}
		if c.Kind == schemas.KindAppointment {
			if r := d.referralOf(c.Referral); r != nil {
				c.Referral = r.ID
				r.enter(lifecycle.AfterBooking(r.State), received, place)
			}
		}
		d.Cases = append(d.Cases, c)
		return
	}
	c := d.find(s.Subject)
	machine, ok := lifecycle.ByKind(c.Kind)
	if !ok {
		return
	}
	// It was allowed when it was decided, so that the table is only asked where it
	// leads to; the hats that it asks for are all put on.
	state, err := machine.Next(c.lifecycle(), s.Type, ^lifecycle.Hat(0), time.UnixMilli(received).UTC())
	if err != nil {
		state = c.State
	}
	switch p := s.Payload.(type) {
	case *schemas.ReferralRerouted:
		c.Child, c.Competent, c.HasChild = p.Child, p.Competent, false
	case *schemas.ReferralReopened:
		c.Opened = place
	case *schemas.AppointmentRescheduled:
		c.Starts, c.Opened, c.Entered = p.NewStarts.UnixMilli(), place, place
	case *schemas.AppointmentCancelled:
		state = lifecycle.CancelledBy(p.By)
	}
	c.enter(state, received, place)
	if c.Kind == schemas.KindAppointment && c.Referral != "" && (s.Type == schemas.TypeAppointmentCancelled || s.Type == schemas.TypeAppointmentMissed) {
		if r := d.find(c.Referral); r != nil && d.liveAppointments(r.ID) == 0 {
			r.enter(lifecycle.AfterLastAppointment(r.State), received, place)
		}
	}
}

// rememberable says whether the id of a submission refused for the reason stays
// taken. What the gateway refused, strangers, the hub's own faults and clocks
// that are early are recorded but not remembered, so that nobody can burn
// another's id.
func rememberable(reason schemas.Reason) bool {
	return reason == schemas.ReasonTransitionNotAllowed
}
