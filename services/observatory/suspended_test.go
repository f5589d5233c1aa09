package observatory

import (
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/enginetest"
	"github.com/relais-fr/relais/services/router"
)

// put changes an operator in the directory.
func (s *scene) put(p directory.Participant) {
	s.t.Helper()
	p.Role = directory.RoleOperator
	record, err := p.Record()
	if err == nil {
		err = s.directory.Apply(record)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) suspend(id string) {
	s.put(directory.Participant{ID: id, SuspendedSince: time.Now().Format(time.RFC3339Nano)})
}

// routed runs a router on the scene's log.
func (s *scene) routed() (stop func()) {
	s.t.Helper()
	settings := config.Default("127.0.0.1:0")
	settings.Partitions = 1
	r, err := router.New(services.Host{
		Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Broker: s.broker, HTTP: http.NewServeMux(), Ready: services.NewReadiness(),
		Schemas: enginetest.Schemas{}, Settings: settings, Directory: s.directory, Auth: auth.New(auth.Config{Development: true, Directory: s.directory}),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return (&house{scene: s}).run(r.Run)
}

// TestWhatIsHeldBackIsNoDifference audits all along a suspension, with a real router.
func TestWhatIsHeldBackIsNoDifference(t *testing.T) {
	for _, ends := range []string{"resumed", "closed"} {
		t.Run("and in the end "+ends, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t)
				stop := s.routed()
				written := 0
				write := func(n int) {
					for range n {
						for _, step := range []string{"from", "submitted", "recorded"} {
							s.steps(written)[step]()
						}
						written++
					}
				}
				write(3)
				time.Sleep(5 * time.Second)
				check := func(when string, held, shutOut int64) {
					t.Helper()
					found, total := s.audit("")
					if len(found) != 0 || total.Held != held || total.ShutOut != shutOut || total.Copies != int64(3*written)-held-shutOut {
						t.Errorf("%s: %d copies of %d events, %d held, %d shut out, and found %v", when, total.Copies, written, total.Held, total.ShutOut, found)
					}
				}
				check("before", 0, 0)
				s.suspend("cnaf")
				write(4)
				time.Sleep(5 * time.Second)
				check("suspended", 4, 0)
				stop()
				check("without a router", 4, 0)
				stop = s.routed()
				write(1)
				time.Sleep(10 * time.Second)
				check("with another router", 5, 0)
				if ends == "resumed" {
					s.put(directory.Participant{ID: "cnaf"})
				} else {
					s.put(directory.Participant{ID: "cnaf", SuspendedSince: "2026-01-01T00:00:00Z", ClosedOn: "2026-01-01"})
				}
				time.Sleep(5 * time.Second)
				write(2)
				time.Sleep(5 * time.Second)
				if ends == "resumed" {
					check(ends, 0, 0)
				} else {
					check(ends, 0, 7)
				}
				stop()
			})
		})
	}
}

func TestACopyThatIsMissingFromBeforeTheSuspensionIsStillNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		for n := range 3 {
			for name, step := range s.steps(n) {
				if name != "cnaf" || n != 1 {
					step()
				}
			}
		}
		s.suspend("cnaf")
		if found, total := s.audit(""); fmt.Sprint(found) != "[copy_missing cnaf to.cnaf/0/-1 evt-1]" || total.Held != 0 {
			t.Errorf("found %v, %d held", found, total.Held)
		}
	})
}

func TestStatementsWaitForTheEndOfASuspension(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		o := h.observatory("a")
		h.run(o.Run)
		h.minutes(2)
		time.Sleep(30 * time.Second)
		h.suspend("cnaf")
		h.minutes(5)
		if ages := o.metrics.ages(); len(ages) != 0 {
			t.Errorf("the last statement is old, says %v", ages)
		}
		h.put(directory.Participant{ID: "cnaf"})
		h.minutes(2)
		all := h.statements()
		if got := fmt.Sprint(spans(all)); got != "[1 1 6 1]" {
			t.Errorf("the statements are over %s minutes", got)
		}
		if ages := o.metrics.ages(); len(ages) != 1 {
			t.Errorf("the last statement is old, says %v", ages)
		}
	})
}
