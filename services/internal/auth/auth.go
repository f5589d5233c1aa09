// Package auth tells who calls and what they may do. Every door asks it, so that
// what comes later (sign-in, SASL, OAuth2) is put here and nowhere else.
//
// For now a participant is known by a bearer token or, on Kafka, by its topic.
// On loopback every participant of the directory has a well-known token,
// `dev-<participant>`; elsewhere those tokens do not exist.
package auth

import (
	"errors"
	"net/http"
	"strings"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/directory"
)

// Principals that are no office and no operator.
const (
	// Admin may use the admin doors: directory, quarantine, cases.
	Admin = "admin"
	// Feeder may hand in for offices, as office software and the bulk import do.
	Feeder = "feeder"
)

const devToken = "dev-"

// Principal is who calls.
type Principal struct {
	// ID is the participant's id, Admin or Feeder.
	ID string
	// Role is the participant's role by the directory.
	Role schemas.Role

	participant directory.Participant
}

// Of is the principal that a participant is at a door that knows it otherwise
// than by a token: by its topic.
func Of(p directory.Participant) Principal {
	return Principal{ID: p.ID, Role: p.Role, participant: p}
}

// IsAdmin says whether the admin doors are open to the principal.
func (p Principal) IsAdmin() bool { return p.ID == Admin }

// MaySpeakFor says whether the principal may hand in as the participant: as
// itself, or a feeder for an office.
func (p Principal) MaySpeakFor(participant string, role schemas.Role) bool {
	if p.IsAdmin() || p.ID == "" {
		return false
	}
	return p.ID == participant || role == schemas.RoleOffice && p.participant.MayFeed(participant)
}

// Errors of Authenticate. Neither says which participants exist.
var (
	ErrNoToken  = errors.New("no bearer token: send `Authorization: Bearer <token>`")
	ErrBadToken = errors.New("the bearer token is not known here")
)

// Auth knows the principals. The zero value knows nobody.
type Auth struct {
	development bool
	lookup      func(participant string) (directory.Participant, bool)
}

// New makes an Auth that finds participants with lookup. The well-known tokens
// are accepted only where development is true, which is for loopback.
func New(development bool, lookup func(participant string) (directory.Participant, bool)) *Auth {
	return &Auth{development: development, lookup: lookup}
}

// Authenticate tells who sent the request.
func (a *Auth) Authenticate(r *http.Request) (Principal, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return Principal{}, ErrNoToken
	}
	id, ok := strings.CutPrefix(token, devToken)
	if !ok || !a.development || id == schemas.HubParticipant || id == schemas.OfficesParticipant {
		return Principal{}, ErrBadToken
	}
	if id == Admin {
		return Principal{ID: Admin, Role: schemas.RoleAdmin}, nil
	}
	p, ok := a.lookup(id)
	if !ok || p.Closed() {
		return Principal{}, ErrBadToken
	}
	return Principal{ID: id, Role: p.Role, participant: p}, nil
}

// FromTopic is the participant whose way in the topic is, "" if it is none:
// only that participant may write there.
func FromTopic(prefix, topic string) string {
	participant, ok := strings.CutPrefix(topic, prefix+".from.")
	if !ok {
		return ""
	}
	return participant
}
