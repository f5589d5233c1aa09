package inbox

import (
	"sync"
	"time"
)

// Rate of what one office may hand in by its pages: a burst for a busy counter,
// then what many counsellors can do with their hands.
const (
	rateBurst     = 60
	ratePerSecond = 5
	// maxBuckets bounds the offices remembered; there are some 3,000.
	maxBuckets = 16_384
)

// limiter is a token bucket per office. It is safe for concurrent use.
type limiter struct {
	mu      sync.Mutex
	buckets map[string]*bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

func newLimiter() *limiter { return &limiter{buckets: make(map[string]*bucket)} }

// take takes a token of the office; when there is none, wait is how long until
// there is one.
func (l *limiter) take(office string, now time.Time) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[office]
	if b == nil {
		if len(l.buckets) >= maxBuckets {
			l.forgetFull(now)
		}
		b = &bucket{tokens: rateBurst, at: now}
		l.buckets[office] = b
	}
	b.refill(now)
	if b.tokens >= 1 {
		b.tokens--
		return 0, true
	}
	return time.Duration((1 - b.tokens) / ratePerSecond * float64(time.Second)), false
}

func (b *bucket) refill(now time.Time) {
	b.tokens = min(rateBurst, b.tokens+now.Sub(b.at).Seconds()*ratePerSecond)
	b.at = now
}

// forgetFull drops the buckets that are full again: they say nothing.
func (l *limiter) forgetFull(now time.Time) {
	for office, b := range l.buckets {
		if b.refill(now); b.tokens >= rateBurst {
			delete(l.buckets, office)
		}
	}
}
