// Package problem writes errors as problem documents (RFC 9457) with a stable
// code, and holds the one table that maps codes to HTTP statuses.
package problem

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/auth"
)

// ContentType is the media type of a problem document.
const ContentType = "application/problem+json"

// Codes of the HTTP doors that are no reasons of refusal of an event.
const (
	CodeNotSignedIn   schemas.Reason = "not_signed_in"
	CodeTokenExpired  schemas.Reason = "token_expired"
	CodeForbidden     schemas.Reason = "forbidden"
	CodeNotFound      schemas.Reason = "not_found"
	CodeConflict      schemas.Reason = "conflict"
	CodeGone          schemas.Reason = "gone"
	CodeUnsupported   schemas.Reason = "unsupported_media_type"
	CodeUnprocessable schemas.Reason = "unprocessable"
	CodeInternal      schemas.Reason = "internal_error"
)

// Codes of the doors that let participants in.
const (
	CodeBadID             schemas.Reason = "bad_participant_id"
	CodeReservedID        schemas.Reason = "reserved_participant_id"
	CodeParticipantExists schemas.Reason = "participant_exists"
	CodeParticipantClosed schemas.Reason = "participant_closed"
	CodeUnknownRole       schemas.Reason = "unknown_role"
	CodeUnknownCredential schemas.Reason = "unknown_credential"
	CodeCredentialTaken   schemas.Reason = "credential_taken" //nolint:gosec // the code
	CodeNotSecured        schemas.Reason = "not_secured"
)

// statuses is the one mapping of codes to HTTP statuses.
var statuses = map[schemas.Reason]int{
	schemas.ReasonUnknownSchema:           http.StatusUnprocessableEntity,
	schemas.ReasonMalformed:               http.StatusBadRequest,
	schemas.ReasonTooLarge:                http.StatusRequestEntityTooLarge,
	schemas.ReasonNotYourParticipant:      http.StatusForbidden,
	schemas.ReasonUnknownParticipant:      http.StatusUnprocessableEntity,
	schemas.ReasonUnknownService:          http.StatusUnprocessableEntity,
	schemas.ReasonTransitionNotAllowed:    http.StatusConflict,
	schemas.ReasonNotAParty:               http.StatusForbidden,
	schemas.ReasonDuplicateIDOtherContent: http.StatusConflict,
	schemas.ReasonMandateNotValid:         http.StatusForbidden,
	schemas.ReasonPersonalDataInClear:     http.StatusUnprocessableEntity,
	schemas.ReasonAgreementMissing:        http.StatusForbidden,
	schemas.ReasonNotYetDue:               http.StatusConflict,
	schemas.ReasonHubError:                http.StatusInternalServerError,
	schemas.ReasonRateExceeded:            http.StatusTooManyRequests,
	schemas.ReasonNotReady:                http.StatusServiceUnavailable,
	CodeNotSignedIn:                       http.StatusUnauthorized,
	CodeTokenExpired:                      http.StatusUnauthorized,
	CodeForbidden:                         http.StatusForbidden,
	CodeNotFound:                          http.StatusNotFound,
	CodeConflict:                          http.StatusConflict,
	CodeGone:                              http.StatusGone,
	CodeUnsupported:                       http.StatusUnsupportedMediaType,
	CodeUnprocessable:                     http.StatusUnprocessableEntity,
	CodeInternal:                          http.StatusInternalServerError,
	CodeBadID:                             http.StatusBadRequest,
	CodeReservedID:                        http.StatusUnprocessableEntity,
	CodeParticipantExists:                 http.StatusConflict,
	CodeParticipantClosed:                 http.StatusConflict,
	CodeUnknownRole:                       http.StatusUnprocessableEntity,
	CodeUnknownCredential:                 http.StatusUnprocessableEntity,
	CodeCredentialTaken:                   http.StatusConflict,
	CodeNotSecured:                        http.StatusConflict,
}

