// Package clock turns passing deadlines into submissions of the participant hub.
//
// It follows relais.recorded and keeps, in the store, which clocks run on each
// case and when they are due (package timetable); each second it hands in on
// relais.from.hub what has become due, and each few seconds a probe that travels
// the whole road. It follows relais.deliveries too, and reports to an event's sender
// what a recipient will not have. It judges nothing: what it hands in names the fact that started
// the clock and its id derives from that, so that a race, a restart or a second
// clock makes a repeat or a refusal of the ledger's, never a wrong expiry. A timer
// goes when its outcome is seen on relais.recorded, not when it was handed in.
//
// Read internal/timetable for the rules, hand.go for how a deadline travels.
package clock

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/clock/internal/timetable"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/store"
)

// Clock is the service.
type Clock struct {
	host       services.Host
	codec      *schemas.Codec
	projection *store.Projection
	metrics    *metrics
	worlds     *worlds
	pen        *pen
	probes     *probes
	recorded   string
	deliveries string
}

var _ services.Service = (*Clock)(nil)

// system is the clock's name in the source of what it hands in.
const system = "clock"

var source = schemas.Source(schemas.HubParticipant, system)

// New makes a clock. It has no doors.
func New(host services.Host) (*Clock, error) {
	worlds, err := newWorlds(host.Directory)
	if err != nil {
		return nil, fmt.Errorf("clock: %w", err)
	}
	c := &Clock{
		host:       host,
		codec:      schemas.NewCodec(host.Schemas),
		projection: host.Store.Projection("clock", timetable.Format),
		worlds:     worlds,
		recorded:   host.Broker.Topic("recorded"),
		deliveries: host.Broker.Topic("deliveries"),
	}
	c.metrics = newMetrics(host.Metrics)
	c.pen = &pen{host: host, codec: c.codec, topic: host.Broker.Topic("from." + schemas.HubParticipant)}
	c.probes = newProbes(c.pen, c.metrics, host.Settings.Partitions)
	return c, nil
}

// Name is the service's name.
func (c *Clock) Name() string { return "clock" }

// Run keeps the timers and hands in what is due, until ctx ends.
func (c *Clock) Run(ctx context.Context) error {
	c.host.Ready.Set(false, "the directory is being read")
	select {
	case <-ctx.Done():
		return nil
	case <-c.host.Directory.Ready():
	}
	if err := c.host.Broker.WaitTopics(ctx, c.recorded, c.deliveries, c.pen.topic, c.probes.topic(c.host.Broker)); err != nil {
		return stopped(ctx, err)
	}
	var err error
	if c.pen.partitions, err = c.host.Broker.Partitions(ctx, c.pen.topic); err != nil {
		return stopped(ctx, err)
	}
	group, working := errgroup.WithContext(ctx)
	start := func(run func(context.Context) error) {
		group.Go(func() error { return stopped(working, run(working)) })
	}
	start(c.keep)
	start(func(ctx context.Context) error {
		return c.host.Broker.Consume(ctx, c.host.Broker.Topic("clock-reports"), []string{c.deliveries}, c.report)
	})
	if every := c.host.Settings.ProbeEvery; every > 0 {
		start(func(ctx context.Context) error { return c.probes.send(ctx, every, c.host.Log) })
		start(func(ctx context.Context) error { return c.probes.watch(ctx, c.host.Broker) })
	}
	return group.Wait()
}

// stopped is nil when ctx is what ended the work.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// keep keeps the timers of the partitions that are ours.
func (c *Clock) keep(ctx context.Context) error {
	defer c.host.Ready.AwaitPartitions("watching")()
	return c.host.Broker.Consume(ctx, c.host.Broker.Topic(c.Name()), []string{c.recorded}, func(ctx context.Context, claim *broker.Claim) error {
		return newOwner(c, claim).run(ctx)
	})
}
