package inbox_test

import (
	"errors"
	"html"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/relais-fr/relais/schemas"
)

// filled are a form's hidden fields with answers.
func filled(hidden url.Values, answers ...string) url.Values {
	values := url.Values{}
	maps.Copy(values, hidden)
	for i := 0; i < len(answers); i += 2 {
		values.Add(answers[i], answers[i+1])
	}
	return values
}

func TestAReferralIsMadeFromTheForm(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		form := w.formOn(w.page("/offices/"+office+"/new/referral?visit="+visitID), "referral")
		answer := w.post(office, filled(form, "service", "cnaf logement/apl", "urgency", "immediate", "text", "Bonjour\r\nà vous"))
		target := "/offices/demo-1/cases/" + form.Get("case") + "?sent=" + form.Get("event")
		if answer.Code != http.StatusSeeOther || answer.Header().Get("Location") != target {
			t.Fatalf("%d to %q, want %s\n%s", answer.Code, answer.Header().Get("Location"), target, answer.Body)
		}
		page := w.page(target)
		wantOn(t, page, "Enregistré.", form.Get("reference"), "Envoyée", "à vous", "Fiche à remettre")

		got := w.handedIn()
		if len(got) != 1 {
			t.Fatalf("%d events were handed in", len(got))
		}
		e := got[0].Event
		if e.Source != "/participants/demo-1/page" || got[0].Key != form.Get("case") || e.Subject != form.Get("case") || e.ID != form.Get("event") {
			t.Errorf("event %+v, key %s", e, got[0].Key)
		}
		want := &schemas.ReferralMade{
			From: office, To: "cnaf", Service: "logement/apl", Reference: form.Get("reference"),
			Urgency: new("immediate"), Visit: new(visitID), Sealed: []byte("Bonjour\nà vous"), Attachments: []schemas.Attachment{},
		}
		if diff := cmp.Diff(want, got[0].Payload); diff != "" {
			t.Errorf("payload (-want +got):\n%s", diff)
		}
		if e.Extensions[schemas.AttrPriority] != "urgent" || e.Extensions[schemas.AttrLegalBasis] != "public-task" {
			t.Errorf("attributes %v", e.Extensions)
		}
		wantOn(t, w.page("/offices/"+office+"/cases/"+form.Get("case")+"/reference"), form.Get("reference"), "Allocations familiales", "Maison de Vannes")
	})
}

func TestADoubleClickIsOneEvent(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		form := w.formOn(w.page("/offices/"+office+"/new/referral"), "referral")
		values := filled(form, "service", "cnaf logement/apl")
		answers := make([]*httptest.ResponseRecorder, 3)
		var wg sync.WaitGroup
		for i := range answers {
			wg.Go(func() { answers[i] = w.post(office, values) })
		}
		wg.Wait()
		for _, a := range answers {
			if a.Code != http.StatusSeeOther {
				t.Errorf("%d\n%s", a.Code, a.Body)
			}
		}
		if got := w.handedIn(); len(got) != 1 {
			t.Errorf("%d events were handed in", len(got))
		}
	})
}

func TestADoubleClickOnAMoveIsOneEventAlthoughTheFirstHasMovedIt(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		starts := time.Date(2026, 5, 20, 8, 0, 0, 0, time.UTC)
		w.happens(office, "cnaf", visitID, &schemas.AppointmentBooked{Office: office, Operator: "cnaf", Mode: "phone", Starts: starts})
		form := w.formOn(w.page("/offices/"+office+"/cases/"+visitID), "reschedule")
		for range 2 {
			if a := w.post(office, filled(form, "starts", "2026-05-21T15:30")); a.Code != http.StatusSeeOther {
				t.Fatalf("%d\n%s", a.Code, a.Body)
			}
			w.settle(time.Second)
		}
		got := w.handedIn()
		want := &schemas.AppointmentRescheduled{OldStarts: starts, NewStarts: time.Date(2026, 5, 21, 13, 30, 0, 0, time.UTC)}
		if len(got) != 1 || !cmp.Equal(want, got[0].Payload) {
			t.Errorf("handed in: %+v", got)
		}
		wantOn(t, w.page("/offices/"+office+"/cases/"+visitID), "21 mai 2026 à 15 h 30")
	})
}

