// Package ledger judges meaning: whether a submission is allowed now, for these
// parties. It is the only service that does.
//
// For each partition it owns, it folds relais.recorded into dossiers and then
// decides, in order, what relais.submitted brings; exactly one outcome each, on
// relais.recorded: a fact, a refusal or a repeat. A decision is a pure function
// of the dossier and the submission (decide.go, with the tables of package
// lifecycle); a dossier changes only by applying outcomes (apply.go). It stamps
// on each outcome whom it concerns, and leaves the copying to the router.
//
// Read decide.go for the rules and owner.go for the guarantee.
package ledger

import (
	"context"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/pause"
	"github.com/relais-fr/relais/services/internal/store"
)

// Ledger is the service.
type Ledger struct {
	host       services.Host
	codec      *schemas.Codec
	projection *store.Projection
	outcomes   *outcomes
	metrics    *metrics
	halted     halted
	submitted  string
	recorded   string
}

var _ services.Service = (*Ledger)(nil)

// New makes a ledger and registers its doors, GET /v1/cases/{case} and
// POST /v1/repairs.
func New(host services.Host) (*Ledger, error) {
	codec := schemas.NewCodec(host.Schemas)
	l := &Ledger{
		host:       host,
		codec:      codec,
		projection: host.Store.Projection("ledger", stateFormat),
		metrics:    newMetrics(host.Metrics),
		submitted:  host.Broker.Topic("submitted"),
		recorded:   host.Broker.Topic("recorded"),
	}
	l.outcomes = &outcomes{codec: codec, topic: l.recorded, registryURL: host.Settings.RegistryURL}
	host.HTTP.HandleFunc("GET /v1/cases/{case}", l.serveCase)
	host.HTTP.HandleFunc("POST /v1/repairs", l.serveRepairs)
	return l, nil
}

// Name is the service's name.
func (l *Ledger) Name() string { return "ledger" }

// Run judges until ctx ends. A partition whose logs do not belong together halts, and
// the others go on; an *UnknownRulesError ends it.
func (l *Ledger) Run(ctx context.Context) error {
	if err := l.host.Broker.WaitTopics(ctx, l.submitted, l.recorded); err != nil {
		return err
	}
	if err := l.warmUp(ctx); err != nil {
		return err
	}
	defer l.host.Ready.AwaitPartitions("judging")()
	// The group shows which rules each ledger knows: newer ones come into force
	// only once all do.
	return l.host.Broker.ConsumeNoted(ctx, l.host.Broker.Topic("ledger"), directory.KnownRules(Rules), []string{l.submitted}, func(ctx context.Context, c *broker.Claim) error {
		return newOwner(l, c).run(ctx)
	})
}

// warmUp waits for the registry, which must know the ledger's own events before
// the first outcome.
func (l *Ledger) warmUp(ctx context.Context) error {
	l.host.Ready.Set(false, "waiting for the schema registry")
	for {
		_, err := l.codec.Encode(ctx, &schemas.SubmissionRepeated{})
		if err == nil {
			return nil
		}
		l.host.Log.WarnContext(ctx, "schema registry does not answer", "error", err)
		if pause.For(ctx, time.Second) != nil {
			return nil
		}
	}
}
