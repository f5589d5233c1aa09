// Package hub runs all services in one process: on an embedded broker and store
// by default, on real ones where their addresses are given. It is for trying,
// for development, for an installation that accepts one node, and for tests.
//
// It knows the list of services and the embedded engines; what a service does is
// the service's own matter. cmd/hub is its only user besides tests.
package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/clock"
	"github.com/relais-fr/relais/services/courier"
	"github.com/relais-fr/relais/services/directory"
	"github.com/relais-fr/relais/services/gateway"
	"github.com/relais-fr/relais/services/inbox"
	"github.com/relais-fr/relais/services/internal/certificate"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/store"
	"github.com/relais-fr/relais/services/ledger"
	"github.com/relais-fr/relais/services/observatory"
	"github.com/relais-fr/relais/services/registry"
	"github.com/relais-fr/relais/services/router"
)

// Network is how the hub listens and dials; the zero value is the real network.
// Tests give it one in memory.
type Network struct {
	Listen func(network, address string) (net.Listener, error)
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
}

// Hub is the whole hub in one process.
type Hub struct {
	settings config.Settings
	log      *slog.Logger
	out      io.Writer
	network  Network
	engaged  func(*Embedded)
	embedded *Embedded // while it runs
}

var _ services.Service = (*Hub)(nil)

// New makes a hub that has not begun. It tells its addresses on out, one a line,
// door first, once everything answers.
func New(settings config.Settings, log *slog.Logger, out io.Writer, network Network) *Hub {
	if network.Listen == nil {
		network.Listen = net.Listen
	}
	return &Hub{settings: settings, log: log, out: out, network: network}
}

// OnEngines has f called with the embedded engines once they run. It is for trials
// that break them.
func (h *Hub) OnEngines(f func(*Embedded)) { h.engaged = f }

// Name is `hub`.
func (h *Hub) Name() string { return "hub" }

// Run runs the hub until ctx ends.
func (h *Hub) Run(ctx context.Context) (err error) {
	settings := h.settings
	httpDoor, err := h.listen("http", settings.HTTP)
	if err != nil {
		return err
	}
	defer func() { _ = httpDoor.Close() }()
	doors := []services.Door{{Listener: httpDoor, Label: "http door"}}
	pair, err := services.DoorCertificate(settings, h.log)
	if err != nil {
		return err
	}
	ownRegistry := settings.RegistryURL == ""
	var within *inner
	if ownRegistry {
		registryDoor, err := h.listen("registry", settings.Registry)
		if err != nil {
			return err
		}
		defer func() { _ = registryDoor.Close() }()
		settings.RegistryURL = settings.HTTPScheme() + "://" + registryDoor.Addr().String()
		within = newInner(registryDoor.Addr())
		defer func() { _ = within.Close() }()
		doors = append(doors, services.Door{Listener: registryDoor, Label: "registry door"}, services.Door{Listener: within, Label: "registry door within"})
	}
	engines, stop, err := h.engines(ctx, pair)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if within != nil {
		engines.Registry = within.transport()
	}
	if settings.StatementKey == "" {
		if settings.StatementKey, err = ownKey(settings.Data); err != nil {
			return err
		}
	}
	if settings.AdminKeyHash == "" {
		if settings.AdminKeyHash, err = adminKeyHash(settings.Data, settings.Secure); err != nil {
			return err
		}
	}

	p, err := services.NewProcess(settings, h.log, engines)
	if err != nil {
		return err
	}
	if err := p.Prepare(ctx); err != nil {
		return err
	}
	all, registryDoors, err := list(p, ownRegistry)
	if err != nil {
		return err
	}
	doors[0].Handler, doors[0].TLS = p.Doors, p.Guard("http")
	if ownRegistry {
		doors[1].Handler, doors[1].TLS = registryDoors, p.Guard("registry")
		doors[2].Handler = registryDoors
	}
	if len(settings.Brokers) == 0 {
		p.Guard("kafka")
		h.embedded.tell(p.Metrics)
	}
	h.log.InfoContext(ctx, "started", "settings", settings)
	return p.Run(ctx, doors, append(all, &announcer{h, p, doors, engines.Brokers})...)
}

