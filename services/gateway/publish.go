package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/pause"
)

// record is the event as it goes to `relais.submitted`: on the partition of its
// dossier, with the received time as the record's own.
func (g *Gateway) record(e schemas.Event) broker.Record {
	key := []byte(e.Extensions[schemas.AttrPartitionKey])
	received, err := time.Parse(receivedLayout, e.Extensions[schemas.AttrReceivedTime])
	if err != nil {
		panic(err)
	}
	return broker.Record{
		Topic: g.submitted, Partition: broker.PartitionOf(key, g.partitions),
		Key: key, Value: e.Data, Headers: schemas.Headers(e), Time: received,
	}
}

// roomPause is how long an event waits before it is offered again to a full
// buffer.
const roomPause = 5 * time.Millisecond

// enqueueWhenRoom enqueues the record, waiting for room in the buffer. The error
// is ctx's.
func (g *Gateway) enqueueWhenRoom(ctx context.Context, rec broker.Record) (*broker.Ack, error) {
	for {
		if err := g.waitWhole(ctx, &rec); err != nil {
			return nil, err
		}
		ack := g.broker.Enqueue(rec)
		if !isBufferFull(ctx, ack) {
			return ack, nil
		}
		if err := pause.For(ctx, roomPause); err != nil {
			return nil, err
		}
	}
}

// isBufferFull says whether the record was not taken; it does not wait.
func isBufferFull(ctx context.Context, ack *broker.Ack) bool {
	select {
	case <-ack.Done():
		_, err := ack.Wait(ctx)
		return errors.Is(err, broker.ErrBufferFull)
	default:
		return false
	}
}

// errEarlier says that an earlier event of the same dossier, from the same
// caller, was not written: this one was not sent, lest it overtake.
var errEarlier = errors.New("an earlier event of the same dossier was not taken")

// maxLaneKeys bounds what a lane remembers before it forgets what is settled.
const maxLaneKeys = 8192

// lane hands in the events of one caller, who sends the later ones of a dossier
// only once the earlier are acknowledged: a record that failed must not be
// overtaken. It is not safe for concurrent use.
type lane struct {
	g *Gateway
	// patient waits for room in a full buffer instead of giving up.
	patient bool
	last    map[string]*broker.Ack
	failed  map[string]bool
}

func (g *Gateway) newLane(patient bool) *lane {
	return &lane{g: g, patient: patient, last: map[string]*broker.Ack{}, failed: map[string]bool{}}
}

// sent is an event on its way: its fate is told by the ack.
type sent struct {
	partition int
	ack       *broker.Ack
	at        time.Time
}

// send enqueues the event. The error is errEarlier, broker.ErrBufferFull, a
// *notReadyError or ctx's; the event was then not sent.
func (l *lane) send(ctx context.Context, e schemas.Event) (sent, error) {
	dossier := e.Extensions[schemas.AttrPartitionKey]
	if err := l.settle(ctx, dossier); err != nil {
		return sent{}, err
	}
	if err := l.g.tooShort(&e); err != nil {
		l.failed[dossier] = true
		return sent{}, err
	}
	rec := l.g.record(e)
	var ack *broker.Ack
	if l.patient {
		var err error
		if ack, err = l.g.enqueueWhenRoom(ctx, rec); err != nil {
			return sent{}, err
		}
	} else if ack = l.g.broker.Enqueue(rec); isBufferFull(ctx, ack) {
		l.failed[dossier] = true
		return sent{}, broker.ErrBufferFull
	}
	if len(l.last) >= maxLaneKeys {
		l.forgetSettled(ctx)
	}
	l.last[dossier] = ack
	return sent{partition: rec.Partition, ack: ack, at: time.Now()}, nil
}

// settle waits until what was sent of the dossier is acknowledged.
func (l *lane) settle(ctx context.Context, dossier string) error {
	if l.failed[dossier] {
		return errEarlier
	}
	ack, ok := l.last[dossier]
	if !ok {
		return nil
	}
	limit, cancel := context.WithTimeout(ctx, ackLimit)
	defer cancel()
	if _, err := ack.Wait(limit); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		l.failed[dossier] = true
		return errEarlier
	}
	delete(l.last, dossier)
	return nil
}

func (l *lane) forgetSettled(ctx context.Context) {
	for dossier, ack := range l.last {
		select {
		case <-ack.Done():
			if _, err := ack.Wait(ctx); err != nil {
				l.failed[dossier] = true
			}
			delete(l.last, dossier)
		default:
		}
	}
}
