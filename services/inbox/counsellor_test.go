package inbox_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/relais-fr/relais/schemas"
)

// wantTyped looks for a form that is shown again as it was sent.
func wantTyped(t *testing.T, w *world, answer *httptest.ResponseRecorder, status int, form url.Values, words ...string) {
	t.Helper()
	if answer.Code != status {
		t.Fatalf("%d, want %d\n%s", answer.Code, status, answer.Body)
	}
	wantOn(t, answer.Body.String(), words...)
	again := w.formOn(answer.Body.String(), form.Get("action"))
	if again.Get("event") != form.Get("event") || again.Get("case") != form.Get("case") {
		t.Errorf("the form has other ids: %v", again)
	}
}

func TestWhatWasTypedIsNotLostWhenNothingIsTakenNow(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.happens(office, "cnaf", referral, made("cnaf", office))
		form := w.formOn(w.page("/offices/"+office+"/cases/"+referral), "refuse")
		values := filled(form, "reason", "not_competent", "text", "Voir la MSA")

		w.closed = errors.New("Le disque est plein.")
		wantTyped(t, w, w.post(office, values), http.StatusServiceUnavailable, form, "Le disque est plein.", "Voir la MSA")
		w.closed = nil

		for range 60 {
			w.post(office, url.Values{})
		}
		answer := w.post(office, values)
		wantTyped(t, w, answer, http.StatusTooManyRequests, form, "Trop d'envois", "Voir la MSA")
		if answer.Header().Get("Retry-After") == "" {
			t.Error("it does not say how long to wait")
		}
		w.settle(10 * time.Second)

		w.stop()
		w.redis.FlushAll()
		answer = w.post(office, values)
		wantTyped(t, w, answer, http.StatusServiceUnavailable, form, "reconstruction", "Voir la MSA")
		// A page that loads itself again would send the form again.
		wantNotOn(t, answer.Body.String(), "data-wait")
		w.start()
		w.settle(10 * time.Second)
		if got := w.handedIn(); len(got) != 0 {
			t.Errorf("handed in: %+v", got)
		}
		if answer := w.post(office, values); answer.Code != http.StatusSeeOther {
			t.Errorf("%d\n%s", answer.Code, answer.Body)
		}
	})
}

func TestAFormShownAgainLeadsBackToItsCase(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.happens(office, "cnaf", referral, made("cnaf", office))
		form := w.formOn(w.page("/offices/"+office+"/cases/"+referral), "refuse")
		page := w.post(office, form).Body.String()
		path := "/offices/demo-1/cases/" + referral
		wantOn(t, page, `<a href="`+path+`">Orientation 7K3F-92QD</a>`, `<a href="`+path+`">Retour</a>`, `href="`+path+`?lang=en"`)
		for _, address := range []string{"/offices/demo-1/submit", "/offices/demo-1/submit?lang=en", "/offices/demo-1/"} {
			if a := w.get(address); a.Code != http.StatusSeeOther || a.Header().Get("Location") != "/offices/demo-1" {
				t.Errorf("%s: %d to %q", address, a.Code, a.Header().Get("Location"))
			}
		}
	})
}

func TestARefusalSaysWhereTheCaseStandsNow(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.happens(office, "cnaf", referral, made("cnaf", office))
		form := w.formOn(w.page("/offices/"+office+"/cases/"+referral), "refuse")
		w.happens(office, "cnaf", referral, &schemas.ReferralCancelled{Reason: "person_asked"})
		w.judge = func(schemas.Event, any) schemas.Reason { return schemas.ReasonTransitionNotAllowed }
		page := w.post(office, filled(form, "reason", "not_competent")).Body.String()
		wantOn(t, page, `<span class="state cancelled">Annulée</span>`)

		page = w.page("/offices/" + office)
		wantOn(t, page, "Envois refusés", `<a href="/offices/demo-1/cases/`+referral+`">Refuser l'orientation</a>`)
		old := time.Now().Add(-8 * 24 * time.Hour).UTC().Format(time.RFC3339)
		w.deliver("demo-2", schemas.Event{ID: "old", Source: schemas.LedgerSource, Subject: referral, Extensions: map[string]string{schemas.AttrReceivedTime: old}},
			&schemas.SubmissionRefused{Reason: "not_a_party", SubmissionSource: schemas.Source("demo-2", "page"), SubmissionID: "e", SubmissionType: schemas.TypeReferralClosed})
		w.settle(time.Second)
		wantNotOn(t, w.page("/offices/demo-2"), "Envois refusés")
	})
}

