package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/relais-fr/relais/services/internal/enginetest"
)

// onLocal says whether the shared hub is to be the services as processes of their
// own, on Apache Kafka and Redis.
func onLocal() bool { return os.Getenv("RELAIS_E2E") == "local" }

// ofOneProcess skips what is about cmd/hub.
func ofOneProcess(t *testing.T) {
	t.Helper()
	if onLocal() {
		t.Skip("this is about the hub in one process; here the services are processes of their own")
	}
}

// startLocal starts the services on the engines of RELAIS_ENGINES, by the script
// that anybody would use, and an ingress before them.
func startLocal(t *testing.T) *hub {
	t.Helper()
	engines := enginetest.NewLocal(t)
	enginetest.Script(t, "up", "--data", engines.Dir)
	settings, err := os.ReadFile(filepath.Join(engines.Dir, "env"))
	if err != nil {
		t.Fatal(err)
	}
	_, doors, _ := strings.Cut(string(settings), "RELAIS_HUB='")
	doors, _, _ = strings.Cut(doors, "'")
	h := &hub{kafka: strings.Join(engines.Brokers, ",")}
	ways, err := waysTo(doors)
	if err != nil {
		t.Fatal(err)
	}
	h.registry = ways["registry"].String()
	server := httptest.NewServer(ingress(ways))
	h.http = server.URL
	if h.logs, err = filepath.Glob(filepath.Join(engines.Dir, "log", "*.log")); err != nil {
		t.Fatal(err)
	}
	h.logs = ownLogs(h.logs)
	h.end = func() error {
		server.Close()
		problems := []error{}
		for _, log := range h.logs {
			name := strings.TrimSuffix(filepath.Base(log), ".log")
			problems = append(problems, enginetest.RunScript("service", "stop", name, "--data", engines.Dir))
		}
		return errors.Join(problems...)
	}
	return h
}

// ownLogs are the services' logs; the engines say what they like in theirs.
func ownLogs(all []string) (own []string) {
	for _, log := range all {
		if name := filepath.Base(log); !strings.HasPrefix(name, "kafka-") && name != "redis.log" {
			own = append(own, log)
		}
	}
	return own
}

// waysTo are the doors by the beginnings of their paths, as hubctl is told them,
// and those that an ingress knows besides: the page's, and what goes to the
// gateway.
func waysTo(doors string) (map[string]*url.URL, error) {
	ways := map[string]*url.URL{}
	gateway, others, _ := strings.Cut(doors, ",")
	for door := range strings.SplitSeq(others+",/v1/="+gateway, ",") {
		path, address, ok := strings.Cut(door, "=")
		at, err := url.Parse(address)
		if !ok || err != nil {
			return nil, fmt.Errorf("the doors are %q: %w", doors, err)
		}
		ways[path] = at
	}
	for name, after := range map[string]int{"registry": 1, "/": 2} {
		at := *ways["/v1/"]
		var port int
		if _, err := fmt.Sscan(at.Port(), &port); err != nil {
			return nil, err
		}
		at.Host = fmt.Sprintf("%s:%d", at.Hostname(), port+after)
		ways[name] = &at
	}
	return ways, nil
}

// ingress hands requests to the services by their paths.
func ingress(ways map[string]*url.URL) http.Handler {
	return &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			longest := ""
			for path := range ways {
				if strings.HasPrefix(r.In.URL.Path, path) && len(path) > len(longest) {
					longest = path
				}
			}
			r.SetURL(ways[longest])
			r.Out.Host = r.In.Host
		},
	}
}
