// Package router copies each outcome to those whom the ledger named on it. It
// decides nothing and keeps no state of a case.
//
// It reads relais.recorded and writes relais.to.<participant>, keyed by dossier,
// and relais.to.offices, keyed by office. It may repeat itself after a crash: the
// readers of those topics drop by number what they have seen. What cannot be
// delivered it tells on relais.deliveries.
//
// Read partition.go for how a partition of recorded is shared out, lane.go for how
// one recipient's copies are written without holding up anybody else's.
package router

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/broker"
)

// Router is the service.
type Router struct {
	host        services.Host
	codec       *schemas.Codec
	metrics     *metrics
	recorded    string
	deliveries  string
	waiting     waiting
	uncollected uncollected
	letters     *letters
	redriving   atomic.Bool
}

var _ services.Service = (*Router)(nil)

// New makes a router and registers its doors.
func New(host services.Host) (*Router, error) {
	r := &Router{
		host: host, codec: schemas.NewCodec(host.Schemas), metrics: newMetrics(host.Metrics),
		recorded: host.Broker.Topic("recorded"), deliveries: host.Broker.Topic("deliveries"), letters: newLetters(),
	}
	r.tell(host.Metrics)
	host.HTTP.Handle("GET "+deliveriesPath, http.HandlerFunc(r.listDeliveries))
	host.HTTP.Handle("GET "+deliveriesPath+"/{place}/{recipient}", http.HandlerFunc(r.showDelivery))
	host.HTTP.Handle("POST "+redrivesPath, http.HandlerFunc(r.redrives))
	host.HTTP.Handle("POST "+replaysPath, &replays{Router: r, running: map[string]bool{}})
	return r, nil
}

// Name is the service's name.
func (r *Router) Name() string { return "router" }

// Run copies until ctx ends.
func (r *Router) Run(ctx context.Context) error {
	if err := r.host.Broker.WaitTopics(ctx, r.recorded, r.host.Broker.Topic("to.offices"), r.deliveries); err != nil {
		return err
	}
	// Who is suspended is not known before.
	select {
	case <-ctx.Done():
		return nil
	case <-r.host.Directory.Ready():
	}
	defer r.host.Ready.AwaitPartitions("routing")()
	ctx, cancel := context.WithCancel(ctx)
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer cancel()
	helpers.Go(func() { r.followLetters(ctx) })
	helpers.Go(func() { r.watchCollection(ctx) })
	return r.host.Broker.Consume(ctx, r.host.Broker.Topic("router"), []string{r.recorded}, func(ctx context.Context, c *broker.Claim) error {
		r.host.Ready.Set(true, "routing")
		return r.route(ctx, c)
	})
}
