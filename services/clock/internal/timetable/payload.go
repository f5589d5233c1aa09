package timetable

import (
	"crypto/sha256"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/relais-fr/relais/schemas"
)

// reopenedFor is the hub's reason when nobody carried a rerouted referral on.
const reopenedFor = "reroute_not_followed"

// Payload is what the timer hands in, and its case's dossier must be d; nil for a
// timer that is not d's.
func (d *Dossier) Payload(t Timer) any {
	i := d.index(t.Case)
	if i < 0 {
		return nil
	}
	s := &d.Cases[i]
	due := time.UnixMilli(t.Due).UTC()
	switch t.Clock {
	case receipt:
		return &schemas.DeadlineApproaching{Clock: t.Clock, StartedBy: t.StartedBy, Due: due, Occurrence: t.Occurrence, Told: []string{s.Recipient}}
	case closingReminder:
		return &schemas.DeadlineApproaching{Clock: t.Clock, StartedBy: t.StartedBy, Due: due, Occurrence: t.Occurrence, Told: []string{s.Sender}}
	case reminder:
		return &schemas.DeadlineBreached{Clock: t.Clock, StartedBy: t.StartedBy, Due: due, Occurrence: t.Occurrence, Told: []string{s.Recipient}}
	case escalation:
		return &schemas.EscalationRaised{Clock: t.Clock, StartedBy: t.StartedBy, Due: due, Occurrence: t.Occurrence, Told: []string{s.Sender, s.Recipient}}
	case expiry, missingInformation:
		return &schemas.ReferralExpired{Clock: t.Clock, StartedBy: t.StartedBy, Due: due}
	case closing:
		return &schemas.ReferralClosed{Clock: &t.Clock, StartedBy: &t.StartedBy, Due: &due}
	case reroute:
		return &schemas.ReferralReopened{Reason: new(reopenedFor), Clock: &t.Clock, StartedBy: &t.StartedBy, Due: &due}
	case appointmentReminder:
		return &schemas.AppointmentReminderDue{Clock: t.Clock, StartedBy: t.StartedBy, Due: due}
	case appointmentReport:
		return &schemas.AppointmentUnreported{Clock: t.Clock, StartedBy: t.StartedBy, Due: due}
	}
	return nil
}

// ID is the id of the event that the timer hands in: made of the place of the fact
// that started the clock, the clock's name and the occurrence, and of nothing
// else, so that whoever hands it in again repeats it.
func (t Timer) ID() string {
	sum := sha256.Sum256([]byte(t.StartedBy + "\x00" + t.Clock + "\x00" + strconv.Itoa(t.Occurrence)))
	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}
