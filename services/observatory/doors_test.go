package observatory

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/directory/directorytest"
	"github.com/relais-fr/relais/services/internal/enginetest"
	"github.com/relais-fr/relais/services/internal/problem"
)

// doors are those of an observatory over the scene's log.
func (s *scene) doors() http.Handler {
	s.t.Helper()
	view := directorytest.View(s.t,
		directory.Participant{ID: "cnaf", Role: directory.RoleOperator},
		directory.Participant{ID: "cnam", Role: directory.RoleOperator},
		directory.Office{ID: "demo-1"},
	)
	settings := config.Default("127.0.0.1:0")
	settings.Partitions = 1
	mux := http.NewServeMux()
	_, err := New(services.Host{
		Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Broker: s.broker, HTTP: mux, Ready: services.NewReadiness(),
		Schemas: enginetest.Schemas{}, Directory: view, Auth: auth.New(auth.Config{Development: true, Directory: view}), Settings: settings,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return mux
}

// get asks a door.
func (s *scene) get(doors http.Handler, token, path string, query url.Values) *httptest.ResponseRecorder {
	req := httptest.NewRequestWithContext(s.t.Context(), "GET", path+"?"+query.Encode(), nil)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	doors.ServeHTTP(w, req)
	return w
}

func TestTheDoorsSayWhatIsWrongAndHowToMendIt(t *testing.T) {
	// A bubble's time begins on 2000-01-01.
	const past, later, future = "1999-12-31T20:00:00Z", "1999-12-31T21:00:00Z", "2000-01-02T00:00:00Z"
	tests := []struct {
		name, token, path string
		query             url.Values
		status            int
		code, detail      string // the detail has this in it
	}{
		{"an audit without a token", "", auditPath, url.Values{"from": {past}}, 401, "not_signed_in", "send `Authorization: Bearer <token>`"},
		{"an audit with a token of nobody", "dev-nobody", auditPath, url.Values{"from": {past}}, 401, "not_signed_in", "not known here"},
		{"an audit of another participant", "dev-cnaf", auditPath, url.Values{"from": {past}, "participant": {"cnam"}}, 403, "forbidden", "leave it out for your own"},
		{"an office audits an operator", "dev-demo-1", auditPath, url.Values{"from": {past}, "participant": {"cnaf"}}, 403, "forbidden", "leave it out for your own"},
		{"who is not known is another too", "dev-cnaf", auditPath, url.Values{"from": {past}, "participant": {"nobody"}}, 403, "forbidden", "leave it out for your own"},
		{"an audit of nobody", "dev-admin", auditPath, url.Values{"from": {past}, "participant": {"nobody"}}, 404, "not_found", "participant: it is not in the directory"},
		{"an audit from no time", "dev-admin", auditPath, nil, 400, "malformed", "from: a time such as 2026-05-14T09:30:00Z"},
		{"an audit from a day", "dev-admin", auditPath, url.Values{"from": {"1999-12-31"}}, 400, "malformed", "from: a time such as 2026-05-14T09:30:00Z"},
		{"an audit to a word", "dev-admin", auditPath, url.Values{"from": {past}, "to": {"now"}}, 400, "malformed", "or nothing for now"},
		{"an audit that ends before it begins", "dev-admin", auditPath, url.Values{"from": {later}, "to": {past}}, 400, "malformed", "give an earlier from or a later to"},
		{"an audit of no time at all", "dev-admin", auditPath, url.Values{"from": {past}, "to": {past}}, 400, "malformed", "give an earlier from or a later to"},
		{"an audit from a time to come", "dev-admin", auditPath, url.Values{"from": {future}}, 400, "malformed", "give a time before now"},
		{"statements without a token", "", statementsPath, nil, 401, "not_signed_in", "send `Authorization: Bearer <token>`"},
		{"statements of another", "dev-cnaf", statementsPath, url.Values{"participant": {"cnam"}}, 403, "forbidden", "leave it out for your own"},
		{"an admin's own statements", "dev-admin", statementsPath, nil, 400, "malformed", "?participant=cnaf"},
		{"statements of nobody", "dev-admin", statementsPath, url.Values{"participant": {"nobody"}}, 404, "not_found", "only an operator, a partner or a feeder"},
		{"an office's statements", "dev-demo-1", statementsPath, nil, 404, "not_found", "only an operator, a partner or a feeder"},
		{"statements since a day", "dev-cnaf", statementsPath, url.Values{"since": {"1999-12-31"}}, 400, "malformed", "since: a time such as 2026-05-14T09:30:00Z"},
		{"statements since a time to come", "dev-cnaf", statementsPath, url.Values{"since": {future}}, 400, "malformed", "give a time before now"},
		{"one statement", "dev-cnaf", statementsPath + "/7", nil, 404, "not_found", "GET /v1/statements?since="},
		{"something below the keys", "", keysPath + "/7", nil, 404, "not_found", "GET /v1/statements?since="},
	}
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		doors := s.doors()
		for _, tt := range tests {
			w := s.get(doors, tt.token, tt.path, tt.query)
			var d problem.Document
			if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || w.Header().Get("Content-Type") != problem.ContentType {
				t.Errorf("%s: answered with %s %s", tt.name, w.Header().Get("Content-Type"), w.Body)
			}
			if w.Code != tt.status || d.Status != tt.status || d.Code != tt.code || !strings.Contains(d.Detail, tt.detail) || d.Remedy == "" || d.RemedyFR == "" {
				t.Errorf("%s: got %d %+v, want %d %s with %q", tt.name, w.Code, d, tt.status, tt.code, tt.detail)
			}
		}
	})
}

