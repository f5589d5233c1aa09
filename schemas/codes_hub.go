package schemas

// hubTables are the codes of the envelope and of the hub's own events.
func hubTables() []Table {
	return []Table{
		{Name: TablePriority, French: "Priorité", English: "Priority", Codes: []Code{
			{Name: "urgent", French: "Urgente", English: "Urgent"},
			{Name: "normal", French: "Normale", English: "Normal"},
			{Name: "bulk", French: "En masse", English: "Bulk"},
		}},
		{Name: TableLegalBasis, French: "Base légale", English: "Legal basis", Codes: []Code{
			{Name: "public-task", French: "Mission d'intérêt public", English: "Public task"},
			{Name: "mandate", French: "Mandat de la personne", English: "The person's mandate"},
			{Name: "legal-obligation", French: "Obligation légale", English: "Legal obligation"},
		}},
		hubRefusalTable(),
		{Name: TableDeliveryState, French: "État d'une remise", English: "State of a delivery", Codes: []Code{
			{Name: DeliveryQueued, French: "En attente", English: "Queued"},
			{Name: DeliveryDelivered, French: "Remise", English: "Delivered"},
			{Name: DeliveryAcknowledged, French: "Prise en compte", English: "Acknowledged"},
			{Name: DeliveryRetrying, French: "Nouvel essai en cours", English: "Retrying"},
			{Name: DeliveryDead, French: "Non remise", English: "Not deliverable"},
			{Name: DeliveryRedriven, French: "Relancée", English: "Redriven"},
			{Name: DeliverySuppressed, French: "Supprimée (mandat révoqué ou données effacées)", English: "Suppressed (mandate revoked, or erased)"},
		}},
		{Name: TableDeliveryChannel, French: "Canal de remise", English: "Way of a delivery", Codes: []Code{
			{Name: ChannelKafka, French: "Kafka", English: "Kafka"},
			{Name: ChannelWebhook, French: "Appel HTTP (webhook)", English: "Webhook"},
			{Name: ChannelMailbox, French: "Boîte aux lettres HTTP", English: "HTTP mailbox"},
			{Name: ChannelPage, French: "Page de l'accueil", English: "The office's page"},
		}},
		{Name: TableDeliveryReason, French: "Motif de l'état d'une remise", English: "Why a delivery is in its state", Codes: []Code{
			{
				Name: DeliveryTopicGone, French: "Le destinataire n'est plus raccordé : sa file n'existe plus.", English: "The recipient is not connected any more: its topic is gone.",
				RemedyFR: "Rien à redéposer : tout lui sera remis, dans l'ordre, quand sa file sera rétablie.", RemedyEN: "Nothing to hand in again: it gets all of it, in order, once its topic is back.",
			},
			{
				Name: DeliveryRefused, French: "La file du destinataire n'a pas accepté l'événement.", English: "The recipient's topic did not take the event.",
				RemedyFR: "Prévenez l'administrateur du hub, qui peut relancer la remise.", RemedyEN: "Tell the hub's administrator, who can redrive the delivery.",
			},
			{
				Name: DeliveryUnavailable, French: "Le destinataire ne répond pas pour l'instant.", English: "The recipient does not answer at present.",
				RemedyFR: "Rien à faire : la remise est tentée jusqu'à ce qu'elle réussisse.", RemedyEN: "Nothing to do: it is tried until it succeeds.",
			},
			{
				Name: DeliveryUnreadable, French: "L'événement n'a pas pu être lu pour être remis.", English: "The event could not be read to be delivered.",
				RemedyFR: "Prévenez l'administrateur du hub.", RemedyEN: "Tell the hub's administrator.",
			},
			{
				Name: DeliveryNotCollected, French: "Le destinataire n'a pas encore récupéré l'événement, qui sera bientôt supprimé.", English: "The recipient has not collected the event yet, and it is soon deleted.",
				RemedyFR: "Prenez contact avec le destinataire par une autre voie si la demande est pressante.", RemedyEN: "Reach the recipient by another way if it cannot wait.",
			},
			{
				Name: DeliveryDeleted, French: "L'événement a été supprimé sans avoir été récupéré par le destinataire.", English: "The event was deleted before the recipient collected it.",
				RemedyFR: "Prenez contact avec le destinataire ; il peut demander au hub de lui remettre de nouveau ses événements.", RemedyEN: "Reach the recipient; it can ask the hub for a replay of its events.",
			},
			{
				Name: DeliverySuspended, French: "L'accès du destinataire est suspendu.", English: "The recipient is suspended.",
				RemedyFR: "Rien à redéposer : tout lui sera remis, dans l'ordre, quand la suspension sera levée.", RemedyEN: "Nothing to hand in again: it gets all of it, in order, once it is resumed.",
			},
			{
				Name: DeliveryClosed, French: "Le destinataire ne prend plus part à l'échange.", English: "The recipient does not take part in the exchange any more.",
				RemedyFR: "Prenez contact avec lui par une autre voie, ou adressez-vous à un autre destinataire.", RemedyEN: "Reach it by another way, or address somebody else.",
			},
		}},
		{Name: TableStatementBook, French: "Registre d'un relevé", English: "What a range of a statement is over", Codes: []Code{
			{Name: BookFrom, French: "Déposé par Kafka", English: "Handed in by Kafka"},
			{Name: BookReceipts, French: "Déposé par HTTP", English: "Handed in by HTTP"},
			{Name: BookTo, French: "Remis au participant", English: "Given to the participant"},
		}},
	}
}

