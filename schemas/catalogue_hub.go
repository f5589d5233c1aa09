package schemas

import "bytes"

// exampleDigest stands for a SHA-256.
func exampleDigest() []byte { return bytes.Repeat([]byte{0x5a}, 32) }

// hubEntries are the hub's own events.
func hubEntries() []Entry {
	malformed := ReasonMalformed.Code()
	entries := []Entry{
		{
			Name: "SubmissionRefused", Dossier: "the submission's", Senders: onlyHub, Recipients: []Role{RoleSubmitter},
			NameFR: "Dépôt refusé", NameEN: "Submission refused",
			French:  "Le hub n'a pas pu enregistrer ce dépôt et dit pourquoi, et que faire.",
			English: "The hub could not record a submission as a fact; it says why, and what to do.",
			New:     func() any { return new(SubmissionRefused) },
			Example: &SubmissionRefused{
				Reason: malformed.Name, SentenceFR: malformed.French, SentenceEN: malformed.English,
				RemedyFR: malformed.RemedyFR, RemedyEN: malformed.RemedyEN,
				Detail:           `reason: "too_busy" is not a code of the table refusal_reason`,
				SubmissionSource: Source("cnaf", "outil-metier"), SubmissionID: "cnaf-20260514-118204", SubmissionType: TypeReferralRefused,
				Digest: exampleDigest(),
			},
		},
		{
			Name: "SubmissionRepeated", Dossier: "the submission's", Senders: onlyHub,
			NameFR: "Dépôt répété", NameEN: "Submission repeated",
			French:  "Le même dépôt avait déjà été reçu ; rien ne change.",
			English: "The same submission was handed in before; it changes nothing.",
			New:     func() any { return new(SubmissionRepeated) },
			Example: &SubmissionRepeated{
				SubmissionSource: Source("fs-563", "page"), SubmissionID: "0198f3c2-6a41-7c3e-9b1d-2f4c8a7e5d11", SubmissionType: TypeReferralMade,
				Digest: exampleDigest(), FirstPartition: 3, FirstOffset: 1042,
			},
		},
		{
			Name: "DeliveryChanged", Dossier: "none; its key is place and recipient", Senders: onlyHub, Recipients: []Role{RoleAddressee},
			NameFR: "Remise mise à jour", NameEN: "Delivery changed",
			French:  "Une étape d'un événement sur le chemin d'un destinataire ; ce qui n'est pas remis est signalé à l'émetteur.",
			English: "One step of one event on its way to one recipient; what is not delivered is reported to its sender.",
			New:     func() any { return new(DeliveryChanged) },
			Example: &DeliveryChanged{
				Place: examplePlace, Recipient: "cnaf", State: DeliveryRetrying, Channel: ChannelWebhook, Attempt: 2,
				EventSource: Source("fs-563", "page"), EventID: "0198f3c2-6a41-7c3e-9b1d-2f4c8a7e5d11", EventType: TypeReferralMade,
				Subject: exampleReferral, Sender: new("offices/fs-563"), Reason: new(DeliveryUnavailable), ErrorCode: new("http_503"),
				Since: exampleTime(14, 9, 30), NextAttempt: new(exampleTime(14, 9, 32)), LatencyMillis: new(int64(61_250)), RecordedOffset: new(int64(1050)),
			},
		},
		{
			Name: "StatementIssued", Dossier: "the participant's", Senders: onlyHub, Recipients: []Role{RoleAddressee},
			NameFR: "Relevé émis", NameEN: "Statement issued",
			French:  "Le compte signé de ce qu'un participant a déposé et reçu.",
			English: "The signed account of what a participant handed in and was given.",
			New:     func() any { return new(StatementIssued) },
			Example: &StatementIssued{
				Participant: "cnaf", Number: 3127, SpanStart: exampleTime(14, 9, 0), SpanEnd: exampleTime(14, 10, 0),
				Predecessor: new("d7c3b5ea-2a0e-8f5c-9d61-0c5a8e7f4b12"), PredecessorHash: exampleDigest(), Complete: true,
				Ranges: []StatementRange{{
					Book: BookTo, Topic: "relais.to.cnaf", Partition: 1, First: 9870, Next: 9873, Highest: 118_203, Events: 2,
					Digest: exampleDigest(), Entries: []byte("\x00\x01\x5a\x5a\x5a\x5a\x5a\x5a\x5a\x5a\x01\x07\x5a\x5a\x5a\x5a\x5a\x5a\x5a\x5a"),
				}},
				Positions: []StatementPosition{
					{Book: BookFrom, Topic: "relais.from.cnaf", Next: []int64{1041, 998, 1007}, Highest: []int64{-1, -1, -1}},
					{Book: BookTo, Topic: "relais.to.cnaf", Next: []int64{9544, 9873}, Highest: []int64{120_774, 118_211}},
				},
				KeyID: "3f9a51c07be2d684", Signature: bytes.Repeat([]byte{0xa5}, 64),
			},
		},
		{
			Name: "ProbeSent", Dossier: ownDossier, Senders: onlyHub, Recipients: []Role{RoleHub},
			NameFR: "Sonde", NameEN: "Probe sent",
			French:  "Parcourt toute la route à intervalle de quelques secondes, pour la seule mesure.",
			English: "Travels the whole road every few seconds, for the metric alone.",
			New:     func() any { return new(ProbeSent) },
			Example: &ProbeSent{Sent: exampleTime(14, 9, 30)},
		},
	}
	return ofKind(KindHub, entries)
}
