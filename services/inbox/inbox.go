// Package inbox is the office's list and live page. It follows `to.offices` and
// keeps what lies on each office's desk (package desk) in the store; it shows
// that, live, and hands in what a counsellor does on `from.offices`, like any
// other participant.
//
// It judges nothing: what a page offers is what package lifecycle allows, what is
// handed in is judged by gateway and ledger, and the page shows the outcome when
// it comes back. Who arrives without Kafka and is no office is courier's.
//
// Read follow.go for how the desks are kept, pages.go for what is shown, submit.go
// for how an action travels.
package inbox

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/inbox/internal/desk"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/store"
)

// Inbox is the service.
type Inbox struct {
	host       services.Host
	codec      *schemas.Codec
	projection *store.Projection
	metrics    *metrics
	topic      string // to.offices
	from       string // from.offices
	wake       waker
	tenancy    tenancy
	limits     *limiter
	sent       *sentList
	pages      *pages
	streams    atomic.Int64 // pages that listen
}

var _ services.Service = (*Inbox)(nil)

// New makes an inbox and registers its pages: `/`, `/offices/…` and `/assets/…`.
// Until there is sign-in they are served on loopback only.
func New(host services.Host) (*Inbox, error) {
	in := &Inbox{
		host:       host,
		codec:      schemas.NewCodec(host.Schemas),
		projection: host.Store.Projection("inbox", desk.Format),
		metrics:    newMetrics(host.Metrics),
		topic:      host.Broker.Topic("to." + schemas.OfficesParticipant),
		from:       host.Broker.Topic("from." + schemas.OfficesParticipant),
		limits:     newLimiter(),
		sent:       newSentList(),
	}
	pages, err := newPages(in)
	if err != nil {
		return nil, fmt.Errorf("inbox: %w", err)
	}
	in.pages = pages
	guard := newGuard(config.IsLoopback(host.Settings.HTTP))
	for pattern, handler := range pages.routes() {
		host.HTTP.Handle(pattern, guard.protect(handler))
	}
	return in, nil
}

// Name is the service's name.
func (in *Inbox) Name() string { return "inbox" }

// Run keeps the desks until ctx ends.
func (in *Inbox) Run(ctx context.Context) error {
	defer in.host.Ready.AwaitPartitions("following")()
	return in.host.Broker.Consume(ctx, in.host.Broker.Topic("inbox"), []string{in.topic}, func(ctx context.Context, c *broker.Claim) error {
		in.host.Ready.Assigned(fmt.Sprintf("partition %d", c.Partition), "following")
		return in.follow(ctx, c)
	})
}

// partition is where the events of an office are.
func (in *Inbox) partition(office string) int {
	return broker.PartitionOf([]byte(office), in.host.Settings.Partitions)
}
