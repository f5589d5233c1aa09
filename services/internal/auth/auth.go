// Package auth tells who calls and what they may do. Every door asks it, and
// nowhere else is it decided.
//
// A participant is one principal, whatever it shows: an API key, a token of an
// issuer that the hub trusts (OAuth2 client credentials), or on Kafka its user or
// certificate, which the broker knows it by. What it may do at the HTTP doors
// stands in one table, Rights; what it may do on Kafka the directory gives it as
// ACLs. A suspension reaches every door through the directory, and Live ends what
// was open before.
//
// Without --secure, on loopback, every participant of the directory has a
// well-known token, `dev-<participant>`; with it those tokens do not exist.
package auth

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

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
	// ID is the participant's id, or Admin.
	ID string
	// Role is the participant's role by the directory.
	Role schemas.Role
	// Credential is the id of what it showed, "" for a well-known token and for the
	// first key of the admin.
	Credential string
	// Expires is when what it showed ends; zero for never.
	Expires time.Time

	// shown is the credential as it stood when the principal came in.
	shown       directory.Credential
	participant directory.Participant
}

// Of is the principal that a participant is at a door that knows it otherwise
// than by a token: by its topic.
func Of(p directory.Participant) Principal {
	return Principal{ID: p.ID, Role: p.Role, participant: p}
}

// IsAdmin says whether the admin doors are open to the principal.
func (p Principal) IsAdmin() bool { return p.Role == schemas.RoleAdmin }

// MaySpeakFor says whether the principal may hand in as the participant: as
// itself, or a feeder for an office.
func (p Principal) MaySpeakFor(participant string, role schemas.Role) bool {
	if p.IsAdmin() || p.ID == "" {
		return false
	}
	return p.ID == participant || role == schemas.RoleOffice && p.participant.MayFeed(participant)
}

// Errors of Authenticate and Admit. None says which participants exist.
var (
	ErrNoToken  = errors.New("no API key or token: send `Authorization: Bearer <token>`")
	ErrBadToken = errors.New("the API key or token is not known here, or no longer: ask the people who run the hub for another")
	// ErrExpired is a token that was good once; a client fetches another.
	ErrExpired = errors.New("the token has expired: fetch another from its issuer")
	// ErrTooMany is told instead of ErrBadToken to an address that keeps trying.
	ErrTooMany = errors.New("too many sign-ins have failed from this address: use a good API key or token")
	// ErrForbidden is a principal at a door that is not its own.
	ErrForbidden = errors.New("this door is not open to a participant of your kind")
	// ErrNotYet is told while it cannot be known who calls.
	ErrNotYet = errors.New("the directory is still being read, or the token's issuer does not answer: try again in a moment")
	// ErrRevoked is the cause with which Live ends.
	ErrRevoked = errors.New("the participant is suspended, or what it signed in with has ended")
)

