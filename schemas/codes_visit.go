package schemas

// visitTables are the codes that a visit's events carry, and those of themes and
// help levels, which a referral carries too.
func visitTables() []Table {
	return []Table{
		{Name: TableHalfDay, French: "Demi-journée", English: "Half of the day", Codes: []Code{
			{Name: "morning", French: "Matin", English: "Morning"},
			{Name: "afternoon", French: "Après-midi", English: "Afternoon"},
			{Name: "unknown", French: "Non précisée", English: "Unknown"},
		}},
		{Name: TableChannel, French: "Canal", English: "How the person came or called", Codes: []Code{
			{Name: "on_site_unplanned", French: "Sur place, sans rendez-vous", English: "On site, without appointment"},
			{Name: "on_site_planned", French: "Sur place, sur rendez-vous", English: "On site, by appointment"},
			{Name: "phone", French: "Téléphone", English: "Telephone"},
			{Name: "email", French: "Courriel", English: "E-mail"},
			{Name: "mail", French: "Courrier", English: "Letter"},
			{Name: "video", French: "Visioconférence", English: "Video"},
			{Name: "kiosk", French: "Borne", English: "Kiosk"},
			{Name: "home", French: "À domicile", English: "At the person's home"},
			{Name: "outside", French: "Hors les murs", English: "Outreach"},
			{Name: "third_party", French: "Par un tiers", English: "Through a third party"},
		}},
		{Name: TableTheme, French: "Thématique", English: "Theme", Codes: []Code{
			{Name: "papers_citizenship", French: "Papiers, élections, citoyenneté", English: "Papers, elections, citizenship"},
			{Name: "family_school", French: "Famille, scolarité", English: "Family, school"},
			{Name: "social_health", French: "Social, santé", English: "Social matters, health"},
			{Name: "work_training", French: "Travail, formation", English: "Work, training"},
			{Name: "housing", French: "Logement", English: "Housing"},
			{Name: "transport_mobility", French: "Transports, mobilité", English: "Transport, mobility"},
			{Name: "money_tax", French: "Argent, impôts", English: "Money, taxes"},
			{Name: "justice", French: "Justice", English: "Justice"},
			{Name: "foreigners_europe", French: "Étrangers, Europe", English: "Foreigners, Europe"},
			{Name: "leisure_culture", French: "Loisirs, sports, culture", English: "Leisure, sports, culture"},
			{Name: "associations", French: "Associations", English: "Associations"},
			{Name: "retirement", French: "Retraite", English: "Retirement"},
			{Name: "disability", French: "Handicap", English: "Disability"},
			{Name: "livelihood", French: "Difficultés financières", English: "Making ends meet"},
			{Name: "digital", French: "Numérique", English: "Digital skills and access"},
		}},
		// The services of the open table schema of digital mediation places, less
		// administrative procedures, which the themes above are about.
		{Name: TableDigitalTheme, French: "Thématique numérique", English: "Digital theme", Codes: []Code{
			{Name: "digital_everyday_tools", French: "Maîtrise des outils numériques du quotidien", English: "Everyday digital tools"},
			{Name: "digital_work", French: "Insertion professionnelle via le numérique", English: "Finding work by digital means"},
			{Name: "digital_safety", French: "Utilisation sécurisée du numérique", English: "Safe use"},
			{Name: "digital_parenting", French: "Parentalité et éducation avec le numérique", English: "Parenting and education"},
			{Name: "digital_leisure", French: "Loisirs et créations numériques", English: "Leisure and creation"},
			{Name: "digital_understanding", French: "Compréhension du monde numérique", English: "Understanding the digital world"},
			{Name: "digital_access", French: "Accès internet et matériel informatique", English: "Internet access and equipment"},
			{Name: "digital_equipment", French: "Acquisition de matériel à prix solidaire", English: "Affordable equipment"},
		}},
		{Name: TableHelpLevel, French: "Niveau d'accompagnement", English: "How far the counsellor helped", Codes: []Code{
			{Name: "inform", French: "Informer", English: "Inform"},
			{Name: "guide", French: "Guider", English: "Guide"},
			{Name: "assist", French: "Accompagner dans la démarche", English: "Assist with the procedure"},
			{Name: "deposit", French: "Déposer un dossier", English: "Hand in a file"},
			{Name: "refer", French: "Mettre en relation", English: "Refer"},
			{Name: "appoint", French: "Prendre un rendez-vous", English: "Book an appointment"},
			{Name: "kiosk", French: "Utiliser la borne", English: "Use the kiosk"},
		}},
		{Name: TableVisitOutcome, French: "Issue d'une visite", English: "How a visit ended", Codes: []Code{
			{Name: "resolved", French: "Résolue", English: "Resolved"},
			{Name: "partly", French: "Résolue en partie", English: "Partly resolved"},
			{Name: "referred", French: "Orientée vers un opérateur", English: "Referred to an operator"},
			{Name: "appointment", French: "Rendez-vous pris", English: "Appointment booked"},
			{Name: "kiosk", French: "Renvoyée vers la borne", English: "Sent to the kiosk"},
			{Name: "abandoned", French: "Abandonnée", English: "Abandoned"},
			{Name: "needs_mandate", French: "Mandat nécessaire", English: "A mandate is needed"},
			{Name: "operator_blocked", French: "Bloquée chez l'opérateur", English: "Blocked at the operator"},
		}},
		{Name: TableDurationBand, French: "Durée", English: "How long it took", Codes: []Code{
			{Name: "to_10", French: "Jusqu'à 10 minutes", English: "Up to 10 minutes"},
			{Name: "to_20", French: "De 11 à 20 minutes", English: "11 to 20 minutes"},
			{Name: "to_40", French: "De 21 à 40 minutes", English: "21 to 40 minutes"},
			{Name: "to_60", French: "De 41 à 60 minutes", English: "41 to 60 minutes"},
			{Name: "over_60", French: "Plus d'une heure", English: "More than an hour"},
		}},
		// The bands as the network's own statistics name them: each runs up to,
		// and leaves out, the age at which the next begins.
		{Name: TableAgeBand, French: "Tranche d'âge", English: "Age band", Codes: []Code{
			{Name: "under_12", French: "Moins de 12 ans", English: "Under 12"},
			{Name: "12_18", French: "12 à 17 ans", English: "12 to 17"},
			{Name: "18_24", French: "18 à 24 ans", English: "18 to 24"},
			{Name: "25_39", French: "25 à 39 ans", English: "25 to 39"},
			{Name: "40_59", French: "40 à 59 ans", English: "40 to 59"},
			{Name: "60_69", French: "60 à 69 ans", English: "60 to 69"},
			{Name: "70_plus", French: "70 ans et plus", English: "70 and over"},
			{Name: "unknown", French: "Non précisée", English: "Unknown"},
		}},
		{Name: TableSituation, French: "Situation", English: "Situation of the person", Codes: []Code{
			{Name: "employed", French: "En emploi", English: "Employed"},
			{Name: "self_employed", French: "À son compte", English: "Self-employed"},
			{Name: "job_seeker", French: "En recherche d'emploi", English: "Looking for work"},
			{Name: "student", French: "Élève, étudiant ou en formation", English: "At school, studying or in training"},
			{Name: "retired", French: "À la retraite", English: "Retired"},
			{Name: "at_home", French: "Au foyer ou sans activité", English: "At home or not working"},
			{Name: "other", French: "Autre", English: "Other"},
			{Name: "unknown", French: "Non précisée", English: "Unknown"},
		}},
		{Name: TableVoidReason, French: "Motif d'annulation d'une visite", English: "Why a visit's record is taken back", Codes: []Code{
			{Name: "duplicate", French: "Doublon", English: "Duplicate"},
			{Name: "raised_in_error", French: "Saisie par erreur", English: "Recorded in error"},
			{Name: "wrong_office", French: "Saisie pour un autre accueil", English: "Recorded for another office"},
			{Name: "test", French: "Saisie d'essai", English: "A trial entry"},
			{Name: "other", French: "Autre motif", English: "Other"},
		}},
	}
}
