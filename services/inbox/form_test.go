package inbox

import (
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/lifecycle"
	"github.com/relais-fr/relais/services/inbox/internal/desk"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/directory/directorytest"
)

const testCase = "0198f3c2-6a41-7c3e-9b1d-2f4c8a7e5d10"

func testDirectory(t *testing.T) *directory.Snapshot {
	t.Helper()
	return directorytest.View(t,
		directory.Office{ID: "demo-1", Name: "Maison de Vannes", TimeZone: "Indian/Reunion"},
		directory.Participant{ID: "cnaf", Name: "Allocations familiales", Role: directory.RoleOperator},
		directory.Participant{ID: "cnam", Name: "Assurance maladie", Role: directory.RoleOperator},
		directory.Service{Code: "logement/apl", Theme: "logement", Label: "Allocation logement", Operators: []string{"cnaf"}},
		directory.Service{Code: "sante/carte", Theme: "sante", Label: "Carte Vitale", Operators: []string{"cnam"}},
	).Snapshot()
}

// answer fills a field in with what it offers, or with something fitting.
func answer(q shownField) []string {
	var offered []string
	for _, g := range q.Groups {
		for _, o := range g.Options {
			offered = append(offered, o.Value)
		}
	}
	switch q.Kind {
	case askLine:
		if q.Name == "residence" {
			return []string{"56"}
		}
		return []string{"Guichet 3"}
	case askText:
		return []string{"Bonjour"}
	case askNumber:
		return []string{"3"}
	case askDay:
		return []string{"2026-05-20"}
	case askMoment:
		return []string{map[string]string{"starts": "2026-05-20T10:00", "ends": "2026-05-20T10:30"}[q.Name]}
	case askChoices, askOperators, askThemes, askServices:
		return offered[:min(2, len(offered))]
	default:
		return offered[:min(1, len(offered))]
	}
}

func TestEveryFormFilledInMakesAValidEvent(t *testing.T) {
	dir := testDirectory(t)
	office, _ := dir.Office("demo-1")
	c := &desk.Case{
		ID: testCase, Kind: schemas.KindReferral, State: lifecycle.Received, From: "cnaf", To: "demo-1", Service: "logement/apl", Theme: "housing",
		Child: testCase + "~child", Competent: "cnam", Urgency: "soon", Starts: 1_779_260_400_000, Asked: []string{"proof_of_income"},
	}
	for _, full := range []bool{true, false} {
		for _, a := range actions() {
			f := &frame{directory: dir, Office: office, Now: time.Date(2026, 5, 14, 9, 0, 0, 0, time.UTC)}
			of := c
			if !a.needsCase() {
				of = nil
			}
			values := hide(a, of)
			shown := f.newForm(a, of, values, nil)
			sent := url.Values{}
			for _, h := range shown.Hidden {
				sent.Set(h.Name, h.Value)
			}
			for _, q := range shown.Fields {
				if full || q.Required {
					sent[q.Name] = answer(q)
				}
				if len(answer(q)) == 0 {
					t.Errorf("%s: %s offers nothing", a.name, q.Name)
				}
			}
			in := &input{Values: sent, office: office, zone: zoneOf(office), subject: sent.Get(hiddenCase), of: of}
			payload := a.payload(in)
			if len(in.problems) > 0 {
				t.Errorf("%s: %v", a.name, in.problems)
			}
			if schemas.TypeOf(payload) != a.event {
				t.Errorf("%s makes %s, says %s", a.name, schemas.TypeOf(payload), a.event)
			}
			if err := schemas.Validate(payload); err != nil {
				t.Errorf("%s: %v\n%+v", a.name, err, payload)
			}
			if a.opens && sent.Get(hiddenCase) == "" {
				t.Errorf("%s opens no case", a.name)
			}
		}
	}
}

