package inbox_test

import (
	"fmt"
	"html"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relais-fr/relais/schemas"
)

const (
	office   = "demo-1"
	referral = "0198f3c2-6a41-7c3e-9b1d-2f4c8a7e5d10"
	booked   = referral + "~0198f5aa-93de-7d11-a0c4-b87f2e6c1d39"
	visitID  = "0198f3bf-0d55-7e62-8f1a-94c6d2b0e7a8"
)

// story runs a test in a bubble of virtual time, with an inbox.
func story(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t)) })
}

func made(from, to string) *schemas.ReferralMade {
	return &schemas.ReferralMade{From: from, To: to, Service: "logement/apl", Reference: "7K3F-92QD", Sealed: []byte("Bonjour <b>Madame</b>")}
}

// wantOn looks for words as they stand in the HTML, or as they read.
func wantOn(t *testing.T, page string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(page, w) && !strings.Contains(html.UnescapeString(page), w) {
			t.Errorf("%q is not on the page\n%s", w, page)
		}
	}
}

func wantNotOn(t *testing.T, page string, words ...string) {
	t.Helper()
	for _, w := range words {
		if strings.Contains(page, w) {
			t.Errorf("%q is on the page", w)
		}
	}
}

func TestWhatArrivesIsOnTheOfficesPage(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		wantOn(t, w.page("/offices/"+office), "Maison de Vannes", "Rien à faire pour le moment.")
		w.happens(office, "cnaf", referral, made("cnaf", office))
		starts := time.Now().Add(48 * time.Hour)
		w.happens(office, "cnaf", booked, &schemas.AppointmentBooked{Office: office, Operator: "cnaf", Mode: "phone", Starts: starts})
		w.happens(office, "software", visitID, &schemas.VisitRecorded{
			Office: office, Day: schemas.DayOf(time.Now()), HalfDay: "morning", Channel: "phone", Services: []string{"sante/carte"}, Operators: []string{},
		})
		page := w.page("/offices/" + office)
		wantOn(t, page, "Allocations familiales", "7K3F-92QD", "Nouvelle", "Par téléphone", "Carte Vitale", `data-stream="/offices/demo-1/events?after=`)
		wantNotOn(t, w.page("/offices/demo-2"), "Allocations familiales")
		page = w.page("/offices/" + office + "/cases/" + referral)
		wantOn(t, page, "Bonjour &lt;b&gt;Madame&lt;/b&gt;", "Accuser réception", "Orientation transmise", "Rendez-vous")
		wantNotOn(t, page, "<b>Madame")
		if got := w.metric("relais_inbox_events_total"); got != 3 {
			t.Errorf("%v events counted", got)
		}
		if got := w.metric("relais_event_end_to_end_seconds"); got != 3 {
			t.Errorf("%v durations observed", got)
		}
	})
}

func TestTheCaseIsFoundByItsReference(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.happens(office, "cnaf", referral, made("cnaf", office))
		answer := w.get("/offices/" + office + "/find?reference=7k3f92qd")
		if want := "/offices/demo-1/cases/" + referral; answer.Code != http.StatusSeeOther || answer.Header().Get("Location") != want {
			t.Errorf("%d to %s, want %s", answer.Code, answer.Header().Get("Location"), want)
		}
		for _, reference := range []string{"", "7K3F-92QC", "nonsense"} {
			if answer := w.get("/offices/" + office + "/find?reference=" + reference); answer.Code != http.StatusNotFound {
				t.Errorf("%q: %d", reference, answer.Code)
			}
		}
	})
}

func TestAnEventDeliveredTwiceIsOneLine(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		r := w.deliver(office, schemas.Event{ID: "a", Source: schemas.Source("cnaf", "si"), Subject: referral}, made("cnaf", office))
		w.produce(r)
		w.settle(time.Second)
		w.produce(r)
		w.settle(time.Second)
		page := w.page("/offices/" + office + "/cases/" + referral)
		if n := strings.Count(page, "Orientation transmise"); n != 1 {
			t.Errorf("it is on the timeline %d times", n)
		}
		if got := w.metric("relais_dedupe_hits_total"); got != 2 {
			t.Errorf("%v repeats counted", got)
		}
	})
}

