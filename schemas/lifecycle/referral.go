package lifecycle

import (
	"time"

	"github.com/relais-fr/relais/schemas"
)

// The states of a referral.
const (
	Made          State = "made"
	Received      State = "received"
	InReview      State = "in_review"
	InfoRequested State = "info_requested"
	Accepted      State = "accepted"
	Scheduled     State = "scheduled"
	InProgress    State = "in_progress"
	Completed     State = "completed"
	Closed        State = "closed"
	Refused       State = "refused"
	Rerouted      State = "rerouted"
	Cancelled     State = "cancelled"
	Withdrawn     State = "withdrawn"
	Expired       State = "expired"
)

const day = 24 * time.Hour

// Time limits of a referral.
const (
	// ReopeningLimit is how long an ended or completed referral may be reopened.
	ReopeningLimit = 30 * day
	// MessageLimit is how long after the end messages may still be posted.
	MessageLimit = 30 * day
	// ChildLimit is how long a rerouted referral may be without the child that
	// carries it on, before the hub reopens it.
	ChildLimit = day
)

var (
	referralEnds = []State{Closed, Refused, Rerouted, Cancelled, Withdrawn, Expired}
	referralLive = []State{Made, Received, InReview, InfoRequested, Accepted, Scheduled, InProgress, Completed}
)

// Referral is the life of a referral.
//
//	made ─▶ received ─▶ in_review ─▶ accepted ─▶ scheduled ─▶ in_progress ─▶ completed ─▶ closed
//	  │        │            │ ▲          │           │             │
//	  │        │            ▼ │          │           │             │       info_requested returns to
//	  │        │     info_requested ◀────┴───────────┼─────────────┘       the state it interrupted
//	  └────────┴────────────┴──────▶ refused, rerouted, cancelled, withdrawn, expired
//	                        ▲                │
//	                        └── reopened ────┘   (refused, completed, closed: 30 days)
var Referral = Machine{
	Kind: schemas.KindReferral,
	Arrows: []Arrow{
		{Event: schemas.TypeReferralMade, To: Made, By: Sender},
		{Event: schemas.TypeReferralReceived, From: []State{Made}, To: Received, By: Recipient},
		{Event: schemas.TypeReviewStarted, From: []State{Received}, To: InReview, By: Recipient},
		{Event: schemas.TypeInformationRequested, From: []State{InReview, Accepted, InProgress}, To: InfoRequested, By: Recipient},
		{Event: schemas.TypeInformationProvided, From: []State{InfoRequested}, To: Before, By: Sender},
		{Event: schemas.TypeReferralAccepted, From: []State{Received, InReview}, To: Accepted, By: Recipient},
		{Event: schemas.TypeReferralStarted, From: []State{Accepted, Scheduled}, To: InProgress, By: Recipient},
		{Event: schemas.TypeReferralCompleted, From: []State{InReview, Accepted, Scheduled, InProgress}, To: Completed, By: Recipient},
		{Event: schemas.TypeReferralRefused, From: []State{Made, Received, InReview, InfoRequested, Accepted, Scheduled, InProgress}, To: Refused, By: Recipient},
		{Event: schemas.TypeReferralRerouted, From: []State{Made, Received, InReview, Accepted}, To: Rerouted, By: Recipient},
		{Event: schemas.TypeReferralCancelled, From: referralLive, To: Cancelled, By: Sender},
		{Event: schemas.TypeReferralWithdrawn, From: referralLive, To: Withdrawn, By: Hub},
		{Event: schemas.TypeReferralExpired, From: []State{Made, Received, InReview, InfoRequested}, To: Expired, By: Hub},
		{Event: schemas.TypeReferralClosed, From: []State{Completed}, To: Closed, By: Sender | Hub},
		{Event: schemas.TypeReferralReopened, From: []State{Refused, Completed, Closed}, To: InReview, By: Either, Within: ReopeningLimit},
		{Event: schemas.TypeReferralReopened, From: []State{Rerouted}, To: InReview, By: Hub, After: ChildLimit, Childless: true},
		{Event: schemas.TypeMessagePosted, From: referralLive, To: Same, By: Either},
		{Event: schemas.TypeMessagePosted, From: referralEnds, To: Same, By: Either, Within: MessageLimit},
		{Event: schemas.TypeDeadlineApproaching, From: referralLive, To: Same, By: Hub},
		{Event: schemas.TypeDeadlineBreached, From: referralLive, To: Same, By: Hub},
		{Event: schemas.TypeEscalationRaised, From: referralLive, To: Same, By: Hub},
	},
	States: []Words{
		{State: Made, FrenchSender: "Envoyée", FrenchReceiver: "Nouvelle", English: "Made"},
		{State: Received, FrenchSender: "Reçue", FrenchReceiver: "Reçue", English: "Received"},
		{State: InReview, FrenchSender: "À l'étude", FrenchReceiver: "Je m'en occupe", English: "In review"},
		{State: InfoRequested, FrenchSender: "Complément demandé", FrenchReceiver: "Complément demandé", English: "Information requested"},
		{State: Accepted, FrenchSender: "Acceptée", FrenchReceiver: "Acceptée", English: "Accepted"},
		{State: Scheduled, FrenchSender: "Rendez-vous fixé", FrenchReceiver: "Rendez-vous fixé", English: "Scheduled"},
		{State: InProgress, FrenchSender: "En cours de traitement", FrenchReceiver: "En cours de traitement", English: "In progress"},
		{State: Completed, FrenchSender: "Traitée", FrenchReceiver: "À clore", English: "Completed"},
		{State: Closed, FrenchSender: "Clôturée", FrenchReceiver: "Clôturée", English: "Closed", End: true},
		{State: Refused, FrenchSender: "Refusée", FrenchReceiver: "Refusée", English: "Refused", End: true},
		{State: Rerouted, FrenchSender: "Réorientée", FrenchReceiver: "Réorientée", English: "Rerouted", End: true},
		{State: Cancelled, FrenchSender: "Annulée", FrenchReceiver: "Annulée", English: "Cancelled", End: true},
		{State: Withdrawn, FrenchSender: "Retirée", FrenchReceiver: "Retirée", English: "Withdrawn", End: true},
		{State: Expired, FrenchSender: "Expirée", FrenchReceiver: "Expirée", English: "Expired", End: true},
	},
}

// AfterBooking is the state of a referral after an appointment was booked in its
// dossier. In any other state the appointment is recorded and moves nothing.
func AfterBooking(s State) State {
	switch s {
	case Received, InReview, Accepted, Scheduled, InProgress:
		return Scheduled
	default:
		return s
	}
}

// AfterLastAppointment is the state of a referral after its last live
// appointment was cancelled or missed.
func AfterLastAppointment(s State) State {
	if s == Scheduled {
		return Accepted
	}
	return s
}
