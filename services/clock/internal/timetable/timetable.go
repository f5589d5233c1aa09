// Package timetable knows which clocks run on a dossier, what started each, and
// when each is due, by the rules in force and the working calendar of the party
// who must act.
//
// It is a function without I/O: Apply takes what is kept of a dossier and a fact
// that the ledger recorded, and says when something is due next; Payload is what
// is then handed in. It judges nothing: the ledger refuses what a race or a restart
// hands in for a clock that has stopped. Service clock stores what it says and
// hands it in. The worked examples in testdata are its golden table.
package timetable

import (
	"slices"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/lifecycle"
	"github.com/relais-fr/relais/services/internal/directory/deadline"
	"github.com/relais-fr/relais/services/internal/directory/territory"
)

// Format is the format of everything here that is stored. Whoever changes a stored
// type, or what Apply makes of a fact, changes it, and all is built again from the
// log.
const Format = "1"

// World is what the timetable asks of the directory.
type World interface {
	// Span is how long a rule's clock runs, for a service, when what starts it was
	// received at a time.
	Span(r deadline.Rule, service string, at time.Time) deadline.Span
	// Calendar is that of a participant.
	Calendar(participant string) *territory.Calendar
}

// Dossier is what is kept of a dossier: where its cases stand, what else the
// clocks need to know of each, and the timers that run.
type Dossier struct {
	lifecycle.Dossier
	Courses []*Course `json:"x,omitempty"` // of the case at the same index
	Timers  []Timer   `json:"w,omitempty"`
}

// Course is what the clocks need to know of a case besides where it stands.
type Course struct {
	Service string `json:"s,omitempty"`
	Urgent  bool   `json:"u,omitempty"`
	// Ends is an appointment's end in Unix milliseconds, 0 when not known.
	Ends int64 `json:"e,omitempty"`
	// Asked is the day until which a recipient would have what it asked for.
	Asked *schemas.Day `json:"a,omitempty"`
	// Starts are the facts that clocks may name, Holds the times at which the
	// clocks stood still, the earliest first.
	Starts []Start `json:"p,omitempty"`
	Holds  []Hold  `json:"h,omitempty"`
	// Had are the clocks that have run out.
	Had []Had `json:"d,omitempty"`
}

// Start is a fact that started clocks.
type Start struct {
	Place string `json:"p"`
	// At is its receivedtime in Unix milliseconds.
	At int64 `json:"t"`
}

// Hold is a time at which the clocks of a case stood still, in Unix milliseconds;
// To is 0 while they still do.
type Hold struct {
	From int64 `json:"f"`
	To   int64 `json:"t,omitempty"`
}

// Had says up to which occurrence a clock has been told, or refused.
type Had struct {
	Clock      string `json:"c"`
	StartedBy  string `json:"s"`
	Occurrence int    `json:"n"`
}

// Timer is one thing that is to be handed in.
type Timer struct {
	Case       string `json:"i"`
	Clock      string `json:"c"`
	StartedBy  string `json:"s"`
	Occurrence int    `json:"n"`
	// At is when it is handed in, Due what it says: a warning comes before the
	// deadline. Both in Unix milliseconds.
	At  int64 `json:"t"`
	Due int64 `json:"d"`
}

// Next is when something is due next, in Unix milliseconds; ok is false when no
// clock runs.
func (d *Dossier) Next() (at int64, ok bool) {
	for i, t := range d.Timers {
		if i == 0 || t.At < at {
			at = t.At
		}
	}
	return at, len(d.Timers) > 0
}

// Apply changes the dossier as a fact says, and sets its timers anew. What is of
// the past (history) moves cases and starts no clock.
func (d *Dossier) Apply(w World, f lifecycle.Fact, history bool, priority string) {
	d.Dossier.Apply(f)
	for len(d.Courses) < len(d.Cases) {
		d.Courses = append(d.Courses, d.course(f, priority))
	}
	if i := d.index(f.Subject); i >= 0 {
		d.Courses[i].note(f)
	}
	for i := range d.Cases {
		d.Courses[i].follow(&d.Cases[i], f, history)
	}
	d.set(w)
}