// Status is the HTTP status of a code; 500 for a code that is not in the table.
func Status(code schemas.Reason) int {
	if s, ok := statuses[code]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// Document is a problem document. Code is stable; the sentences are for people.
type Document struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"`
	// Detail names what is at fault in this request.
	Detail string `json:"detail,omitempty"`
	// Remedy says what to do.
	Remedy string `json:"remedy,omitempty"`
	// TitleFR and RemedyFR are the same for French readers.
	TitleFR  string `json:"title_fr,omitempty"`
	RemedyFR string `json:"remedy_fr,omitempty"`
	// Cursor is where a mailbox can be read on, when what came after the cursor of the
	// request is gone.
	Cursor string `json:"cursor,omitempty"`
}

// own are the sentences of codes that are not in the published table.
var own = map[schemas.Reason]schemas.Code{
	CodeNotSignedIn: {
		English: "You are not signed in.", French: "Vous n'êtes pas identifié.",
		RemedyEN: "Send `Authorization: Bearer <token>` with your participant's API key or token.", RemedyFR: "Envoyez `Authorization: Bearer <jeton>` avec la clé ou le jeton de votre participant.",
	},
	CodeTokenExpired: {
		English: "Your token has expired.", French: "Votre jeton a expiré.",
		RemedyEN: "Fetch another token from its issuer and send the request again.", RemedyFR: "Demandez un nouveau jeton à son émetteur et renvoyez la demande.",
	},
	CodeForbidden: {
		English: "You may not do this.", French: "Vous n'avez pas le droit de faire cela.",
		RemedyEN: "Use a token that has this right.", RemedyFR: "Utilisez un jeton qui a ce droit.",
	},
	CodeNotFound: {
		English: "There is nothing here.", French: "Il n'y a rien ici.",
		RemedyEN: "Check the address.", RemedyFR: "Vérifiez l'adresse.",
	},
	CodeConflict: {
		English: "Something has changed in between.", French: "Quelque chose a changé entre-temps.",
		RemedyEN: "Read it again and repeat.", RemedyFR: "Relisez et recommencez.",
	},
	CodeGone: {
		English: "What you ask for is no longer kept.", French: "Ce que vous demandez n'est plus conservé.",
		RemedyEN: "Go on with the problem's cursor, and drop what you have by place; have the hub's team see what you missed.",
		RemedyFR: "Continuez avec le curseur du problème, en écartant par la place ce que vous avez ; demandez à l'équipe du hub ce qui vous manque.",
	},
	CodeUnsupported: {
		English: "This content type is not understood.", French: "Ce type de contenu n'est pas compris.",
		RemedyEN: "Use one that the detail lists.", RemedyFR: "Utilisez un type cité dans le détail.",
	},
	CodeUnprocessable: {
		English: "The request is well formed but cannot be carried out.", French: "La demande est bien formée mais ne peut être exécutée.",
		RemedyEN: "Mend what the detail names.", RemedyFR: "Corrigez ce que cite le détail.",
	},
	CodeBadID: {
		English: "This cannot be a participant's id.", French: "Ceci ne peut pas être l'identifiant d'un participant.",
		RemedyEN: "Use 1 to 64 lower-case letters, digits, `-` and `_`, a letter or digit first.", RemedyFR: "Utilisez de 1 à 64 lettres minuscules, chiffres, `-` et `_`, en commençant par une lettre ou un chiffre.",
	},
	CodeReservedID: {
		English: "This id is kept for something else.", French: "Cet identifiant est réservé à un autre usage.",
		RemedyEN: "Choose another.", RemedyFR: "Choisissez-en un autre.",
	},
	CodeParticipantExists: {
		English: "The participant is there already.", French: "Le participant existe déjà.",
		RemedyEN: "Rotate gives it new credentials; what was told once is not told again.", RemedyFR: "La rotation lui donne de nouveaux secrets ; ceux qui ont été communiqués une fois ne le sont plus.",
	},
	CodeParticipantClosed: {
		English: "The participant has been closed.", French: "Le participant a été fermé.",
		RemedyEN: "An id is never used again, because past events point to it: add another participant.", RemedyFR: "Un identifiant n'est jamais réutilisé, car des événements passés y renvoient : ajoutez un autre participant.",
	},
	CodeUnknownRole: {
		English: "There is no such role.", French: "Ce rôle n'existe pas.",
		RemedyEN: "Use operator, partner or feeder.", RemedyFR: "Utilisez operator, partner ou feeder.",
	},
	CodeUnknownCredential: {
		English: "There is no such kind of credential.", French: "Ce moyen d'identification n'existe pas.",
		RemedyEN: "At Kafka: scram, mtls or none. By HTTP: api_key, oauth or none.", RemedyFR: "Pour Kafka : scram, mtls ou none. Pour HTTP : api_key, oauth ou none.",
	},
	CodeCredentialTaken: {
		English: "This client is another participant's already.", French: "Ce client est déjà celui d'un autre participant.",
		RemedyEN: "Register a client of its own at the issuer: a client is one participant.", RemedyFR: "Enregistrez un client distinct auprès de l'émetteur : un client est un seul participant.",
	},
	CodeNotSecured: {
		English: "This hub asks nobody who they are.", French: "Ce hub ne demande à personne de s'identifier.",
		RemedyEN: "Ask for none, or start the hub with --secure.", RemedyFR: "Demandez none, ou démarrez le hub avec --secure.",
	},
	CodeInternal: {
		English: "The hub has failed.", French: "Le hub a échoué.",
		RemedyEN: "Try again later; if it persists, tell the people who run the hub.", RemedyFR: "Réessayez plus tard ; si cela persiste, prévenez l'équipe du hub.",
	},
}

