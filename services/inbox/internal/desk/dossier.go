package desk

import (
	"slices"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/lifecycle"
)

// Dossier is what an office sees of a dossier: its cases, in the order in which
// they were opened. Their timeline stands apart, entry by entry.
type Dossier struct {
	Cases []*Case `json:"c,omitempty"`
}

// Case is a referral or an appointment. Times are Unix milliseconds.
type Case struct {
	ID          string          `json:"i"`
	Kind        schemas.Kind    `json:"k"`
	State       lifecycle.State `json:"s"`
	Interrupted lifecycle.State `json:"x,omitempty"`
	// Since is when State was entered, Opened when the case was, Updated when
	// anything last happened.
	Since   int64 `json:"w"`
	Opened  int64 `json:"o"`
	Updated int64 `json:"u"`
	// From and To are the parties: sender and recipient of a referral, office and
	// operator of an appointment.
	From string `json:"f"`
	To   string `json:"t"`
	// Listed is the list in which the case stands now.
	Listed List `json:"l,omitempty"`

	Service   string `json:"v,omitempty"`
	Reference string `json:"r,omitempty"`
	Theme     string `json:"h,omitempty"`
	Urgency   string `json:"g,omitempty"`
	// Asked are the codes of what was asked for last.
	Asked []string `json:"a,omitempty"`
	// Deadline is the type of the last warning about a deadline in this state.
	Deadline string `json:"e,omitempty"`

	// Parent is the referral that this one carries on; Child is the one that was
	// announced to carry this one on, by Competent, and HasChild says that it is
	// there.
	Parent    string `json:"p,omitempty"`
	Child     string `json:"c,omitempty"`
	Competent string `json:"m,omitempty"`
	HasChild  bool   `json:"y,omitempty"`

	// Referral is the referral of an appointment; Starts and Ends its time, Ends
	// being 0 when not known.
	Referral string `json:"q,omitempty"`
	Starts   int64  `json:"b,omitempty"`
	Ends     int64  `json:"d,omitempty"`
	Mode     string `json:"n,omitempty"`
}

// Find is the case with the id, nil when there is none.
func (d *Dossier) Find(id string) *Case {
	for _, c := range d.Cases {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// Hats are what a participant is to the case.
func (c *Case) Hats(participant string) lifecycle.Hat {
	var h lifecycle.Hat
	if participant == c.From {
		h |= lifecycle.Sender | lifecycle.Party
	}
	if participant == c.To {
		h |= lifecycle.Recipient | lifecycle.Party
	}
	return h
}

// Lifecycle is the case as the tables of package lifecycle take it.
func (c *Case) Lifecycle() lifecycle.Case {
	return lifecycle.Case{State: c.State, Interrupted: c.Interrupted, Since: time.UnixMilli(c.Since).UTC(), HasChild: c.HasChild}
}

// apply changes the dossier as the event says, and returns the cases that
// changed and the line of the timeline.
func (d *Dossier) apply(e *Event, entry schemas.Entry) ([]*Case, *Entry) {
	at := e.Received.UnixMilli()
	var changed []*Case
	if entry.Opens {
		changed = d.open(e, at)
	} else if c := d.Find(e.Subject); c != nil {
		changed = d.move(c, e, at)
	}
	line := newEntry(e)
	for _, c := range changed {
		c.Updated = at
		if c.ID == e.Subject {
			line.State = string(c.State)
		}
	}
	return changed, line
}

func (d *Dossier) open(e *Event, at int64) []*Case {
	if len(d.Cases) >= MaxCases || d.Find(e.Subject) != nil {
		return nil
	}
	c := opened(e, at)
	changed := []*Case{c}
	if parent := d.Find(c.Parent); parent != nil {
		parent.HasChild = true
		changed = append(changed, parent)
	}
	if c.Kind == schemas.KindAppointment {
		if r := d.referralOf(c.Referral); r != nil {
			c.Referral = r.ID
			r.enter(lifecycle.AfterBooking(r.State), at)
			changed = append(changed, r)
		}
	}
	d.Cases = append(d.Cases, c)
	return changed
}

func opened(e *Event, at int64) *Case {
	c := &Case{ID: e.Subject, Since: at, Opened: at}
	switch p := e.Payload.(type) {
	case *schemas.ReferralMade:
		c.Kind, c.State = schemas.KindReferral, lifecycle.Made
		c.From, c.To, c.Service, c.Reference = p.From, p.To, p.Service, p.Reference
		c.Theme, c.Urgency, c.Parent = text(p.Theme), text(p.Urgency), text(p.Parent)
	case *schemas.AppointmentBooked:
		c.Kind, c.State = schemas.KindAppointment, lifecycle.Booked
		c.From, c.To, c.Service, c.Mode = p.Office, p.Operator, text(p.Service), p.Mode
		c.Referral, c.Starts = text(p.Referral), p.Starts.UnixMilli()
		if p.Ends != nil {
			c.Ends = p.Ends.UnixMilli()
		}
	}
	return c
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// move applies an event of a case that exists. It was allowed when the ledger
// decided, so that the tables are asked only where it leads to.
func (d *Dossier) move(c *Case, e *Event, at int64) []*Case {
	machine, ok := lifecycle.ByKind(c.Kind)
	if !ok {
		return nil
	}
	state, err := machine.Next(c.Lifecycle(), e.Type, ^lifecycle.Hat(0), e.Received)
	if err != nil {
		state = c.State
	}
	switch p := e.Payload.(type) {
	case *schemas.InformationRequested:
		c.Asked = c.Asked[:0]
		for _, item := range p.Items {
			c.Asked = append(c.Asked, item.Code)
		}
	case *schemas.ReferralRerouted:
		c.Child, c.Competent, c.HasChild = p.Child, p.Competent, false
	case *schemas.AppointmentRescheduled:
		c.Starts, c.Ends = p.NewStarts.UnixMilli(), 0
		if p.NewEnds != nil {
			c.Ends = p.NewEnds.UnixMilli()
		}
	case *schemas.AppointmentCancelled:
		state = lifecycle.CancelledBy(p.By)
	case *schemas.DeadlineApproaching, *schemas.DeadlineBreached, *schemas.EscalationRaised:
		c.Deadline = e.Type
	}
	c.enter(state, at)
	changed := []*Case{c}
	if e.Type == schemas.TypeAppointmentCancelled || e.Type == schemas.TypeAppointmentMissed {
		if r := d.Find(c.Referral); r != nil && d.live(r.ID) == 0 {
			r.enter(lifecycle.AfterLastAppointment(r.State), at)
			changed = append(changed, r)
		}
	}
	return changed
}

// enter moves the case to a state.
func (c *Case) enter(s lifecycle.State, at int64) {
	if s == c.State {
		return
	}
	c.Interrupted = ""
	if s == lifecycle.InfoRequested {
		c.Interrupted = c.State
	}
	c.State, c.Since, c.Deadline = s, at, ""
}

// referralOf is the referral that an appointment belongs to: the one it names,
// else the dossier's latest.
func (d *Dossier) referralOf(named string) *Case {
	for _, c := range slices.Backward(d.Cases) {
		if c.Kind == schemas.KindReferral && (named == "" || c.ID == named) {
			return c
		}
	}
	return nil
}

// live counts the appointments of a referral whose end is not known.
func (d *Dossier) live(referral string) int {
	n := 0
	for _, c := range d.Cases {
		if c.Kind == schemas.KindAppointment && c.Referral == referral && !lifecycle.Appointment.Ended(c.State) {
			n++
		}
	}
	return n
}
