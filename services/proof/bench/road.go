package bench

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// road measures the way from POST to the outcome, and to the sender's copy on
// relais.to.cnaf, at a constant rate. Times are counted from when each was to be
// posted.
func (b *bench) road(ctx context.Context) error {
	return b.worlds(ctx, "road", false, func(w *world) error {
		var outcome, copied [][]time.Duration
		// The first round warms the hub and is not counted.
		for round := range b.Rounds + 1 {
			toOutcome, toCopy, err := b.roadOnce(ctx, w, fmt.Sprintf("r%d", round))
			if err != nil {
				return err
			}
			b.say("%s engines, round %d: to the outcome %s, to the copy %s", w.engines, round, quantiles([][]time.Duration{toOutcome}), quantiles([][]time.Duration{toCopy}))
			if round > 0 {
				outcome, copied = append(outcome, toOutcome), append(copied, toCopy)
			}
		}
		what := fmt.Sprintf("the whole road at %d/s, %s engines: POST to %%s; p50 / p99 / p99.9", b.RoadRate, w.engines)
		b.table.add(fmt.Sprintf(what, "outcome"), quantiles(outcome), "", "", "")
		b.table.add(fmt.Sprintf(what, "the copy on `relais.to.cnaf`"), quantiles(copied), "", "", "")
		return nil
	})
}

func (b *bench) roadOnce(ctx context.Context, w *world, name string) (toOutcome, toCopy []time.Duration, err error) {
	total := int(float64(b.RoadRate) * b.RoadTime.Seconds())
	s := newStream(b.RoadRate, total)
	copies := newArrivals(total)
	watch, stop := context.WithCancel(ctx)
	defer stop()
	var watchers sync.WaitGroup
	defer func() { stop(); watchers.Wait() }()
	ranges, err := w.client.Ranges(ctx, w.topic("to.cnaf"))
	if err != nil {
		return nil, nil, err
	}
	for partition, r := range ranges {
		watchers.Go(func() {
			cursor := w.client.Cursor(w.topic("to.cnaf"), partition, r.Next)
			for watch.Err() == nil {
				batch, err := cursor.Fetch(watch)
				if err != nil {
					return
				}
				now := time.Now()
				for _, r := range batch.Records {
					copies.at(named(string(r.Header("ce_id")), name), now)
				}
			}
		})
	}
	s.pace.begin()
	s.run(ctx, w.http, name, 10)
	if len(s.faults) > 0 {
		return nil, nil, s.faults[0]
	}
	if s.answered.count() < total {
		return nil, nil, fmt.Errorf("%d posted: %s", total, s.told())
	}
	if _, _, err := b.settled(ctx, int64(total), time.Minute, func(context.Context) (int64, error) { return int64(copies.count()), nil }); err != nil {
		return nil, nil, fmt.Errorf("copies: %w", err)
	}
	return s.answered.since(s.pace, 0), copies.since(s.pace, 0), nil
}

// named is the number in the id of referralJSON's event of the name, -1 for another.
func named(id, name string) int {
	rest, ok := strings.CutPrefix(id, name+idPrefix)
	if !ok {
		return -1
	}
	n := -1
	_, _ = fmt.Sscan(rest, &n)
	return n
}

// quantiles are the medians, over rounds, of p50, p99 and p99.9.
func quantiles(rounds [][]time.Duration) string {
	var words []string
	for _, q := range []float64{.5, .99, .999} {
		var each []time.Duration
		for _, sorted := range rounds {
			each = append(each, quantile(sorted, q))
		}
		words = append(words, ms(median(each)))
	}
	return strings.Join(words, " / ") + " ms"
}