// New makes the document for a code, with the detail of this case.
func New(code schemas.Reason, detail string) Document {
	words, ok := own[code]
	if !ok {
		words = code.Code()
	}
	return Document{
		Type: "/problems/" + string(code), Title: words.English, Status: Status(code), Code: string(code),
		Detail: detail, Remedy: words.RemedyEN, TitleFR: words.French, RemedyFR: words.RemedyFR,
	}
}

// Documents are the documents of every code, by status and code.
func Documents() []Document {
	var all []Document
	for code := range statuses {
		all = append(all, New(code, ""))
	}
	slices.SortFunc(all, func(a, b Document) int {
		return cmp.Or(cmp.Compare(a.Status, b.Status), strings.Compare(a.Code, b.Code))
	})
	return all
}

// From makes the document for an error: a refusal keeps its reason, the errors of
// package auth have codes of their own, and anything else is internal and shows
// nothing.
func From(err error) Document {
	var refusal *schemas.Refusal
	switch {
	case errors.As(err, &refusal):
		return New(refusal.Reason, refusal.Detail)
	case errors.Is(err, auth.ErrNoToken), errors.Is(err, auth.ErrBadToken), errors.Is(err, auth.ErrRevoked):
		return New(CodeNotSignedIn, err.Error())
	case errors.Is(err, auth.ErrExpired):
		return New(CodeTokenExpired, err.Error())
	case errors.Is(err, auth.ErrTooMany):
		return New(schemas.ReasonRateExceeded, err.Error())
	case errors.Is(err, auth.ErrForbidden):
		return New(CodeForbidden, err.Error())
	case errors.Is(err, auth.ErrNotYet):
		return New(schemas.ReasonNotReady, err.Error())
	}
	return New(CodeInternal, "")
}

// Write answers with the document.
func Write(w http.ResponseWriter, d Document) {
	body, err := json.Marshal(d)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", ContentType)
	w.Header().Set("Cache-Control", "no-store")
	switch d.Status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="relais"`)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		// Who knows better has said so.
		if w.Header().Get("Retry-After") == "" {
			w.Header().Set("Retry-After", "1")
		}
	}
	w.WriteHeader(d.Status)
	_, _ = w.Write(append(body, '\n'))
}