func TestAnEventThatIsNotCollectedIsReportedInWords(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.happens(office, office, referral, made(office, "cnaf"))
		since := time.Now().Add(-2 * time.Hour)
		report := &schemas.DeliveryChanged{
			Place: "0-1", Recipient: "cnaf", State: schemas.DeliveryDelivered, Reason: new(schemas.DeliveryNotCollected), Channel: schemas.ChannelKafka,
			EventSource: schemas.Source(office, "page"), EventID: "e", EventType: schemas.TypeReferralMade, Subject: referral, Sender: new("offices/" + office), Since: since,
		}
		w.happens(office, schemas.HubParticipant, referral, report)
		french := w.page("/offices/" + office)
		wantOn(t, french, "non remis ces sept derniers jours", "pas été récupéré par", "depuis le", "qui sera bientôt supprimé", `<a href="/offices/demo-1/cases/`+referral+`">`)
		wantOn(t, w.page("/offices/"+office+"?lang=en"), "Has not been collected by", "soon deleted")
		report.State, report.Reason = schemas.DeliveryRedriven, nil
		w.happens(office, schemas.HubParticipant, referral, report)
		wantOn(t, w.page("/offices/"+office), "A finalement été remis à")
	})
}

func TestVisitsOfAnotherDayAreFound(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		today := schemas.DayOf(time.Now())
		form := w.formOn(w.page("/offices/"+office+"/new/visit"), "visit")
		a := w.post(office, filled(form, "day", (today+3).String(), "half_day", "morning", "channel", "home", "themes", "housing"))
		target := "/offices/demo-1?sent=" + form.Get("event") + "&day=" + (today + 3).String()
		if a.Code != http.StatusSeeOther || a.Header().Get("Location") != target {
			t.Fatalf("%d to %s, want %s\n%s", a.Code, a.Header().Get("Location"), target, a.Body)
		}
		page := w.page(target)
		wantOn(t, page, "Enregistré.", "Matin · À domicile · Logement", "?day="+(today+2).String())
		wantNotOn(t, w.page("/offices/"+office), "À domicile")
		wantNotOn(t, w.page("/offices/"+office+"?day=yesterday"), "À domicile")
		wantOn(t, w.page("/offices/"+office+"/visits/"+(today+3).String()+"/"+form.Get("case")), `href="/offices/demo-1?day=`+(today+3).String())
		void := w.formOn(w.page("/offices/"+office+"/visits/"+(today+3).String()+"/"+form.Get("case")), "void")
		if a := w.post(office, filled(void, "reason", "test")); !strings.HasSuffix(a.Header().Get("Location"), "&day="+(today+3).String()) {
			t.Errorf("taken back, the page goes on at %q", a.Header().Get("Location"))
		}
	})
}

func TestAReferenceIsFoundHoweverItIsTyped(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.happens(office, "cnaf", referral, made("cnaf", office))
		for _, typed := range []string{"7K3F-92QD", "7k3f92qd", " 7k3f 92qd ", "7K3F–92QD", "7k.3f.92.qd"} {
			if a := w.get("/offices/" + office + "/find?reference=" + url.QueryEscape(typed)); a.Code != http.StatusSeeOther {
				t.Errorf("%q: %d", typed, a.Code)
			}
		}
		a := w.get("/offices/" + office + "/find?reference=7K3F-92QC")
		if a.Code != http.StatusNotFound {
			t.Errorf("%d", a.Code)
		}
		wantOn(t, a.Body.String(), "Aucune orientation de cet accueil ne porte cette référence.")
	})
}

