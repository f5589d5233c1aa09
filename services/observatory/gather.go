package observatory

import (
	"context"
	"errors"
	"fmt"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/statement"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// Header keys as they stand on a record.
const (
	headerType      = "ce_type"
	headerDoor      = "ce_" + schemas.AttrDoor
	headerSubmitter = "ce_" + schemas.AttrSubmitter
)

// gather fills the accounts' pages from the log, up to its end as it is now: what
// stands before it is settled.
func (o *Observatory) gather(ctx context.Context, accounts []*account) error {
	for _, a := range accounts {
		if err := o.gatherOwn(ctx, a, a.book(schemas.BookFrom), fromEvent); err != nil {
			return err
		}
	}
	if err := o.gatherReceipts(ctx, accounts); err != nil {
		return err
	}
	for _, a := range accounts {
		if err := o.gatherOwn(ctx, a, a.book(schemas.BookTo), toEvent); err != nil {
			return err
		}
	}
	return nil
}

func fromEvent(r *broker.Record) (statement.Event, bool) {
	return statement.OnFrom(r.Partition, r.Offset, r.Headers, r.Value), true
}

func toEvent(r *broker.Record) (statement.Event, bool) {
	return statement.OnTo(r.Partition, r.Offset, r.Headers, r.Value)
}

// gatherOwn reads a topic of the participant's own.
func (o *Observatory) gatherOwn(ctx context.Context, a *account, b *book, event func(r *broker.Record) (statement.Event, bool)) error {
	ranges, err := o.host.Broker.Ranges(ctx, b.topic)
	if err != nil {
		return err
	}
	for partition := range len(ranges) {
		p := a.begin(b, partition, ranges[partition])
		if !statement.Room(a.bytes()) {
			p.closed = p.Next() < ranges[partition].Next
			continue
		}
		err := o.scan(ctx, b.topic, partition, p.Next(), ranges[partition].Next, func(r *broker.Record) bool {
			if e, ok := event(r); ok {
				return a.take(p, e)
			}
			o.host.Log.ErrorContext(ctx, "record that the router did not write", telemetry.KeyTopic, r.Topic, telemetry.KeyPartition, r.Partition, telemetry.KeyOffset, r.Offset)
			return true
		}, p.Skip)
		if err != nil {
			return err
		}
	}
	return nil
}

// gatherReceipts reads the submissions once for all accounts.
func (o *Observatory) gatherReceipts(ctx context.Context, accounts []*account) error {
	topic := o.host.Broker.Topic("submitted")
	ranges, err := o.host.Broker.Ranges(ctx, topic)
	if err != nil {
		return err
	}
	for partition := range len(ranges) {
		end := ranges[partition].Next
		pages, owners := map[string]*page{}, map[string]*account{}
		first := end
		for _, a := range accounts {
			p := a.begin(a.book(schemas.BookReceipts), partition, ranges[partition])
			pages[a.participant], owners[a.participant] = p, a
			first = min(first, p.Next())
		}
		err := o.scan(ctx, topic, partition, first, end, func(r *broker.Record) bool {
			submitter := r.Header(headerSubmitter)
			p := pages[string(submitter)]
			if p == nil || p.closed || r.Offset < p.Next() || string(r.Header(headerDoor)) != schemas.DoorHTTP {
				return true
			}
			place := schemas.Place{Partition: r.Partition, Offset: r.Offset}
			owners[string(submitter)].take(p, statement.Receipt(place, string(r.Header("ce_source")), string(r.Header("ce_id"))))
			return true
		}, func(int64) {})
		if err != nil {
			return err
		}
		for _, p := range pages {
			if !p.closed {
				p.Skip(end)
			}
		}
	}
	return nil
}

// scan reads a partition from an offset up to an end, until each says stop. to is
// told how far it came, over what the log does not hold too.
func (o *Observatory) scan(ctx context.Context, topic string, partition int, from, end int64, each func(r *broker.Record) bool, to func(next int64)) error {
	cursor := o.host.Broker.Cursor(topic, partition, from)
	for cursor.Position() < end {
		batch, err := cursor.Fetch(ctx)
		if errors.Is(err, broker.ErrOutOfRange) {
			r, err := o.host.Broker.RangeOf(ctx, topic, partition)
			if err != nil {
				return err
			}
			if r.First <= cursor.Position() {
				return fmt.Errorf("read %s/%d: %w", topic, partition, broker.ErrOutOfRange)
			}
			cursor.SeekTo(r.First)
			continue
		}
		if err != nil {
			return fmt.Errorf("read %s/%d: %w", topic, partition, err)
		}
		for i := range batch.Records {
			if batch.Records[i].Offset >= end {
				to(end)
				return nil
			}
			if !each(&batch.Records[i]) {
				return nil
			}
		}
		to(min(batch.Next, end))
	}
	return nil
}
