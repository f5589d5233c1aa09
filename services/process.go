package services

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/certificate"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/registry"
	"github.com/relais-fr/relais/services/internal/store"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// Engines are what a process stands on.
type Engines struct {
	// Brokers are Kafka's addresses; Dial opens connections to them, to the
	// schema registry and to nothing else. Nil is the network.
	Brokers []string
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	// Login is how to sign in to Brokers; where it is the zero value the settings say.
	Login broker.Login
	// Certificate is what the doors show; where it is nil the settings say.
	Certificate *certificate.Pair
	// Registry is how to ask the schema registry; nil is by Dial.
	Registry http.RoundTripper
	// Redis is closed by the process.
	Redis redis.UniversalClient
	// Closed says why nothing may be accepted at present; may be nil.
	Closed func() string
}

// Process is what the services of one process share. Make it with NewProcess,
// take a Host for each service, then Run them.
type Process struct {
	Settings  config.Settings
	Log       *slog.Logger
	Metrics   *prometheus.Registry
	Doors     *Doors
	Broker    *broker.Broker
	Store     *store.Store
	Directory *directory.View

	engines   Engines
	schemas   *registry.Client
	auth      *auth.Auth
	readiness map[string]*Readiness

	certificate *certificate.Pair            // of the doors; nil where they speak in the clear
	shown       map[string]*certificate.Pair // by door
}

// NewProcess connects to nothing yet.
func NewProcess(settings config.Settings, log *slog.Logger, engines Engines) (*Process, error) {
	metrics := telemetry.NewRegistry()
	shown := map[string]*certificate.Pair{}
	if engines.Login.User == "" && engines.Login.TLS == nil {
		own, pair, err := login(settings, log)
		if err != nil {
			return nil, err
		}
		if engines.Login = own; pair != nil {
			shown[kafkaClient] = pair
		}
	}
	var err error
	if engines.Certificate == nil {
		if engines.Certificate, err = DoorCertificate(settings, log); err != nil {
			return nil, err
		}
	}
	b, err := broker.New(broker.Config{
		Brokers: engines.Brokers, Prefix: settings.Prefix, Dial: engines.Dial,
		Replication: settings.Replication, Login: engines.Login, Log: log, Metrics: metrics,
	})
	if err != nil {
		return nil, err
	}
	client := &http.Client{Timeout: 10 * time.Second}
	if client.Transport, err = registryTransport(settings, engines); err != nil {
		return nil, err
	}
	p := &Process{
		Settings: settings, Log: log, Metrics: metrics, Broker: b,
		Directory: directory.NewView(), engines: engines, readiness: map[string]*Readiness{},
		certificate: engines.Certificate, shown: shown,
	}
	p.tellExpiry()
	if engines.Redis != nil {
		p.Store = store.New(store.Config{Client: engines.Redis, Prefix: settings.Prefix, Log: log, Metrics: metrics})
	}
	p.auth = auth.New(auth.Config{
		Development: settings.Development(), Directory: p.Directory, AdminKeyHash: settings.AdminKeyHash, HubKeyHash: settings.HubKeyHash,
		Issuers: settings.OIDCIssuers, Audience: settings.OIDCAudience, Log: log, Metrics: metrics,
	})
	p.Doors = NewDoors(p.auth)
	if settings.Secure {
		sign, err := registrySignature(settings, p.auth)
		if err != nil {
			return nil, err
		}
		client.Transport = &signed{client.Transport, sign}
	}
	p.schemas = registry.New(settings.RegistryURL, client)
	p.Doors.Handle("GET /metrics", telemetry.MetricsHandler(metrics))
	p.Doors.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	p.Doors.Handle("GET /readyz", ReadyHandler(p.readiness))
	return p, nil
}

// MoreDoors makes doors beside p.Doors, for a listener of their own.
func (p *Process) MoreDoors() *Doors { return NewDoors(p.auth) }

// Host is the world of one service of the process. Call it before Run.
func (p *Process) Host(name string) Host {
	ready := NewReadiness()
	p.readiness[name] = ready
	return Host{
		Log: p.Log.With(telemetry.KeyService, name), Metrics: telemetry.ForService(p.Metrics, name),
		Broker: p.Broker, Store: p.Store, HTTP: p.Doors, Ready: ready, Directory: p.Directory,
		Schemas: p.schemas, Auth: p.auth, Settings: p.Settings, Closed: p.engines.Closed,
	}
}

