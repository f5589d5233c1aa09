package schemas

import "time"

// The cases that the catalogue's examples are about.
const (
	exampleReferral    = "0198f3c2-6a41-7c3e-9b1d-2f4c8a7e5d10"
	exampleChild       = exampleReferral + "~0198f4d0-12b7-7a90-8c55-6e0b9d3f7a24"
	exampleAppointment = exampleReferral + "~0198f5aa-93de-7d11-a0c4-b87f2e6c1d39"
	exampleVisit       = "0198f3bf-0d55-7e62-8f1a-94c6d2b0e7a8"
	examplePlace       = "3-1042"
)

// exampleTime is a time on the days of the examples, in May 2026.
func exampleTime(day, hour, minute int) time.Time {
	return time.Date(2026, time.May, day, hour, minute, 0, 0, time.UTC)
}

func exampleDay(day int) Day { return DayOf(exampleTime(day, 0, 0)) }

// exampleSealed stands for sealed bytes; what is in them only the parties read.
func exampleSealed() []byte { return []byte("sealed for the parties") }

var (
	parties       = []Role{RoleSender, RoleRecipient}
	onlyHub       = []Role{RoleHub}
	onlySender    = []Role{RoleSender}
	onlyRecipient = []Role{RoleRecipient}
)

const inReferral = "the referral's"

