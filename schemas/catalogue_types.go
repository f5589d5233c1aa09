package schemas

// The types of all events, in the order of the story: CloudEvents type, Avro
// full name and registry subject in one.
const (
	TypeReferralMade         = "fr.relais.referral.v1.ReferralMade"
	TypeReferralReceived     = "fr.relais.referral.v1.ReferralReceived"
	TypeReviewStarted        = "fr.relais.referral.v1.ReviewStarted"
	TypeInformationRequested = "fr.relais.referral.v1.InformationRequested"
	TypeInformationProvided  = "fr.relais.referral.v1.InformationProvided"
	TypeReferralAccepted     = "fr.relais.referral.v1.ReferralAccepted"
	TypeReferralStarted      = "fr.relais.referral.v1.ReferralStarted"
	TypeReferralCompleted    = "fr.relais.referral.v1.ReferralCompleted"
	TypeReferralRefused      = "fr.relais.referral.v1.ReferralRefused"
	TypeReferralRerouted     = "fr.relais.referral.v1.ReferralRerouted"
	TypeReferralCancelled    = "fr.relais.referral.v1.ReferralCancelled"
	TypeReferralWithdrawn    = "fr.relais.referral.v1.ReferralWithdrawn"
	TypeReferralExpired      = "fr.relais.referral.v1.ReferralExpired"
	TypeReferralClosed       = "fr.relais.referral.v1.ReferralClosed"
	TypeReferralReopened     = "fr.relais.referral.v1.ReferralReopened"
	TypeMessagePosted        = "fr.relais.referral.v1.MessagePosted"
	TypeDeadlineApproaching  = "fr.relais.referral.v1.DeadlineApproaching"
	TypeDeadlineBreached     = "fr.relais.referral.v1.DeadlineBreached"
	TypeEscalationRaised     = "fr.relais.referral.v1.EscalationRaised"

	TypeAppointmentBooked      = "fr.relais.appointment.v1.AppointmentBooked"
	TypeAppointmentRescheduled = "fr.relais.appointment.v1.AppointmentRescheduled"
	TypeAppointmentReminderDue = "fr.relais.appointment.v1.AppointmentReminderDue"
	TypeAppointmentCancelled   = "fr.relais.appointment.v1.AppointmentCancelled"
	TypeAppointmentAttended    = "fr.relais.appointment.v1.AppointmentAttended"
	TypeAppointmentMissed      = "fr.relais.appointment.v1.AppointmentMissed"
	TypeAppointmentUnreported  = "fr.relais.appointment.v1.AppointmentUnreported"

	TypeVisitRecorded  = "fr.relais.visit.v1.VisitRecorded"
	TypeVisitCorrected = "fr.relais.visit.v1.VisitCorrected"
	TypeVisitVoided    = "fr.relais.visit.v1.VisitVoided"

	TypeSubmissionRefused  = "fr.relais.hub.v1.SubmissionRefused"
	TypeSubmissionRepeated = "fr.relais.hub.v1.SubmissionRepeated"
	TypeDeliveryChanged    = "fr.relais.hub.v1.DeliveryChanged"
	TypeStatementIssued    = "fr.relais.hub.v1.StatementIssued"
	TypeProbeSent          = "fr.relais.hub.v1.ProbeSent"
)

// TypeOf is the type of a payload, a pointer to one of the event types; "" for
// anything else.
func TypeOf(payload any) string {
	switch payload.(type) {
	case *ReferralMade:
		return TypeReferralMade
	case *ReferralReceived:
		return TypeReferralReceived
	case *ReviewStarted:
		return TypeReviewStarted
	case *InformationRequested:
		return TypeInformationRequested
	case *InformationProvided:
		return TypeInformationProvided
	case *ReferralAccepted:
		return TypeReferralAccepted
	case *ReferralStarted:
		return TypeReferralStarted
	case *ReferralCompleted:
		return TypeReferralCompleted
	case *ReferralRefused:
		return TypeReferralRefused
	case *ReferralRerouted:
		return TypeReferralRerouted
	case *ReferralCancelled:
		return TypeReferralCancelled
	case *ReferralWithdrawn:
		return TypeReferralWithdrawn
	case *ReferralExpired:
		return TypeReferralExpired
	case *ReferralClosed:
		return TypeReferralClosed
	case *ReferralReopened:
		return TypeReferralReopened
	case *MessagePosted:
		return TypeMessagePosted
	case *DeadlineApproaching:
		return TypeDeadlineApproaching
	case *DeadlineBreached:
		return TypeDeadlineBreached
	case *EscalationRaised:
		return TypeEscalationRaised
	case *AppointmentBooked:
		return TypeAppointmentBooked
	case *AppointmentRescheduled:
		return TypeAppointmentRescheduled
	case *AppointmentReminderDue:
		return TypeAppointmentReminderDue
	case *AppointmentCancelled:
		return TypeAppointmentCancelled
	case *AppointmentAttended:
		return TypeAppointmentAttended
	case *AppointmentMissed:
		return TypeAppointmentMissed
	case *AppointmentUnreported:
		return TypeAppointmentUnreported
	case *VisitRecorded:
		return TypeVisitRecorded
	case *VisitCorrected:
		return TypeVisitCorrected
	case *VisitVoided:
		return TypeVisitVoided
	case *SubmissionRefused:
		return TypeSubmissionRefused
	case *SubmissionRepeated:
		return TypeSubmissionRepeated
	case *DeliveryChanged:
		return TypeDeliveryChanged
	case *StatementIssued:
		return TypeStatementIssued
	case *ProbeSent:
		return TypeProbeSent
	}
	return ""
}
