package lifecycle

import (
	"slices"
	"time"

	"github.com/relais-fr/relais/schemas"
)

// Dossier is where the cases of a dossier stand, in the order in which they were
// opened: the fold of its facts. The ledger decides by it and the clock starts
// and stops its timers by it, so that the two cannot disagree about which fact a
// clock may name. What Apply makes of a fact is in every outcome that follows: a
// change of it is a new version of the ledger's rules.
type Dossier struct {
	Cases []Standing `json:"c,omitempty"`
}

// Standing is where a case stands, who its parties are, and what started the
// clocks that run on it.
type Standing struct {
	ID          string       `json:"i"`
	Kind        schemas.Kind `json:"k"`
	State       State        `json:"st"`
	Interrupted State        `json:"in,omitempty"`
	// Since is when State was entered, in Unix milliseconds of receivedtime.
	Since int64 `json:"si"`
	// Opened, Entered and Paused are the places that clocks may name as what
	// started them: the fact that opened the case (or reopened it), the one that
	// led to State, and the one that led to the state that was interrupted.
	Opened  string `json:"o"`
	Entered string `json:"e,omitempty"`
	Paused  string `json:"p,omitempty"`

	// Sender and Recipient are the parties: from and to of a referral, operator
	// and office of an appointment, the office of a visit (Sender).
	Sender          string `json:"f"`
	Recipient       string `json:"to,omitempty"`
	SenderOffice    bool   `json:"fo,omitempty"`
	RecipientOffice bool   `json:"too,omitempty"`

	// Child is the case id that ReferralRerouted announced, Competent whom it
	// named, HasChild whether that child has been opened.
	Child     string `json:"ch,omitempty"`
	Competent string `json:"co,omitempty"`
	HasChild  bool   `json:"hc,omitempty"`
	// Referral is the referral that an appointment belongs to, Starts its start
	// in Unix milliseconds.
	Referral string `json:"re,omitempty"`
	Starts   int64  `json:"at,omitempty"`
}

// Fact is what a fact says that changes where cases stand.
type Fact struct {
	Type, Subject string
	Place         string
	// Received is the clamped receivedtime in Unix milliseconds.
	Received int64
	Payload  any
	// SenderOffice and RecipientOffice are what the directory said when it was
	// handed in: whether the sender, and a referral's recipient, is an office.
	SenderOffice, RecipientOffice bool
}

// Find is the case with the id, nil when there is none.
func (d *Dossier) Find(id string) *Standing {
	for i := range d.Cases {
		if d.Cases[i].ID == id {
			return &d.Cases[i]
		}
	}
	return nil
}

// HasParty says whether the participant is a party of any case of the dossier.
func (d *Dossier) HasParty(participant string) bool {
	return slices.ContainsFunc(d.Cases, func(c Standing) bool { return c.Hats(participant) != 0 })
}

// ReferralOf is the referral that an appointment belongs to: the one it names,
// else the dossier's latest; nil when there is none.
func (d *Dossier) ReferralOf(named string) *Standing {
	for i := len(d.Cases) - 1; i >= 0; i-- {
		if c := &d.Cases[i]; c.Kind == schemas.KindReferral && (named == "" || c.ID == named) {
			return c
		}
	}
	return nil
}

// liveAppointments counts the appointments of a referral whose end is not known.
func (d *Dossier) liveAppointments(referral string) int {
	n := 0
	for _, c := range d.Cases {
		if c.Kind == schemas.KindAppointment && c.Referral == referral && !Appointment.Ended(c.State) {
			n++
		}
	}
	return n
}

// Opened is the case that an opening fact makes, before anything else of its
// dossier is known.
func Opened(f Fact) Standing {
	c := Standing{ID: f.Subject}
	switch p := f.Payload.(type) {
	case *schemas.ReferralMade:
		c.Kind, c.State = schemas.KindReferral, Made
		c.Sender, c.Recipient = p.From, p.To
		c.SenderOffice, c.RecipientOffice = f.SenderOffice, f.RecipientOffice
	case *schemas.AppointmentBooked:
		c.Kind, c.State = schemas.KindAppointment, Booked
		c.Sender, c.SenderOffice = p.Office, true
		c.Recipient = p.Operator
		c.Starts = p.Starts.UnixMilli()
		if p.Referral != nil {
			c.Referral = *p.Referral
		}
	case *schemas.VisitRecorded:
		c.Kind, c.State = schemas.KindVisit, Recorded
		c.Sender, c.SenderOffice = p.Office, true
	}
	return c
}

