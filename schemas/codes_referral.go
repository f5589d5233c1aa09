package schemas

// referralTables are the codes that a referral's events carry.
func referralTables() []Table {
	return []Table{
		{Name: TableReferralReason, French: "Motif de l'orientation", English: "Why a case is handed over", Codes: []Code{
			{Name: "beyond_office", French: "La démarche dépasse ce que l'accueil peut faire", English: "The matter goes beyond what the office can do"},
			{Name: "blocked_file", French: "Dossier bloqué", English: "The file is stuck"},
			{Name: "no_answer", French: "Sans réponse de l'opérateur", English: "No answer from the operator"},
			{Name: "complex_situation", French: "Situation complexe", English: "Complex situation"},
			{Name: "loss_of_rights", French: "Rupture de droits", English: "Rights are lost or about to be"},
			{Name: "contested_decision", French: "Décision contestée", English: "A decision is contested"},
			{Name: "online_impossible", French: "Démarche en ligne impossible", English: "The online procedure cannot be used"},
			{Name: "other", French: "Autre motif", English: "Other"},
		}},
		{Name: TableUrgency, French: "Urgence", English: "Urgency for the person", Codes: []Code{
			{Name: "immediate", French: "Immédiate : plus de ressources, de logement ou de soins", English: "Immediate: no means, housing or care left"},
			{Name: "soon", French: "Proche : une échéance sous quinze jours", English: "Soon: something falls due within a fortnight"},
			{Name: "normal", French: "Normale", English: "Normal"},
		}},
		{Name: TableContactPreference, French: "Contact souhaité", English: "How the person would like to be reached", Codes: []Code{
			{Name: "phone", French: "Par téléphone", English: "By telephone"},
			{Name: "sms", French: "Par SMS", English: "By text message"},
			{Name: "email", French: "Par courriel", English: "By e-mail"},
			{Name: "mail", French: "Par courrier", English: "By letter"},
			{Name: "office", French: "Par l'accueil qui oriente", English: "Through the office that refers"},
			{Name: "appointment", French: "Sur rendez-vous", English: "At an appointment"},
		}},
		{Name: TableInformationItem, French: "Pièce ou renseignement demandé", English: "What a recipient may ask for", Codes: []Code{
			{Name: "identity_document", French: "Pièce d'identité", English: "Identity document"},
			{Name: "residence_permit", French: "Titre de séjour", English: "Residence permit"},
			{Name: "proof_of_address", French: "Justificatif de domicile", English: "Proof of address"},
			{Name: "proof_of_income", French: "Justificatif de ressources", English: "Proof of income"},
			{Name: "tax_notice", French: "Avis d'impôt", English: "Tax notice"},
			{Name: "bank_details", French: "Relevé d'identité bancaire", English: "Bank details"},
			{Name: "family_record", French: "Livret de famille ou acte d'état civil", English: "Family record or civil status certificate"},
			{Name: "employment_document", French: "Contrat, bulletin de paie ou attestation d'employeur", English: "Contract, payslip or employer's certificate"},
			{Name: "housing_document", French: "Bail ou quittance de loyer", English: "Lease or rent receipt"},
			{Name: "medical_certificate", French: "Certificat médical", English: "Medical certificate"},
			{Name: "operator_number", French: "Numéro de dossier chez l'opérateur", English: "File number at the operator"},
			{Name: "operator_letter", French: "Courrier ou décision reçue", English: "Letter or decision received"},
			{Name: "signed_form", French: "Formulaire complété et signé", English: "Form filled in and signed"},
			{Name: "mandate", French: "Mandat de la personne", English: "The person's mandate"},
			{Name: "contact_details", French: "Coordonnées à jour", English: "Current contact details"},
			{Name: "clarification", French: "Précision sur la demande", English: "Clarification of the request"},
			{Name: "other", French: "Autre : voir le message", English: "Other: see the message"},
		}},
		{Name: TableReferralOutcome, French: "Issue d'une orientation", English: "How a referral was settled", Codes: []Code{
			{Name: "favourable", French: "Favorable", English: "Favourable"},
			{Name: "partial", French: "Partiellement favorable", English: "Partly favourable"},
			{Name: "unfavourable", French: "Défavorable", English: "Unfavourable"},
			{Name: "rights_opened", French: "Droits ouverts", English: "Rights opened"},
			{Name: "information_given", French: "Information donnée", English: "Information given"},
			{Name: "forwarded", French: "Transmis au service compétent", English: "Passed on to the competent service"},
			{Name: "waived", French: "La personne a renoncé", English: "The person gave up the request"},
			{Name: "inactive", French: "Sans suite : la personne n'a pas donné de nouvelles", English: "No follow-up: the person was not heard from again"},
		}},
		refusalTable(),
		{Name: TableRemedy, French: "Suite proposée", English: "What the sender can do after a refusal", Codes: []Code{
			{Name: "refer_elsewhere", French: "Adresser la demande à un autre opérateur", English: "Refer to another operator"},
			{Name: "use_standard_procedure", French: "Suivre la démarche habituelle", English: "Use the usual procedure"},
			{Name: "complete_and_resend", French: "Compléter le dossier et le transmettre de nouveau", English: "Complete the file and send it again"},
			{Name: "obtain_mandate", French: "Faire signer un mandat", English: "Have a mandate signed"},
			{Name: "verify_identity", French: "Vérifier l'identité de la personne", English: "Verify the person's identity"},
			{Name: "book_appointment", French: "Prendre un rendez-vous", English: "Book an appointment"},
			{Name: "try_later", French: "Réessayer plus tard", English: "Try again later"},
			{Name: "appeal", French: "Former un recours", English: "Lodge an appeal"},
			{Name: "contact_recipient", French: "Contacter le correspondant de l'opérateur", English: "Contact the operator's correspondent"},
			{Name: "none", French: "Rien à faire", English: "Nothing to do"},
		}},
		{Name: TableCancellationReason, French: "Motif d'annulation", English: "Why something is cancelled", Codes: []Code{
			{Name: "person_asked", French: "À la demande de la personne", English: "The person asked for it"},
			{Name: "resolved_otherwise", French: "Réglé autrement", English: "Resolved another way"},
			{Name: "person_ill", French: "Personne malade", English: "The person is ill"},
			{Name: "service_cancelled", French: "Annulé par le service", English: "The service cancelled"},
			{Name: "staff_absence", French: "Agent absent", English: "Staff absence"},
			{Name: "site_closed", French: "Site fermé", English: "The site is closed"},
			{Name: "duplicate", French: "Doublon", English: "Duplicate"},
			{Name: "raised_in_error", French: "Créé par erreur", English: "Raised in error"},
			{Name: "person_moved", French: "La personne a déménagé", English: "The person has moved"},
			{Name: "deceased", French: "Personne décédée", English: "The person has died"},
			{Name: "other", French: "Autre motif", English: "Other"},
		}},
		{Name: TableReopeningReason, French: "Motif de réouverture", English: "Why a referral is taken up again", Codes: []Code{
			{Name: "new_information", French: "Élément nouveau", English: "There is new information"},
			{Name: "not_resolved", French: "Le problème n'est pas réglé", English: "The problem is not solved"},
			{Name: "refused_in_error", French: "Refusée par erreur", English: "Refused in error"},
			{Name: "completed_in_error", French: "Traitée ou clôturée par erreur", English: "Completed or closed in error"},
			{Name: "reroute_not_followed", French: "La réorientation n'a pas été suivie", English: "The rerouting was not followed up"},
			{Name: "other", French: "Autre motif", English: "Other"},
		}},
		{Name: TableUseful, French: "Utilité pour la personne", English: "Whether it helped", Codes: []Code{
			{Name: "yes", French: "Oui", English: "Yes"},
			{Name: "no", French: "Non", English: "No"},
			{Name: "unknown", French: "Je ne sais pas", English: "Unknown"},
		}},
		{Name: TableAudience, French: "Destinataires d'un message", English: "Who may read a message", Codes: []Code{
			{Name: "all", French: "Toutes les parties", English: "All parties"},
			{Name: "operators_only", French: "Les opérateurs seulement", English: "Operators only"},
		}},
		clockTable(),
	}
}

// clockTable names the clocks of the deadlines; package lifecycle and the clock
// service say how long they run.
func clockTable() Table {
	return Table{Name: TableClock, French: "Échéance", English: "Which clock ran", Codes: []Code{
		{Name: "receipt", French: "Réception attendue", English: "The referral should have been received"},
		{Name: "reminder", French: "Rappel au destinataire", English: "Reminder to the recipient"},
		{Name: "escalation", French: "Escalade", English: "Escalation"},
		{Name: "expiry", French: "Expiration sans réponse", English: "Expiry without an answer"},
		{Name: "missing_information", French: "Complément attendu", English: "Missing information is awaited"},
		{Name: "closing_reminder", French: "Rappel de clôture", English: "Reminder to close"},
		{Name: "closing", French: "Clôture automatique", English: "Closing by the hub"},
		{Name: "reroute", French: "Réorientation sans suite", English: "Rerouted without a child referral"},
		{Name: "appointment_reminder", French: "Rappel de rendez-vous", English: "Reminder of an appointment"},
		{Name: "appointment_report", French: "Présence à renseigner", English: "Attendance is to be reported"},
	}}
}
