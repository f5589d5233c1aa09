package auth

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/directory/directorytest"
)

// idp is an issuer as a real one is: discovery and keys by HTTP.
type idp struct {
	*httptest.Server
	key     atomic.Pointer[rsa.PrivateKey]
	kid     atomic.Pointer[string]
	broken  atomic.Bool
	fetched atomic.Int64
}

func newIDP(t *testing.T) *idp {
	i := &idp{}
	i.rotate(t, "k1")
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			i.fetched.Add(1)
			if i.broken.Load() {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			k := i.key.Load()
			_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{map[string]any{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": *i.kid.Load(), "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}}})
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"}})
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *idp) rotate(t *testing.T, kid string) {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i.key.Store(k)
	i.kid.Store(&kid)
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
func js(v any) string     { b, _ := json.Marshal(v); return b64(b) }

func (i *idp) sign(header, claims map[string]any) string {
	input := js(header) + "." + js(claims)
	sum := sha256.Sum256([]byte(input))
	sig, _ := rsa.SignPKCS1v15(rand.Reader, i.key.Load(), crypto.SHA256, sum[:])
	return input + "." + b64(sig)
}

func (i *idp) good() (header, claims map[string]any) {
	return map[string]any{"alg": "RS256", "kid": *i.kid.Load()},
		map[string]any{"iss": i.URL, "aud": "relais", "azp": "caf-client", "sub": "s", "exp": time.Now().Add(time.Hour).Unix()}
}

type counter struct{ n atomic.Int64 }

func (c *counter) Write(p []byte) (int, error) { c.n.Add(1); return len(p), nil }

func world(t testing.TB, issuer string, logTo io.Writer, kinds ...directory.Credential) (*Auth, *directory.View) {
	t.Helper()
	records := []directory.Record{directorytest.Record(directory.Participant{ID: "cnaf", Role: schemas.RoleOperator}), directorytest.Record(directory.Participant{ID: "dgfip", Role: schemas.RoleOperator})}
	for _, c := range kinds {
		records = append(records, directorytest.Record(c))
	}
	view, err := directory.NewViewOf(records...)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Directory: view, Log: slog.New(slog.NewTextHandler(logTo, nil))}
	if issuer != "" {
		cfg.Issuers, cfg.Audience = []string{issuer}, "relais"
	}
	return New(cfg), view
}

func show(a *Auth, value, address string) (Principal, error) {
	r := httptest.NewRequest("GET", "/v1/mailbox", nil)
	r.RemoteAddr = address
	if value != "" {
		r.Header.Set("Authorization", value)
	}
	return a.Authenticate(r)
}

func client(i *idp) directory.Credential {
	return directory.Credential{ID: "o", Participant: "cnaf", Kind: directory.CredentialOAuth, Issuer: i.URL, Client: "caf-client"}
}

func TestNoTokenIsTakenButAGoodOne(t *testing.T) {
	i := newIDP(t)
	a, _ := world(t, i.URL, io.Discard, client(i))
	h, c := i.good()
	if p, err := show(a, "Bearer "+i.sign(h, c), "192.0.2.1:1"); err != nil || p.ID != "cnaf" {
		t.Fatalf("the good token: %v %v", p, err)
	}
	der, _ := x509.MarshalPKIXPublicKey(&i.key.Load().PublicKey)
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	with := func(k string, v any) string { h, c := i.good(); c[k] = v; return i.sign(h, c) }
	without := func(k string) string { h, c := i.good(); delete(c, k); return i.sign(h, c) }
	parts := strings.Split(i.sign(h, c), ".")
	hs := func() string {
		in := js(map[string]any{"alg": "HS256", "kid": "k1"}) + "." + js(c)
		m := hmac.New(sha256.New, public)
		m.Write([]byte(in))
		return in + "." + b64(m.Sum(nil))
	}
	jwkHeader := func() string {
		k, _ := rsa.GenerateKey(rand.Reader, 2048)
		in := js(map[string]any{"alg": "RS256", "jwk": map[string]any{"kty": "RSA", "n": b64(k.N.Bytes()), "e": "AQAB"}}) + "." + js(c)
		sum := sha256.Sum256([]byte(in))
		s, _ := rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA256, sum[:])
		return in + "." + b64(s)
	}
	for name, token := range map[string]string{
		"alg none":                  js(map[string]any{"alg": "none"}) + "." + js(c) + ".",
		"alg None":                  js(map[string]any{"alg": "None"}) + "." + js(c) + ".",
		"HS256 with the public key": hs(),
		"a key in the header":       jwkHeader(),
		"no signature":              parts[0] + "." + parts[1] + ".",
		"another's payload":         parts[0] + "." + js(map[string]any{"iss": i.URL, "aud": "relais", "azp": "dgfip", "exp": time.Now().Add(time.Hour).Unix()}) + "." + parts[2],
		"another audience":          with("aud", "elsewhere"),
		"no audience":               without("aud"),
		"another issuer":            with("iss", "https://evil.example"),
		"issuer with a slash more":  with("iss", i.URL+"/"),
		"no issuer":                 without("iss"),
		"an unknown client":         with("azp", "nobody"),
		"a newline in the client":   with("azp", "caf-client\nlevel=ERROR"),
		"nbf in an hour":            with("nbf", time.Now().Add(time.Hour).Unix()),
		"no expiry":                 without("exp"),
		"expired":                   with("exp", time.Now().Add(-time.Minute).Unix()),
		"oversize":                  with("x", strings.Repeat("a", 20<<10)),
		"a dev token":               "dev-cnaf",
		"dots":                      "..",
	} {
		p, err := show(a, "Bearer "+token, "192.0.2.2:1")
		if err == nil {
			t.Errorf("%s was let in as %q", name, p.ID)
		}
	}
}