// referralEntries are the events of a referral, from its making to its end, then
// those that change no state.
func referralEntries() []Entry {
	entries := []Entry{
		{
			Name: "ReferralMade", Opens: true, Dossier: "its own; with `parent`, the parent's",
			Senders: []Role{RoleOffice, RoleOperator, RoleFeeder}, Recipients: parties,
			NameFR: "Orientation transmise", NameEN: "Referral made",
			French:  "Un accueil ou un opérateur confie la situation d'une personne à qui peut la traiter.",
			English: "An office or an operator hands a person's case over to the participant who can treat it.",
			New:     func() any { return new(ReferralMade) },
			Example: &ReferralMade{
				From: "fs-563", To: "cnaf", Service: "logement/demande-d-une-allocation-logement-apl-als-alf", Reference: "7K3F-92QD",
				Theme: new("housing"), Reason: new("blocked_file"), Urgency: new("soon"), HelpLevel: new("assist"),
				ContactPreference: new("phone"), Visit: new(exampleVisit), Sealed: exampleSealed(),
				Attachments: []Attachment{{
					Reference: "doc-5f21c8", MediaType: "application/pdf", SizeBytes: 184_320,
					SHA256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
				}},
			},
		},
		{
			Name: "ReferralReceived", Dossier: inReferral, Senders: onlyRecipient, Recipients: parties,
			NameFR: "Reçue", NameEN: "Received",
			French:  "Le destinataire a l'orientation dans son propre système.",
			English: "The recipient has the referral in its own system.",
			New:     func() any { return new(ReferralReceived) },
			Example: &ReferralReceived{OwnReference: new("CAF56-2026-118204"), Unit: new("CAF du Morbihan")},
		},
		{
			Name: "ReviewStarted", Dossier: inReferral, Senders: onlyRecipient, Recipients: parties,
			NameFR: "À l'étude", NameEN: "Review started",
			French:  "Quelqu'un chez le destinataire s'en occupe.",
			English: "Somebody at the recipient's has begun to look at it.",
			New:     func() any { return new(ReviewStarted) },
			Example: &ReviewStarted{Unit: new("CAF du Morbihan")},
		},
		{
			Name: "InformationRequested", Dossier: inReferral, Senders: onlyRecipient, Recipients: parties,
			NameFR: "Complément demandé", NameEN: "Information requested",
			French:  "Il manque une pièce ou un renseignement ; les autres délais sont suspendus.",
			English: "Something is missing; the referral's other clocks stand still until it is answered.",
			New:     func() any { return new(InformationRequested) },
			Example: &InformationRequested{
				Items: []InformationItem{{Code: "housing_document"}, {Code: "proof_of_income"}},
				Due:   new(exampleDay(29)), Sealed: exampleSealed(),
			},
		},
		{
			Name: "InformationProvided", Dossier: inReferral, Senders: onlySender, Recipients: parties,
			NameFR: "Complément fourni", NameEN: "Information provided",
			French:  "L'expéditeur répond à la demande de complément.",
			English: "The sender answers what was asked for.",
			New:     func() any { return new(InformationProvided) },
			Example: &InformationProvided{Answered: []string{"housing_document", "proof_of_income"}, Sealed: exampleSealed()},
		},
		{
			Name: "ReferralAccepted", Dossier: inReferral, Senders: onlyRecipient, Recipients: parties,
			NameFR: "Acceptée", NameEN: "Accepted",
			French:  "Le destinataire va traiter la demande.",
			English: "The recipient will treat the case.",
			New:     func() any { return new(ReferralAccepted) },
			Example: &ReferralAccepted{PlannedDelayDays: new(10)},
		},
		{
			Name: "ReferralStarted", Dossier: inReferral, Senders: onlyRecipient, Recipients: parties,
			NameFR: "En cours de traitement", NameEN: "Started",
			French:  "Le traitement a commencé.",
			English: "Treatment has begun.",
			New:     func() any { return new(ReferralStarted) },
			Example: &ReferralStarted{},
		},
		{
			Name: "ReferralCompleted", Dossier: inReferral, Senders: onlyRecipient, Recipients: parties,
			NameFR: "Traitée", NameEN: "Completed",
			French:  "Le destinataire dit comment la demande est réglée.",
			English: "The recipient says how the case was settled.",
			New:     func() any { return new(ReferralCompleted) },
			Example: &ReferralCompleted{Outcome: "rights_opened", StandardProcedureExisted: new(false), Sealed: exampleSealed()},
		},
		{
			Name: "ReferralRefused", Dossier: inReferral, Senders: onlyRecipient, Recipients: parties,
			NameFR: "Refusée", NameEN: "Refused",
			French:  "Le destinataire ne traitera pas la demande et dit pourquoi.",
			English: "The recipient will not treat the case, and says why.",
			New:     func() any { return new(ReferralRefused) },
			Example: &ReferralRefused{
				Reason: "not_competent", Remedy: new("refer_elsewhere"),
				AlternativeService: new("social-famille/prime-d-activite-demande-et-declaration-trimestrielle"),
			},
		},
		{
			Name: "ReferralRerouted", Dossier: inReferral, Senders: onlyRecipient, Recipients: parties,
			NameFR: "Réorientée", NameEN: "Rerouted",
			French:  "Un autre participant est compétent ; une orientation fille prend la suite.",
			English: "Another participant is competent; a child referral carries on.",
			New:     func() any { return new(ReferralRerouted) },
			Example: &ReferralRerouted{Competent: "msa", Child: exampleChild, Received: new(exampleDay(14))},
		},
		{
			Name: "ReferralCancelled", Dossier: inReferral, Senders: onlySender, Recipients: parties,
			NameFR: "Annulée", NameEN: "Cancelled",
			French:  "L'expéditeur retire sa demande.",
			English: "The sender takes the referral back.",
			New:     func() any { return new(ReferralCancelled) },
			Example: &ReferralCancelled{Reason: "resolved_otherwise"},
		},
		{
			Name: "ReferralWithdrawn", Dossier: inReferral, Senders: onlyHub, Recipients: parties,
			NameFR: "Retirée", NameEN: "Withdrawn",
			French:  "Le mandat de la personne a été révoqué ; l'orientation prend fin.",
			English: "The person's mandate was revoked; the referral ends.",
			New:     func() any { return new(ReferralWithdrawn) },
			Example: &ReferralWithdrawn{Mandate: new("0198f3b0-77c2-7f04-b3aa-51d08e9c6f12")},
		},
		{
			Name: "ReferralExpired", Dossier: inReferral, Senders: onlyHub, Recipients: parties,
			NameFR: "Expirée", NameEN: "Expired",
			French:  "Personne n'a répondu dans le délai.",
			English: "Nobody answered in time.",
			New:     func() any { return new(ReferralExpired) },
			Example: &ReferralExpired{Clock: "expiry", StartedBy: examplePlace, Due: exampleTime(31, 9, 30)},
		},
		{
			Name: "ReferralClosed", Dossier: inReferral, Senders: []Role{RoleSender, RoleHub}, Recipients: parties,
			NameFR: "Clôturée", NameEN: "Closed",
			French:  "L'expéditeur clôt la demande traitée, ou le hub le fait au bout de 30 jours.",
			English: "The sender closes the completed referral, or the hub does after 30 days.",
			New:     func() any { return new(ReferralClosed) },
			Example: &ReferralClosed{Useful: new("yes")},
		},
		{
			Name: "ReferralReopened", Dossier: inReferral, Senders: []Role{RoleSender, RoleRecipient, RoleHub}, Recipients: parties,
			NameFR: "Rouverte", NameEN: "Reopened",
			French:  "L'une des parties reprend une demande terminée, dans les 30 jours.",
			English: "A party takes an ended referral up again, within 30 days.",
			New:     func() any { return new(ReferralReopened) },
			Example: &ReferralReopened{Reason: new("not_resolved"), Sealed: exampleSealed()},
		},
		{
			Name: "MessagePosted", Dossier: inReferral, Senders: parties, Recipients: parties,
			NameFR: "Message", NameEN: "Message posted",
			French:  "Un mot entre les parties, qui ne change pas l'état.",
			English: "A word between the parties that changes no state.",
			New:     func() any { return new(MessagePosted) },
			Example: &MessagePosted{Audience: "all", Sealed: exampleSealed()},
		},
		{
			Name: "DeadlineApproaching", Dossier: inReferral, Senders: onlyHub, Recipients: parties,
			NameFR: "Échéance proche", NameEN: "Deadline approaching",
			French:  "Un délai arrive à son terme.",
			English: "A clock is about to run out.",
			New:     func() any { return new(DeadlineApproaching) },
			Example: &DeadlineApproaching{Clock: "receipt", StartedBy: examplePlace, Due: exampleTime(18, 9, 30), Occurrence: 1, Told: []string{"cnaf"}},
		},
		{
			Name: "DeadlineBreached", Dossier: inReferral, Senders: onlyHub, Recipients: parties,
			NameFR: "Échéance dépassée", NameEN: "Deadline breached",
			French:  "Un délai est dépassé.",
			English: "A clock has run out.",
			New:     func() any { return new(DeadlineBreached) },
			Example: &DeadlineBreached{Clock: "reminder", StartedBy: examplePlace, Due: exampleTime(22, 9, 30), Occurrence: 1, Told: []string{"cnaf"}},
		},
		{
			Name: "EscalationRaised", Dossier: inReferral, Senders: onlyHub, Recipients: parties,
			NameFR: "Escalade", NameEN: "Escalation raised",
			French:  "La demande n'avance pas ; un niveau supérieur est prévenu.",
			English: "A higher level is told about a case that stands still.",
			New:     func() any { return new(EscalationRaised) },
			Example: &EscalationRaised{Clock: "escalation", StartedBy: examplePlace, Due: exampleTime(22, 9, 30), Occurrence: 1, Told: []string{"cnaf", "fs-563"}},
		},
	}
	return ofKind(KindReferral, entries)
}

func ofKind(kind Kind, entries []Entry) []Entry {
	for i := range entries {
		entries[i].Kind = kind
	}
	return entries
}
