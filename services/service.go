// Package services says what a service of Relais is, what it gets from outside,
// and how one is run.
//
// A service is a name, its HTTP routes (which its constructor registers on
// Host.HTTP) and a Run that blocks until it is told to stop. It gets everything
// from outside through a Host: there are no globals, so that two hubs can live
// in one process. Main runs one service as a process of its own; package hub
// runs them all in one, on embedded engines. The package knows no concrete
// service.
package services

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/store"
)

// Service is one of the hub's parts.
type Service interface {
	// Name is the word for it in logs, metrics and consumer groups: `ledger`.
	Name() string
	// Run does the service's work until ctx ends, and then returns nil once
	// everything it started has ended. Any other return stops the process.
	Run(ctx context.Context) error
}

// Host is all that a service gets from outside.
type Host struct {
	// Log carries the attribute service.
	Log *slog.Logger
	// Metrics adds the label service.
	Metrics prometheus.Registerer
	// Broker is the log. Store is nil for services without projections.
	Broker *broker.Broker
	Store  *store.Store
	// HTTP is where the constructor registers the routes.
	HTTP Routes
	// Ready is what /readyz tells of this service.
	Ready *Readiness
	// Directory is the process's live view of participants, offices, services
	// and settings. Wait for Directory.Ready before judging anything by it.
	Directory *directory.View
	// Schemas knows the schema of every id: the registry, remembered for ever.
	Schemas schemas.SchemaSource
	// Auth tells who calls.
	Auth *auth.Auth
	// Settings are the process's settings, validated.
	Settings config.Settings
	// Closed says why the doors must not accept at present (a full disk, say);
	// nil or "" when they may. Doors answer 503 not_ready with that sentence.
	Closed func() string
}

// DoorsClosed is the sentence that says why nothing can be accepted now, or "".
func (h Host) DoorsClosed() string {
	if h.Closed == nil {
		return ""
	}
	return h.Closed()
}

// Run runs all services until ctx ends or one of them fails; the first failure
// stops the others and is returned.
func Run(ctx context.Context, all ...Service) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		wg    sync.WaitGroup
		once  sync.Once
		first error
	)
	for _, s := range all {
		wg.Go(func() {
			err := s.Run(ctx)
			if err == nil && ctx.Err() == nil {
				err = errors.New("stopped without being told to")
			}
			if err != nil && !errors.Is(err, context.Canceled) {
				once.Do(func() { first = &Failure{Service: s.Name(), Err: err} })
			}
			cancel()
		})
	}
	wg.Wait()
	return first
}

// Failure is the end of a service that was not asked for.
type Failure struct {
	Service string
	Err     error
}

func (f *Failure) Error() string { return f.Service + ": " + f.Err.Error() }

func (f *Failure) Unwrap() error { return f.Err }
