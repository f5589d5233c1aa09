package services_test

import (
	"encoding/base64"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/directory/directorytest"
)

// callers are one principal of each kind, by what it shows.
type callers struct {
	view *directory.View
	keys map[schemas.Role]string
	auth *auth.Auth
}

func newCallers(t *testing.T, development bool) *callers {
	t.Helper()
	c := &callers{keys: map[schemas.Role]string{"": "", schemas.RoleAdmin: auth.NewKey()}}
	var all []directorytest.Recorder
	for role, id := range map[schemas.Role]string{
		schemas.RoleOperator: "cnaf", schemas.RolePartner: "adie", schemas.RoleFeeder: "logiciel", schemas.RoleOffice: "demo-1",
	} {
		c.keys[role] = auth.NewKey()
		all = append(all, directory.Participant{ID: id, Role: role},
			directory.Credential{ID: "first", Participant: id, Kind: directory.CredentialAPIKey, SHA256: auth.HashKey(c.keys[role])})
	}
	c.view = directorytest.View(t, all...)
	c.auth = auth.New(auth.Config{Development: development, Directory: c.view, AdminKeyHash: auth.HashKey(c.keys[schemas.RoleAdmin])})
	c.keys[schemas.RoleHub] = c.auth.OwnKey()
	return c
}

// call asks at the door of a pattern, and gives the status.
func call(d *services.Doors, pattern, authorization string) int {
	method, path, ok := strings.Cut(pattern, " ")
	if !ok {
		method, path = http.MethodGet, "/nothing/is/here"
	}
	path = strings.ReplaceAll(path, "{$}", "")
	for strings.Contains(path, "{") {
		from, to := strings.Index(path, "{"), strings.Index(path, "}")
		path = path[:from] + "x" + path[to+1:]
	}
	r := httptest.NewRequest(method, path, nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Code
}

// TestEachDoorLetsInWhomTheTableNames tries every kind of principal at every door,
// by Bearer and by Basic.
func TestEachDoorLetsInWhomTheTableNames(t *testing.T) {
	for _, development := range []bool{false, true} {
		c := newCallers(t, development)
		tried := 0
		for pattern, door := range auth.Doors() {
			d := services.NewDoors(c.auth)
			// A service that admits for itself does so with the same table.
			d.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
				if _, err := c.auth.Admit(r, pattern); err != nil {
					w.WriteHeader(http.StatusForbidden)
				}
			})
			for role, key := range c.keys {
				shown := []string{""}
				if key != "" {
					user := map[schemas.Role]string{schemas.RoleOperator: "cnaf", schemas.RolePartner: "adie", schemas.RoleFeeder: "logiciel", schemas.RoleOffice: "demo-1", schemas.RoleAdmin: "admin", schemas.RoleHub: "hub"}[role]
					shown = []string{"Bearer " + key, "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+key))}
				}
				for _, authorization := range shown {
					tried++
					status := call(d, pattern, authorization)
					if let := status == http.StatusOK; let != door.Lets(role, development) {
						t.Errorf("%s, role %q, development %t: %d; the table lets it in: %t", pattern, role, development, status, !let)
					}
				}
			}
		}
		t.Logf("development %t: %d callers at %d doors", development, tried, len(auth.Doors()))
	}
}

// TestWhoIsNobody tries what is no credential at a door of each kind.
func TestWhoIsNobody(t *testing.T) {
	c := newCallers(t, false)
	cnaf := c.keys[schemas.RoleOperator]
	basic := func(pair string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)) }
	for what, authorization := range map[string]string{
		"a well-known token":                 "Bearer dev-cnaf",
		"the well-known token of the admin":  "Bearer dev-admin",
		"a key that nobody has":              "Bearer " + auth.NewKey(),
		"the hash of a key":                  "Bearer " + auth.HashKey(cnaf),
		"a key with a space after":           "Bearer " + cnaf + " ",
		"another's name with one's own key":  basic("adie:" + cnaf),
		"the admin's name with one's own":    basic("admin:" + cnaf),
		"a name without a key":               basic("cnaf:"),
		"no pair":                            basic("cnaf"),
		"no base64":                          "Basic %%%",
		"another scheme":                     "Digest username=cnaf",
		"a line of a log":                    "Bearer rk_x\r\nlevel=ERROR",
		"too much":                           "Bearer " + strings.Repeat("a.b.c", 10_000),
		"nothing at all after the scheme":    "Bearer",
		"the empty token":                    "Bearer ",
		"a token in three parts that is not": "Bearer a.b.c",
	} {
		for _, pattern := range []string{"GET /v1/mailbox", "GET /v1/quarantine", "GET /v1/cases/{case}"} {
			d := services.NewDoors(c.auth)
			d.HandleFunc(pattern, func(http.ResponseWriter, *http.Request) {})
			if status := call(d, pattern, authorization); status != http.StatusUnauthorized && status != http.StatusTooManyRequests {
				t.Errorf("%s at %s: %d", what, pattern, status)
			}
		}
	}
}

