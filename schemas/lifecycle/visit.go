package lifecycle

import "github.com/relais-fr/relais/schemas"

// The states of a visit.
const (
	Recorded  State = "recorded"
	Corrected State = "corrected"
	Voided    State = "voided"
)

// Visit is the life of a visit's record.
//
//	recorded ─▶ corrected ─▶ corrected …
//	   └───────────┴──▶ voided
var Visit = Machine{
	Kind: schemas.KindVisit,
	Arrows: []Arrow{
		{Event: schemas.TypeVisitRecorded, To: Recorded, By: Party},
		{Event: schemas.TypeVisitCorrected, From: []State{Recorded, Corrected}, To: Corrected, By: Party},
		{Event: schemas.TypeVisitVoided, From: []State{Recorded, Corrected}, To: Voided, By: Party},
	},
	States: []Words{
		{State: Recorded, FrenchSender: "Enregistrée", FrenchReceiver: "Enregistrée", English: "Recorded"},
		{State: Corrected, FrenchSender: "Corrigée", FrenchReceiver: "Corrigée", English: "Corrected"},
		{State: Voided, FrenchSender: "Annulée", FrenchReceiver: "Annulée", English: "Voided", End: true},
	},
}

// Of is the machine that an event belongs to.
func Of(event string) (*Machine, bool) {
	for _, m := range []*Machine{&Referral, &Appointment, &Visit} {
		if m.Has(event) {
			return m, true
		}
	}
	return nil, false
}

// ByKind is the machine of a kind of case.
func ByKind(kind schemas.Kind) (*Machine, bool) {
	for _, m := range []*Machine{&Referral, &Appointment, &Visit} {
		if m.Kind == kind {
			return m, true
		}
	}
	return nil, false
}
