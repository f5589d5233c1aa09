package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
	dir "github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/enginetest"
	"github.com/relais-fr/relais/services/internal/problem"
)

func secured() config.Settings {
	s := testSettings()
	s.Secure, s.Brokers = true, nil // as in the hub, whose broker is its own
	return s
}

// people sends a request to the participants' doors as an admin.
func (r *rig) people(method, path, body string, out any) int {
	r.t.Helper()
	return r.do("dev-admin", method, pathPeople+path, strings.NewReader(body), out).Code
}

// rights are what Kafka says that a participant may do, or may not.
func (r *rig) rights(id string) []string {
	r.t.Helper()
	all, err := r.broker.Rights(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	said := []string{}
	for _, right := range all {
		word := "may "
		if right.Denied {
			word = "never "
		}
		said = append(said, word+right.Verb+" "+right.Resource)
	}
	slices.Sort(said)
	return slices.Compact(said)
}

var mayOf = func(id string) []string {
	may := []string{
		"may Write topic relais.from." + id, "may Describe topic relais.from." + id,
		"may Read topic relais.to." + id, "may Describe topic relais.to." + id,
	}
	for _, group := range []string{id, id + ".*"} {
		may = append(may, "may Read group "+group, "may Describe group "+group, "may Delete group "+group)
	}
	slices.Sort(may)
	return may
}

func (r *rig) isDenied(id string) bool {
	return slices.Contains(r.rights(id), "never All topic *") && slices.Contains(r.rights(id), "never All group *")
}

func TestAParticipantIsLetIn(t *testing.T) {
	r := newRig(t, enginetest.NewKafka(t), secured())
	var a admitted
	began := time.Now()
	if status := r.people("POST", "", `{"id":"mairie-lyon","name":"Mairie de Lyon","role":"partner"}`, &a); status != http.StatusCreated {
		t.Fatalf("answered %d", status)
	}
	t.Run("it has its topics and no rights but its own", func(t *testing.T) {
		for _, name := range []string{a.Topics.Write, a.Topics.Read} {
			if _, err := r.broker.Partitions(t.Context(), name); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if diff := cmp.Diff(mayOf("mairie-lyon"), r.rights("mairie-lyon")); diff != "" {
			t.Errorf("rights (-want +got):\n%s", diff)
		}
	})
	t.Run("it is told what it needs", func(t *testing.T) {
		if a.Kafka == nil || a.Kafka.Protocol != "SASL_PLAINTEXT" || a.Kafka.Mechanism != "SCRAM-SHA-512" || a.Kafka.User != "mairie-lyon" || len(a.Kafka.Password) != 32 || len(a.Kafka.Bootstrap) != 1 {
			t.Errorf("Kafka: %+v", a.Kafka)
		}
		if a.HTTP == nil || !regexp.MustCompile(`^rk_[A-Za-z0-9_-]{43}$`).MatchString(a.HTTP.APIKey) {
			t.Errorf("HTTP: %+v", a.HTTP)
		}
		if diff := cmp.Diff([]string{"mairie-lyon", "mairie-lyon.*"}, a.Groups); diff != "" {
			t.Errorf("groups (-want +got):\n%s", diff)
		}
	})
	t.Run("its key is found by its hash, for a year", func(t *testing.T) {
		c, ok := r.host.Directory.CredentialByHash(auth.HashKey(a.HTTP.APIKey))
		if !ok || c.Participant != "mairie-lyon" || c.By != "admin" || c.Expires.Before(began.AddDate(0, 0, 364)) {
			t.Errorf("found %v: %+v", ok, c)
		}
	})
	t.Run("nothing that opens a door is shown again or stored", func(t *testing.T) {
		shown := r.do("dev-admin", "GET", pathPeople+"/mairie-lyon", nil, nil).Body.String() + r.do("dev-admin", "GET", pathPeople, nil, nil).Body.String()
		for _, c := range r.host.Directory.Credentials("mairie-lyon") {
			record, err := c.Record()
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(record.Value), a.Kafka.Password) || strings.Contains(string(record.Value), a.HTTP.APIKey) {
				t.Errorf("a secret is stored: %s", record.Value)
			}
			if c.SHA256 != "" && strings.Contains(shown, c.SHA256) {
				t.Error("the hash is shown")
			}
		}
		if strings.Contains(shown, a.Kafka.Password) || strings.Contains(shown, a.HTTP.APIKey) || !strings.Contains(shown, `"kind":"scram"`) {
			t.Errorf("shown: %s", shown)
		}
	})
	t.Run("the same once more says that it is there, and changes nothing", func(t *testing.T) {
		version := r.host.Directory.Version()
		var p problem.Document
		if status := r.people("POST", "", `{"id":"mairie-lyon","name":"Mairie de Lyon","role":"partner"}`, &p); status != http.StatusConflict || p.Code != "participant_exists" || r.host.Directory.Version() != version {
			t.Errorf("%d %+v", status, p)
		}
	})
	t.Run("an operator of the basket keeps what the basket says of it", func(t *testing.T) {
		before, _ := r.host.Directory.Participant("cnaf")
		if status := r.people("POST", "", `{"id":"cnaf","http":"none","expires_in":30}`, nil); status != http.StatusCreated {
			t.Fatalf("answered %d", status)
		}
		after, _ := r.host.Directory.Participant("cnaf")
		if after.DoorsSince == "" {
			t.Error("its doors are not open")
		}
		before.DoorsSince = after.DoorsSince
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("the record (-before +after):\n%s", diff)
		}
	})
	t.Run("the metrics tell when credentials end", func(t *testing.T) {
		c := r.host.Directory.Credentials("cnaf")[0]
		want := fmt.Sprintf("# HELP relais_credential_expiry_timestamp_seconds When a participant's credential of the kind ends, of several the one made last.\n"+
			"# TYPE relais_credential_expiry_timestamp_seconds gauge\nrelais_credential_expiry_timestamp_seconds{kind=\"scram\",participant=\"cnaf\"} %d\n", c.Expires.Unix())
		if status := r.people("DELETE", "/mairie-lyon", "", nil); status != http.StatusOK {
			t.Fatalf("closed with %d", status)
		}
		if err := testutil.CollectAndCompare(expiries{r.host.Directory}, strings.NewReader(want)); err != nil {
			t.Error(err)
		}
	})
}

