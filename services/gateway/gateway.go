// Package gateway judges form: who are you, may you speak for this participant,
// is the type known, is the event well formed and within bounds, do those whom it
// names exist. What passes is stamped with what a decision may depend on and goes
// to `relais.submitted`.
//
// It has two doors, HTTP (POST /v1/events) and the topics `relais.from.…`, and
// one set of rules behind both (judge.go). At the HTTP door a refusal is the
// answer; what came by a topic goes on with the verdict stamped on it, so that
// the ledger records the refusal and its sender learns of it. What cannot be read
// at all goes whole to `relais.quarantine`.
//
// It judges no meaning: whether an event is allowed now, for these parties, only
// the ledger knows. It follows `relais.recorded` to answer callers who wait, and
// keeps no state but a topic's committed offsets.
package gateway

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/contract"
	"github.com/relais-fr/relais/services/internal/pause"
	"github.com/relais-fr/relais/services/internal/uses"
)

// Gateway is the service. Make it with New, which registers its routes on the
// host's mux; they answer 503 until Run has found everything in order.
type Gateway struct {
	host       services.Host
	log        *slog.Logger
	broker     *broker.Broker
	partitions int
	codec      *schemas.Codec
	judge      *judge
	outcomes   *outcomes
	pending    *pending
	census     *census
	limiter    *limiter // of the HTTP door
	topicPace  *limiter
	metrics    *metrics

	submitted, recorded, quarantine string

	// shut is why the doors are shut; nil when they are open.
	shut atomic.Pointer[string]
	// cuts is, by partition, why it takes nothing; nil where it does.
	cuts []atomic.Pointer[string]
}

var _ services.Service = (*Gateway)(nil)

// New makes the gateway and registers its routes. It connects to nothing yet.
func New(host services.Host) (*Gateway, error) {
	codec := schemas.NewCodec(host.Schemas)
	g := &Gateway{
		host: host, log: host.Log, broker: host.Broker, partitions: host.Settings.Partitions, codec: codec,
		judge: &judge{
			directory: host.Directory, codec: codec, log: host.Log, uses: uses.New(),
			schemaURL: host.Settings.RegistryURL + "/schemas/ids/",
		},
		pending: newPending(host.Settings.Partitions), metrics: newMetrics(host.Metrics),
		submitted: host.Broker.Topic("submitted"), recorded: host.Broker.Topic("recorded"), quarantine: host.Broker.Topic("quarantine"),
	}
	g.limiter, g.topicPace = newLimiters(host.Directory.Setting)
	g.outcomes = newOutcomes(host.Broker, codec, host.Log, g.recorded, g.partitions, g.pending)
	g.cuts = make([]atomic.Pointer[string], g.partitions)
	g.broker.Guard(g.submitted, g.outcomes.written)
	g.census = newCensus(host.Broker, host.Log, g.quarantine)
	g.tell(host.Metrics)
	g.close("The gateway is starting; try again in a moment.")
	g.routes(host.HTTP)
	contract.Register(host.HTTP, host.Settings.Prefix)
	return g, nil
}

// Name is the service's name.
func (g *Gateway) Name() string { return "gateway" }

// Run opens the doors once the directory is known and the logs agree, and hands
// in what comes by topic, until ctx ends.
func (g *Gateway) Run(ctx context.Context) error {
	group, working := errgroup.WithContext(ctx)
	start := func(run func(context.Context) error) {
		group.Go(func() error {
			err := run(working)
			if working.Err() != nil {
				return nil
			}
			return err
		})
	}
	start(g.outcomes.run)
	start(g.census.run)
	start(func(ctx context.Context) error {
		if err := g.openDoors(ctx); err != nil {
			return err
		}
		watching, stop := context.WithCancel(ctx)
		var watch sync.WaitGroup
		watch.Go(func() { g.watchLog(watching) })
		defer watch.Wait()
		defer stop()
		return (&topicDoor{g}).run(ctx)
	})
	err := group.Wait()
	g.close("The gateway is stopping; try again in a moment.")
	return err
}

// close shuts the doors, and says why.
func (g *Gateway) close(sentence string) {
	g.shut.Store(&sentence)
	g.metrics.open.Set(0)
	g.host.Ready.Set(false, sentence)
}

// open opens the doors.
func (g *Gateway) open() {
	g.shut.Store(nil)
	g.metrics.open.Set(1)
	g.host.Ready.Set(true, "ready")
	g.log.Info("the doors are open")
}

// closed is why nothing can be accepted now, or "".
func (g *Gateway) closed() string {
	if s := g.shut.Load(); s != nil {
		return *s
	}
	return g.host.DoorsClosed()
}

// recheckEvery is how often doors that may not open look again whether they may.
const recheckEvery = 2 * time.Second

// openDoors waits until the directory is known and the logs agree. A finding that
// people must mend keeps the doors shut, with its sentence, and the process alive.
func (g *Gateway) openDoors(ctx context.Context) error {
	g.close("The directory is being read; try again in a moment.")
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-g.host.Directory.Ready():
	}
	g.close("Waiting for the hub's topics; try again in a moment.")
	if err := g.broker.WaitTopics(ctx, g.submitted, g.recorded, g.quarantine); err != nil {
		return err
	}
	said := ""
	for {
		err := g.checkLogs(ctx)
		if err == nil {
			break
		}
		var finding *finding
		if !errors.As(err, &finding) {
			return err
		}
		if finding.sentence != said {
			said = finding.sentence
			g.log.Error("the doors stay shut", "why", said)
			g.close(said)
		}
		if err := pause.For(ctx, recheckEvery); err != nil {
			return err
		}
	}
	g.open()
	return nil
}