func TestARefusedFormIsShownAgainWithANewEventID(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.happens(office, "cnaf", referral, made("cnaf", office))
		w.judge = func(schemas.Event, any) schemas.Reason { return schemas.ReasonTransitionNotAllowed }
		form := w.formOn(w.page("/offices/"+office+"/cases/"+referral), "refuse")
		answer := w.post(office, filled(form, "reason", "not_competent", "text", "Voir <ailleurs>"))
		if answer.Code != http.StatusUnprocessableEntity {
			t.Fatalf("%d\n%s", answer.Code, answer.Body)
		}
		page := answer.Body.String()
		c := schemas.ReasonTransitionNotAllowed.Code()
		wantOn(t, page, "Refusé :", "état actuel du dossier", c.RemedyFR, "Voir &lt;ailleurs&gt;", `value="not_competent" selected`)
		again := w.formOn(page, "refuse")
		if again.Get("event") == form.Get("event") || again.Get("case") != form.Get("case") {
			t.Errorf("ids of the form shown again: %v, before: %v", again, form)
		}
		wantOn(t, w.page("/offices/"+office), "Envois refusés")
		wantOn(t, w.page("/offices/"+office+"?lang=en"), c.English)
	})
}

func TestARefusedReferralGetsNewIDsAltogether(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.judge = func(schemas.Event, any) schemas.Reason { return schemas.ReasonUnknownService }
		form := w.formOn(w.page("/offices/"+office+"/new/referral"), "referral")
		again := w.formOn(w.post(office, filled(form, "service", "cnaf logement/apl")).Body.String(), "referral")
		for _, name := range []string{"event", "case", "reference"} {
			if again.Get(name) == "" || again.Get(name) == form.Get(name) {
				t.Errorf("%s is %q, was %q", name, again.Get(name), form.Get(name))
			}
		}
	})
}

func TestWithoutAnOutcomeThePageSaysSent(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.judge = nil
		form := w.formOn(w.page("/offices/"+office+"/new/referral"), "referral")
		began := time.Now()
		answer := w.post(office, filled(form, "service", "cnaf logement/apl"))
		if took := time.Since(began); answer.Code != http.StatusSeeOther || took > 3*time.Second {
			t.Fatalf("%d after %v", answer.Code, took)
		}
		target := answer.Header().Get("Location")
		wantOn(t, w.page(target), "La réponse du hub est attendue", `http-equiv="refresh" content="2"`)
		got := w.handedIn()[0]
		w.deliver(office, got.Event, got.Payload)
		w.settle(time.Second)
		page := w.page(target)
		wantOn(t, page, "Enregistré.")
		wantNotOn(t, page, `http-equiv="refresh"`)
		wantOn(t, w.page("/offices/"+office+"?sent=00000000-0000-7000-8000-000000000000"), "ancien")
	})
}

