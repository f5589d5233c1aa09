package services_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relais-fr/relais/services"
)

func TestReadyzSaysWhatIsMissing(t *testing.T) {
	ledger, router := services.NewReadiness(), services.NewReadiness()
	handler := services.ReadyHandler(map[string]*services.Readiness{"ledger": ledger, "router": router})
	ask := func() (int, string) {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
		return w.Code, w.Body.String()
	}
	if code, body := ask(); code != 503 || !strings.Contains(body, "ledger: starting\n") {
		t.Errorf("at first: %d %q", code, body)
	}
	ledger.Set(true, "judging")
	router.Set(true, "routing")
	ledger.Progress("partition 0", 10, 40)
	ledger.Progress("partition 1", 40, 40)
	if code, body := ask(); code != 503 || !strings.Contains(body, "ledger: rebuilding: 50 of 80 events, 62 %\n") {
		t.Errorf("while it rebuilds: %d %q", code, body)
	}
	ledger.Progress("partition 0", 40, 40)
	if code, body := ask(); code != 200 || body != "ledger: judging\nrouter: routing\n" {
		t.Errorf("at last: %d %q", code, body)
	}
}

func TestAServiceIsReadyOnceItsPartitionsAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := services.NewReadiness(), services.NewReadiness()
		defer first.AwaitPartitions("judging")()
		defer second.AwaitPartitions("judging")()
		expect := func(r *services.Readiness, ready bool, words string) {
			t.Helper()
			if got, said := r.State(); got != ready || said != words {
				t.Errorf("ready %v, %q; want %v, %q", got, said, ready, words)
			}
		}
		expect(first, false, "waiting for its partitions")
		first.Assigned("partition 0", "judging")
		expect(first, false, "rebuilding: 0 of 1 events, 0 %")
		first.Progress("partition 0", 7, 7)
		expect(first, true, "judging")
		expect(second, false, "waiting for its partitions")
		// The group has more members than there are partitions.
		time.Sleep(time.Minute)
		expect(second, true, "judging")
	})
}

// worker is a service that fails after a while, or runs until it is stopped.
type worker struct {
	name    string
	fails   time.Duration
	stopped bool
}

func (w *worker) Name() string { return w.name }

func (w *worker) Run(ctx context.Context) error {
	if w.fails > 0 {
		<-time.After(w.fails)
		return errors.New("the log is cut")
	}
	<-ctx.Done()
	w.stopped = true
	return nil
}

func TestTheFirstFailureStopsTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger, router := &worker{name: "ledger", fails: time.Hour}, &worker{name: "router"}
		err := services.Run(t.Context(), ledger, router)
		var failure *services.Failure
		if !errors.As(err, &failure) || failure.Service != "ledger" || err.Error() != "ledger: the log is cut" {
			t.Errorf("got %v", err)
		}
		if !router.stopped {
			t.Error("the router was not stopped")
		}
	})
}

func TestBeingToldToStopIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := services.Run(ctx, &worker{name: "ledger"}, &worker{name: "router"}); err != nil {
			t.Errorf("got %v", err)
		}
	})
}
