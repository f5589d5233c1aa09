package broker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// progress is how far a claim has been read: by its own cursor, or else by what
// was committed. It tells the claim's lag, so that a fetch which has reached the
// end and a measurement that began before it do not contradict each other.
type progress struct {
	metrics *metrics
	group   string
	tp      topicPartition

	mu       sync.Mutex
	known    bool // whether position is set
	position int64
	end      int64     // of the partition, when it was last told or asked for
	fetched  time.Time // zero without a cursor
}

func newProgress(m *metrics, group string, tp topicPartition) *progress {
	return &progress{metrics: m, group: group, tp: tp}
}

func (p *progress) read(batch Batch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known, p.fetched = true, time.Now()
	p.position, p.end = batch.Next, batch.End
	p.tell()
}

func (p *progress) committed(position int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fetched.IsZero() {
		p.known, p.position = true, position
	}
}

// tell tells how many records are behind position. Nothing can be unread for any
// time when nothing is unread; else the age is for measure to tell.
func (p *progress) tell() {
	lag := max(p.end-p.position, 0)
	p.metrics.setLag(p.group, p.tp, lag)
	if lag == 0 {
		p.metrics.setLagAge(p.group, p.tp, 0)
	}
}

// lagEvery is how often the lag of claims is measured that no fetch tells.
const lagEvery = 10 * time.Second

// watchLag measures what no fetch tells: how old the records are that are unread,
// and the whole lag of those claims that are read by another cursor, or whose
// handlers are busy or stuck.
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
			if err := m.b.measure(ctx, c.progress); err != nil {
				break // no lag is better than a wrong one; the next tick tries again
			}
		}
	}
}

// measure tells a claim's lag, in records and in time.
func (b *Broker) measure(ctx context.Context, p *progress) error {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.AttemptTimeout)
	defer cancel()
	p.mu.Lock()
	known, fresh, at, end := p.known, time.Since(p.fetched) < lagEvery, p.position, p.end
	p.mu.Unlock()
	if !known {
		return nil
	}
	if !fresh {
		var err error
		if end, err = b.listOffset(ctx, p.tp.topic, p.tp.partition, kafka.LastOffset); err != nil {
			return err
		}
	}
	var oldest time.Time
	if at < end {
		var err error
		if oldest, err = b.timeAt(ctx, p.tp, at); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end = max(p.end, end)
	p.tell()
	if p.position < p.end && !oldest.IsZero() {
		p.metrics.setLagAge(p.group, p.tp, time.Since(oldest))
	}
	return nil
}

// timeAt is the timestamp of the first record at the offset or after it; zero when
// there is none to be had.
func (b *Broker) timeAt(ctx context.Context, tp topicPartition, offset int64) (time.Time, error) {
	cursor := b.Cursor(tp.topic, tp.partition, offset)
	// A broker sends one batch whatever the limit.
	cursor.wait, cursor.limit = time.Millisecond, 1
	answer, err := cursor.ask(ctx)
	if errors.Is(err, ErrOutOfRange) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	if got := cursor.unpacker.unpack(answer, offset); len(got.records) > 0 {
		return got.records[0].Time, nil
	}
	return time.Time{}, nil
}