func TestWhoCannotBeLetIn(t *testing.T) {
	settings := secured()
	settings.OIDCIssuers, settings.OIDCAudience = []string{"https://idp.test"}, "relais"
	r := newRig(t, enginetest.NewKafka(t), settings)
	if status := r.people("POST", "", `{"id":"known","name":"Known","role":"operator","http":"oauth","issuer":"https://idp.test","client":"known-si"}`, nil); status != http.StatusCreated {
		t.Fatalf("answered %d", status)
	}
	if status := r.people("POST", "", `{"id":"gone","name":"Gone","role":"operator"}`, nil); status != http.StatusCreated {
		t.Fatalf("answered %d", status)
	}
	if status := r.people("DELETE", "/gone", "", nil); status != http.StatusOK {
		t.Fatalf("answered %d", status)
	}
	version := r.host.Directory.Version()
	for _, test := range []struct {
		name, method, path, body string
		status                   int
		code                     string
	}{
		{"no JSON", "POST", "", `id=x`, 400, "malformed"},
		{"nothing", "POST", "", ``, 400, "malformed"},
		{"two objects", "POST", "", `{"id":"x"}{"id":"y"}`, 400, "malformed"},
		{"a word that is not known", "POST", "", `{"id":"x","roles":["admin"]}`, 400, "malformed"},
		{"a body without end", "POST", "", `{"id":"` + strings.Repeat("x", maxPeopleBody) + `"}`, 413, "too_large"},
		{"no id", "POST", "", `{"name":"X","role":"partner"}`, 400, "bad_participant_id"},
		{"an id with a dot, whose groups would be another's", "POST", "", `{"id":"known.x","name":"X","role":"partner"}`, 400, "bad_participant_id"},
		{"an id with a line in it", "POST", "", `{"id":"x\nlevel=INFO","name":"X","role":"partner"}`, 400, "bad_participant_id"},
		{"an id in capitals", "POST", "", `{"id":"CNAF","name":"X","role":"operator"}`, 400, "bad_participant_id"},
		{"an id that climbs", "POST", "", `{"id":"../cnaf","name":"X","role":"operator"}`, 400, "bad_participant_id"},
		{"the hub's own id", "POST", "", `{"id":"hub","name":"X","role":"partner"}`, 422, "reserved_participant_id"},
		{"the admin's", "POST", "", `{"id":"admin","name":"X","role":"partner"}`, 422, "reserved_participant_id"},
		{"the prefix, whose groups are the hub's", "POST", "", `{"id":"relais","name":"X","role":"partner"}`, 422, "reserved_participant_id"},
		{"an office's id", "POST", "", `{"id":"fs-99999","name":"X","role":"partner"}`, 422, "reserved_participant_id"},
		{"a user that clusters have", "POST", "", `{"id":"kafka","name":"X","role":"partner"}`, 422, "reserved_participant_id"},
		{"no role", "POST", "", `{"id":"x","name":"X"}`, 422, "unknown_role"},
		{"an admin by this door", "POST", "", `{"id":"x","name":"X","role":"admin"}`, 422, "unknown_role"},
		{"an office", "POST", "", `{"id":"x","name":"X","role":"office"}`, 422, "unknown_role"},
		{"another role than it has", "POST", "", `{"id":"cnaf","role":"feeder","feeds":["*"]}`, 409, "participant_exists"},
		{"no name", "POST", "", `{"id":"x","role":"partner"}`, 400, "malformed"},
		{"a name with a line in it", "POST", "", `{"id":"x","name":"X\nY","role":"partner"}`, 400, "malformed"},
		{"a feeder of nobody", "POST", "", `{"id":"x","name":"X","role":"feeder"}`, 400, "malformed"},
		{"a feeder of an office that is not there", "POST", "", `{"id":"x","name":"X","role":"feeder","feeds":["fs-0"]}`, 422, "unknown_participant"},
		{"an operator that feeds", "POST", "", `{"id":"x","name":"X","role":"operator","feeds":["*"]}`, 400, "malformed"},
		{"a way to sign in that is none", "POST", "", `{"id":"x","name":"X","role":"partner","kafka":"plain"}`, 422, "unknown_credential"},
		{"one by HTTP", "POST", "", `{"id":"x","name":"X","role":"partner","http":"basic"}`, 422, "unknown_credential"},
		{"a certificate at the embedded broker", "POST", "", `{"id":"x","name":"X","role":"partner","kafka":"mtls"}`, 422, "unknown_credential"},
		{"a client without its issuer", "POST", "", `{"id":"x","name":"X","role":"partner","http":"oauth","client":"x"}`, 400, "malformed"},
		{"an issuer that nobody believes", "POST", "", `{"id":"x","name":"X","role":"partner","http":"oauth","issuer":"https://evil.test","client":"x"}`, 400, "malformed"},
		{"another's client", "POST", "", `{"id":"x","name":"X","role":"partner","http":"oauth","issuer":"https://idp.test","client":"known-si"}`, 409, "credential_taken"},
		{"for ever", "POST", "", `{"id":"x","name":"X","role":"partner","expires_in":0}`, 400, "malformed"},
		{"one that is there", "POST", "", `{"id":"known","name":"Known","role":"operator"}`, 409, "participant_exists"},
		{"one that was closed", "POST", "", `{"id":"gone","name":"Gone","role":"operator"}`, 409, "participant_closed"},
		{"nobody is looked at", "GET", "/nobody", ``, 404, "not_found"},
		{"nobody is rotated", "POST", "/nobody/rotate", ``, 404, "not_found"},
		{"one without credentials is rotated", "POST", "/cnaf/rotate", ``, 409, "conflict"},
		{"an overlap of a century", "POST", "/known/rotate", `{"overlap":"876000h"}`, 400, "malformed"},
		{"an overlap of less than nothing", "POST", "/known/rotate", `{"overlap":"-1s"}`, 400, "malformed"},
		{"one that was closed is rotated", "POST", "/gone/rotate", ``, 409, "participant_closed"},
		{"one that was closed is resumed", "POST", "/gone/resume", ``, 409, "participant_closed"},
		{"the hub is suspended", "POST", "/hub/suspend", ``, 422, "reserved_participant_id"},
		{"the hub is closed", "DELETE", "/hub", ``, 422, "reserved_participant_id"},
		{"an office is suspended", "POST", "/demo-1/suspend", ``, 404, "not_found"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var p problem.Document
			if status := r.people(test.method, test.path, test.body, &p); status != test.status || p.Code != test.code || p.Remedy == "" {
				t.Errorf("%d %+v", status, p)
			}
		})
	}
	if r.host.Directory.Version() != version {
		t.Error("something was written")
	}
	t.Run("nobody but an admin", func(t *testing.T) {
		for _, test := range []struct{ method, path string }{
			{"GET", ""}, {"POST", ""}, {"GET", "/known"}, {"DELETE", "/known"}, {"POST", "/known/rotate"}, {"POST", "/known/suspend"}, {"POST", "/known/resume"},
		} {
			for token, want := range map[string]int{"": http.StatusUnauthorized, "dev-known": http.StatusForbidden, "dev-feeder": http.StatusForbidden} {
				if w := r.do(token, test.method, pathPeople+test.path, nil, nil); w.Code != want {
					t.Errorf("%s %s as %q: %d", test.method, test.path, token, w.Code)
				}
			}
		}
	})
}