// Config is what an Auth is made from.
type Config struct {
	// Development accepts the well-known tokens.
	Development bool
	// Directory knows the participants and their credentials.
	Directory *directory.View
	// AdminKeyHash is the SHA-256, in hexadecimal, of a first key for the admin.
	AdminKeyHash string
	// HubKeyHash is that of the key of the hub's services in other processes, which are
	// the hub here: what it may do at the registry, and nothing else.
	HubKeyHash string
	// Issuers vouch for callers, with tokens for Audience.
	Issuers  []string
	Audience string
	// Client asks the issuers; a client with a time limit of its own by default.
	Client *http.Client
	// Log and Metrics may be nil.
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Auth knows the principals. It is safe for concurrent use.
type Auth struct {
	cfg     Config
	own     string // hash of OwnKey
	issuers map[string]*issuer
	logins  *logins
}

// New makes an Auth. It asks no issuer yet.
func New(cfg Config) *Auth {
	if cfg.Client == nil {
		cfg.Client = &http.Client{Timeout: 5 * time.Second}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.AdminKeyHash, cfg.HubKeyHash = strings.ToLower(cfg.AdminKeyHash), strings.ToLower(cfg.HubKeyHash)
	a := &Auth{cfg: cfg, issuers: map[string]*issuer{}, logins: newLogins(cfg.Log, cfg.Metrics)}
	for _, url := range cfg.Issuers {
		a.issuers[url] = newIssuer(url, cfg.Audience, cfg.Client)
	}
	return a
}

// OwnKey makes a key with which this process calls itself, as the hub: to read
// schemas at its own registry.
func (a *Auth) OwnKey() string {
	key := NewKey()
	a.own = HashKey(key)
	return key
}

// Authenticate tells who sent the request, at a door that is not the registry's.
func (a *Auth) Authenticate(r *http.Request) (Principal, error) { return a.authenticate(r, doorHTTP) }

func (a *Auth) authenticate(r *http.Request, door string) (Principal, error) {
	if known, ok := r.Context().Value(principalKey{}).(Principal); ok {
		return known, nil
	}
	p, err := a.identify(r)
	return p, a.logins.count(door, r.RemoteAddr, err)
}

// maxToken bounds a token, in bytes: those of large issuers have some 4 kB.
const maxToken = 16 << 10

func (a *Auth) identify(r *http.Request) (Principal, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch {
	case token == "":
		return Principal{}, ErrNoToken
	case len(token) > maxToken, len(r.Header.Values("Authorization")) > 1:
		return Principal{}, ErrBadToken
	case strings.EqualFold(scheme, "Bearer"):
		return a.bearer(r, token)
	case strings.EqualFold(scheme, "Basic"):
		return a.basic(token)
	}
	return Principal{}, ErrNoToken
}

func (a *Auth) bearer(r *http.Request, token string) (Principal, error) {
	switch {
	case strings.HasPrefix(token, keyPrefix):
		return a.byKey(token)
	case strings.Count(token, ".") == 2:
		return a.byToken(r.Context(), token)
	}
	id, ok := strings.CutPrefix(token, devToken)
	if !ok || !a.cfg.Development || id == schemas.HubParticipant || id == schemas.OfficesParticipant {
		return Principal{}, ErrBadToken
	}
	if id == Admin {
		return Principal{ID: Admin, Role: schemas.RoleAdmin}, nil
	}
	return a.active(id)
}

// basic is how clients sign in that can do nothing else, those of the schema
// registry first of all: the participant's id, and an API key of its own.
func (a *Auth) basic(encoded string) (Principal, error) {
	pair, err := base64.StdEncoding.DecodeString(encoded)
	user, key, ok := strings.Cut(string(pair), ":")
	if err != nil || !ok {
		return Principal{}, ErrBadToken
	}
	p, err := a.byKey(key)
	if err == nil && p.ID != user {
		return Principal{}, ErrBadToken
	}
	return p, err
}

func (a *Auth) byKey(key string) (Principal, error) {
	hash := HashKey(key)
	switch {
	case same(hash, a.cfg.AdminKeyHash):
		return Principal{ID: Admin, Role: schemas.RoleAdmin}, nil
	case same(hash, a.own), same(hash, a.cfg.HubKeyHash):
		return Principal{ID: schemas.HubParticipant, Role: schemas.RoleHub}, nil
	}
	if !a.cfg.Directory.IsReady() {
		return Principal{}, ErrNotYet
	}
	c, ok := a.cfg.Directory.CredentialByHash(hash)
	if !ok || c.Kind != directory.CredentialAPIKey {
		return Principal{}, ErrBadToken
	}
	return a.owner(c)
}

// same compares with a hash that may not be there, in a time that tells nothing.
func same(hash, want string) bool {
	return want != "" && subtle.ConstantTimeCompare([]byte(hash), []byte(want)) == 1
}

// owner is whose the credential is, while it is good.
func (a *Auth) owner(c directory.Credential) (Principal, error) {
	if !c.Expires.IsZero() && !time.Now().Before(c.Expires) {
		return Principal{}, ErrBadToken
	}
	p, err := a.active(c.Participant)
	p.Credential, p.Expires, p.shown = c.ID, c.Expires, c
	return p, err
}

func (a *Auth) active(id string) (Principal, error) {
	if !a.cfg.Directory.IsReady() {
		return Principal{}, ErrNotYet // an absence means nothing yet
	}
	p, ok := a.cfg.Directory.Participant(id)
	if !ok || !p.Active() {
		return Principal{}, ErrBadToken
	}
	return Of(p), nil
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
