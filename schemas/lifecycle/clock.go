package lifecycle

import (
	"time"

	"github.com/relais-fr/relais/schemas"
)

// Ran is what an event that a clock handed in says of the clock.
type Ran struct {
	// Clock is a code of the table clock, StartedBy the place of the fact that
	// started it.
	Clock, StartedBy string
	// Due is what the event carries: when the clock ran out or, on a
	// DeadlineApproaching, will.
	Due time.Time
	// Occurrence is 1 for what is told once.
	Occurrence int
	// Early says that the event comes before Due: a warning.
	Early bool
}

// RanOut reads what a clock handed in; ok is false for any other payload. A
// participant may close and reopen too, without a clock.
func RanOut(payload any) (r Ran, ok bool) {
	switch p := payload.(type) {
	case *schemas.ReferralExpired:
		return Ran{Clock: p.Clock, StartedBy: p.StartedBy, Due: p.Due, Occurrence: 1}, true
	case *schemas.DeadlineApproaching:
		return Ran{Clock: p.Clock, StartedBy: p.StartedBy, Due: p.Due, Occurrence: p.Occurrence, Early: true}, true
	case *schemas.DeadlineBreached:
		return Ran{Clock: p.Clock, StartedBy: p.StartedBy, Due: p.Due, Occurrence: p.Occurrence}, true
	case *schemas.EscalationRaised:
		return Ran{Clock: p.Clock, StartedBy: p.StartedBy, Due: p.Due, Occurrence: p.Occurrence}, true
	case *schemas.AppointmentReminderDue:
		return Ran{Clock: p.Clock, StartedBy: p.StartedBy, Due: p.Due, Occurrence: 1}, true
	case *schemas.AppointmentUnreported:
		return Ran{Clock: p.Clock, StartedBy: p.StartedBy, Due: p.Due, Occurrence: 1}, true
	case *schemas.ReferralClosed:
		return ranOptionally(p.Clock, p.StartedBy, p.Due)
	case *schemas.ReferralReopened:
		return ranOptionally(p.Clock, p.StartedBy, p.Due)
	}
	return Ran{}, false
}

func ranOptionally(clock, startedBy *string, due *time.Time) (Ran, bool) {
	if clock == nil || startedBy == nil || due == nil {
		return Ran{}, false
	}
	return Ran{Clock: *clock, StartedBy: *startedBy, Due: *due, Occurrence: 1}, true
}
