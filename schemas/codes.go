package schemas

import "slices"

// Code is one entry of a code table. Codes travel as strings, so that a new one
// does not break an old reader; a reader shows what it does not know as it is.
type Code struct {
	// Name is what travels: lower-case letters, digits and underscores.
	Name string
	// French and English are its label, or its sentence for a refusal.
	French, English string
	// RemedyFR and RemedyEN say what to do next. Refusals have them.
	RemedyFR, RemedyEN string
}

// Table is a set of codes.
type Table struct {
	// Name is what CodeTable and a schema's property `codes` call it.
	Name string
	// French and English say what the codes are.
	French, English string
	Codes           []Code

	index map[string]int
}

// The names of the code tables.
const (
	TableReferralReason     = "referral_reason"
	TableUrgency            = "urgency"
	TableContactPreference  = "contact_preference"
	TableInformationItem    = "information_item"
	TableReferralOutcome    = "referral_outcome"
	TableRefusalReason      = "refusal_reason"
	TableRemedy             = "remedy"
	TableCancellationReason = "cancellation_reason"
	TableReopeningReason    = "reopening_reason"
	TableUseful             = "useful"
	TableAudience           = "audience"
	TableClock              = "clock"
	TableMode               = "mode"
	TableCancelledBy        = "cancelled_by"
	TableHalfDay            = "half_day"
	TableChannel            = "channel"
	TableTheme              = "theme"
	TableDigitalTheme       = "digital_theme"
	TableHelpLevel          = "help_level"
	TableVisitOutcome       = "visit_outcome"
	TableDurationBand       = "duration_band"
	TableAgeBand            = "age_band"
	TableSituation          = "situation"
	TableVoidReason         = "void_reason"
	TablePriority           = "priority"
	TableLegalBasis         = "legal_basis"
	TableHubRefusalReason   = "hub_refusal_reason"
	TableDeliveryState      = "delivery_state"
	TableDeliveryChannel    = "delivery_channel"
	TableDeliveryReason     = "delivery_reason"
	TableStatementBook      = "statement_book"
	TableSensitivity        = "sensitivity"
	TablePurpose            = "purpose"
	TableRetention          = "retention"
)

// tables are never changed once the program has started.
var (
	tables      = slices.Concat(referralTables(), appointmentTables(), visitTables(), hubTables(), fieldTables())
	tableByName = indexTables(tables)
)

func indexTables(tables []Table) map[string]*Table {
	byName := make(map[string]*Table, len(tables))
	for i := range tables {
		t := &tables[i]
		t.index = make(map[string]int, len(t.Codes))
		for j, c := range t.Codes {
			t.index[c.Name] = j
		}
		byName[t.Name] = t
	}
	return byName
}

// CodeTables is every code table, in the order of the story.
func CodeTables() []Table {
	all := slices.Clone(tables)
	for i := range all {
		all[i].Codes = slices.Clone(all[i].Codes)
	}
	return all
}

// CodeTable is the codes of a table, in the order in which a form offers them.
func CodeTable(name string) ([]Code, bool) {
	t, ok := tableByName[name]
	if !ok {
		return nil, false
	}
	return slices.Clone(t.Codes), true
}

// LookupCode finds a code in a table. It is safe for concurrent use and costs
// two map reads.
func LookupCode(table, code string) (Code, bool) {
	t, ok := tableByName[table]
	if !ok {
		return Code{}, false
	}
	i, ok := t.index[code]
	if !ok {
		return Code{}, false
	}
	return t.Codes[i], true
}

// RefusalReasons is every reason for which the hub refuses, with the sentence
// and what to do.
func RefusalReasons() []Code {
	codes, _ := CodeTable(TableHubRefusalReason)
	return codes
}

// fieldTables are the closed sets of the properties that every field of every
// schema carries: how sensitive it is, what it is for, how long it is kept.
func fieldTables() []Table {
	return []Table{
		{Name: TableSensitivity, French: "Sensibilité d'un champ", English: "How sensitive a field is", Codes: []Code{
			{Name: "none", French: "Ne dit rien d'une personne", English: "Says nothing of a person"},
			{Name: "pseudonymous", French: "Désigne le cas d'une personne sans la nommer", English: "Points to a person's case without naming the person"},
			{Name: "personal", French: "Donnée personnelle : dans le champ scellé seulement", English: "Personal data: in the field sealed only"},
		}},
		{Name: TablePurpose, French: "Finalité d'un champ", English: "What a field is for", Codes: []Code{
			{Name: "routing", French: "Savoir qui est concerné", English: "To know whom it concerns"},
			{Name: "treatment", French: "Traiter le cas", English: "To treat the case"},
			{Name: "follow_up", French: "Suivre les délais", English: "To watch over deadlines"},
			{Name: "steering", French: "Compter et piloter, sans personne identifiable", English: "To count and steer, without any person in sight"},
			{Name: "proof", French: "Prouver ce qui a été échangé", English: "To prove what was exchanged"},
			{Name: "operation", French: "Faire fonctionner le hub", English: "To run the hub"},
		}},
		{Name: TableRetention, French: "Conservation d'un champ", English: "How long a field is kept", Codes: []Code{
			{Name: "log", French: "Avec le journal", English: "As long as the log"},
			{Name: "person_block", French: "Effacé 6 mois après la fin du cas, ou 12 mois après la dernière activité", English: "Erased 6 months after the end of the case, or 12 months after the last activity"},
		}},
	}
}
