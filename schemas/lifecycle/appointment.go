package lifecycle

import (
	"time"

	"github.com/relais-fr/relais/schemas"
)

// The states of an appointment.
const (
	Booked             State = "booked"
	Attended           State = "attended"
	Missed             State = "missed"
	CancelledByPerson  State = "cancelled_by_person"
	CancelledByService State = "cancelled_by_service"
	Unreported         State = "unreported"
)

// LateCancellation is how long before the start a person may cancel; later than
// that the cancellation is recorded with the attribute late.
const LateCancellation = 4 * time.Hour

// Appointment is the life of an appointment. Where AppointmentCancelled leads
// depends on by whom it was cancelled: see CancelledBy.
//
//	booked ─▶ attended | missed | cancelled_by_person | cancelled_by_service
//	  │          ▲
//	  └▶ unreported ─▶ the same four
var Appointment = Machine{
	Kind: schemas.KindAppointment,
	Arrows: []Arrow{
		{Event: schemas.TypeAppointmentBooked, To: Booked, By: Party},
		{Event: schemas.TypeAppointmentRescheduled, From: []State{Booked}, To: Booked, By: Party},
		{Event: schemas.TypeAppointmentCancelled, From: []State{Booked, Unreported}, To: CancelledByService, OrTo: []State{CancelledByPerson}, By: Party},
		{Event: schemas.TypeAppointmentAttended, From: []State{Booked, Unreported}, To: Attended, By: Party},
		{Event: schemas.TypeAppointmentMissed, From: []State{Booked, Unreported}, To: Missed, By: Party},
		{Event: schemas.TypeAppointmentReminderDue, From: []State{Booked}, To: Same, By: Hub},
		{Event: schemas.TypeAppointmentUnreported, From: []State{Booked}, To: Unreported, By: Hub},
	},
	States: []Words{
		{State: Booked, FrenchSender: "Fixé", FrenchReceiver: "Fixé", English: "Booked"},
		{State: Attended, FrenchSender: "Honoré", FrenchReceiver: "Honoré", English: "Attended", End: true},
		{State: Missed, FrenchSender: "Absent", FrenchReceiver: "Absent", English: "Missed", End: true},
		{State: CancelledByPerson, FrenchSender: "Annulé par l'usager", FrenchReceiver: "Annulé par l'usager", English: "Cancelled by the person", End: true},
		{State: CancelledByService, FrenchSender: "Annulé par le service", FrenchReceiver: "Annulé par le service", English: "Cancelled by the service", End: true},
		{State: Unreported, FrenchSender: "Non renseigné", FrenchReceiver: "Non renseigné", English: "Unreported"},
	},
}

// CancelledBy is the state of an appointment that was cancelled by a person, the
// service, or unknown, which counts as the service.
func CancelledBy(by string) State {
	if by == "person" {
		return CancelledByPerson
	}
	return CancelledByService
}