func TestWithoutSignInNothingIsSetAtKafka(t *testing.T) {
	r := newRig(t, enginetest.NewKafka(t), testSettings())
	var p problem.Document
	if status := r.people("POST", "", `{"id":"x","name":"X","role":"partner","kafka":"scram"}`, &p); status != http.StatusConflict || p.Code != "not_secured" {
		t.Errorf("%d %+v", status, p)
	}
	var a admitted
	if status := r.people("POST", "", `{"id":"x","name":"X","role":"partner"}`, &a); status != http.StatusCreated || a.Kafka.Protocol != "PLAINTEXT" || a.Kafka.User != "" || a.HTTP.APIKey == "" {
		t.Errorf("%d %+v", status, a)
	}
	if status := r.people("POST", "/x/suspend", "", nil); status != http.StatusOK || len(r.rights("x")) > 0 {
		t.Errorf("%d %v", status, r.rights("x"))
	}
}

func TestARotationGivesNewSecrets(t *testing.T) {
	r := newRig(t, enginetest.NewKafka(t), secured())
	var first, second, third admitted
	if status := r.people("POST", "", `{"id":"x","name":"X","role":"partner"}`, &first); status != http.StatusCreated {
		t.Fatalf("answered %d", status)
	}
	opens := func(a admitted, at time.Time) bool {
		c, ok := r.host.Directory.CredentialByHash(auth.HashKey(a.HTTP.APIKey))
		return ok && !c.Expired(at)
	}
	t.Run("the old key lives on for a day", func(t *testing.T) {
		if status := r.people("POST", "/x/rotate", "", &second); status != http.StatusOK {
			t.Fatalf("answered %d", status)
		}
		now := time.Now()
		if !opens(first, now.Add(23*time.Hour)) || opens(first, now.Add(25*time.Hour)) || !opens(second, now.AddDate(0, 11, 0)) {
			t.Error("the old key does not live on for a day, or the new one not for a year")
		}
		if second.Kafka.Password == first.Kafka.Password || second.HTTP.APIKey == first.HTTP.APIKey || second.OldKeysUntil.Before(now.Add(23*time.Hour)) {
			t.Errorf("%+v", second)
		}
	})
	t.Run("rotating again does not lengthen it, and with no overlap ends all", func(t *testing.T) {
		if status := r.people("POST", "/x/rotate", `{"overlap":"0s","kafka":"none"}`, &third); status != http.StatusOK {
			t.Fatalf("answered %d", status)
		}
		if opens(first, time.Now()) || opens(second, time.Now()) || !opens(third, time.Now()) || !third.OldKeysUntil.IsZero() {
			t.Error("an old key still opens the doors")
		}
		kinds := []string{}
		for _, c := range r.host.Directory.Credentials("x") {
			kinds = append(kinds, c.Kind)
		}
		slices.Sort(kinds)
		if diff := cmp.Diff([]string{"api_key", "scram"}, kinds); diff != "" {
			t.Errorf("credentials (-want +got):\n%s", diff)
		}
	})
	t.Run("while it is suspended it gets secrets, and no rights", func(t *testing.T) {
		if r.people("POST", "/x/suspend", "", nil) != http.StatusOK || r.people("POST", "/x/rotate", "", nil) != http.StatusOK || !r.isDenied("x") {
			t.Errorf("rights: %v", r.rights("x"))
		}
		if r.people("POST", "/x/resume", "", nil) != http.StatusOK || r.isDenied("x") {
			t.Errorf("rights: %v", r.rights("x"))
		}
	})
}