// TestASuspendedParticipantIsLetInNowhere suspends, resumes, and takes a key away.
func TestASuspendedParticipantIsLetInNowhere(t *testing.T) {
	c := newCallers(t, false)
	d := services.NewDoors(c.auth)
	const pattern = "GET /v1/mailbox"
	d.HandleFunc(pattern, func(http.ResponseWriter, *http.Request) {})
	who, _ := c.view.Participant("cnaf")
	credential := c.view.Credentials("cnaf")[0]
	for _, step := range []struct {
		what   string
		now    directorytest.Recorder
		status int
	}{
		{"as it began", who, http.StatusOK},
		{"suspended", directory.Participant{ID: who.ID, Role: who.Role, SuspendedSince: "2026-05-14T09:30:00Z"}, http.StatusUnauthorized},
		{"resumed", who, http.StatusOK},
		{"closed", directory.Participant{ID: who.ID, Role: who.Role, ClosedOn: "2026-05-14"}, http.StatusUnauthorized},
		{"open again", who, http.StatusOK},
		{"with a key that has ended", directory.Credential{ID: credential.ID, Participant: "cnaf", Kind: credential.Kind, SHA256: credential.SHA256, Expires: time.Now().Add(-time.Second)}, http.StatusUnauthorized},
	} {
		record, err := step.now.Record()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.view.Apply(record); err != nil {
			t.Fatal(err)
		}
		if status := call(d, pattern, "Bearer "+c.keys[schemas.RoleOperator]); status != step.status {
			t.Errorf("%s: %d, want %d", step.what, status, step.status)
		}
	}
}

// TestNobodyIsTurnedAwayBeforeTheDirectoryIsKnown asks while it is being read: a
// client that is told 401 gives up, one that is told 503 comes again.
func TestNobodyIsTurnedAwayBeforeTheDirectoryIsKnown(t *testing.T) {
	for _, development := range []bool{false, true} {
		a := auth.New(auth.Config{Development: development, Directory: directory.NewView()})
		d := services.NewDoors(a)
		d.HandleFunc("POST /v1/events", func(http.ResponseWriter, *http.Request) {})
		shown := "Bearer " + auth.NewKey()
		if development {
			shown = "Bearer dev-cnaf"
		}
		if status := call(d, "POST /v1/events", shown); status != http.StatusServiceUnavailable {
			t.Errorf("development %t: %d", development, status)
		}
	}
}

func TestADoorWithoutRightsIsNotRegistered(t *testing.T) {
	defer func() {
		if why, _ := recover().(string); !strings.Contains(why, "GET /v1/everything") {
			t.Errorf("it says %q", why)
		}
	}()
	services.NewDoors(newCallers(t, false).auth).HandleFunc("GET /v1/everything", func(http.ResponseWriter, *http.Request) {})
}

// TestABodyHasToCome sends bodies slowly, in virtual time.
func TestABodyHasToCome(t *testing.T) {
	for _, tc := range []struct {
		name  string
		piece string
		every time.Duration
		times int
		taken bool
	}{
		{"a byte every ten seconds", "x", 10 * time.Second, 100, false},
		{"a kilobyte every second, for a quarter of an hour", strings.Repeat("x", 1024), time.Second, 900, true},
		{"all at once", strings.Repeat("x", 100_000), 0, 1, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := services.NewDoors(newCallers(t, true).auth)
				var got int
				var fault error
				d.HandleFunc("POST /v1/events", func(_ http.ResponseWriter, r *http.Request) {
					body, err := io.ReadAll(r.Body)
					got, fault = len(body), err
				})
				body, sender := io.Pipe()
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					for range tc.times {
						<-time.After(tc.every)
						if _, err := io.WriteString(sender, tc.piece); err != nil {
							return
						}
					}
					_ = sender.Close()
				}()
				r := httptest.NewRequest(http.MethodPost, "/v1/events", body)
				r.Header.Set("Authorization", "Bearer dev-cnaf")
				d.ServeHTTP(httptest.NewRecorder(), r)
				_ = body.Close()
				<-ended
				if taken := fault == nil && got == tc.times*len(tc.piece); taken != tc.taken {
					t.Errorf("%d bytes were taken, %v", got, fault)
				}
				if !tc.taken && !os.IsTimeout(fault) {
					t.Errorf("the fault is %v", fault)
				}
			})
		})
	}
}

func TestTheTableHasADoorOfEachKindOfPrincipal(t *testing.T) {
	seen := map[schemas.Role]bool{}
	for _, door := range auth.Doors() {
		for _, role := range door.Roles {
			seen[role] = true
		}
	}
	want := []schemas.Role{schemas.RoleAdmin, schemas.RoleFeeder, schemas.RoleHub, schemas.RoleOffice, schemas.RoleOperator, schemas.RolePartner}
	if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, want) {
		t.Errorf("the table is about %v, not %v", got, want)
	}
}