// Ready says whether every service is ready.
func (p *Process) Ready() bool {
	for _, r := range p.readiness {
		if ready, _ := r.State(); !ready {
			return false
		}
	}
	return true
}

// Prepare waits for the broker and makes the hub's topics. It returns nil when
// ctx ends.
func (p *Process) Prepare(ctx context.Context) error {
	reach, cancel := context.WithTimeout(ctx, prepareLimit)
	defer cancel()
	if err := p.persist(reach, "the broker to answer", p.Broker.Ping); err != nil {
		return fmt.Errorf("the broker at %v does not answer (%w): start it, or give its address with --brokers", p.engines.Brokers, err)
	}
	if p.engines.Redis != nil {
		if err := p.persist(reach, "the store to answer", func(ctx context.Context) error { return p.engines.Redis.Ping(ctx).Err() }); err != nil {
			return fmt.Errorf("the store does not answer (%w): start Redis, or give its address with --redis", err)
		}
	}
	// A cluster answers before all its brokers have joined, and has then too few for
	// the copies that a topic is to have.
	var final error
	err := p.persist(reach, "all brokers to join", func(context.Context) error {
		final = nil
		err := p.Broker.EnsureTopics(ctx, HubTopics(p.Settings)...)
		var refused *broker.RefusedError
		if errors.As(err, &refused) && refused.TooFewBrokers() {
			return err
		}
		final = err
		return nil
	})
	return errors.Join(err, final)
}

const (
	// prepareLimit is how long a process waits for its engines when it starts.
	prepareLimit = 30 * time.Second
	preparePause = time.Second
)

// persist tries until it succeeds or ctx ends, and says every few seconds what it
// waits for. The error is that of the last try.
func (p *Process) persist(ctx context.Context, waiting string, try func(context.Context) error) error {
	for tries := 0; ; tries++ {
		err := try(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if tries%5 == 0 {
			p.Log.WarnContext(ctx, "waiting at the start", "for", waiting, telemetry.KeyError, err)
		}
		t := time.NewTimer(preparePause)
		select {
		case <-ctx.Done():
			t.Stop()
			return err
		case <-t.C:
		}
	}
}

// Run runs the services, what they share, and the HTTP servers on the listeners,
// until ctx ends or one of them fails.
func (p *Process) Run(ctx context.Context, doors []Door, all ...Service) error {
	shared := []Service{&follower{p}}
	if p.Store != nil {
		shared = append(shared, &sweeper{p.Store})
	}
	for _, d := range doors {
		shared = append(shared, d)
	}
	err := Run(ctx, append(shared, all...)...)
	return errors.Join(err, p.close())
}

func (p *Process) close() error {
	err := p.Broker.Close()
	if p.engines.Redis != nil {
		err = errors.Join(err, p.engines.Redis.Close())
	}
	return err
}

// follower keeps the process's view of the directory.
type follower struct{ *Process }

func (f *follower) Name() string { return "directory view" }

func (f *follower) Run(ctx context.Context) error {
	if err := f.Broker.WaitTopics(ctx, f.Broker.Topic("directory")); err != nil {
		return err
	}
	return f.Directory.Run(ctx, f.Broker, f.Log)
}

// sweeper removes what projections have left behind.
type sweeper struct{ *store.Store }

func (s *sweeper) Name() string { return "store" }

// Door is one HTTP server: a listener and what it serves.
type Door struct {
	Listener net.Listener
	Handler  http.Handler
	Label    string
	// TLS encrypts; nil does not.
	TLS *tls.Config
}

// Name is the door's label.
func (d Door) Name() string { return d.Label }

// shutdownLimit is how long open requests get to end.
const shutdownLimit = 5 * time.Second

// Run serves until ctx ends, then lets open requests end.
func (d Door) Run(ctx context.Context) error {
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	server := &http.Server{
		Handler: d.Handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog:    slog.NewLogLogger(slog.DiscardHandler, slog.LevelWarn),
	}
	listener := d.Listener
	if d.TLS != nil {
		listener = tls.NewListener(listener, d.TLS)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	// Streams and long polls see base end; everything else is let finish.
	cancel()
	limit, stop := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit)
	defer stop()
	if err := server.Shutdown(limit); err != nil {
		_ = server.Close()
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Listen opens a door, and says in one sentence what to do when it cannot.
func Listen(ctx context.Context, flag, addr string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s is not free for --%s (%w): stop what listens there, or give another address", addr, flag, err)
	}
	return l, nil
}
