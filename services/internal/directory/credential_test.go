package directory

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCredentials(t *testing.T) {
	made := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	key := Credential{ID: "b", Participant: "cnaf", Kind: CredentialAPIKey, Created: made, Expires: made.AddDate(1, 0, 0), SHA256: "0a", By: "admin"}
	client := Credential{ID: "a", Participant: "cnaf", Kind: CredentialOAuth, Created: made, Issuer: "https://idp.test", Client: "cnaf-si"}
	password := Credential{ID: "c", Participant: "ants", Kind: CredentialSCRAM, Created: made, SHA256: "0b"}
	v := viewOf(t, recordOf(t, key), recordOf(t, client), recordOf(t, password))

	t.Run("an API key is found by its hash, and nothing else is", func(t *testing.T) {
		got, ok := v.CredentialByHash("0a")
		if diff := cmp.Diff(key, got); diff != "" || !ok {
			t.Errorf("found %v (-want +got):\n%s", ok, diff)
		}
		for _, hash := range []string{"0b", "0c", ""} {
			if c, ok := v.CredentialByHash(hash); ok {
				t.Errorf("%q finds %+v", hash, c)
			}
		}
	})
	t.Run("an OAuth client is found by its issuer and its name together", func(t *testing.T) {
		got, ok := v.CredentialByClient("https://idp.test", "cnaf-si")
		if diff := cmp.Diff(client, got); diff != "" || !ok {
			t.Errorf("found %v (-want +got):\n%s", ok, diff)
		}
		if _, ok := v.CredentialByClient("https://other.test", "cnaf-si"); ok {
			t.Error("another issuer's client of that name is taken for it")
		}
		if _, ok := v.CredentialByClient("", ""); ok {
			t.Error("no client at all finds one")
		}
	})
	t.Run("a participant's come by id, and its neighbour's do not", func(t *testing.T) {
		if diff := cmp.Diff([]Credential{client, key}, v.Credentials("cnaf")); diff != "" {
			t.Errorf("Credentials (-want +got):\n%s", diff)
		}
		if got := v.Credentials("cna"); got != nil {
			t.Errorf("cna has %v", got)
		}
	})
	t.Run("a deleted one is found by nothing", func(t *testing.T) {
		v := viewOf(t, recordOf(t, key), Record{Key: CredentialKey("cnaf", "b")})
		if _, ok := v.CredentialByHash("0a"); ok || v.Credentials("cnaf") != nil {
			t.Error("it is still there")
		}
	})
	t.Run("one that lies about whose it is is not taken in", func(t *testing.T) {
		foreign := recordOf(t, key)
		foreign.Key = CredentialKey("ants", "b")
		v := NewView()
		if err := v.Apply(foreign); err == nil || !strings.Contains(err.Error(), `names itself "cnaf/b"`) {
			t.Errorf("error %v", err)
		}
		if _, ok := v.CredentialByHash("0a"); ok {
			t.Error("it opens a door")
		}
	})
	t.Run("it ends at the moment that it names, or never", func(t *testing.T) {
		if key.Expired(key.Expires.Add(-1)) || !key.Expired(key.Expires) || client.Expired(made.AddDate(100, 0, 0)) {
			t.Error("an expiry is not kept to")
		}
	})
}

func TestActive(t *testing.T) {
	open := Participant{ID: "cnaf"}
	suspended := Participant{ID: "cnaf", SuspendedSince: "2026-11-23T09:00:00Z"}
	closed := Participant{ID: "cnaf", ClosedOn: "2026-11-23"}
	if !open.Active() || suspended.Active() || closed.Active() {
		t.Error("who is neither suspended nor closed is active, and nobody else is")
	}
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		p    Participant
		at   time.Time
		want bool
	}{
		"before":                        {suspended, at.Add(-time.Millisecond), false},
		"at the moment":                 {suspended, at, true},
		"after":                         {suspended, at.Add(time.Hour), true},
		"while it is not":               {open, at, false},
		"a moment that nobody can read": {Participant{SuspendedSince: "yesterday"}, at, true},
	} {
		if got := test.p.SuspendedAt(test.at); got != test.want {
			t.Errorf("%s: suspended %v", name, got)
		}
	}
}
