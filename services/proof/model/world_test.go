package model

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/gateway"
	"github.com/relais-fr/relais/services/inbox"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/enginetest"
	"github.com/relais-fr/relais/services/internal/store"
	"github.com/relais-fr/relais/services/ledger"
	"github.com/relais-fr/relais/services/router"
)

// partitions is N. Dossiers share one, and some do not.
const partitions = 2

const (
	topicSubmitted = "relais.submitted"
	topicRecorded  = "relais.recorded"
	topicToOffices = "relais.to.offices"
)

var operators = []string{"cnaf", "msa"}

func topics() map[string]int {
	all := map[string]int{
		topicSubmitted: partitions, topicRecorded: partitions, topicToOffices: partitions, "relais.from.offices": partitions,
		"relais.from.hub": 1, "relais.to.hub": 1, "relais.deliveries": partitions, "relais.quarantine": 1, "relais.directory": 1,
	}
	for _, id := range operators {
		all["relais.from."+id], all["relais.to."+id] = 1, partitions
	}
	return all
}

// world is a hub of several processes on engines of its own.
type world struct {
	seed    uint64
	weather weather
	// storm is whether faults happen.
	storm  atomic.Bool
	kafka  *kafka
	memory *memory
	people people
	story  story
	// refuses says which produces the broker refuses for good, whatever the
	// weather; nil for none.
	refuses func(topic string, data []byte) bool

	underWay  atomic.Int64 // produces that will arrive
	processes sync.WaitGroup
	stop      context.CancelFunc
	ctx       context.Context

	mu             sync.Mutex
	forbiddenUntil time.Time // until when nobody may write to recorded
	problems       []string
}

func newWorld(seed uint64) *world {
	w := &world{seed: seed}
	w.story.begun = time.Now()
	w.kafka, w.memory = newKafka(w, topics()), newMemory(w)
	w.ctx, w.stop = context.WithCancel(context.Background())
	return w
}

// end stops all processes and waits for them.
func (w *world) end() {
	w.stop()
	w.processes.Wait()
	w.memory.server.Close()
}

// later does f after d, storm or not.
func (w *world) later(d time.Duration, f func()) {
	w.underWay.Add(1)
	w.processes.Go(func() {
		<-time.After(d)
		f()
		w.underWay.Add(-1)
	})
}

func (w *world) problem(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

// slot is a process that is started again whenever it ends.
type slot struct {
	world *world
	kind  string
	name  string

	mu  sync.Mutex
	now *actor
}

func (s *slot) actor() *actor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// start keeps a process of that kind alive until the world ends.
func (w *world) start(kind string, n int) *slot {
	s := &slot{world: w, kind: kind, name: fmt.Sprintf("%s-%d", kind, n)}
	s.now = s.actorOf(0)
	w.processes.Go(func() {
		for life := 1; w.ctx.Err() == nil; life++ {
			a := s.actor()
			if err := s.live(a); err != nil {
				a.tell("end", "%v", err)
			}
			a.kill()
			w.kafka.vacate(a)
			s.mu.Lock()
			s.now = s.actorOf(life)
			s.mu.Unlock()
			pause(w.ctx, a.between(50*time.Millisecond, 2*time.Second))
		}
	})
	return s
}

func (s *slot) actorOf(life int) *actor {
	a := s.world.newActor(fmt.Sprintf("%s.%d", s.name, life))
	a.mortal = true
	return a
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// live is one life of a process.
func (s *slot) live(a *actor) error {
	w := s.world
	var err error
	if a.view, err = w.newView(a.between(0, longestBehind)); err != nil {
		return err
	}
	b, err := broker.New(broker.Config{Brokers: []string{"127.0.0.1:9092"}, Dial: a.dial, DrainTimeout: time.Second})
	if err != nil {
		return err
	}
	defer b.Close() //nolint:errcheck // it never fails
	client := w.memory.client(a)
	defer client.Close() //nolint:errcheck // it is a fake's
	service, err := newService(s.kind, b, store.New(store.Config{Client: client}), a.view)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	go func() {
		select {
		case <-a.died:
			cancel()
		case <-ctx.Done():
		}
	}()
	a.tell("start", "as %s", s.kind)
	err = service.Run(ctx)
	if _, ok := errors.AsType[*ledger.IntegrityError](err); ok {
		w.problem("%s found the logs at odds: %v", a.name, err)
	}
	return err
}

func newService(kind string, b *broker.Broker, st *store.Store, view *view) (services.Service, error) {
	settings := config.Default("127.0.0.1:0")
	settings.Partitions = partitions
	host := services.Host{
		Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Broker: b, Store: st, HTTP: http.NewServeMux(),
		Ready: services.NewReadiness(), Directory: view.View, Schemas: enginetest.Schemas{}, Auth: &auth.Auth{}, Settings: settings,
	}
	switch kind {
	case "gateway":
		return gateway.New(host)
	case "ledger":
		return ledger.New(host)
	case "router":
		return router.New(host)
	case "inbox":
		return inbox.New(host)
	}
	return nil, fmt.Errorf("no service %q", kind)
}