func TestAnOperatorIsChosenTogetherWithItsService(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		for answer, service := range map[string]string{"cnaf": "", "cnaf logement/apl": "logement/apl"} {
			form := w.formOn(w.page("/offices/"+office+"/new/appointment"), "appointment")
			if a := w.post(office, filled(form, "operator", answer, "mode", "phone", "starts", "2026-05-20T10:00")); a.Code != http.StatusSeeOther {
				t.Fatalf("%d\n%s", a.Code, a.Body)
			}
			all := w.handedIn()
			got, ok := all[len(all)-1].Payload.(*schemas.AppointmentBooked)
			if !ok || got.Operator != "cnaf" || service != "" && (got.Service == nil || *got.Service != service) || service == "" && got.Service != nil {
				t.Errorf("%q: %+v", answer, got)
			}
		}
	})
}

func TestAServiceThatTheHubDoesNotKnowIsSaidAtItsQuestion(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.judge = func(schemas.Event, any) schemas.Reason { return schemas.ReasonUnknownService }
		w.detail = "service: not one of this participant's"
		form := w.formOn(w.page("/offices/"+office+"/new/referral"), "referral")
		page := w.post(office, filled(form, "service", "cnaf logement/apl")).Body.String()
		wantOn(t, page, `id="referral-service-0-problem">Choisissez une autre réponse`, `<a href="#referral-service-0">Destinataire et service</a>`)
	})
}

func TestAReferralIsNotReroutedToItsSender(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.happens(office, "cnaf", referral, made("cnaf", office))
		_, form, _ := strings.Cut(w.page("/offices/"+office+"/cases/"+referral), `name="competent"`)
		form, _, _ = strings.Cut(form, "</select>")
		if strings.Contains(form, `value="cnaf"`) || !strings.Contains(form, `value="cnam"`) {
			t.Errorf("offered are %s", form)
		}
	})
}

func TestASearchSaysHowManyThereAre(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		wantOn(t, w.page("/?q=vannes"), "Un accueil trouvé.")
		wantOn(t, w.page("/?q=56"), "3 accueils trouvés.", `href="/?lang=en&q=56"`)
		wantOn(t, w.page("/?q=56&lang=en"), "3 offices found.")
	})
}

func TestAssetsAreNotListed(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		if a := w.get("/assets/"); a.Code != http.StatusNotFound {
			t.Errorf("%d\n%s", a.Code, a.Body)
		}
	})
}

func TestAnAppointmentSaysWhenItIs(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		starts := time.Date(2026, 5, 20, 8, 0, 0, 0, time.UTC)
		for hours, want := range map[int]string{1: "mer. 20 mai 2026 à 10 h 00 – 11 h 00<", 24: "à 10 h 00 – jeu. 21 mai 2026 à 10 h 00<"} {
			ends := starts.Add(time.Duration(hours) * time.Hour)
			id := "cnaf.span-" + strings.Repeat("x", hours)
			w.happens(office, "cnaf", id, &schemas.AppointmentBooked{Office: office, Operator: "cnaf", Mode: "phone", Starts: starts, Ends: &ends})
			wantOn(t, w.page("/offices/"+office+"/cases/"+id), "<h1>Rendez-vous · mer. 20 mai 2026 à 10 h 00</h1>", want)
		}
	})
}

func TestATimelineTellsWhatWasAskedInOneLine(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.happens(office, office, referral, made(office, "cnaf"))
		w.happens(office, "cnaf", referral, &schemas.ReferralReceived{OwnReference: new("D-1234")})
		w.happens(office, "cnaf", referral, &schemas.ReviewStarted{})
		w.happens(office, "cnaf", referral, &schemas.InformationRequested{Items: []schemas.InformationItem{{Code: "tax_notice"}, {Code: "bank_details"}}})
		page := w.page("/offices/" + office + "/cases/" + referral)
		wantOn(t, page, "<dt>Référence chez le destinataire</dt><dd>D-1234</dd>", "<dd>Avis d'impôt ; Relevé d'identité bancaire</dd>")
	})
}