func TestSuspendedResumedAndClosed(t *testing.T) {
	kafka := enginetest.NewKafka(t)
	r := newRig(t, kafka, secured())
	if status := r.people("POST", "", `{"id":"x","name":"X","role":"partner"}`, nil); status != http.StatusCreated {
		t.Fatalf("answered %d", status)
	}
	var view participantView
	t.Run("suspended, it has lost its rights and nothing else", func(t *testing.T) {
		if status := r.people("POST", "/x/suspend", "", &view); status != http.StatusOK || view.Participant.Active() || !r.isDenied("x") || len(view.Credentials) != 2 {
			t.Errorf("%d %+v, rights %v", status, view, r.rights("x"))
		}
	})
	since := view.Participant.SuspendedSince
	t.Run("suspended again, it is since the first time", func(t *testing.T) {
		if status := r.people("POST", "/x/suspend", "", &view); status != http.StatusOK || view.Participant.SuspendedSince != since {
			t.Errorf("%d %+v", status, view)
		}
	})
	t.Run("resumed, it has what it had", func(t *testing.T) {
		var resumed participantView
		if status := r.people("POST", "/x/resume", "", &resumed); status != http.StatusOK || !resumed.Participant.Active() {
			t.Errorf("%d %+v", status, resumed)
		}
		if diff := cmp.Diff(mayOf("x"), r.rights("x")); diff != "" {
			t.Errorf("rights (-want +got):\n%s", diff)
		}
	})
	t.Run("closed, it is denied all and has no credentials, and its topics stay", func(t *testing.T) {
		var closed participantView
		if status := r.people("DELETE", "/x", "", &closed); status != http.StatusOK || !closed.Participant.Closed() || len(closed.Credentials) != 0 || !r.isDenied("x") {
			t.Errorf("%d %+v, rights %v", status, closed, r.rights("x"))
		}
		if _, err := r.broker.Partitions(t.Context(), "relais.to.x"); err != nil {
			t.Error(err)
		}
		if status := r.people("DELETE", "/x", "", nil); status != http.StatusOK {
			t.Errorf("closed again: %d", status)
		}
	})
}