func TestATimeIsReadOnTheOfficesClock(t *testing.T) {
	dir := testDirectory(t)
	office, _ := dir.Office("demo-1")
	in := &input{Values: url.Values{"starts": {"2026-05-20T10:00"}}, zone: zoneOf(office)}
	if got, want := in.mustMoment("starts"), time.Date(2026, 5, 20, 6, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestOnlyAllowedActionsAreOffered(t *testing.T) {
	p, err := newPages(nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 5, 14, 9, 0, 0, 0, time.UTC)
	cases := []struct {
		name string
		c    desk.Case
		want []string
	}{
		{"a new referral, seen by its recipient", desk.Case{Kind: "referral", State: "made", From: "cnaf", To: "demo-1"}, []string{"receive", "message", "reroute", "refuse"}},
		{"a new referral, seen by its sender", desk.Case{Kind: "referral", State: "made", From: "demo-1", To: "cnaf"}, []string{"message", "cancel"}},
		{"information is asked for", desk.Case{Kind: "referral", State: "info_requested", From: "demo-1", To: "cnaf"}, []string{"provide", "message", "cancel"}},
		{"accepted, seen by its recipient", desk.Case{Kind: "referral", State: "accepted", From: "cnaf", To: "demo-1"}, []string{"start", "ask", "complete", "book", "message", "reroute", "refuse"}},
		{"completed, seen by its sender", desk.Case{Kind: "referral", State: "completed", From: "demo-1", To: "cnaf", Since: now.UnixMilli()}, []string{"close", "message", "cancel", "reopen"}},
		{"closed long ago", desk.Case{Kind: "referral", State: "closed", From: "demo-1", To: "cnaf"}, nil},
		{"rerouted, the child is to be handed in", desk.Case{Kind: "referral", State: "rerouted", From: "cnaf", To: "demo-1"}, []string{"child"}},
		{"rerouted and carried on", desk.Case{Kind: "referral", State: "rerouted", From: "cnaf", To: "demo-1", HasChild: true}, nil},
		{"an appointment that is over", desk.Case{Kind: "appointment", State: "booked", From: "demo-1", To: "cnaf", Starts: now.UnixMilli() - 1}, []string{"attended", "missed", "reschedule", "cancel_appointment"}},
		{"an appointment ahead", desk.Case{Kind: "appointment", State: "booked", From: "demo-1", To: "cnaf", Starts: now.UnixMilli() + 1}, []string{"reschedule", "cancel_appointment", "attended", "missed"}},
		{"an appointment that was missed", desk.Case{Kind: "appointment", State: "missed", From: "demo-1", To: "cnaf"}, nil},
		{"somebody else's", desk.Case{Kind: "referral", State: "made", From: "cnaf", To: "demo-2"}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, a := range p.allowed(&c.c, "demo-1", now) {
				got = append(got, a.name)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("offered %v, want %v", got, c.want)
			}
		})
	}
}

func TestALimiterFillsUpAgain(t *testing.T) {
	l := newLimiter()
	now := time.Date(2026, 5, 14, 9, 0, 0, 0, time.UTC)
	for range rateBurst {
		if _, ok := l.take("demo-1", now); !ok {
			t.Fatal("the burst is smaller than it says")
		}
	}
	wait, ok := l.take("demo-1", now)
	if ok || wait != time.Second/ratePerSecond {
		t.Errorf("wait %v, %v", wait, ok)
	}
	if _, ok := l.take("demo-1", now.Add(wait)); !ok {
		t.Error("it did not fill up")
	}
	for i := range maxBuckets {
		l.take(string(rune('a'+i%26))+time.Duration(i).String(), now)
	}
	l.take("one more", now.Add(time.Hour))
	if len(l.buckets) > 2 {
		t.Errorf("%d buckets are remembered", len(l.buckets))
	}
}

func TestOnlySoManySubmissionsAreRemembered(t *testing.T) {
	l := newSentList()
	for i := range 3 * maxSent {
		s, first := l.begin(time.Duration(i).String(), [32]byte{})
		if !first {
			t.Fatal("it was remembered before it was sent")
		}
		l.end(s, nil)
	}
	if len(l.all) > maxSent || len(l.order) > maxSent {
		t.Errorf("%d are remembered in %d", len(l.all), len(l.order))
	}
}