func TestWhatCannotBeReadIsLeftOut(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		good := w.deliver(office, schemas.Event{ID: "a", Source: schemas.Source("cnaf", "si"), Subject: referral}, made("cnaf", office))
		bad := good
		bad.Headers = nil
		w.produce(bad)
		bad = good
		bad.Key = []byte("demo-2")
		w.produce(bad)
		bad = good
		bad.Value = good.Value[:len(good.Value)-3]
		w.produce(bad)
		w.happens(office, "cnaf", booked, &schemas.AppointmentBooked{Office: office, Operator: "cnaf", Mode: "phone", Starts: time.Now()})
		wantOn(t, w.page("/offices/"+office), "7K3F-92QD", "Par téléphone")
		if got := w.metric("relais_inbox_unreadable_total"); got != 3 {
			t.Errorf("%v records left out", got)
		}
	})
}

func TestTheDesksAreBuiltAgainWhenTheStoreIsEmptied(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		for i := range 20 {
			w.deliver(office, schemas.Event{ID: fmt.Sprint(i), Source: schemas.Source("cnaf", "si"), Subject: fmt.Sprint(referral, "~", i)}, made("cnaf", office))
		}
		w.settle(time.Second)
		before := w.page("/offices/" + office)
		wantOn(t, before, ">20<")

		// Nothing arrives: the inbox notices by itself.
		w.redis.FlushAll()
		if answer := w.get("/offices/" + office); answer.Code != http.StatusServiceUnavailable || !strings.Contains(answer.Body.String(), "Reconstruction en cours") {
			t.Errorf("just after: %d\n%s", answer.Code, answer.Body)
		}
		w.settle(10 * time.Second)
		if after := w.page("/offices/" + office); after != before {
			t.Errorf("the page is another:\n%s\n%s", before, after)
		}

		w.redis.FlushAll()
		w.happens(office, "cnaf", referral, made("cnaf", office))
		w.settle(5 * time.Second)
		wantOn(t, w.page("/offices/"+office), ">21<")
	})
}

func TestANewProcessGoesOnFromTheStoredPosition(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.happens(office, "cnaf", referral, made("cnaf", office))
		before := w.page("/offices/" + office)
		w.stop()
		w.start()
		w.settle(20 * time.Second)
		if after := w.page("/offices/" + office); after != before {
			t.Errorf("the page is another:\n%s", after)
		}
		if ready, words := w.ready.State(); !ready {
			t.Errorf("not ready: %s", words)
		}
		if got := w.metric("relais_inbox_events_total"); got != 0 {
			t.Errorf("%v events were applied again", got)
		}
	})
}

func TestNoPageBeforeTheDesksAreBuilt(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.happens(office, "cnaf", referral, made("cnaf", office))
		w.stop()
		w.redis.FlushAll()
		// The pages are there, but nobody builds the desks yet.
		answer := w.get("/offices/" + office)
		if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") == "" {
			t.Errorf("%d %v", answer.Code, answer.Header())
		}
		if answer := w.get("/offices/" + office + "/cases/" + referral); answer.Code != http.StatusServiceUnavailable {
			t.Errorf("a case that is not built yet: %d, never `not found`", answer.Code)
		}
		w.start()
	})
}

func TestABacklogThatIsTooMuchForOneCommitIsTakenInParts(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.stop()
		const backlog = 2000
		for i := range backlog {
			w.deliver(office, schemas.Event{ID: fmt.Sprint(i), Source: schemas.Source("cnaf", "si"), Subject: fmt.Sprintf("cnaf.%d", i)}, made("cnaf", office))
		}
		w.start()
		w.settle(10 * time.Second)
		wantOn(t, w.page("/offices/"+office), fmt.Sprintf(">%d<", backlog))
		if got := w.metric("relais_inbox_events_total"); got != backlog {
			t.Errorf("%v events counted", got)
		}
	})
}
