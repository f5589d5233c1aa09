package directory

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
	dir "github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

// rig is a directory on an embedded broker, with the view that follows it.
type rig struct {
	*Directory
	t      testing.TB
	broker *broker.Broker
	host   services.Host
	closed string
	stop   func() error
}

func testSettings() config.Settings {
	s := config.Default("127.0.0.1:8083")
	s.Partitions = 3
	return s
}

// newRig starts a directory on the broker and waits until it serves.
func newRig(t testing.TB, kafka *enginetest.Kafka, settings config.Settings) *rig {
	t.Helper()
	b, err := broker.New(broker.Config{Brokers: []string{kafka.Addr}, Dial: kafka.Dial, Prefix: settings.Prefix})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.EnsureTopics(t.Context(), services.HubTopics(settings)...); err != nil {
		t.Fatal(err)
	}
	view := dir.NewView()
	r := &rig{t: t, broker: b}
	r.host = services.Host{
		Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Broker: b, HTTP: http.NewServeMux(),
		Ready: services.NewReadiness(), Directory: view, Auth: auth.New(auth.Config{Development: true, Directory: view}), Settings: settings,
		Closed: func() string { return r.closed },
	}
	if r.Directory, err = New(r.host); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	var result error
	wg.Go(func() {
		if err := view.Run(ctx, b, r.host.Log); err != nil {
			t.Errorf("the view ended: %v", err)
		}
	})
	wg.Go(func() { result = r.Run(ctx) })
	r.stop = sync.OnceValue(func() error {
		cancel()
		wg.Wait()
		return result
	})
	t.Cleanup(func() {
		_ = r.stop()
		_ = b.Close()
	})
	r.waitFor(func(s *dir.Snapshot) bool { _, ok := s.Setting(dir.SettingPartitions); return ok })
	return r
}

// waitFor waits until the view is as wanted.
func (r *rig) waitFor(wanted func(*dir.Snapshot) bool) {
	r.t.Helper()
	for {
		_, changed := r.host.Directory.Watch()
		if wanted(r.host.Directory.Snapshot()) {
			return
		}
		select {
		case <-changed:
		case <-r.t.Context().Done():
			r.t.Fatal("the test ended before the directory was as wanted")
		}
	}
}

// do sends a request with a token and decodes the JSON answer into out.
func (r *rig) do(token, method, path string, body io.Reader, out any) *httptest.ResponseRecorder {
	r.t.Helper()
	req := httptest.NewRequestWithContext(r.t.Context(), method, path, body)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	r.host.HTTP.ServeHTTP(w, req)
	if out != nil {
		if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
			r.t.Fatalf("%s %s answered %d %s: %v", method, path, w.Code, w.Body, err)
		}
	}
	return w
}

// plan hands a list in and returns the plan.
func (r *rig) plan(list []byte, query string) Plan {
	r.t.Helper()
	var p Plan
	if w := r.do("dev-admin", "POST", pathImports+query, bytes.NewReader(list), &p); w.Code != http.StatusCreated || w.Header().Get("Location") != pathImports+"/"+p.ID {
		r.t.Fatalf("the plan was answered with %d %s", w.Code, w.Body)
	}
	return p
}

func (r *rig) apply(p Plan) *httptest.ResponseRecorder {
	r.t.Helper()
	return r.do("dev-admin", "POST", pathImports+"/"+p.ID+"/apply", nil, nil)
}
