package observatory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/statement"
	"github.com/relais-fr/relais/services/internal/broker"
)

func isStatement(r *broker.Record) bool {
	return string(r.Header(headerType)) == schemas.TypeStatementIssued && len(r.Header("ce_"+schemas.AttrReplay)) == 0
}

// read reads a statement off its record.
func (o *Observatory) read(ctx context.Context, r *broker.Record) (*statement.Issued, error) {
	payload, err := o.codec.Decode(ctx, schemas.TypeStatementIssued, r.Value)
	if err != nil {
		return nil, fmt.Errorf("statement at %s/%d-%d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	return &statement.Issued{ID: string(r.Header("ce_id")), StatementIssued: payload.(*schemas.StatementIssued)}, nil
}

// last is the participant's last statement, nil before the first. It looks back
// over a few hours of the participant's topic, and further only where there is
// none.
func (o *Observatory) last(ctx context.Context, participant string) (*statement.Issued, error) {
	for back := 3 * o.interval; ; back *= 8 {
		all, whole, err := o.since(ctx, participant, time.Now().Add(-back))
		if err != nil {
			return nil, err
		}
		if n := len(all); n > 0 {
			return all[n-1], nil
		}
		if whole {
			return nil, nil
		}
	}
}

// since are the statements on the participant's topic since a time, by number.
// whole says that this was the whole topic.
func (o *Observatory) since(ctx context.Context, participant string, t time.Time) (all []*statement.Issued, whole bool, err error) {
	topic := o.host.Broker.Topic("to." + participant)
	ranges, err := o.host.Broker.Ranges(ctx, topic)
	if err != nil {
		return nil, false, err
	}
	whole = true
	for partition := range len(ranges) {
		r := ranges[partition]
		if r.First == r.Next {
			continue
		}
		from, err := o.host.Broker.OffsetAt(ctx, topic, partition, t)
		if err != nil {
			return nil, false, err
		}
		whole = whole && from <= r.First
		var failed error
		err = o.scan(ctx, topic, partition, from, r.Next, func(rec *broker.Record) bool {
			if !isStatement(rec) {
				return true
			}
			issued, err := o.read(ctx, rec)
			if err != nil {
				failed = err
				return false
			}
			all = append(all, issued)
			return true
		}, func(int64) {})
		if err != nil || failed != nil {
			return nil, false, cmp.Or(err, failed)
		}
	}
	slices.SortStableFunc(all, func(a, b *statement.Issued) int { return int(a.Number - b.Number) })
	// The router may have written one twice.
	all = slices.CompactFunc(all, func(a, b *statement.Issued) bool { return a.Number == b.Number })
	return all, whole, nil
}

func sortKeys(keys []statement.PublicKey) {
	slices.SortFunc(keys, func(a, b statement.PublicKey) int { return strings.Compare(a.ID, b.ID) })
}