func TestAForgedTokenThatIsExpiredIsSlowedAsABadOne(t *testing.T) {
	i := newIDP(t)
	var lines counter
	a, _ := world(t, i.URL, &lines, client(i))
	token := js(map[string]any{"alg": "RS256", "kid": "k1"}) + "." + js(map[string]any{"iss": i.URL, "aud": "relais", "azp": "x", "exp": 1}) + ".AAAA"
	got := map[string]int{}
	for range 1000 {
		_, err := show(a, "Bearer "+token, "192.0.2.3:1")
		got[fmt.Sprint(err)]++
	}
	if _, ok := got[ErrTooMany.Error()]; !ok {
		t.Error("1000 forged, unsigned, expired tokens are never slowed, and told as expired")
	}
}

func TestAnIssuerThatIsAwayIsToldInFewLines(t *testing.T) {
	i := newIDP(t)
	_, c := i.good()
	token := js(map[string]any{"alg": "RS256", "kid": "k1"}) + "." + js(c) + ".AAAA"
	i.Close()
	var lines counter
	a, _ := world(t, i.URL, &lines, client(i))
	for range 10_000 {
		_, _ = show(a, "Bearer "+token, "192.0.2.3:1")
	}
	if n := lines.n.Load(); n > 100 {
		t.Errorf("%d log lines", n)
	}
}

func TestAGoodTokenIsNeverCalledBadWhileTheKeysAreAway(t *testing.T) {
	i := newIDP(t)
	a, _ := world(t, i.URL, io.Discard, client(i))
	i.broken.Store(true)
	h, c := i.good()
	good := i.sign(h, c)
	_, first := show(a, "Bearer "+good, "192.0.2.4:1")
	_, second := show(a, "Bearer "+good, "192.0.2.4:1")
	if !errors.Is(first, ErrNotYet) || !errors.Is(second, ErrNotYet) {
		t.Error("a good token while the issuer's keys are away is told that it is bad")
	}
}

func TestACallerWhoHangsUpKeepsNobodyWaiting(t *testing.T) {
	i := newIDP(t)
	a, _ := world(t, i.URL, io.Discard, client(i))
	h, c := i.good()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequest("GET", "/", nil).WithContext(ctx)
	r.Header.Set("Authorization", "Bearer "+js(map[string]any{"alg": "RS256"})+"."+js(map[string]any{"iss": i.URL})+".AA")
	_, _ = a.Authenticate(r)
	_, err := show(a, "Bearer "+i.sign(h, c), "192.0.2.5:1")
	if err != nil {
		t.Error("one caller who hangs up before discovery keeps all others out for 5 s, again and again")
	}
}

func TestATokenOfARotatedKeyIsTaken(t *testing.T) {
	i := newIDP(t)
	a, _ := world(t, i.URL, io.Discard, client(i))
	h, c := i.good()
	old := i.sign(h, c)
	if _, err := show(a, "Bearer "+old, "192.0.2.6:1"); err != nil {
		t.Fatal(err)
	}
	i.rotate(t, "k2")
	h, c = i.good()
	a.issuers[i.URL].fetches.last = time.Time{} // five seconds later
	if _, err := show(a, "Bearer "+i.sign(h, c), "192.0.2.6:1"); err != nil {
		t.Errorf("a token of the new key: %v", err)
	}
	// The library answers the caller who fetched a moment before it forgets the old keys.
	for limit := time.Now().Add(5 * time.Second); ; runtime.Gosched() {
		if _, err := show(a, "Bearer "+old, "192.0.2.6:1"); err != nil {
			break
		}
		if time.Now().After(limit) {
			t.Fatal("a token of a key that its issuer has taken back is let in")
		}
	}
}

