package schemas

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
