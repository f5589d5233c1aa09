package router

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/pause"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// copied is one outcome on its way to one recipient.
type copied struct {
	record broker.Record // as the recipient is to get it
	origin broker.Record // as it stands on recorded
	// party is who gets it: `cnaf`, or `offices/demo-1`.
	party    string
	place    schemas.Place
	before   broker.Pair // the reader's position before the outcome
	received time.Time
	// ack is of a copy that goes through the broker's line: a replay's.
	ack *broker.Ack
}

// recipient is the participant's id.
func (c *copied) recipient() string { return strings.TrimPrefix(c.party, officesPrefix) }

// label is the recipient in metrics: all offices are one.
func (c *copied) label() string { return labelOf(c.party) }

const officesPrefix = schemas.OfficesParticipant + "/"

func labelOf(party string) string {
	if strings.HasPrefix(party, officesPrefix) {
		return schemas.OfficesParticipant
	}
	return party
}

// copies makes the copies of an outcome, one for each party that the ledger named.
func (r *Router) copies(origin broker.Record, place schemas.Place, before broker.Pair) []*copied {
	var all []*copied
	for party := range strings.SplitSeq(header(origin, schemas.AttrParties), ",") {
		if party != "" {
			c := r.copyFor(party, origin)
			c.place, c.before = place, before
			all = append(all, c)
		}
	}
	return all
}

// stripped are the stamps that recipients do not need.
var stripped = map[string]bool{
	"ce_" + schemas.AttrParties:       true,
	"ce_" + schemas.AttrSenderRole:    true,
	"ce_" + schemas.AttrRecipientRole: true,
	"ce_" + schemas.AttrSubmitter:     true,
	"ce_" + schemas.AttrDoor:          true,
	"ce_" + schemas.AttrRepair:        true,
	"ce_" + schemas.AttrRecipient:     true,
}

// copyFor addresses an outcome to one party.
func (r *Router) copyFor(party string, origin broker.Record) *copied {
	c := &copied{origin: origin, party: party}
	key, topic := origin.Key, "to."+party
	if strings.HasPrefix(party, officesPrefix) {
		key, topic = []byte(c.recipient()), "to."+schemas.OfficesParticipant
	}
	headers := make([]schemas.Header, 0, len(origin.Headers))
	for _, h := range origin.Headers {
		if !stripped[h.Key] {
			headers = append(headers, h)
		}
	}
	headers = append(headers, schemas.Header{Key: "ce_" + schemas.AttrRecipient, Value: []byte(c.recipient())})
	c.received, _ = time.Parse(time.RFC3339Nano, header(origin, schemas.AttrReceivedTime))
	c.record = broker.Record{
		Topic: r.host.Broker.Topic(topic), Partition: broker.PartitionOf(key, r.host.Settings.Partitions),
		Key: key, Value: origin.Value, Headers: headers, Time: origin.Time,
	}
	return c
}

// placeOf is the place of an outcome.
func placeOf(r broker.Record) (schemas.Place, error) {
	place, err := schemas.ParsePlace(header(r, schemas.AttrSubmittedPartition) + "-" + header(r, schemas.AttrSubmittedOffset))
	if err != nil {
		return place, fmt.Errorf("outcome at %d/%d has no number: %w", r.Partition, r.Offset, err)
	}
	return place, nil
}

// change is the step of the copy's delivery that a state and a reason make.
func (c *copied) change(state, reason string) *schemas.DeliveryChanged {
	now := time.Now()
	d := &schemas.DeliveryChanged{
		Place: c.place.String(), Recipient: c.recipient(), State: state, Channel: channelOf(c.party), Attempt: 1,
		EventSource: header(c.origin, "source"), EventID: header(c.origin, "id"), EventType: header(c.origin, "type"), Subject: header(c.origin, "subject"),
		Sender: senderOf(c.origin, c.party), Since: now, RecordedOffset: new(c.origin.Offset),
	}
	if reason != "" {
		d.Reason = &reason
	}
	if !c.received.IsZero() {
		d.LatencyMillis = new(max(now.Sub(c.received).Milliseconds(), 0))
	}
	return d
}