// The codes of the table statement_book.
const (
	// BookFrom is the participant's `from` topic.
	BookFrom = "from"
	// BookReceipts is what it handed in by HTTP, by the places that it was given.
	BookReceipts = "receipts"
	// BookTo is the participant's `to` topic.
	BookTo = "to"
)

// hubRefusalTable is why the hub refuses a submission: the sentence for whoever
// handed it in, and what to do.
func hubRefusalTable() Table {
	return Table{Name: TableHubRefusalReason, French: "Motif de refus par le hub", English: "Why the hub refuses a submission", Codes: []Code{
		{
			Name: string(ReasonUnknownSchema), French: "Le type ou le schéma de l'événement est inconnu.", English: "The event's type or schema is not known.",
			RemedyFR: "Utilisez un type du catalogue et un schéma inscrit au registre.", RemedyEN: "Use a type of the catalogue and a schema of the registry.",
		},
		{
			Name: string(ReasonMalformed), French: "L'événement est mal formé.", English: "The event is not well formed.",
			RemedyFR: "Corrigez le champ indiqué, puis déposez l'événement avec un nouvel identifiant.", RemedyEN: "Correct the field named, then hand the event in with a new id.",
		},
		{
			Name: string(ReasonTooLarge), French: "L'événement est trop volumineux.", English: "The event is too large.",
			RemedyFR: "Réduisez le contenu ; transmettez les documents par référence.", RemedyEN: "Send less; pass documents by reference.",
		},
		{
			Name: string(ReasonNotYourParticipant), French: "Vous ne pouvez pas agir au nom de ce participant.", English: "You may not speak for this participant.",
			RemedyFR: "Déposez l'événement sous votre propre identifiant, ou demandez une habilitation.", RemedyEN: "Hand it in under your own id, or ask to be authorised.",
		},
		{
			Name: string(ReasonUnknownParticipant), French: "Ce participant ne figure pas dans l'annuaire.", English: "This participant is not in the directory.",
			RemedyFR: "Vérifiez l'identifiant dans l'annuaire.", RemedyEN: "Check the id in the directory.",
		},
		{
			Name: string(ReasonUnknownService), French: "Ce service ne figure pas dans l'annuaire, ou ce participant ne le rend pas.", English: "This service is not in the directory, or not one of this participant's.",
			RemedyFR: "Choisissez un service du destinataire dans l'annuaire.", RemedyEN: "Choose one of the recipient's services in the directory.",
		},
		{
			Name: string(ReasonTransitionNotAllowed), French: "Cette action n'est pas possible dans l'état actuel du dossier.", English: "The case's state does not allow this now.",
			RemedyFR: "Consultez l'état du dossier, puis choisissez une action possible.", RemedyEN: "Look at the state of the case, then choose what it allows.",
		},
		{
			Name: string(ReasonNotAParty), French: "Vous n'êtes pas partie à ce dossier, ou il n'existe pas.", English: "You are not a party to this case, or there is none.",
			RemedyFR: "Vérifiez l'identifiant du dossier.", RemedyEN: "Check the case's id.",
		},
		{
			Name: string(ReasonDuplicateIDOtherContent), French: "Cet identifiant a déjà servi pour un autre contenu.", English: "This id was used before with other content.",
			RemedyFR: "Donnez un nouvel identifiant à tout événement nouveau ou corrigé.", RemedyEN: "Give a new id to every event that is new or corrected.",
		},
		{
			Name: string(ReasonMandateNotValid), French: "Le mandat de la personne est absent, expiré ou révoqué.", English: "The person's mandate is missing, expired or revoked.",
			RemedyFR: "Recueillez un nouveau mandat auprès de la personne.", RemedyEN: "Ask the person for a new mandate.",
		},
		{
			Name: string(ReasonPersonalDataInClear), French: "L'événement contient des données personnelles en clair.", English: "The event has personal data in clear.",
			RemedyFR: "Placez les données personnelles dans le champ scellé, ou retirez-les.", RemedyEN: "Put personal data into the sealed field, or leave it out.",
		},
		{
			Name: string(ReasonAgreementMissing), French: "Aucune convention ne couvre cet échange.", English: "No agreement covers this exchange.",
			RemedyFR: "Demandez à l'administrateur du hub d'établir la convention.", RemedyEN: "Ask the hub's administrator to set the agreement up.",
		},
		{
			Name: string(ReasonNotYetDue), French: "L'échéance n'est pas atteinte, ou ne court plus.", English: "The deadline is not reached, or no longer runs.",
			RemedyFR: "Rien à faire : l'échéance sera examinée de nouveau en temps voulu.", RemedyEN: "Nothing to do: the deadline is looked at again in due time.",
		},
		{
			Name: string(ReasonHubError), French: "Le hub n'a pas pu traiter l'événement ; l'erreur est de son fait.", English: "The hub could not handle the event; the fault is its own.",
			RemedyFR: "Déposez de nouveau le même événement ; si le refus persiste, prévenez l'administrateur du hub.", RemedyEN: "Hand the same event in again; if it is refused again, tell the hub's administrator.",
		},
		{
			Name: string(ReasonRateExceeded), French: "Trop d'événements en peu de temps.", English: "Too many events in a short time.",
			RemedyFR: "Attendez le délai indiqué, puis déposez de nouveau.", RemedyEN: "Wait as long as the answer says, then hand it in again.",
		},
		{
			Name: string(ReasonNotReady), French: "Le hub n'est pas encore prêt.", English: "The hub is not ready yet.",
			RemedyFR: "Réessayez dans quelques instants ; rien n'a été enregistré.", RemedyEN: "Try again in a moment; nothing was recorded.",
		},
	}}
}
