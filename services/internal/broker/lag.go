package broker

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
)

// progress is how far a claim has been read, as the lag metrics need it: by its
// own cursor, or else by what was committed.
type progress struct {
	position atomic.Int64
	fetched  atomic.Int64 // when, in nanoseconds since 1970; 0 without a cursor
	known    atomic.Bool  // whether position is set
}

func (p *progress) read(position int64) {
	p.position.Store(position)
	p.fetched.Store(time.Now().UnixNano())
	p.known.Store(true)
}

func (p *progress) committed(position int64) {
	if p.fetched.Load() == 0 {
		p.position.Store(position)
		p.known.Store(true)
	}
}

// fresh says whether a fetch has told the lag a short time ago.
func (p *progress) fresh() bool {
	return time.Since(time.Unix(0, p.fetched.Load())) < lagEvery
}

// lagEvery is how often the lag of claims is measured that no fetch tells.
const lagEvery = 10 * time.Second

// watchLag measures the lag of those claims that are read by another cursor, or
// whose handlers are busy or stuck: it is theirs that matters.
func (m *member) watchLag(ctx context.Context, claims []*Claim) {
	ticker := time.NewTicker(lagEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, c := range claims {
			if !c.progress.known.Load() || c.progress.fresh() {
				continue
			}
			end, err := m.b.endOf(ctx, c.tp)
			if err != nil {
				break // no lag is better than a wrong one; the next tick tries again
			}
			m.b.metrics.setLag(m.group, c.tp, end-c.progress.position.Load())
		}
	}
}

func (b *Broker) endOf(ctx context.Context, tp topicPartition) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.AttemptTimeout)
	defer cancel()
	return b.listOffset(ctx, tp.topic, tp.partition, kafka.LastOffset)
}
