package schemas

var (
	meeting = []Role{RoleOffice, RoleOperator}
	// A feeder speaks for the offices that it was given.
	meetingSenders = []Role{RoleOffice, RoleOperator, RoleFeeder}
)

// inAppointment is the dossier of the events that follow a booking.
const inAppointment = "the appointment's"

// appointmentEntries are the events of an appointment.
func appointmentEntries() []Entry {
	entries := []Entry{
		{
			Name: "AppointmentBooked", Opens: true, Dossier: "its own; with `referral`, the referral's",
			Senders: meetingSenders, Recipients: meeting,
			NameFR: "Rendez-vous fixé", NameEN: "Appointment booked",
			French:  "Une personne a rendez-vous avec un opérateur, à l'accueil ou ailleurs. Aucun nom.",
			English: "A person will meet an operator, at an office or elsewhere. It carries no name.",
			New:     func() any { return new(AppointmentBooked) },
			Example: &AppointmentBooked{
				Office: "fs-563", Operator: "cnaf", Mode: "in_person", Starts: exampleTime(28, 8, 0),
				Service: new("logement/demande-d-une-allocation-logement-apl-als-alf"), Referral: new(exampleReferral),
				Unit: new("CAF du Morbihan"), Ends: new(exampleTime(28, 8, 30)), TimeZone: new("Europe/Paris"), Motive: new("aide-au-logement"),
			},
		},
		{
			Name: "AppointmentRescheduled", Dossier: inAppointment, Senders: meetingSenders, Recipients: meeting,
			NameFR: "Rendez-vous déplacé", NameEN: "Appointment rescheduled",
			French:  "Le rendez-vous change d'heure.",
			English: "The appointment moves to another time.",
			New:     func() any { return new(AppointmentRescheduled) },
			Example: &AppointmentRescheduled{OldStarts: exampleTime(28, 8, 0), NewStarts: exampleTime(29, 12, 30), NewEnds: new(exampleTime(29, 13, 0))},
		},
		{
			Name: "AppointmentReminderDue", Dossier: inAppointment, Senders: onlyHub, Recipients: meeting,
			NameFR: "Rappel de rendez-vous", NameEN: "Reminder due",
			French:  "Le rendez-vous a lieu dans 48 heures.",
			English: "The appointment is in 48 hours.",
			New:     func() any { return new(AppointmentReminderDue) },
			Example: &AppointmentReminderDue{Clock: "appointment_reminder", StartedBy: examplePlace, Due: exampleTime(26, 8, 0)},
		},
		{
			Name: "AppointmentCancelled", Dossier: inAppointment, Senders: meetingSenders, Recipients: meeting,
			NameFR: "Rendez-vous annulé", NameEN: "Appointment cancelled",
			French:  "Le rendez-vous est annulé, par l'usager ou par le service.",
			English: "The appointment is called off, by the person or by the service.",
			New:     func() any { return new(AppointmentCancelled) },
			Example: &AppointmentCancelled{By: "person", Reason: new("person_ill")},
		},
		{
			Name: "AppointmentAttended", Dossier: inAppointment, Senders: meetingSenders, Recipients: meeting,
			NameFR: "Rendez-vous honoré", NameEN: "Appointment attended",
			French:  "La personne est venue.",
			English: "The person came.",
			New:     func() any { return new(AppointmentAttended) },
			Example: &AppointmentAttended{},
		},
		{
			Name: "AppointmentMissed", Dossier: inAppointment, Senders: meetingSenders, Recipients: meeting,
			NameFR: "Absence au rendez-vous", NameEN: "Appointment missed",
			French:  "La personne n'est pas venue.",
			English: "The person did not come.",
			New:     func() any { return new(AppointmentMissed) },
			Example: &AppointmentMissed{},
		},
		{
			Name: "AppointmentUnreported", Dossier: inAppointment, Senders: onlyHub, Recipients: meeting,
			NameFR: "Rendez-vous non renseigné", NameEN: "Appointment unreported",
			French:  "Deux jours ouvrés après, personne n'a dit si la personne était venue.",
			English: "Two working days later nobody has said whether the person came.",
			New:     func() any { return new(AppointmentUnreported) },
			Example: &AppointmentUnreported{Clock: "appointment_report", StartedBy: examplePlace, Due: exampleTime(31, 16, 0)},
		},
	}
	return ofKind(KindAppointment, entries)
}