func channelOf(party string) string {
	if strings.HasPrefix(party, officesPrefix) {
		return schemas.ChannelPage
	}
	return schemas.ChannelKafka
}

// senderOf is the party whose event it is and who can be told of its delivery:
// nobody for what the hub says, and for one's own receipt.
func senderOf(origin broker.Record, recipient string) *string {
	e := schemas.Event{Source: header(origin, "source")}
	sender := e.Participant()
	if sender == "" || sender == schemas.HubParticipant {
		return nil
	}
	for party := range strings.SplitSeq(header(origin, schemas.AttrParties), ",") {
		if strings.TrimPrefix(party, officesPrefix) == sender && party != recipient {
			return &party
		}
	}
	return nil
}

// tellPause is the pause after steps could not be told.
const tellPause = time.Second

// publish appends steps to relais.deliveries and waits until they are there,
// through whatever passes: nothing is dropped in silence. Only whoever tells waits.
func (r *Router) publish(ctx context.Context, changes []*schemas.DeliveryChanged) error {
	for len(changes) > 0 {
		err := r.tryPublish(ctx, changes)
		if err == nil {
			for _, d := range changes {
				r.letters.put(keyOf(d), d) // whoever asks next must not see them as before
			}
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		r.host.Log.WarnContext(ctx, "steps of deliveries cannot be told, trying again", telemetry.KeyTopic, r.deliveries, telemetry.KeyCount, len(changes), telemetry.KeyError, err)
		if err := pause.For(ctx, tellPause); err != nil {
			return err
		}
	}
	return nil
}

func (r *Router) tryPublish(ctx context.Context, changes []*schemas.DeliveryChanged) error {
	acks := make([]*broker.Ack, 0, len(changes))
	for _, d := range changes {
		record, err := r.changeRecord(ctx, d)
		if err != nil {
			return err
		}
		acks = append(acks, r.host.Broker.Enqueue(record))
	}
	for _, ack := range acks {
		if _, err := ack.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// keyOf is the key of a delivery on relais.deliveries.
func keyOf(d *schemas.DeliveryChanged) string { return d.Place + "/" + d.Recipient }

// changeRecord is a step as it stands on relais.deliveries.
func (r *Router) changeRecord(ctx context.Context, d *schemas.DeliveryChanged) (broker.Record, error) {
	data, err := r.codec.Encode(ctx, d)
	if err != nil {
		return broker.Record{}, err
	}
	key, now := keyOf(d), time.Now()
	id, _ := schemas.SchemaID(data)
	headers := schemas.Headers(schemas.Event{
		ID: key, Source: schemas.Source(schemas.HubParticipant, "router"), Type: schemas.TypeDeliveryChanged, Subject: d.Subject, Time: now,
		DataContentType: schemas.AvroContentType, DataSchema: r.host.Settings.RegistryURL + "/schemas/ids/" + strconv.Itoa(id),
	})
	return broker.Record{
		Topic: r.deliveries, Partition: broker.PartitionOf([]byte(key), r.host.Settings.Partitions),
		Key: []byte(key), Value: data, Headers: headers, Time: now,
	}, nil
}

func header(r broker.Record, attribute string) string {
	key := "ce_" + attribute
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// enqueue hands one copy over; when the buffer is full it waits for the oldest
// that is still under way, so that the order of a dossier holds.
func (r *Router) enqueue(ctx context.Context, before []*copied, c *copied) error {
	for {
		c.ack = r.host.Broker.Enqueue(c.record)
		if !full(ctx, c.ack) {
			return nil
		}
		for _, b := range before {
			if _, err := b.ack.Wait(ctx); err != nil && ctx.Err() != nil {
				return ctx.Err()
			}
		}
		if err := pause.For(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

// full says whether the broker's buffer had no room: the record was not taken.
func full(ctx context.Context, ack *broker.Ack) bool {
	select {
	case <-ack.Done():
		_, err := ack.Wait(ctx)
		return errors.Is(err, broker.ErrBufferFull)
	default:
		return false
	}
}
