package inbox

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestOnlyOurOwnPagesOnThisMachineComeIn(t *testing.T) {
	const own = "127.0.0.1:8080"
	cases := []struct {
		name, method, host string
		header             map[string]string
		want               int
	}{
		{"a typed address", "GET", own, map[string]string{"Sec-Fetch-Site": "none"}, 200},
		{"a tool without a browser's headers", "GET", own, nil, 200},
		{"localhost", "GET", "localhost:8080", nil, 200},
		{"IPv6", "GET", "[::1]:8080", nil, 200},
		{"without a port", "GET", "127.0.0.1", nil, 200},
		{"a name that resolves to this machine", "GET", "evil.example:8080", nil, 403},
		{"a name that begins like ours", "GET", "localhost.evil.example", nil, 403},
		{"another machine", "GET", "192.168.1.5:8080", nil, 403},
		{"no host", "GET", "", nil, 403},
		{"a link on another site", "GET", own, map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200},
		{"a frame on another site", "GET", own, map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403},
		{"a script on another site", "GET", own, map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Origin": "http://evil.example"}, 403},
		{"an image on another port", "GET", own, map[string]string{"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}, 403},
		{"our own form", "POST", own, map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://" + own}, 200},
		{"a form on another site", "POST", own, map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Origin": "http://evil.example"}, 403},
		{"a form on another site, old browser", "POST", own, map[string]string{"Origin": "http://evil.example"}, 403},
		{"a form on another port", "POST", own, map[string]string{"Origin": "http://127.0.0.1:3000"}, 403},
		{"a form without an origin", "POST", own, map[string]string{"Origin": "null"}, 403},
		{"a post that no page sent", "POST", own, map[string]string{"Sec-Fetch-Site": "none"}, 403},
	}
	served := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, "http://"+own+"/", nil)
			r.Host = c.host
			for k, v := range c.header {
				r.Header.Set(k, v)
			}
			answer := httptest.NewRecorder()
			newGuard(true).protect(served).ServeHTTP(answer, r)
			if answer.Code != c.want {
				t.Errorf("%d, want %d: %s", answer.Code, c.want, answer.Body)
			}
			for _, name := range []string{"Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "Cache-Control"} {
				if answer.Header().Get(name) == "" {
					t.Errorf("no %s", name)
				}
			}
		})
	}
}

func TestThePageIsServedOnLoopbackOnly(t *testing.T) {
	answer := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080/", nil)
	newGuard(false).protect(http.NotFoundHandler()).ServeHTTP(answer, r)
	if answer.Code != http.StatusForbidden {
		t.Errorf("%d", answer.Code)
	}
}