func TestRightsFollowTheDirectoryWithoutACall(t *testing.T) {
	r := newRig(t, enginetest.NewKafka(t), secured())
	if status := r.people("POST", "", `{"id":"x","name":"X","role":"partner"}`, nil); status != http.StatusCreated {
		t.Fatalf("answered %d", status)
	}
	settled := map[string]standing{}
	t.Run("a password that has expired is none, and its owner is out", func(t *testing.T) {
		for _, c := range r.host.Directory.Credentials("x") {
			c.Expires = time.Now().Add(-time.Second)
			record, err := c.Record()
			if err != nil {
				t.Fatal(err)
			}
			if err := r.log.publish(t.Context(), []dir.Record{record}); err != nil {
				t.Fatal(err)
			}
		}
		r.keepRightsOf(t.Context(), "x", settled)
		if !r.isDenied("x") {
			t.Errorf("rights: %v", r.rights("x"))
		}
	})
	t.Run("who was denied by nobody who finished is denied when the service starts", func(t *testing.T) {
		if status := r.people("POST", "/x/rotate", "", nil); status != http.StatusOK || r.isDenied("x") {
			t.Fatalf("answered %d, rights %v", status, r.rights("x"))
		}
		p, _ := r.host.Directory.Participant("x")
		p.SuspendedSince = time.Now().Format(time.RFC3339)
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		record, err := p.Record()
		if err != nil {
			t.Fatal(err)
		}
		if err := r.host.Directory.Apply(record); err != nil {
			t.Fatal(err)
		}
		r.keepRightsOf(t.Context(), "x", map[string]standing{})
		if !r.isDenied("x") {
			t.Errorf("rights: %v", r.rights("x"))
		}
	})
}