func TestWrongAnswersAreShownAtTheirFieldAndSentNowhere(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.happens(office, "cnaf", referral, made("cnaf", office))
		page := w.page("/offices/" + office + "/cases/" + referral)
		cases := []struct {
			name, page, action string
			answers            []string
			field, want        string
		}{
			{"no recipient", "/new/referral", "referral", nil, "service", "Une réponse est attendue ici."},
			{"a service without its operator", "/new/referral", "referral", []string{"service", "logement/apl"}, "service", "pas comprise"},
			{"no reason", "", "refuse", nil, "reason", "Une réponse est attendue ici."},
			{"the reason `other` without a comment", "", "refuse", []string{"reason", "other"}, "text", "Une réponse est attendue ici."},
			{"a reason that is no code", "", "refuse", []string{"reason", "whatever"}, "reason", "pas comprise"},
			{"a telephone number where it is read by all", "", "receive", []string{"unit", "M. Martin 06 12 34 56 78"}, "unit", "Ni nom, ni numéro"},
			{"an empty message", "", "message", []string{"text", "  "}, "text", "Une réponse est attendue ici."},
			{"a message that is too long", "", "message", []string{"text", strings.Repeat("é", 2001)}, "text", "2 000 caractères au plus"},
			{"an appointment that ends before it starts", "/new/appointment", "appointment", []string{"operator", "cnaf", "mode", "phone", "starts", "2026-05-20T10:00", "ends", "2026-05-20T09:00"}, "ends", "après le début"},
			{"a time that is none", "/new/appointment", "appointment", []string{"operator", "cnaf", "mode", "phone", "starts", "soon"}, "starts", "pas comprise"},
			{"a day that is none", "/new/visit", "visit", []string{"day", "yesterday", "half_day", "morning", "channel", "phone"}, "day", "pas comprise"},
			{"four themes", "/new/visit", "visit", []string{"day", "2026-05-20", "half_day", "morning", "channel", "phone", "themes", "housing", "themes", "justice", "themes", "retirement", "themes", "disability"}, "themes", "trois thématiques au plus"},
			{"a group of one", "/new/visit", "visit", []string{"day", "2026-05-20", "half_day", "morning", "channel", "phone", "group_size", "1"}, "group_size", "entre 2 et 1000"},
			{"a town by its name", "/new/visit", "visit", []string{"day", "2026-05-20", "half_day", "morning", "channel", "phone", "residence", "Vannes"}, "residence", "Un code est attendu"},
		}
		for _, c := range cases {
			from := page
			if c.page != "" {
				from = w.page("/offices/" + office + c.page)
			}
			form := w.formOn(from, c.action)
			answer := w.post(office, filled(form, c.answers...))
			if answer.Code != http.StatusUnprocessableEntity {
				t.Errorf("%s: %d\n%s", c.name, answer.Code, answer.Body)
				continue
			}
			said := regexp.MustCompile(`id="` + c.action + "-" + c.field + `-\d+-problem">([^<]*)<`).FindStringSubmatch(answer.Body.String())
			if said == nil || !strings.Contains(html.UnescapeString(said[1]), c.want) {
				t.Errorf("%s: %q is said, want %q\n%s", c.name, said, c.want, answer.Body)
			}
			wantOn(t, answer.Body.String(), "Rien n'est parti")
			// What only whoever runs the hub understands is not said.
			wantNotOn(t, answer.Body.String(), "data.", "mal formé")
			if again := w.formOn(answer.Body.String(), c.action); again.Get("event") != form.Get("event") {
				t.Errorf("%s: nothing was sent, but the event has a new id", c.name)
			}
		}
		if got := w.handedIn(); len(got) != 0 {
			t.Errorf("handed in: %+v", got)
		}
	})
}

func TestAFormThatIsNotOursIsRefused(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.happens(office, "cnaf", referral, made("cnaf", office))
		book := w.formOn(w.page("/offices/"+office+"/new/referral"), "referral")
		cases := []struct {
			name   string
			values url.Values
			status int
		}{
			{"no action", url.Values{}, http.StatusBadRequest},
			{"an unknown action", url.Values{"action": {"delete"}}, http.StatusBadRequest},
			{"no event id", url.Values{"action": {"receive"}, "case": {referral}, "of": {referral}}, http.StatusBadRequest},
			{"an event id that is none", url.Values{"action": {"receive"}, "case": {referral}, "of": {referral}, "event": {"a b"}}, http.StatusBadRequest},
			{"a case that is none", url.Values{"action": {"receive"}, "event": {"e"}, "case": {"../.."}}, http.StatusBadRequest},
			{"an action on no case", url.Values{"action": {"receive"}, "event": {"e"}, "case": {referral}}, http.StatusBadRequest},
			{"an action on another case", url.Values{"action": {"receive"}, "event": {"e"}, "case": {referral}, "of": {referral + "~x"}}, http.StatusBadRequest},
			{"a rerouting without its case", url.Values{"action": {"reroute"}, "event": {"e"}, "case": {visitID}, "competent": {"cnam"}}, http.StatusBadRequest},
			{"a referral opened in somebody's dossier", url.Values{"action": {"referral"}, "event": {"e"}, "case": {referral + "~x"}}, http.StatusBadRequest},
			{"an action on a case of another office", url.Values{"action": {"receive"}, "event": {"e"}, "case": {visitID}, "of": {visitID}}, http.StatusNotFound},
			{"much too much", filled(book, "text", strings.Repeat("x", 80_000)), http.StatusRequestEntityTooLarge},
		}
		for _, c := range cases {
			if answer := w.post(office, c.values); answer.Code != c.status {
				t.Errorf("%s: %d, want %d\n%s", c.name, answer.Code, c.status, answer.Body)
			}
		}
		if got := w.handedIn(); len(got) != 0 {
			t.Errorf("handed in: %+v", got)
		}
	})
}

