package directory

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Kinds of credential.
const (
	CredentialAPIKey      = "api_key"      // a secret of the hub's making, by HTTP
	CredentialOAuth       = "oauth_client" //nolint:gosec // the kind: a client of somebody else's OIDC issuer, by HTTP
	CredentialSCRAM       = "scram"        // a password, at Kafka
	CredentialCertificate = "certificate"  // a certificate whose common name is the participant, at Kafka
)

// Credential says that a participant may prove in one way who it is. No secret
// stands in it: of an API key there is a hash, what a password is checked with is
// in Kafka alone, and of the others the secret never comes to the hub.
type Credential struct {
	ID          string `json:"id"`
	Participant string `json:"participant"`
	Kind        string `json:"kind"`
	// Created is when it was made, Expires when it ends; zero for never.
	Created time.Time `json:"created,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
	// SHA256 is the hash of an API key, in hex. A key is 256 random bits, which
	// nobody finds by trying, so that a plain hash is enough.
	SHA256 string `json:"sha256,omitempty"`
	// Issuer and Client are those of an OAuth client, as its tokens tell them.
	Issuer string `json:"issuer,omitempty"`
	Client string `json:"client,omitempty"`
	// By is who made it.
	By string `json:"by,omitempty"`
}

// Expired says whether the credential has ended. Who looks one up asks.
func (c Credential) Expired(now time.Time) bool {
	return !c.Expires.IsZero() && !now.Before(c.Expires)
}

// path is what follows the prefix in the record's key.
func (c Credential) path() string { return c.Participant + "/" + c.ID }

// oauthClient is what tells one OAuth client from all others.
type oauthClient struct{ issuer, client string }

// credentialIndex finds credentials by what a caller shows.
type credentialIndex struct {
	byHash   map[string]Credential
	byClient map[oauthClient]Credential
	of       map[string][]Credential
}

func (s *Snapshot) indexCredentials() credentialIndex {
	x := credentialIndex{byHash: map[string]Credential{}, byClient: map[oauthClient]Credential{}, of: map[string][]Credential{}}
	// In the order of the keys, so that every process finds the same of two that
	// say the same.
	for _, key := range slices.Sorted(maps.Keys(s.credentials)) {
		c := *s.credentials[key]
		x.of[c.Participant] = append(x.of[c.Participant], c)
		switch {
		case c.Kind == CredentialAPIKey && c.SHA256 != "":
			x.byHash[strings.ToLower(c.SHA256)] = c
		case c.Kind == CredentialOAuth && c.Issuer != "" && c.Client != "":
			x.byClient[oauthClient{c.Issuer, c.Client}] = c
		}
	}
	return x
}

// CredentialByHash is the API key of which this is the hash, in lower hex; an
// expired one too.
func (s *Snapshot) CredentialByHash(sha256hex string) (Credential, bool) {
	c, ok := s.byCredential().byHash[sha256hex]
	return c, ok
}

// CredentialByClient is the credential of an issuer's client; an expired one too.
func (s *Snapshot) CredentialByClient(issuer, client string) (Credential, bool) {
	c, ok := s.byCredential().byClient[oauthClient{issuer, client}]
	return c, ok
}

// Credentials are those of a participant, expired ones included, by id.
func (s *Snapshot) Credentials(participant string) []Credential {
	return slices.Clone(s.byCredential().of[participant])
}

// AllCredentials are those of all participants, by participant and id.
func (s *Snapshot) AllCredentials() []Credential {
	all := make([]Credential, 0, len(s.credentials))
	for _, key := range slices.Sorted(maps.Keys(s.credentials)) {
		all = append(all, *s.credentials[key])
	}
	return all
}
