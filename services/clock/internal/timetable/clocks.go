package timetable

import (
	"slices"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/lifecycle"
	"github.com/relais-fr/relais/services/internal/directory/deadline"
	"github.com/relais-fr/relais/services/internal/directory/territory"
)

// The clocks, by their codes of the table clock.
const (
	receipt             = "receipt"
	reminder            = "reminder"
	escalation          = "escalation"
	expiry              = "expiry"
	missingInformation  = "missing_information"
	closingReminder     = "closing_reminder"
	closing             = "closing"
	reroute             = "reroute"
	appointmentReminder = "appointment_reminder"
	appointmentReport   = "appointment_report"
)

// clock is one row of the table: in which states it runs, which fact started it,
// who must act, and how long it runs. The ledger takes what it hands in while the
// case is in one of these states and that fact is still the one that opened the
// case or led to its state.
type clock struct {
	name string
	kind schemas.Kind
	in   []lifecycle.State
	// from is the place of the fact that started it.
	from func(*lifecycle.Standing) string
	// act is who must act: in whose zone and opening hours it counts.
	act func(*lifecycle.Standing) string
	// first is how long it runs, again how long until it is told once more; empty
	// for what is told once.
	first, again deadline.Rule
}

func opened(c *lifecycle.Standing) string  { return c.Opened }
func entered(c *lifecycle.Standing) string { return c.Entered }

func recipient(c *lifecycle.Standing) string { return c.Recipient }
func sender(c *lifecycle.Standing) string    { return c.Sender }

var (
	// unanswered are the states in which the recipient owes an answer, answered
	// those in which it has given one and the case must move on.
	unanswered = []lifecycle.State{lifecycle.Made, lifecycle.Received, lifecycle.InReview}
	answered   = []lifecycle.State{lifecycle.Accepted, lifecycle.InProgress}
)

// clocks are all clocks. A referral that is scheduled waits for its appointment,
// which has clocks of its own. An appointment's office (its sender) is where it is.
var clocks = []clock{
	{receipt, schemas.KindReferral, []lifecycle.State{lifecycle.Made}, opened, recipient, deadline.Receipt, ""},
	{reminder, schemas.KindReferral, unanswered, opened, recipient, deadline.Reminder, deadline.ReminderAgain},
	{escalation, schemas.KindReferral, unanswered, opened, recipient, deadline.Escalation, deadline.EscalationAgain},
	{escalation, schemas.KindReferral, answered, entered, recipient, deadline.EscalationAgain, deadline.EscalationAgain},
	{expiry, schemas.KindReferral, unanswered, opened, recipient, deadline.Expiry, ""},
	{missingInformation, schemas.KindReferral, []lifecycle.State{lifecycle.InfoRequested}, entered, sender, deadline.MissingInformation, ""},
	{closingReminder, schemas.KindReferral, []lifecycle.State{lifecycle.Completed}, entered, sender, deadline.ClosingReminder, ""},
	{closing, schemas.KindReferral, []lifecycle.State{lifecycle.Completed}, entered, sender, deadline.Closing, ""},
	{reroute, schemas.KindReferral, []lifecycle.State{lifecycle.Rerouted}, entered, recipient, deadline.Reroute, ""},
	{appointmentReminder, schemas.KindAppointment, []lifecycle.State{lifecycle.Booked}, opened, sender, deadline.AppointmentBefore, ""},
	{appointmentReport, schemas.KindAppointment, []lifecycle.State{lifecycle.Booked}, opened, sender, deadline.AppointmentReport, ""},
}

// maxOccurrences is what a deadline's event can count up to.
const maxOccurrences = 1000

// set makes the timers of all cases.
func (d *Dossier) set(w World) {
	d.Timers = d.Timers[:0]
	for i := range d.Cases {
		for _, k := range clocks {
			c := running{clock: k, world: w, standing: &d.Cases[i], course: d.Courses[i]}
			if t, ok := c.timer(); ok {
				d.Timers = append(d.Timers, t)
			}
		}
	}
}

// running is a clock on a case.
type running struct {
	clock
	world    World
	standing *lifecycle.Standing
	course   *Course
}

// timer is what the clock hands in next; ok is false when it does not run, or has
// run out.
func (c *running) timer() (t Timer, ok bool) {
	s := c.standing
	if c.kind != s.Kind || !slices.Contains(c.in, s.State) || c.name == reroute && s.HasChild {
		return Timer{}, false
	}
	start := c.course.start(c.from(s))
	if start == nil {
		return Timer{}, false
	}
	t = Timer{Case: s.ID, Clock: c.name, StartedBy: start.Place, Occurrence: 1}
	for _, h := range c.course.Had {
		if h.Clock == c.name && h.StartedBy == start.Place {
			t.Occurrence = h.Occurrence + 1
		}
	}
	if t.Occurrence > 1 && c.again == "" || t.Occurrence > maxOccurrences {
		return Timer{}, false
	}
	at, due, ok := c.times(time.UnixMilli(start.At), t.Occurrence)
	t.At, t.Due = at.UnixMilli(), due.UnixMilli()
	return t, ok
}

// times are when the clock that was started at a time hands in its n-th event, and
// which due time that says.
func (c *running) times(start time.Time, n int) (at, due time.Time, ok bool) {
	calendar := c.calendar()
	switch c.name {
	case receipt:
		rule := deadline.Receipt
		if c.course.Urgent {
			rule = deadline.ReceiptUrgent
		}
		at = c.run(rule, start, start)
		// What the warning warns of is the escalation.
		return at, latest(at, c.run(deadline.Escalation, start, start)), true
	case closingReminder:
		at, due = c.run(deadline.ClosingReminder, start, start), c.run(deadline.Closing, start, start)
		return at, due, at.Before(due)
	case missingInformation:
		due = c.run(c.first, start, start)
		if c.course.Asked != nil {
			// Who asked for something until a day waits until that day is over.
			y, m, d := c.course.Asked.Time().Date()
			due = latest(due, time.Date(y, m, d+1, 0, 0, 0, 0, calendar.Zone()))
		}
		return due, due, true
	case appointmentReminder:
		due = c.span(c.first, start).Before(calendar, time.UnixMilli(c.standing.Starts))
		return due, due, due.After(start)
	case appointmentReport:
		over := time.UnixMilli(max(c.standing.Starts, c.course.Ends))
		due = c.run(c.first, start, latest(over, start))
		return due, due, true
	}
	due = c.run(c.first, start, start)
	for range n - 1 {
		due = c.run(c.again, start, due)
	}
	return due, due, true
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (c *running) calendar() *territory.Calendar { return c.world.Calendar(c.act(c.standing)) }

// span is the rule that was in force when the clock was started.
func (c *running) span(r deadline.Rule, start time.Time) deadline.Span {
	return c.world.Span(r, c.course.Service, start)
}

// run is when a span is over that begins at a time, without the times at which the
// clock stood still.
func (c *running) run(r deadline.Rule, start, from time.Time) time.Time {
	calendar, span := c.calendar(), c.span(r, start)
	due := span.After(calendar, from)
	for _, h := range c.course.Holds {
		held, until := time.UnixMilli(h.From), time.UnixMilli(h.To)
		if h.To != 0 && !held.Before(from) && held.Before(due) {
			due = span.Held(calendar, due, held, until)
		}
	}
	return due
}