func TestMadeUpKeysAreFetchedSeldom(t *testing.T) {
	i := newIDP(t)
	a, _ := world(t, i.URL, io.Discard, client(i))
	for n := range 300 {
		_, c := i.good()
		_, _ = show(a, "Bearer "+i.sign(map[string]any{"alg": "RS256", "kid": fmt.Sprint("x", n)}, c), "192.0.2.6:1")
	}
	if i.fetched.Load() > 2 {
		t.Error("too many fetches")
	}
}

func TestAStreamEndsWhenItsRotatedKeyDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := NewKey()
		c := directory.Credential{ID: "k", Participant: "cnaf", Kind: directory.CredentialAPIKey, SHA256: HashKey(key)}
		a, view := world(t, "", io.Discard, c)
		p, err := show(a, "Bearer "+key, "192.0.2.7:1")
		if err != nil {
			t.Fatal(err)
		}
		live, cancel := a.Live(t.Context(), p)
		defer cancel()
		c.Expires = time.Now().Add(time.Hour) // rotated: the old key is good for an hour more
		if err := view.Apply(directorytest.Record(c)); err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * time.Hour)
		synctest.Wait()
		if context.Cause(live) == nil {
			_, now := show(a, "Bearer "+key, "192.0.2.7:1")
			t.Errorf("an hour after the key ended its stream is still open; a new request is told: %v", now)
		}
	})
}

func TestAStreamEndsWhenItsKeyIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := NewKey()
		c := directory.Credential{ID: "k", Participant: "cnaf", Kind: directory.CredentialAPIKey, SHA256: HashKey(key)}
		a, view := world(t, "", io.Discard, c)
		p, _ := show(a, "Bearer "+key, "192.0.2.7:1")
		live, cancel := a.Live(t.Context(), p)
		defer cancel()
		c.SHA256 = HashKey(NewKey())
		_ = view.Apply(directorytest.Record(c))
		synctest.Wait()
		if context.Cause(live) == nil {
			t.Error("a record of the same id with another key: the old key's stream stays open")
		}
	})
}

func TestAStreamEndsWithASuspension(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, view := world(t, "", io.Discard)
		who, _ := view.Participant("cnaf")
		live, cancel := a.Live(t.Context(), Of(who))
		defer cancel()
		synctest.Wait()
		if err := context.Cause(live); err != nil {
			t.Errorf("it ended before: %v", err)
		}
		who.SuspendedSince = time.Now().Format(time.RFC3339)
		_ = view.Apply(directorytest.Record(who))
		synctest.Wait()
		if !errors.Is(context.Cause(live), ErrRevoked) {
			t.Error("not ended")
		}
	})
}

func TestTheHashOfTheAdminsKeyMayBeInUpperCase(t *testing.T) {
	view, _ := directory.NewViewOf()
	key := NewKey()
	a := New(Config{Directory: view, AdminKeyHash: strings.ToUpper(HashKey(key))})
	if _, err := show(a, "Bearer "+key, "192.0.2.8:1"); err != nil {
		t.Errorf("--admin-key-hash in upper case passes config's check, and opens nothing: %v", err)
	}
}

func TestAHundredThousandBadSignInsKeepNoGoodOneOut(t *testing.T) {
	for name, address := range map[string]func(n int) string{
		"one address":                     func(int) string { return "192.0.2.9:1" },
		"an address each of one IPv6 /64": func(n int) string { return fmt.Sprintf("[2001:db8::%x:%x]:1", n>>16, n&0xffff) },
		"a network each":                  func(n int) string { return fmt.Sprintf("[2001:db8:%x:%x::1]:1", n>>16, n&0xffff) },
	} {
		t.Run(name, func(t *testing.T) {
			key := NewKey()
			var lines counter
			a, _ := world(t, "", &lines, directory.Credential{ID: "k", Participant: "cnaf", Kind: directory.CredentialAPIKey, SHA256: HashKey(key)})
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			start, answers := time.Now(), map[error]int{}
			for n := range 100_000 {
				_, err := show(a, "Bearer rk_bad\nlevel=ERROR", address(n))
				answers[err]++
			}
			took := time.Since(start)
			runtime.GC()
			runtime.ReadMemStats(&after)
			good := time.Now()
			_, err := show(a, "Bearer "+key, address(0))
			kept := int64(after.HeapAlloc) - int64(before.HeapAlloc)
			t.Logf("100,000 in %v (%v each), %d lines, %d KiB kept, %d addresses, slowed %d; good key: %v in %v", took, took/100_000, lines.n.Load(), kept>>10, len(a.logins.failures), answers[ErrTooMany], err, time.Since(good))
			if err != nil {
				t.Error("the good key does not pass")
			}
			if n := lines.n.Load(); n > 1+int64(took/tellEvery) {
				t.Errorf("%d lines in %v", n, took)
			}
			if kept > 8<<20 || len(a.logins.failures) > maxAddresses {
				t.Errorf("%d bytes and %d addresses are kept", kept, len(a.logins.failures))
			}
			if name != "a network each" && answers[ErrTooMany] < 90_000 {
				t.Errorf("%d were slowed", answers[ErrTooMany])
			}
		})
	}
}