func TestALostAcknowledgementIsStillOneEvent(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		form := w.formOn(w.page("/offices/"+office+"/new/visit"), "visit")
		w.kafka.LoseAnswers(kmsg.Produce, 1)
		if answer := w.post(office, filled(form, "day", "2026-05-14", "half_day", "morning", "channel", "phone")); answer.Code != http.StatusSeeOther {
			t.Fatalf("%d\n%s", answer.Code, answer.Body)
		}
		w.settle(5 * time.Second)
		seen := map[string]bool{}
		for _, s := range w.handedIn() {
			seen[s.Event.ID] = true
		}
		if len(seen) != 1 || !seen[form.Get("event")] {
			t.Errorf("events %v", seen)
		}
	})
}

func TestWhenNobodyKnowsTheSameFormIsSentAgain(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.judge = nil
		form := w.formOn(w.page("/offices/"+office+"/new/visit"), "visit")
		values := filled(form, "day", "2026-05-14", "half_day", "morning", "channel", "phone")
		w.kafka.LoseAnswers(kmsg.Produce, 1000)
		answer := w.post(office, values)
		if answer.Code != http.StatusServiceUnavailable {
			t.Fatalf("%d\n%s", answer.Code, answer.Body)
		}
		wantOn(t, answer.Body.String(), "On ne sait pas si l'envoi est parti")
		if again := w.formOn(answer.Body.String(), "visit"); again.Get("event") != form.Get("event") || again.Get("case") != form.Get("case") {
			t.Errorf("the form has other ids: %v", again)
		}
		w.kafka.LoseAnswers(kmsg.Produce, -w.kafka.Lost(kmsg.Produce))
		if answer := w.post(office, values); answer.Code != http.StatusSeeOther {
			t.Fatalf("%d\n%s", answer.Code, answer.Body)
		}
		w.settle(10 * time.Second)
		for _, s := range w.handedIn() {
			if s.Event.ID != form.Get("event") {
				t.Errorf("another event %s", s.Event.ID)
			}
		}
	})
}

func TestAnOutcomeCountsMoreThanALostAcknowledgement(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		form := w.formOn(w.page("/offices/"+office+"/new/visit"), "visit")
		w.judge = nil
		w.deliver(office, schemas.Event{ID: form.Get("event"), Source: schemas.Source(office, "page"), Subject: form.Get("case")}, &schemas.VisitRecorded{
			Office: office, Day: schemas.DayOf(time.Now()), HalfDay: "morning", Channel: "phone", Operators: []string{}, Services: []string{},
		})
		w.settle(time.Second)
		w.kafka.LoseAnswers(kmsg.Produce, 1000)
		answer := w.post(office, filled(form, "day", "2026-05-14", "half_day", "morning", "channel", "phone"))
		if answer.Code != http.StatusSeeOther {
			t.Fatalf("%d\n%s", answer.Code, answer.Body)
		}
	})
}

func TestAnOfficeThatSendsTooMuchIsToldToWait(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		var last *httptest.ResponseRecorder
		for range 61 {
			last = w.post(office, url.Values{})
		}
		if last.Code != http.StatusTooManyRequests || last.Header().Get("Retry-After") == "" {
			t.Fatalf("%d %v", last.Code, last.Header())
		}
		wantOn(t, last.Body.String(), "Trop d&#39;envois")
		if answer := w.post("demo-2", url.Values{}); answer.Code != http.StatusBadRequest {
			t.Errorf("another office: %d", answer.Code)
		}
		w.settle(time.Second)
		if answer := w.post(office, url.Values{}); answer.Code != http.StatusBadRequest {
			t.Errorf("a second later: %d", answer.Code)
		}
	})
}