// Refused takes note that what a timer handed in was refused: its clock has
// stopped, as the ledger sees it, and it is not handed in again.
func (d *Dossier) Refused(w World, t Timer) {
	if i := d.index(t.Case); i >= 0 {
		d.Courses[i].had(t.Clock, t.StartedBy, t.Occurrence)
		d.set(w)
	}
}

func (d *Dossier) index(id string) int {
	return slices.IndexFunc(d.Cases, func(c lifecycle.Standing) bool { return c.ID == id })
}

// course is what an opening fact says of its case.
func (d *Dossier) course(f lifecycle.Fact, priority string) *Course {
	c := &Course{Urgent: priority == priorityUrgent}
	switch p := f.Payload.(type) {
	case *schemas.ReferralMade:
		c.Service = p.Service
		c.Urgent = c.Urgent || p.Urgency != nil && *p.Urgency == urgencyImmediate
	case *schemas.AppointmentBooked:
		if p.Ends != nil {
			c.Ends = p.Ends.UnixMilli()
		}
		if p.Service != nil {
			c.Service = *p.Service
		} else if r := d.index(d.Cases[len(d.Courses)].Referral); r >= 0 && r < len(d.Courses) {
			c.Service = d.Courses[r].Service
		}
	}
	return c
}

// Codes that make a referral urgent: the event's priority, and how urgent it is
// for the person.
const (
	priorityUrgent   = "urgent"
	urgencyImmediate = "immediate"
)

// note takes what a fact says of its own case.
func (c *Course) note(f lifecycle.Fact) {
	switch p := f.Payload.(type) {
	case *schemas.InformationRequested:
		c.Asked = p.Due
	case *schemas.AppointmentRescheduled:
		if c.Ends = 0; p.NewEnds != nil {
			c.Ends = p.NewEnds.UnixMilli()
		}
	}
	if ran, ok := lifecycle.RanOut(f.Payload); ok {
		c.had(ran.Clock, ran.StartedBy, ran.Occurrence)
	}
}

func (c *Course) had(clock, startedBy string, occurrence int) {
	for i := range c.Had {
		if h := &c.Had[i]; h.Clock == clock && h.StartedBy == startedBy {
			h.Occurrence = max(h.Occurrence, occurrence)
			return
		}
	}
	c.Had = append(c.Had, Had{clock, startedBy, occurrence})
}

// follow keeps the facts that clocks may name, and the times at which they stand
// still, in step with where the case stands after a fact.
func (c *Course) follow(s *lifecycle.Standing, f lifecycle.Fact, history bool) {
	names := func(place string) bool { return place == s.Opened || place == s.Entered || place == s.Paused }
	if names(f.Place) && !history && !slices.ContainsFunc(c.Starts, func(st Start) bool { return st.Place == f.Place }) {
		c.Starts = append(c.Starts, Start{f.Place, f.Received})
	}
	c.Starts = slices.DeleteFunc(c.Starts, func(st Start) bool { return !names(st.Place) })
	c.Had = slices.DeleteFunc(c.Had, func(h Had) bool { return !names(h.StartedBy) })

	last := len(c.Holds) - 1
	holding := last >= 0 && c.Holds[last].To == 0
	switch stands := s.State == lifecycle.InfoRequested; {
	case stands && !holding:
		c.Holds = append(c.Holds, Hold{From: f.Received})
	case !stands && holding:
		c.Holds[last].To = f.Received
	}
	// What was over when the oldest clock started holds nothing.
	if len(c.Starts) > 0 {
		c.Holds = slices.DeleteFunc(c.Holds, func(h Hold) bool { return h.To != 0 && h.To <= c.Starts[0].At })
	}
}

// Start is the fact that a clock names, nil when it starts none.
func (c *Course) start(place string) *Start {
	for i := range c.Starts {
		if c.Starts[i].Place == place {
			return &c.Starts[i]
		}
	}
	return nil
}
