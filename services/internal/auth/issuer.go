package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/relais-fr/relais/services/internal/directory"
)

// issuer is somebody who vouches for callers by OpenID Connect: its keys are those
// that it publishes, fetched anew when a token names one that is not known.
type issuer struct {
	url, audience string
	fetches       *fetches

	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier
	tried    time.Time
	told     time.Time
	finding  chan struct{} // closed when whoever asks it now has done; nil when nobody does
	failed   error         // of the last time that it was asked
}

// fetchEvery is the least time between two fetches of an issuer's keys: a token with
// a made-up key, or a bad signature, has them fetched, and anybody can send such. A
// new key of the issuer's is known so much later at the worst.
const fetchEvery = 5 * time.Second

// algorithms are what a token may be signed with: keys of two halves only, so that
// nobody can sign with what is public.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA}

func newIssuer(url, audience string, client *http.Client) *issuer {
	return &issuer{url: url, audience: audience, fetches: &fetches{client: client}}
}

// errAway is an issuer that does not answer, or not with what it should.
var errAway = errors.New("the issuer does not answer")

// verify checks a token and gives what it says. The error is ErrExpired,
// ErrBadToken, or errAway when that cannot be known now.
func (i *issuer) verify(ctx context.Context, token string) (*oidc.IDToken, error) {
	verifier, err := i.ready(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errAway, err)
	}
	var fault error
	verified, err := verifier.Verify(context.WithValue(ctx, faultKey{}, &fault), token)
	var expired *oidc.TokenExpiredError
	switch {
	case err == nil:
		return verified, nil
	case errors.As(err, &expired):
		return nil, ErrExpired
	case fault != nil:
		return nil, fmt.Errorf("%w: %w", errAway, fault)
	}
	return nil, ErrBadToken
}

// mayTell bounds the lines of the log: anybody can send tokens that name the issuer.
func (i *issuer) mayTell() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if now := time.Now(); now.Sub(i.told) >= fetchEvery {
		i.told = now
		return true
	}
	return false
}

// ready asks the issuer where its keys are, until it has told. One asks for all; who
// comes meanwhile waits for that, and no longer than it wants to: nothing is locked.
func (i *issuer) ready(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	i.mu.Lock()
	if i.verifier == nil && i.finding == nil {
		if !i.tried.IsZero() && time.Since(i.tried) < fetchEvery {
			defer i.mu.Unlock()
			return nil, fmt.Errorf("it did not a moment ago: %w", i.failed)
		}
		i.tried, i.finding = time.Now(), make(chan struct{})
		// Not by the caller's context: one who hangs up would keep all others waiting.
		go i.find(context.WithoutCancel(ctx))
	}
	verifier, found := i.verifier, i.finding
	i.mu.Unlock()
	if verifier != nil {
		return verifier, nil
	}
	select {
	case <-found:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.verifier, i.failed
}

// find asks the issuer once. It ends when the client's patience does.
func (i *issuer) find(ctx context.Context) {
	verifier, err := i.ask(ctx)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.verifier, i.failed = verifier, err
	close(i.finding)
	i.finding = nil
}

func (i *issuer) ask(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, i.fetches.client), i.url)
	if err != nil {
		return nil, err
	}
	var told struct {
		Keys string `json:"jwks_uri"`
	}
	if err := provider.Claims(&told); err != nil {
		return nil, err
	}
	if err := keysMayBeAt(i.url, told.Keys); err != nil {
		return nil, err
	}
	limited := &http.Client{Transport: i.fetches, Timeout: i.fetches.client.Timeout, CheckRedirect: func(to *http.Request, _ []*http.Request) error {
		return keysMayBeAt(i.url, to.URL.String())
	}}
	keys := &keys{oidc.NewRemoteKeySet(oidc.ClientContext(ctx, limited), told.Keys)}
	return oidc.NewVerifier(i.url, keys, &oidc.Config{ClientID: i.audience, SupportedSigningAlgs: algorithms}), nil
}

// keysMayBeAt says what is wrong with where an issuer has its keys: one that is itself
// reached by https must have them behind https too, or who sits on the way puts keys of
// his own there, and signs with them.
func keysMayBeAt(issuer, keys string) error {
	at, err := url.Parse(keys)
	switch {
	case err != nil || at.Host == "":
		return fmt.Errorf("its jwks_uri %.200q is no address", keys)
	case at.Scheme == "https", at.Scheme == "http" && strings.HasPrefix(issuer, "http://"):
		return nil
	}
	return fmt.Errorf("its jwks_uri %.200q is not behind https, and the issuer is: its keys could be anybody's", keys)
}

// faultKey is where keys leave why they could not be fetched: the library's verifier
// keeps the words of an error only.
type faultKey struct{}

type keys struct{ *oidc.RemoteKeySet }

