package broker

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
)

// progress is how far a claim has been read, as the lag metrics need it.
type progress struct {
	position atomic.Int64
	fetched  atomic.Int64 // when, in nanoseconds since 1970; 0 before the first
}

func (p *progress) at(position int64) {
	p.position.Store(position)
	p.fetched.Store(time.Now().UnixNano())
}

// lagEvery is how often the lag of claims is measured that nobody reads.
const lagEvery = 10 * time.Second

// watchLag measures the lag of those claims whose handlers are busy with
// something else, or stuck: it is theirs that matters, and no fetch tells it.
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
			fetched := c.progress.fetched.Load()
			if fetched == 0 || time.Since(time.Unix(0, fetched)) < lagEvery {
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