// list makes every service, the registry only where no other is to be used: two
// would write to one schema log. It has a mux of its own, as its clients expect a
// door of its own.
func list(p *services.Process, ownRegistry bool) ([]services.Service, *services.Doors, error) {
	registryDoors := p.MoreDoors()
	var all []services.Service
	var problems []error
	add := func(s services.Service, err error) {
		all = append(all, s)
		problems = append(problems, err)
	}
	if ownRegistry {
		registryHost := p.Host("registry")
		registryHost.HTTP = registryDoors
		add(registry.New(registryHost))
	}
	owner, err := directory.New(p.Host("directory"))
	add(owner, err)
	add(&directory.Activation{Directory: owner, Newest: ledger.Rules}, nil)
	add(gateway.New(p.Host("gateway")))
	add(ledger.New(p.Host("ledger")))
	add(router.New(p.Host("router")))
	add(inbox.New(p.Host("inbox")))
	add(courier.New(p.Host("courier")))
	add(clock.New(p.Host("clock")))
	add(observatory.New(p.Host("observatory")))
	return all, registryDoors, errors.Join(problems...)
}

func (h *Hub) listen(flag, addr string) (net.Listener, error) {
	l, err := h.network.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s is not free for --%s (%w): stop what listens there, or give another address with --%s", addr, flag, err, flag)
	}
	return l, nil
}

// engines are the real ones where their addresses are given, else embedded.
func (h *Hub) engines(ctx context.Context, pair *certificate.Pair) (services.Engines, func() error, error) {
	s := h.settings
	e := services.Engines{Brokers: s.Brokers, Dial: h.network.Dial, Certificate: pair}
	var speak *tls.Config
	if pair != nil {
		speak = pair.Server()
	}
	embedded, err := StartEmbedded(ctx, EmbeddedConfig{
		DataDir: s.Data, KafkaAddr: s.Kafka, Listen: h.network.Listen, Dial: h.network.Dial, Log: h.log,
		PageCache: s.Durability == config.DurabilityPageCache, Secure: s.Secure, TLS: speak,
		NoKafka: len(s.Brokers) > 0, NoRedis: s.Redis != "",
	})
	if err != nil {
		return e, nil, err
	}
	if h.embedded = embedded; h.engaged != nil {
		h.engaged(embedded)
	}
	if len(s.Brokers) == 0 {
		e.Brokers = []string{embedded.KafkaAddr()}
		e.Login = embedded.Login()
		e.Closed = embedded.Closed
		e.Dial = embedded.Dial // within the process, without the network
	}
	if s.Redis == "" {
		e.Redis = embedded.Redis()
		return e, embedded.Close, nil
	}
	if e.Redis, err = store.Connect(s.Redis); err != nil {
		return e, nil, errors.Join(err, embedded.Close())
	}
	return e, embedded.Close, nil
}

// announcer tells the addresses once everything answers.
type announcer struct {
	hub     *Hub
	process *services.Process
	doors   []services.Door
	brokers []string
}

func (a *announcer) Name() string { return "announcer" }

func (a *announcer) Run(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !a.process.Ready() {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
	scheme := a.hub.settings.HTTPScheme()
	fmt.Fprintf(a.hub.out, "http %s://%s\n", scheme, a.doors[0].Listener.Addr())
	for _, b := range a.brokers {
		fmt.Fprintf(a.hub.out, "kafka %s\n", b)
	}
	if len(a.doors) > 1 {
		fmt.Fprintf(a.hub.out, "registry %s://%s\n", scheme, a.doors[1].Listener.Addr())
	}
	fmt.Fprintln(a.hub.out, "ready")
	<-ctx.Done()
	return nil
}
