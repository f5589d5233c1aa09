package inbox

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// guard stands before every page: until there is sign-in, only a browser on this
// machine may come in, and only from our own pages.
type guard struct{ loopback bool }

func newGuard(loopback bool) *guard { return &guard{loopback: loopback} }

// The policy lets nothing in but our own files: no inline script or style, no
// frame, no form that posts elsewhere.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// maxFormBytes bounds what a form may send.
const maxFormBytes = 64 << 10

// protect checks Host and Origin, and sets the headers that every answer has. A
// name that resolves here but is not ours (DNS rebinding) is stopped by Host, a
// form or a script on another site by Origin and Sec-Fetch-Site.
func (g *guard) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if why := g.refuse(r); why != "" {
			http.Error(w, why, http.StatusForbidden)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
		next.ServeHTTP(w, r)
	})
}

// refuse is the sentence that says why the request is not let in, "" if it is.
func (g *guard) refuse(r *http.Request) string {
	switch {
	case !g.loopback:
		return "The office's page has no sign-in yet: it is served on loopback only. Start the service with --http 127.0.0.1:8080."
	case !loopbackHost(r.Host):
		return "The office's page is served under a loopback name only, such as http://127.0.0.1:8080/."
	case !sameOrigin(r):
		return "This request comes from another site."
	}
	return ""
}

// loopbackHost says whether a Host header names this machine's loopback.
func loopbackHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip := net.ParseIP(name)
	return ip != nil && ip.IsLoopback()
}

// sameOrigin says whether a browser sent the request from our own page, or from
// no page at all (a typed address, a bookmark). Another site may link to a page,
// which is what `navigate` with GET means, and no more.
func sameOrigin(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host != r.Host {
			return false
		}
	}
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin":
		return true
	case "none":
		return reads
	}
	return reads && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}