func TestAParticipantSeesItsOwnAndAnAdminAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.steps(0)["submitted"]()
		s.steps(0)["recorded"]()
		s.write("submitted", "value", "id=evt-9", "source=/participants/cnam/si", "submitter=cnam", "door=http")
		s.write("recorded", "value", "id=evt-9", "source=/participants/cnam/si", "submittedpartition=0", "submittedoffset=1")
		doors := s.doors()
		time.Sleep(time.Second) // a span ends before its end
		handedIn := map[string]int64{}
		for _, who := range []string{"dev-cnaf", "dev-cnam", "dev-admin"} {
			_, total := s.sumsOf(s.get(doors, who, auditPath, url.Values{"from": {time.Now().Add(-time.Hour).Format(time.RFC3339)}}))
			handedIn[who] = total.HandedIn
		}
		if diff := cmp.Diff(map[string]int64{"dev-cnaf": 1, "dev-cnam": 1, "dev-admin": 2}, handedIn); diff != "" {
			t.Errorf("handed in (-want +got):\n%s", diff)
		}
		for _, tt := range []struct{ token, path string }{{"", keysPath}, {"dev-cnaf", statementsPath}, {"dev-admin", statementsPath}} {
			query := url.Values{}
			if tt.token == "dev-admin" {
				query.Set("participant", "cnam")
			}
			if w := s.get(doors, tt.token, tt.path, query); w.Code != http.StatusOK {
				t.Errorf("%s for %q: %d %s", tt.path, tt.token, w.Code, w.Body)
			}
		}
	})
}

// sumsOf reads an audit's answer.
func (s *scene) sumsOf(w *httptest.ResponseRecorder) (progress []string, total sums) {
	s.t.Helper()
	for lines := json.NewDecoder(w.Body); lines.More(); {
		var line told
		if err := lines.Decode(&line); err != nil {
			s.t.Fatalf("%v in an answer with %d", err, w.Code)
		}
		if line.Progress != "" {
			progress = append(progress, line.Progress)
		}
		if line.Sums != nil {
			return progress, *line.Sums
		}
	}
	s.t.Fatalf("%d without sums", w.Code)
	return nil, total
}

func TestAnAuditUpToNowWaitsForWhatIsUnderWay(t *testing.T) {
	tests := []struct {
		name       string
		to         time.Duration // after the request; 0 for none given
		waits, end time.Duration // after the request
	}{
		{"no end", 0, settledAfter, 0},
		{"an end to come is now", time.Hour, settledAfter, 0},
		{"an end a moment ago", -4 * time.Second, settledAfter - 4*time.Second, -4 * time.Second},
		{"an end long ago", -time.Minute, 0, -time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t)
				doors := s.doors()
				// Whole seconds, as the query has them.
				time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
				asked := time.Now().UTC()
				query := url.Values{"from": {asked.Add(-time.Hour).Format(time.RFC3339)}}
				if tt.to != 0 {
					query.Set("to", asked.Add(tt.to).Format(time.RFC3339))
				}
				progress, total := s.sumsOf(s.get(doors, "dev-admin", auditPath, query))
				// What the embedded log takes for its answers is on top.
				if took := time.Since(asked); took < tt.waits || took > tt.waits+2*time.Second {
					t.Errorf("it took %v, want %v", took, tt.waits)
				}
				if said := strings.Contains(progress[0], "handed in a moment ago"); said != (tt.waits > 0) {
					t.Errorf("it told %q first", progress[0])
				}
				if !total.From.Equal(asked.Add(-time.Hour)) || !total.To.Equal(asked.Add(tt.end)) {
					t.Errorf("it looked at %v to %v, asked at %v", total.From, total.To, asked)
				}
			})
		})
	}
}

func TestWhatIsUnderWayWhenAnAuditBeginsIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		doors := s.doors()
		s.steps(0)["from"]()
		time.Sleep(time.Second)
		s.steps(0)["submitted"]()
		done := make(chan struct{})
		go func() {
			defer close(done)
			time.Sleep(settledAfter / 2)
			for _, step := range []string{"recorded", "cnaf", "cnam", "office"} {
				s.steps(0)[step]()
			}
		}()
		time.Sleep(time.Second)
		_, total := s.sumsOf(s.get(doors, "dev-admin", auditPath, url.Values{"from": {time.Now().Add(-time.Hour).Format(time.RFC3339)}}))
		<-done
		if total.HandedIn != 1 || total.Outcomes != 1 || total.Copies != 3 || total.Differences != 0 {
			t.Errorf("got %+v", total)
		}
	})
}