// Apply changes the dossier as the fact says. It was allowed when it was decided,
// so that the tables are only asked where it leads to. Facts that are no events
// of a case change nothing.
func (d *Dossier) Apply(f Fact) {
	entry, _ := schemas.Lookup(f.Type)
	switch {
	case entry.Kind == schemas.KindHub:
	case entry.Opens:
		d.open(f)
	default:
		if c := d.Find(f.Subject); c != nil {
			d.move(c, f)
		}
	}
}

func (d *Dossier) open(f Fact) {
	c := Opened(f)
	c.Opened, c.Entered, c.Since = f.Place, f.Place, f.Received
	if p, ok := f.Payload.(*schemas.ReferralMade); ok && p.Parent != nil {
		if parent := d.Find(*p.Parent); parent != nil {
			parent.HasChild = true
			c.SenderOffice = parent.SenderOffice
		}
	}
	if c.Kind == schemas.KindAppointment {
		if r := d.ReferralOf(c.Referral); r != nil {
			c.Referral = r.ID
			r.enter(AfterBooking(r.State), f.Received, f.Place)
		}
	}
	d.Cases = append(d.Cases, c)
}

func (d *Dossier) move(c *Standing, f Fact) {
	machine, ok := ByKind(c.Kind)
	if !ok {
		return
	}
	// Who may send it was judged: all hats are put on.
	state, err := machine.Next(c.Case(), f.Type, ^Hat(0), time.UnixMilli(f.Received).UTC())
	if err != nil {
		state = c.State
	}
	switch p := f.Payload.(type) {
	case *schemas.ReferralRerouted:
		c.Child, c.Competent, c.HasChild = p.Child, p.Competent, false
	case *schemas.ReferralReopened:
		c.Opened = f.Place
	case *schemas.AppointmentRescheduled:
		c.Starts, c.Opened, c.Entered = p.NewStarts.UnixMilli(), f.Place, f.Place
	case *schemas.AppointmentCancelled:
		state = CancelledBy(p.By)
	}
	c.enter(state, f.Received, f.Place)
	if c.Kind == schemas.KindAppointment && c.Referral != "" && (f.Type == schemas.TypeAppointmentCancelled || f.Type == schemas.TypeAppointmentMissed) {
		if r := d.Find(c.Referral); r != nil && d.liveAppointments(r.ID) == 0 {
			r.enter(AfterLastAppointment(r.State), f.Received, f.Place)
		}
	}
}

// enter moves the case to a state at a time by the fact at a place. The clocks of
// an interrupted state stand still: they go on from what had started them.
func (c *Standing) enter(s State, at int64, place string) {
	if s == c.State {
		return
	}
	switch {
	case s == InfoRequested:
		c.Interrupted, c.Paused, c.Entered = c.State, c.Entered, place
	case c.State == InfoRequested && s == c.Interrupted:
		c.Entered, c.Interrupted, c.Paused = c.Paused, "", ""
	default:
		c.Entered, c.Interrupted, c.Paused = place, "", ""
	}
	c.State, c.Since = s, at
}

// Hats are what the participant is to the case.
func (c *Standing) Hats(participant string) Hat {
	var h Hat
	if participant == c.Sender {
		h |= Sender | Party
	}
	if participant == c.Recipient {
		h |= Recipient | Party
	}
	return h
}

// Case is the case as the tables take it.
func (c *Standing) Case() Case {
	return Case{State: c.State, Interrupted: c.Interrupted, Since: time.UnixMilli(c.Since).UTC(), HasChild: c.HasChild}
}

// Parties are the case's parties as the attribute parties names them.
func (c *Standing) Parties() []string {
	list := []string{PartyName(c.Sender, c.SenderOffice)}
	if c.Recipient != "" {
		list = append(list, PartyName(c.Recipient, c.RecipientOffice))
	}
	return list
}

// PartyName marks an office, which has no topic of its own.
func PartyName(participant string, office bool) string {
	if office {
		return schemas.OfficesParticipant + "/" + participant
	}
	return participant
}
