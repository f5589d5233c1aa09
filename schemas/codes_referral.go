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

// refusalTable is why a recipient refuses a referral: the sentence that the
// counsellor reads, and what to do next.
func refusalTable() Table {
	return Table{Name: TableRefusalReason, French: "Motif de refus par le destinataire", English: "Why a recipient refuses a referral", Codes: []Code{
		{
			Name: "not_competent", French: "Je ne suis pas le bon interlocuteur.", English: "I am not the right one to ask.",
			RemedyFR: "Adressez la demande à l'opérateur compétent ; le destinataire peut l'avoir indiqué.",
			RemedyEN: "Refer to the competent operator; the recipient may have named it.",
		},
		{
			Name: "standard_procedure", French: "La démarche habituelle suffit.", English: "The usual procedure is enough.",
			RemedyFR: "Accompagnez la personne dans la démarche habituelle, en ligne ou sur formulaire.",
			RemedyEN: "Help the person through the usual procedure, online or on paper.",
		},
		{
			Name: "incomplete_file", French: "Le dossier est incomplet.", English: "The file is incomplete.",
			RemedyFR: "Réunissez les pièces manquantes, puis transmettez une nouvelle orientation.",
			RemedyEN: "Gather what is missing, then make a new referral.",
		},
		{
			Name: "not_eligible", French: "La personne ne remplit pas les conditions.", English: "The person does not meet the conditions.",
			RemedyFR: "Expliquez la décision à la personne et vérifiez si une autre aide lui est ouverte.",
			RemedyEN: "Explain the decision to the person and see whether other help is open to them.",
		},
		{
			Name: "identity_unknown", French: "La personne est inconnue de nos services.", English: "We do not know this person.",
			RemedyFR: "Vérifiez avec la personne son état civil et son numéro de dossier, puis transmettez de nouveau.",
			RemedyEN: "Check name and file number with the person, then refer again.",
		},
		{
			Name: "identity_mismatch", French: "L'identité transmise ne correspond pas à notre dossier.", English: "The identity does not match our file.",
			RemedyFR: "Reprenez l'identité telle qu'elle figure sur la pièce d'identité, puis transmettez de nouveau.",
			RemedyEN: "Take the identity as it stands on the document, then refer again.",
		},
		{
			Name: "mandate_missing", French: "Il manque le mandat de la personne.", English: "The person's mandate is missing.",
			RemedyFR: "Faites signer un mandat à la personne, puis transmettez de nouveau.",
			RemedyEN: "Have the person sign a mandate, then refer again.",
		},
		{
			Name: "out_of_territory", French: "La personne ne relève pas de notre territoire.", English: "The person is outside our territory.",
			RemedyFR: "Adressez la demande à l'organisme du lieu de résidence de la personne.",
			RemedyEN: "Refer to the unit of the place where the person lives.",
		},
		{
			Name: "no_capacity", French: "Nous ne pouvons pas traiter la demande en ce moment.", English: "We cannot take the case on at present.",
			RemedyFR: "Réessayez plus tard, ou adressez la demande ailleurs si elle est urgente.",
			RemedyEN: "Try again later, or refer elsewhere if it is urgent.",
		},
		{
			Name: "unreachable", French: "La personne est restée injoignable.", English: "The person could not be reached.",
			RemedyFR: "Vérifiez les coordonnées avec la personne, puis transmettez de nouveau.",
			RemedyEN: "Check the contact details with the person, then refer again.",
		},
		{
			Name: "no_show", French: "La personne n'est pas venue au rendez-vous.", English: "The person did not come to the appointment.",
			RemedyFR: "Reprenez contact avec la personne et proposez-lui un nouveau rendez-vous.",
			RemedyEN: "Get in touch with the person and offer a new appointment.",
		},
		{
			Name: "not_interested", French: "La personne ne souhaite pas donner suite.", English: "The person does not want to go on.",
			RemedyFR: "Rien à faire ; la personne peut revenir quand elle le souhaite.",
			RemedyEN: "Nothing to do; the person may come back at any time.",
		},
		{
			Name: "unavailable", French: "La personne n'est pas disponible pour l'instant.", English: "The person is not available for now.",
			RemedyFR: "Convenez d'une période avec la personne, puis transmettez de nouveau.",
			RemedyEN: "Agree on a time with the person, then refer again.",
		},
		{
			Name: "duplicate", French: "La même demande nous a déjà été transmise.", English: "The same request has already been sent to us.",
			RemedyFR: "Suivez la première orientation ; celle-ci est sans effet.",
			RemedyEN: "Follow the first referral; this one has no effect.",
		},
		{
			Name: "already_handled", French: "La demande est déjà traitée.", English: "The request has been dealt with already.",
			RemedyFR: "Informez la personne ; elle a reçu ou va recevoir une réponse.",
			RemedyEN: "Tell the person; an answer has been or is about to be given.",
		},
		{
			Name: "prerequisite_missing", French: "Une démarche préalable n'est pas faite.", English: "An earlier step has not been taken.",
			RemedyFR: "Aidez la personne à faire d'abord la démarche préalable, puis transmettez de nouveau.",
			RemedyEN: "Help the person take the earlier step first, then refer again.",
		},
		{
			Name: "wrong_priority", French: "L'urgence indiquée n'est pas justifiée.", English: "The urgency given is not justified.",
			RemedyFR: "Transmettez de nouveau avec une urgence normale.",
			RemedyEN: "Refer again with normal urgency.",
		},
		{
			Name: "service_closed", French: "Ce service n'est plus proposé.", English: "This service is no longer offered.",
			RemedyFR: "Choisissez un autre service dans l'annuaire.",
			RemedyEN: "Choose another service in the directory.",
		},
		{
			Name: "raised_in_error", French: "L'orientation nous a été transmise par erreur.", English: "The referral was sent to us by mistake.",
			RemedyFR: "Vérifiez le destinataire et le service ; transmettez de nouveau si besoin.",
			RemedyEN: "Check the recipient and the service; refer again if need be.",
		},
		{
			Name: "deceased", French: "La personne est décédée.", English: "The person has died.",
			RemedyFR: "Proposez aux proches un accompagnement pour les démarches après un décès.",
			RemedyEN: "Offer the family help with what has to be done after a death.",
		},
		{
			Name: "suspected_fraud", French: "Le dossier fait l'objet d'une vérification.", English: "The file is under verification.",
			RemedyFR: "N'en dites rien de plus à la personne ; le destinataire la contactera lui-même.",
			RemedyEN: "Say no more to the person; the recipient will contact them.",
		},
		{
			Name: "personal_data_excess", French: "Trop de données personnelles ont été transmises.", English: "More personal data was sent than is needed.",
			RemedyFR: "Transmettez de nouveau avec les seules données nécessaires à la demande.",
			RemedyEN: "Refer again with only the data that the request needs.",
		},
		{
			Name: "other", French: "Autre motif : voir le commentaire.", English: "Another reason: see the comment.",
			RemedyFR: "Lisez le commentaire du destinataire ; répondez-lui par un message si besoin.",
			RemedyEN: "Read the recipient's comment; answer with a message if need be.",
		},
	}}
}