func TestSignInsAreCountedByDoor(t *testing.T) {
	view, _ := directory.NewViewOf()
	key, metrics := NewKey(), prometheus.NewRegistry()
	a := New(Config{Directory: view, AdminKeyHash: HashKey(key), Metrics: metrics})
	for _, c := range []struct{ pattern, token string }{
		{"GET /v1/participants", key}, {"GET /v1/participants", key}, {"GET /subjects", key}, {"GET /subjects", ""}, {"GET /healthz", ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if c.token != "" {
			r.Header.Set("Authorization", "Bearer "+c.token)
		}
		_, _ = a.Admit(r, c.pattern)
	}
	want := `
		# HELP relais_logins_total Requests at the hub's doors by HTTP and those of its schema registry (door: http, registry), by whether their sender was known: ok, none (no credential), bad, expired, slowed or not_yet.
		# TYPE relais_logins_total counter
		relais_logins_total{door="http",result="ok"} 2
		relais_logins_total{door="registry",result="none"} 1
		relais_logins_total{door="registry",result="ok"} 1
	`
	if err := testutil.GatherAndCompare(metrics, strings.NewReader(want), "relais_logins_total"); err != nil {
		t.Error(err)
	}
}

func TestTheServicesKeyIsTheHubAtTheRegistryAndNobodyElsewhere(t *testing.T) {
	view, _ := directory.NewViewOf()
	key := NewKey()
	a := New(Config{Directory: view, HubKeyHash: strings.ToUpper(HashKey(key))})
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("hub:"+key))
	for pattern, door := range Doors() {
		if door.Everyone {
			continue
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", basic)
		_, err := a.Admit(r, pattern)
		// The registry's doors are those that answer in their clients' words.
		if door.Own != (err == nil) {
			t.Errorf("%s: %v", pattern, err)
		}
	}
	if _, err := show(a, "Basic "+base64.StdEncoding.EncodeToString([]byte("admin:"+key)), "192.0.2.8:1"); err == nil {
		t.Error("it is good for another's name too")
	}
}

// TestATokenIsOfTheClientThatItWasIssuedTo tries what issuers' other flows give.
func TestATokenIsOfTheClientThatItWasIssuedTo(t *testing.T) {
	i := newIDP(t)
	a, _ := world(t, i.URL, io.Discard, client(i))
	for _, c := range []struct {
		name   string
		claims map[string]any
		in     bool
	}{
		{"client_id, and sub the same, as RFC 9068 has it", map[string]any{"client_id": "caf-client", "sub": "caf-client"}, true},
		{"azp, and the client's own account for sub, as Keycloak has it", map[string]any{"azp": "caf-client", "sub": "0b1c", "client_id": "caf-client"}, true},
		{"appid, as Entra ID has it", map[string]any{"appid": "caf-client", "sub": "0b1c"}, true},
		{"cid, as Okta has it", map[string]any{"cid": "caf-client", "sub": "caf-client", "scp": []string{"events"}}, true},
		{"a grant of the client's, as Auth0 has it", map[string]any{"azp": "caf-client", "sub": "caf-client@clients", "gty": "client-credentials"}, true},
		{"a person's grant, as Auth0 has it", map[string]any{"azp": "caf-client", "sub": "auth0|1", "gty": "password"}, false},
		{"what a person allowed, as Entra ID has it", map[string]any{"appid": "caf-client", "sub": "0b1c", "scp": "events"}, false},
		{"sub alone", map[string]any{"sub": "caf-client"}, false},
		{"a person called as the client is, who signed in elsewhere", map[string]any{"sub": "caf-client", "azp": "portal"}, false},
		{"a person who signed in with the client", map[string]any{"sub": "anne", "azp": "caf-client", "auth_time": 1}, false},
		{"a person's session of the client", map[string]any{"sub": "anne", "azp": "caf-client", "sid": "x"}, false},
		{"an id token of the client's", map[string]any{"sub": "anne", "azp": "caf-client", "nonce": "x"}, false},
		{"two clients", map[string]any{"client_id": "caf-client", "azp": "portal", "sub": "caf-client"}, false},
		{"no one", nil, false},
		{"a client that is no text", map[string]any{"client_id": []string{"caf-client"}, "sub": "caf-client"}, false},
	} {
		h, claims := i.good()
		delete(claims, "azp")
		delete(claims, "sub")
		maps.Copy(claims, c.claims)
		p, err := show(a, "Bearer "+i.sign(h, claims), "192.0.2.10:1")
		if c.in != (err == nil) || c.in && p.ID != "cnaf" {
			t.Errorf("%s: let in as %q, %v", c.name, p.ID, err)
		}
	}
}

func TestKeysOfAnHTTPSIssuerAreBehindHTTPS(t *testing.T) {
	for _, c := range []struct {
		issuer, keys string
		may          bool
	}{
		{"https://i.example", "https://keys.example/jwks", true},
		{"http://127.0.0.1:8090", "http://127.0.0.1:8090/jwks", true},
		{"http://127.0.0.1:8090", "https://keys.example/jwks", true},
		{"https://i.example", "http://i.example/jwks", false},
		{"https://i.example", "http://127.0.0.1/jwks", false},
		{"https://i.example", "file:///etc/passwd", false},
		{"https://i.example", "", false},
	} {
		if err := keysMayBeAt(c.issuer, c.keys); c.may != (err == nil) {
			t.Errorf("%s with keys at %q: %v", c.issuer, c.keys, err)
		}
	}
}

func TestAnIssuerWhoseKeysAnybodyCouldPutThereIsToldAndNotBelieved(t *testing.T) {
	i := newIDP(t)
	issuer := httptest.NewTLSServer(nil)
	t.Cleanup(issuer.Close)
	issuer.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": issuer.URL, "jwks_uri": i.URL + "/keys"})
	})
	view, err := directory.NewViewOf(directorytest.Record(directory.Participant{ID: "cnaf", Role: schemas.RoleOperator}))
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	a := New(Config{Directory: view, Issuers: []string{issuer.URL}, Audience: "relais", Client: issuer.Client(), Log: slog.New(slog.NewTextHandler(&said, nil))})
	h, c := i.good()
	c["iss"] = issuer.URL
	if _, err := show(a, "Bearer "+i.sign(h, c), "192.0.2.11:1"); !errors.Is(err, ErrNotYet) {
		t.Errorf("got %v", err)
	}
	if i.fetched.Load() > 0 || !strings.Contains(said.String(), "not behind https") {
		t.Errorf("its keys were fetched %d times; the log says %s", i.fetched.Load(), said.String())
	}
}

