package hub

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/clock"
	"github.com/relais-fr/relais/services/courier"
	"github.com/relais-fr/relais/services/directory"
	"github.com/relais-fr/relais/services/gateway"
	"github.com/relais-fr/relais/services/inbox"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/ledger"
	"github.com/relais-fr/relais/services/observatory"
	"github.com/relais-fr/relais/services/registry"
	"github.com/relais-fr/relais/services/router"
)

// maker makes a service for a host.
type maker func(services.Host) (services.Service, error)

func makerOf[S services.Service](make func(services.Host) (S, error)) maker {
	return func(h services.Host) (services.Service, error) { return make(h) }
}

// lone is a service that runs as a process of its own, and its door by default.
type lone struct {
	name, door string
	make       maker
}

var alone = []lone{
	{"registry", "127.0.0.1:8081", makerOf(registry.New)},
	{"directory", "127.0.0.1:8083", makerOf(directory.New)},
	{"gateway", "127.0.0.1:8080", makerOf(gateway.New)},
	{"ledger", "127.0.0.1:8085", makerOf(ledger.New)},
	{"router", "127.0.0.1:8086", makerOf(router.New)},
	{"observatory", "127.0.0.1:8088", makerOf(observatory.New)},
	{"inbox", "127.0.0.1:8082", makerOf(inbox.New)},
	{"courier", "127.0.0.1:8084", makerOf(courier.New)},
	{"clock", "127.0.0.1:8087", makerOf(clock.New)},
}

// settle starts every service as a process of its own, on the same engines.
func settle(t *testing.T) (n *neighbours, stop func()) {
	t.Helper()
	network := new(kfake.VirtualNetwork)
	engines, err := StartEmbedded(t.Context(), EmbeddedConfig{KafkaAddr: "127.0.0.1:9092", Listen: network.Listen, Dial: network.DialContext})
	if err != nil {
		t.Fatal(err)
	}
	n = &neighbours{
		t: t, client: &http.Client{Transport: &http.Transport{DialContext: network.DialContext, DisableKeepAlives: true}},
		at: func(service string) string {
			return alone[slices.IndexFunc(alone, func(l lone) bool { return l.name == service })].door
		},
	}
	if n.broker, err = broker.New(broker.Config{Brokers: []string{engines.KafkaAddr()}, Dial: engines.Dial}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, len(alone))
	for _, l := range alone {
		run := l.start(t, engines, network)
		go func() { ended <- run(ctx) }()
	}
	return n, func() {
		_ = n.broker.Close()
		cancel()
		for range alone {
			if err := <-ended; err != nil {
				t.Errorf("a process ended with %v", err)
			}
		}
		if err := engines.Close(); err != nil {
			t.Error(err)
		}
	}
}

// start does what services.Main does, but for the process's arguments.
func (l lone) start(t *testing.T, engines *Embedded, network *kfake.VirtualNetwork) (run func(context.Context) error) {
	t.Helper()
	settings := config.Default(l.door)
	settings.Partitions, settings.ProbeEvery = 3, 0
	p, err := services.NewProcess(settings, slog.New(slog.DiscardHandler), services.Engines{
		Brokers: []string{engines.KafkaAddr()}, Dial: engines.Dial, Redis: engines.Redis(),
	})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := network.Listen("tcp", l.door)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := l.make(p.Host(l.name))
	if err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context) error {
		return p.Run(ctx, []services.Door{{Listener: listener, Handler: p.Doors, Label: "http door"}}, s)
	}
}

func TestEachServiceAloneTellsHowItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, stop := settle(t)
		defer stop()
		for _, s := range alone {
			if status, body := n.call(http.MethodGet, s.name, "/healthz", "", "", nil); status != http.StatusOK || string(body) != "ok\n" {
				t.Errorf("%s: /healthz is %d %s", s.name, status, body)
			}
			n.awaitReady(s.name)
		}
		n.live()
		for _, s := range alone {
			families := n.metrics(s.name)
			var told, want []string
			for name, family := range families {
				if by := values(family, "service"); len(by) > 0 && !slices.Equal(by, []string{s.name}) {
					t.Errorf("%s tells %s of %q", s.name, name, by)
				}
				if _, ok := claimed[name]; ok {
					told = append(told, name)
				}
			}
			for name, by := range claimed {
				if slices.Contains(by, s.name) {
					want = append(want, name)
				}
			}
			slices.Sort(told)
			slices.Sort(want)
			if diff := cmp.Diff(want, told); diff != "" {
				t.Errorf("%s tells (-want +got):\n%s", s.name, diff)
			}
			for _, group := range values(families["relais_consumer_lag_seconds"], "group") {
				if group != "relais."+s.name && !strings.HasPrefix(group, "relais."+s.name+"-") {
					t.Errorf("%s reads as group %s", s.name, group)
				}
			}
			n.checkLabels(families)
		}
	})
}

// awaitReady waits until a service says at /readyz that it is ready, and no other
// says anything there.
func (n *neighbours) awaitReady(service string) {
	n.t.Helper()
	said := ""
	for range 600 {
		status, body := n.call(http.MethodGet, service, "/readyz", "", "", nil)
		if said = string(body); !strings.HasPrefix(said, service+": ") || strings.Count(said, "\n") != 1 {
			n.t.Fatalf("%s: /readyz is %d %s", service, status, body)
		}
		if status == http.StatusOK {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	n.t.Errorf("a minute later /readyz says %q", said)
}
