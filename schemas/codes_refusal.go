package schemas

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