func (k *keys) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := k.RemoteKeySet.VerifySignature(ctx, token)
	if fetch, ok := errors.AsType[*fetchError](err); ok {
		if fault, ok := ctx.Value(faultKey{}).(*error); ok {
			*fault = fetch
		}
	}
	return payload, err
}

// fetches bounds how often an issuer's keys are fetched.
type fetches struct {
	client *http.Client

	mu     sync.Mutex
	last   time.Time
	failed error // of the last fetch
}

// errJustFetched is no fault of the issuer: a token that does not fit the keys of a
// moment ago is bad.
var errJustFetched = errors.New("the keys were fetched a moment ago")

// fetchError is a fetch that failed.
type fetchError struct{ err error }

func (e *fetchError) Error() string { return e.err.Error() }
func (e *fetchError) Unwrap() error { return e.err }

// RoundTrip implements http.RoundTripper.
func (f *fetches) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	soon := !f.last.IsZero() && time.Since(f.last) < fetchEvery
	failed := f.failed
	if !soon {
		f.last, f.failed = time.Now(), nil
	}
	f.mu.Unlock()
	if soon && failed != nil {
		return nil, &fetchError{failed} // whether the token is good is not known
	}
	if soon {
		return nil, errJustFetched
	}
	transport := f.client.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	res, err := transport.RoundTrip(r)
	if err == nil && res.StatusCode != http.StatusOK {
		_ = res.Body.Close()
		err = fmt.Errorf("its keys are answered with %s", res.Status)
	}
	if err != nil {
		f.mu.Lock()
		f.failed = err
		f.mu.Unlock()
		return nil, &fetchError{err}
	}
	return res, nil
}

// byToken is the participant whose client the token was issued to.
func (a *Auth) byToken(ctx context.Context, token string) (Principal, error) {
	from := a.issuers[claimedIssuer(token)]
	if from == nil {
		return Principal{}, ErrBadToken
	}
	verified, err := from.verify(ctx, token)
	if errors.Is(err, errAway) {
		if from.mayTell() {
			a.cfg.Log.WarnContext(ctx, "issuer of tokens is away", "issuer", from.url, "error", err)
		}
		return Principal{}, ErrNotYet
	}
	if err != nil {
		return Principal{}, err
	}
	client, err := clientOf(verified)
	if err != nil {
		return Principal{}, ErrBadToken
	}
	if !a.cfg.Directory.IsReady() {
		return Principal{}, ErrNotYet
	}
	c, ok := a.cfg.Directory.CredentialByClient(from.url, client)
	if !ok || c.Kind != directory.CredentialOAuth {
		return Principal{}, ErrBadToken
	}
	p, err := a.owner(c)
	if p.Expires.IsZero() || verified.Expiry.Before(p.Expires) {
		p.Expires = verified.Expiry
	}
	return p, err
}

// claimedIssuer is what a token says of who made it: whose keys to check it with, no
// more.
func claimedIssuer(token string) string {
	_, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	body, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return ""
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(body, &claims) != nil {
		return ""
	}
	return claims.Issuer
}

// clientOf is the client that a token was issued to: client_id (RFC 9068, section
// 2.2), azp (OpenID Connect Core, section 2), or what issuers call it by themselves:
// appid (Entra ID), cid (Okta). A sub alone names no client: RFC 9068, section 5, warns
// that it may be a person's who is called as a client is.
//
// The token must be the client's own, as client credentials give it. RFC 9068 has sub
// name the client then; issuers that name an account of the client's there are told by
// what they say of people only: when one signed in, its session, what it allowed. An
// issuer that says none of that of people cannot be told; its token was given to the
// participant's own client all the same.
func clientOf(t *oidc.IDToken) (string, error) {
	var claims struct {
		ClientID string `json:"client_id"`
		Party    string `json:"azp"`
		App      string `json:"appid"`
		Client   string `json:"cid"`

		Grant     string          `json:"gty"` // Auth0
		SignedIn  json.RawMessage `json:"auth_time"`
		Nonce     json.RawMessage `json:"nonce"`
		Session   json.RawMessage `json:"sid"`
		Hash      json.RawMessage `json:"at_hash"`
		Delegated json.RawMessage `json:"scp"` // Entra ID
	}
	if err := t.Claims(&claims); err != nil {
		return "", err
	}
	client := ""
	for _, name := range []string{claims.ClientID, claims.Party, claims.App, claims.Client} {
		switch {
		case name == "" || name == client:
		case client != "":
			return "", errors.New("the token names two clients")
		default:
			client = name
		}
	}
	switch {
	case client == "":
		return "", errors.New("the token names no client")
	case t.Subject == client:
		return client, nil
	case claims.SignedIn != nil, claims.Nonce != nil, claims.Session != nil, claims.Hash != nil, claims.Delegated != nil,
		claims.Grant != "" && claims.Grant != "client-credentials":
		return "", errors.New("a person has signed in with the client: the token is not the client's own")
	}
	return client, nil
}
