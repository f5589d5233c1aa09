package schemas

// appointmentTables are the codes that an appointment's events carry.
func appointmentTables() []Table {
	return []Table{
		{Name: TableMode, French: "Mode de rendez-vous", English: "How an appointment is held", Codes: []Code{
			{Name: "in_person", French: "Sur place", English: "In person"},
			{Name: "phone", French: "Par téléphone", English: "By telephone"},
			{Name: "home", French: "À domicile", English: "At the person's home"},
			{Name: "video", French: "En visioconférence", English: "By video"},
			{Name: "kiosk", French: "À la borne", English: "At a kiosk"},
			{Name: "unknown", French: "Non précisé", English: "Unknown"},
		}},
		{Name: TableCancelledBy, French: "Auteur de l'annulation", English: "Who called an appointment off", Codes: []Code{
			{Name: "person", French: "L'usager", English: "The person"},
			{Name: "service", French: "Le service", English: "The service"},
			{Name: "unknown", French: "Non précisé (compte comme le service)", English: "Unknown (counts as the service)"},
		}},
	}
}
