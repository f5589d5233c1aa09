package inbox_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAnOfficeIsFoundByTyping(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		wantNotOn(t, w.page("/"), "Aucun accueil")
		wantOn(t, w.page("/?q=vann"), "Maison de Vannes", `href="/offices/demo-1"`)
		wantOn(t, w.page("/?q=<script>"), "Aucun accueil", "&lt;script&gt;")
		if answer := w.get("/offices/nobody"); answer.Code != http.StatusNotFound {
			t.Errorf("an unknown office: %d", answer.Code)
		}
	})
}

func TestAPageKeepsItsLanguage(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		wantOn(t, w.page("/offices/demo-1"), `<html lang="fr">`, "À faire")
		answer := w.get("/offices/demo-1?lang=en")
		wantOn(t, answer.Body.String(), `<html lang="en">`, "To do")
		cookie := answer.Header().Get("Set-Cookie")
		if !strings.Contains(cookie, "relais_lang=en") || !strings.Contains(cookie, "HttpOnly") {
			t.Errorf("cookie %q", cookie)
		}
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080/offices/demo-1", nil)
		r.AddCookie(&http.Cookie{Name: "relais_lang", Value: "en"})
		wantOn(t, w.do(r).Body.String(), "To do")
	})
}

func TestNoPageOfPersonsIsKeptByABrowser(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.happens(office, "cnaf", referral, made("cnaf", office))
		for _, path := range []string{"/", "/offices/demo-1", "/offices/demo-1/cases/" + referral, "/offices/demo-1/new/visit"} {
			answer := w.get(path)
			if h := answer.Header(); h.Get("Cache-Control") != "no-store" || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("%s: %v", path, h)
			}
		}
		answer := w.get("/assets/style.css")
		if answer.Code != http.StatusOK || !strings.HasPrefix(answer.Header().Get("Content-Type"), "text/css") {
			t.Errorf("style: %d %v", answer.Code, answer.Header())
		}
		for _, path := range []string{"/offices/demo-1/cases/nothing", "/offices/demo-1/new/book", "/offices/demo-1/visits/today/x", "/offices/demo-1/visits/2026-05-14/x", "/assets/page.go"} {
			if answer := w.get(path); answer.Code != http.StatusNotFound {
				t.Errorf("%s: %d", path, answer.Code)
			}
		}
		if strings.Contains(w.logs.String(), "Madame") {
			t.Error("free text is in the log")
		}
	})
}
