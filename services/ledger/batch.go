package ledger

import (
	"context"
	"fmt"
	"iter"
	"maps"

	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/store"
)

// chunks cuts what was fetched into steps: a fetch returns whole batches, which
// can be more than may be written in one go.
func chunks(records []broker.Record) iter.Seq[[]broker.Record] {
	return func(yield func([]broker.Record) bool) {
		for len(records) > 0 {
			n, size := 0, 0
			for n < len(records) && n < batchRecords && (n == 0 || size+sizeOf(records[n]) <= batchBytes) {
				size += sizeOf(records[n])
				n++
			}
			if !yield(records[:n]) {
				return
			}
			records = records[n:]
		}
	}
}

func sizeOf(r broker.Record) int {
	n := len(r.Key) + len(r.Value) + 64
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value) + 8
	}
	return n
}

// load is the dossiers that a step needs, as of the owner's position: from memory,
// else from the store. Either way it is the store that says whether the position is
// still the owner's; it is asked even when nothing is to be read.
func (o *owner) load(ctx context.Context, names iter.Seq[string]) (map[string]*dossier, error) {
	dossiers := map[string]*dossier{}
	var keys []string
	for name := range names {
		if _, ok := dossiers[name]; ok {
			continue
		}
		d := o.memory.get(name)
		if dossiers[name] = d; d == nil {
			keys = append(keys, name)
		}
	}
	values, err := o.projection.Get(ctx, o.partition, o.at, keys)
	if err != nil {
		return nil, err
	}
	for i, key := range keys {
		d, err := decodeDossier(values[i])
		if err != nil {
			return nil, fmt.Errorf("dossier %s: %w", key, err)
		}
		dossiers[key] = d
		o.memory.put(key, d)
	}
	return dossiers, nil
}

// applyAll applies folded outcomes and stores the dossiers with the new position,
// up to and with the record last.
func (o *owner) applyAll(ctx context.Context, last broker.Record, applied []*outcome) error {
	dossiers, err := o.load(ctx, func(yield func(string) bool) {
		for _, out := range applied {
			if !yield(out.Dossier) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	highest := o.highest
	for _, out := range applied {
		if err := o.unfoldable(ctx, out.record.Offset, guarded(func() error {
			apply(dossiers[out.Dossier], out)
			return nil
		})); err != nil {
			return err
		}
		highest = out.Place.Offset
	}
	return o.commit(ctx, dossiers, last, highest)
}

// commit stores the changed dossiers and moves the pair to just after the record
// last.
func (o *owner) commit(ctx context.Context, dossiers map[string]*dossier, last broker.Record, highest int64) error {
	ops := make([]store.Op, 0, len(dossiers))
	for name, d := range dossiers {
		if !d.known() {
			continue
		}
		ops = append(ops, store.Set(name, d.encode()))
	}
	to := store.Position{Next: last.Offset + 1, Highest: highest, Mark: last.Mark()}
	if err := o.projection.Commit(ctx, o.partition, o.at, to, ops); err != nil {
		return err
	}
	o.at, o.highest = to, highest
	maps.DeleteFunc(o.faulty, func(offset int64, _ fault) bool { return offset <= highest })
	return nil
}

// recordAt reads one record of the partition.
func (o *owner) recordAt(ctx context.Context, topic string, offset int64) (broker.Record, error) {
	cursor := o.host.Broker.Cursor(topic, o.partition, offset)
	for {
		batch, err := cursor.Fetch(ctx)
		if err != nil {
			return broker.Record{}, fmt.Errorf("read %s/%d at %d: %w", topic, o.partition, offset, err)
		}
		if len(batch.Records) > 0 {
			return batch.Records[0], nil
		}
	}
}