func TestASlowIssuerHoldsUpNobodyElse(t *testing.T) {
	i := newIDP(t)
	asked, answer := make(chan struct{}, 1), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		select {
		case asked <- struct{}{}:
		default:
		}
		<-answer
	}))
	t.Cleanup(slow.Close)
	key := NewKey()
	view, err := directory.NewViewOf(directorytest.Record(directory.Participant{ID: "cnaf", Role: schemas.RoleOperator}), directorytest.Record(client(i)),
		directorytest.Record(directory.Credential{ID: "k", Participant: "cnaf", Kind: directory.CredentialAPIKey, SHA256: HashKey(key)}))
	if err != nil {
		t.Fatal(err)
	}
	a := New(Config{Directory: view, Issuers: []string{slow.URL, i.URL}, Audience: "relais", Client: &http.Client{}})
	h, c := i.good()
	good := i.sign(h, c)
	c["iss"] = slow.URL
	waiting := make(chan error, 1)
	go func() {
		_, err := show(a, "Bearer "+i.sign(h, c), "192.0.2.12:1")
		waiting <- err
	}()
	<-asked
	for name, token := range map[string]string{"an API key": key, "another issuer's token": good} {
		if _, err := show(a, "Bearer "+token, "192.0.2.12:1"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Who hangs up is not kept, and the slow issuer is asked once.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx)
	r.Header.Set("Authorization", "Bearer "+i.sign(h, c))
	if _, err := a.Authenticate(r); !errors.Is(err, ErrNotYet) {
		t.Errorf("who hangs up is told %v", err)
	}
	if len(asked) > 0 {
		t.Error("it was asked again meanwhile")
	}
	close(answer)
	if err := <-waiting; !errors.Is(err, ErrNotYet) {
		t.Errorf("who waited is told %v", err)
	}
}
