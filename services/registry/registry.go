// Package registry holds the contracts: a schema registry that Confluent's
// clients understand, so that a first run needs nothing else. Avro only.
//
// Its state is the fold of the compacted topic `_schemas`, whose records are in
// Confluent's own format, so that an installation can change over to another
// registry, or from one, with its ids. A write appends its record and answers
// once it has read it back; an id belongs to the first record on the log that
// claims it, and is never given again. So several registries can serve one log
// without electing a leader.
//
// What a schema means, and which may follow which, is package schemas' matter.
// Other services talk to it through services/internal/registry only.
package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/telemetry"
	"github.com/relais-fr/relais/services/internal/uses"
)

// Registry is the service. It is safe for concurrent use.
type Registry struct {
	host    services.Host
	log     *slog.Logger
	store   *Store
	metrics *metrics
	uses    *uses.Table
}

var _ services.Service = (*Registry)(nil)

// New makes a registry and registers its doors, which answer 503 until Run has
// read the log.
func New(host services.Host) (*Registry, error) {
	return newRegistry(host, &topicLog{host.Broker}), nil
}

func newRegistry(host services.Host, log schemaLog) *Registry {
	store := NewStore(log, host.Log)
	r := &Registry{host: host, log: host.Log, store: store, metrics: newMetrics(host.Metrics, store), uses: uses.New()}
	r.routes(host.HTTP)
	return r
}

// Name is the service's name.
func (r *Registry) Name() string { return "registry" }

// Run makes the topic if need be, follows it, and sees to it that our own schemas
// are there, until ctx ends.
func (r *Registry) Run(ctx context.Context) error {
	r.host.Ready.Set(false, "reading the schema log")
	if err := r.host.Broker.EnsureTopics(ctx, topicSpec(r.host.Settings.Replication)); err != nil {
		return quiet(ctx, err)
	}
	return r.follow(ctx)
}

// follow keeps the state and publishes our schemas; the first failure of the two
// ends both.
func (r *Registry) follow(ctx context.Context) error {
	all, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		wg        sync.WaitGroup
		following error
	)
	wg.Go(func() {
		defer cancel()
		following = r.store.Run(all)
	})
	err := r.publish(all)
	if err != nil {
		cancel()
	}
	wg.Wait()
	r.host.Ready.Set(false, "stopped")
	if following != nil {
		return following
	}
	return quiet(ctx, err)
}

// publish registers the catalogue once the log is read, again and again while the
// broker does not answer. Another registry that does so at the same time does no
// harm.
func (r *Registry) publish(ctx context.Context) error {
	for {
		err := r.store.registerOurs(ctx)
		if err == nil {
			break
		}
		if f := (*fault)(nil); errors.As(err, &f) {
			return fmt.Errorf("the event catalogue does not fit what %s holds: %w", Topic, err)
		}
		r.log.WarnContext(ctx, "event catalogue not registered yet", telemetry.KeyError, err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
	r.log.InfoContext(ctx, "event catalogue registered")
	r.host.Ready.Set(true, "serving")
	return nil
}
