package schemas

var (
	visitSenders    = []Role{RoleOffice, RoleFeeder}
	visitRecipients = []Role{RoleOffice, RoleObservatory}
)

// ownDossier is that of a visit and of a probe: each is always its own.
const ownDossier = "its own"

// visitEntries are the events of a visit.
func visitEntries() []Entry {
	entries := []Entry{
		{
			Name: "VisitRecorded", Opens: true, Dossier: ownDossier, Senders: visitSenders, Recipients: visitRecipients,
			NameFR: "Visite enregistrée", NameEN: "Visit recorded",
			French:  "Un accueil a aidé quelqu'un. Aucune donnée personnelle : des tranches et des codes.",
			English: "An office helped somebody. No personal data at all: bands and codes.",
			New:     func() any { return new(VisitRecorded) },
			Example: &VisitRecorded{
				Office: "fs-563", Day: exampleDay(14), HalfDay: "morning", Channel: "on_site_unplanned", Operators: []string{"cnaf"},
				Services: []string{"logement/demande-d-une-allocation-logement-apl-als-alf"}, Themes: []string{"housing"},
				HelpLevel: new("assist"), Outcome: new("referred"), Duration: new("to_40"), Age: new("25_39"), Situation: new("job_seeker"),
				Residence: new("56"), FirstContact: new(true), Satisfaction: new(5),
			},
		},
		{
			Name: "VisitCorrected", Dossier: ownDossier, Senders: visitSenders, Recipients: visitRecipients,
			NameFR: "Visite corrigée", NameEN: "Visit corrected",
			French:  "La fiche entière, telle qu'elle aurait dû être saisie.",
			English: "The whole record again, as it should have been.",
			New:     func() any { return new(VisitCorrected) },
			Example: &VisitCorrected{
				Office: "demo-1", Day: exampleDay(14), HalfDay: "afternoon", Channel: "on_site_planned", Operators: []string{"dgfip"},
				Services: []string{"impots-argent/declaration-de-revenus-en-ligne"}, Themes: []string{"money_tax", "digital_everyday_tools"}, GroupSize: new(6),
				HelpLevel: new("guide"), Outcome: new("resolved"), Duration: new("over_60"),
			},
		},
		{
			Name: "VisitVoided", Dossier: ownDossier, Senders: visitSenders, Recipients: visitRecipients,
			NameFR: "Visite annulée", NameEN: "Visit voided",
			French:  "La fiche est retirée.",
			English: "The record is taken back.",
			New:     func() any { return new(VisitVoided) },
			Example: &VisitVoided{Reason: "duplicate"},
		},
	}
	return ofKind(KindVisit, entries)
}