// errStep is a step that broke off.
var errStep = errors.New("the line is cut")

// faulty lets so many steps pass and breaks the next one off: before it is done,
// or behind it, with only the answer lost.
type faulty struct {
	keeper
	publisher
	pass   int
	behind bool
	broken bool
}

func (f *faulty) step(do func() error) error {
	f.pass--
	if f.pass != -1 {
		return do()
	}
	f.broken = true
	if f.behind {
		return errors.Join(do(), errStep)
	}
	return errStep
}

func (f *faulty) EnsureTopics(ctx context.Context, specs ...broker.TopicSpec) error {
	return f.step(func() error { return f.keeper.EnsureTopics(ctx, specs...) })
}

func (f *faulty) AllowParticipant(ctx context.Context, id string) error {
	return f.step(func() error { return f.keeper.AllowParticipant(ctx, id) })
}

func (f *faulty) DenyParticipant(ctx context.Context, id string) error {
	return f.step(func() error { return f.keeper.DenyParticipant(ctx, id) })
}

func (f *faulty) SetPassword(ctx context.Context, id, password string) error {
	return f.step(func() error { return f.keeper.SetPassword(ctx, id, password) })
}

func (f *faulty) DeletePassword(ctx context.Context, id string) error {
	return f.step(func() error { return f.keeper.DeletePassword(ctx, id) })
}

func (f *faulty) publish(ctx context.Context, records []dir.Record) error {
	return f.step(func() error { return f.publisher.publish(ctx, records) })
}