func TestARerouteIsFollowedByItsChild(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.happens(office, "cnaf", referral, made("cnaf", office))
		path := "/offices/" + office + "/cases/" + referral
		form := w.formOn(w.page(path), "reroute")
		if a := w.post(office, filled(form, "competent", "cnam")); a.Code != http.StatusSeeOther {
			t.Fatalf("%d\n%s", a.Code, a.Body)
		}
		page := w.page(path)
		wantOn(t, page, "Réorientée", "Il reste à transmettre", "Carte Vitale")
		child := w.formOn(page, "child")
		if child.Get("case") != form.Get("child") {
			t.Errorf("the child is %s, announced was %s", child.Get("case"), form.Get("child"))
		}
		if a := w.post(office, filled(child, "service", "sante/carte")); a.Code != http.StatusSeeOther {
			t.Fatalf("%d\n%s", a.Code, a.Body)
		}
		got, ok := w.handedIn()[1].Payload.(*schemas.ReferralMade)
		if !ok || got.From != "cnaf" || got.To != "cnam" || got.Parent == nil || *got.Parent != referral {
			t.Errorf("child %+v", got)
		}
		wantOn(t, w.page("/offices/"+office+"/cases/"+url.PathEscape(child.Get("case"))), "Suite d&#39;une orientation réorientée", "Transmise")
		wantOn(t, w.page("/offices/"+office), `En attente d'une réponse <span class="count">0</span>`)
		wantNotOn(t, w.page(path), "Il reste à transmettre")
	})
}

func TestAVisitIsRecordedCorrectedAndVoidedByForms(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		today := time.Now().Format(time.DateOnly)
		form := w.formOn(w.page("/offices/"+office+"/new/visit"), "visit")
		if a := w.post(office, filled(form, "day", today, "half_day", "morning", "channel", "home")); a.Code != http.StatusSeeOther || !strings.HasPrefix(a.Header().Get("Location"), "/offices/demo-1?sent=") {
			t.Fatalf("%d\n%s", a.Code, a.Body)
		}
		wantOn(t, w.page("/offices/"+office), "Matin · À domicile")
		path := "/offices/" + office + "/visits/" + today + "/" + form.Get("case")
		correct := w.formOn(w.page(path), "correct")
		if a := w.post(office, filled(correct, "day", today, "half_day", "afternoon", "channel", "phone")); a.Code != http.StatusSeeOther {
			t.Fatalf("%d\n%s", a.Code, a.Body)
		}
		page := w.page("/offices/" + office)
		wantOn(t, page, "Après-midi · Téléphone", "corrigée")
		wantNotOn(t, page, "Matin · À domicile")
		void := w.formOn(w.page(path), "void")
		if a := w.post(office, filled(void, "reason", "duplicate")); a.Code != http.StatusSeeOther {
			t.Fatalf("%d\n%s", a.Code, a.Body)
		}
		wantNotOn(t, w.page("/offices/"+office), "Après-midi · Téléphone")
		if a := w.get(path); a.Code != http.StatusNotFound {
			t.Errorf("the voided visit: %d", a.Code)
		}
	})
}

func TestClosedDoorsTakeNothing(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		form := w.formOn(w.page("/offices/"+office+"/new/visit"), "visit")
		w.closed = errors.New("Le disque est plein.")
		answer := w.post(office, filled(form, "day", "2026-05-14", "half_day", "morning", "channel", "phone"))
		if answer.Code != http.StatusServiceUnavailable {
			t.Fatalf("%d", answer.Code)
		}
		wantOn(t, answer.Body.String(), "Le disque est plein.")
		if len(w.handedIn()) != 0 {
			t.Error("something was handed in")
		}
	})
}
