// Package courier brings events to those who don't read Kafka: by the mailbox,
// `GET /v1/mailbox`, and by the stream, `GET /v1/stream`, a participant with HTTP
// alone reads what the router addressed to it.
//
// It knows the topics relais.to.<participant> and relais.to.offices and how far
// a reader has come, which stands in a cursor that the reader itself keeps: the
// courier has no state. A cursor that is handed in to the mailbox again, or to
// `POST /v1/mailbox/ack`, acknowledges what was before it; a stream acknowledges
// nothing by itself, as a client says where it stands before it has done anything
// with what it got. It leaves to the router who gets what. Participants' systems
// and hubctl use it.
package courier

import (
	"context"
	"net/http"
	"sync"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
)

// Courier is the service. It is safe for concurrent use.
type Courier struct {
	host    services.Host
	codec   *schemas.Codec
	metrics *metrics
	bells   *bells
	acks    *acks
	streams *streams
}

var _ services.Service = (*Courier)(nil)

// New makes a courier and registers its door.
func New(host services.Host) (*Courier, error) {
	return newCourier(host, schemas.NewCodec(host.Schemas)), nil
}

func newCourier(host services.Host, codec *schemas.Codec) *Courier {
	m := newMetrics(host.Metrics)
	c := &Courier{host: host, codec: codec, metrics: m, bells: newBells(host.Broker, host.Log, m), acks: newAcks(host.Broker), streams: newStreams()}
	host.HTTP.Handle("GET "+mailboxPath, http.HandlerFunc(c.mailbox))
	host.HTTP.Handle("POST "+ackPath, http.HandlerFunc(c.acknowledge))
	host.HTTP.Handle("GET "+streamPath, http.HandlerFunc(c.stream))
	return c
}

// Name is the service's name.
func (c *Courier) Name() string { return "courier" }

// Run serves until ctx ends.
func (c *Courier) Run(ctx context.Context) error {
	c.host.Ready.Set(false, "reading the directory")
	select {
	case <-ctx.Done():
		return nil
	case <-c.host.Directory.Ready():
	}
	c.host.Ready.Set(true, "serving")
	var acknowledging sync.WaitGroup
	acknowledging.Go(func() { c.acks.run(ctx, c) })
	c.bells.run(ctx)
	acknowledging.Wait()
	c.host.Ready.Set(false, "stopped")
	return nil
}