// TestWhatBreaksOffIsDoneByTheSameCallAgain breaks every change off at each of its
// steps, before and behind it, and makes the same call again.
func TestWhatBreaksOffIsDoneByTheSameCallAgain(t *testing.T) {
	r := newRig(t, enginetest.NewKafka(t), secured())
	if err := r.stop(); err != nil { // nobody else mends anything
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(cancel)
	follows := make(chan error, 1)
	view := dir.NewView()
	go func() { follows <- view.Run(ctx, r.broker, r.host.Log) }()
	t.Cleanup(func() {
		cancel()
		if err := <-follows; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-view.Ready():
	case <-t.Context().Done():
		t.Fatal("the directory was not read")
	}
	alone := &Directory{host: r.host, log: &topic{broker: r.broker, view: view}, kafka: r.broker}
	alone.host.Directory, alone.host.HTTP = view, http.NewServeMux()
	r.host.HTTP = alone.host.HTTP
	alone.peopleRoutes()

	id := 0
	for _, change := range []struct {
		name   string
		before []string // calls that come first
		call   string
		ends   func(t *testing.T, id string, answered admitted)
	}{
		{"letting in", nil, `POST  {"id":"ID","name":"X","role":"partner"}`, func(t *testing.T, id string, a admitted) {
			r.endsOpen(t, view, id, a)
			if n := len(view.Credentials(id)); n != 2 {
				t.Errorf("%d credentials", n)
			}
		}},
		{"a rotation", []string{`POST  {"id":"ID","name":"X","role":"partner"}`}, `POST /ID/rotate {"overlap":"0s"}`, func(t *testing.T, id string, a admitted) {
			r.endsOpen(t, view, id, a)
			if n := len(view.Credentials(id)); n != 2 {
				t.Errorf("%d credentials", n)
			}
		}},
		{"a suspension", []string{`POST  {"id":"ID","name":"X","role":"partner"}`}, `POST /ID/suspend `, func(t *testing.T, id string, a admitted) {
			if a.Participant.Active() || !r.isDenied(id) || len(view.Credentials(id)) != 2 {
				t.Errorf("%+v, rights %v", a.participantView, r.rights(id))
			}
		}},
		{"a resumption", []string{`POST  {"id":"ID","name":"X","role":"partner"}`, `POST /ID/suspend `}, `POST /ID/resume `, func(t *testing.T, id string, a admitted) {
			if diff := cmp.Diff(mayOf(id), r.rights(id)); diff != "" || !a.Participant.Active() {
				t.Errorf("%+v, rights (-want +got):\n%s", a.participantView, diff)
			}
		}},
		{"closing", []string{`POST  {"id":"ID","name":"X","role":"partner"}`}, `DELETE /ID `, func(t *testing.T, id string, a admitted) {
			if !a.Participant.Closed() || !r.isDenied(id) || len(view.Credentials(id)) != 0 {
				t.Errorf("%+v, rights %v", a.participantView, r.rights(id))
			}
		}},
	} {
		for _, behind := range []bool{false, true} {
			steps := 0
			for ; ; steps++ {
				id++
				name := fmt.Sprintf("x%d", id)
				call := func(line string) (int, admitted) {
					method, rest, _ := strings.Cut(strings.ReplaceAll(line, "ID", name), " ")
					path, body, _ := strings.Cut(rest, " ")
					w := r.do("dev-admin", method, pathPeople+path, strings.NewReader(body), nil)
					var a admitted
					if w.Code < 300 {
						if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
							t.Fatal(err)
						}
					}
					return w.Code, a
				}
				alone.kafka, alone.log = r.broker, &topic{broker: r.broker, view: view}
				for _, line := range change.before {
					if status, _ := call(line); status >= 300 {
						t.Fatalf("%s answered %d", line, status)
					}
				}
				f := &faulty{keeper: r.broker, publisher: alone.log, pass: steps, behind: behind}
				alone.kafka, alone.log = f, f
				status, answered := call(change.call)
				if f.broken {
					if status != http.StatusServiceUnavailable {
						t.Errorf("%s broken off at step %d (behind %v) answered %d", change.name, steps, behind, status)
					}
					if status, answered = call(change.call); status == http.StatusConflict && behind && answered.Participant.ID == "" && change.name == "letting in" {
						// Only the last answer was lost: it is in, and a rotation tells the secrets.
						status, answered = call(`POST /ID/rotate {"overlap":"0s"}`)
					}
				}
				if status >= 300 {
					t.Errorf("%s broken off at step %d (behind %v) and called again answered %d", change.name, steps, behind, status)
				} else {
					change.ends(t, name, answered)
				}
				if !f.broken {
					break
				}
			}
			if steps < 2 {
				t.Errorf("%s has %d steps only", change.name, steps)
			}
		}
	}
}

// endsOpen says that the participant has its rights and that the key which it was
// told opens the doors.
func (r *rig) endsOpen(t *testing.T, view *dir.View, id string, a admitted) {
	t.Helper()
	if diff := cmp.Diff(mayOf(id), r.rights(id)); diff != "" {
		t.Errorf("rights of %s (-want +got):\n%s", id, diff)
	}
	if a.HTTP == nil || a.Kafka == nil || a.Kafka.Password == "" {
		t.Fatalf("%s was told %+v", id, a)
	}
	if _, ok := view.CredentialByHash(auth.HashKey(a.HTTP.APIKey)); !ok {
		t.Errorf("the key that %s was told opens no door", id)
	}
	for _, name := range services.ParticipantTopics(r.host.Settings, id) {
		if _, err := r.broker.Partitions(t.Context(), name.Name); err != nil {
			t.Error(err)
		}
	}
}
