package gateway

import (
	"context"
	"sync"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/auth"
)

// allowance is how many events a participant may hand in: so many a second, and
// so many at once after a pause.
type allowance struct{ perSecond, atOnce float64 }

// The allowances are generous: they keep one participant from taking the door
// from all others, no more. A feeder speaks for a whole network.
var (
	ownAllowance    = allowance{perSecond: 2_000, atOnce: 10_000}
	feederAllowance = allowance{perSecond: 50_000, atOnce: 100_000}
)

// limiter holds a token bucket per participant. There are as many as the
// directory has participants that call. Safe for concurrent use.
type limiter struct {
	mu      sync.Mutex
	buckets map[string]*bucket
}

type bucket struct {
	allowed  allowance
	operator string // whose it is, as metrics name it
	tokens   float64
	filled   time.Time
}

func (b *bucket) fill(now time.Time) {
	b.tokens = min(b.allowed.atOnce, b.tokens+now.Sub(b.filled).Seconds()*b.allowed.perSecond)
	b.filled = now
}

func newLimiter() *limiter { return &limiter{buckets: map[string]*bucket{}} }

// take takes n events out of the caller's bucket, or says after how long there
// will be enough. What is more than the bucket can hold is let through when it is
// full, and paid for afterwards.
func (l *limiter) take(by auth.Principal, n int) (wait time.Duration) {
	allowed := ownAllowance
	if by.Role == schemas.RoleFeeder {
		allowed = feederAllowance
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	b := l.buckets[by.ID]
	if b == nil {
		b = &bucket{tokens: allowed.atOnce, filled: now}
		l.buckets[by.ID] = b
	}
	b.allowed, b.operator = allowed, operatorLabel(by)
	b.fill(now)
	if missing := min(float64(n), allowed.atOnce) - b.tokens; missing > 0 {
		return time.Duration(missing / allowed.perSecond * float64(time.Second))
	}
	b.tokens -= float64(n)
	return 0
}

// pace takes one event, waiting until it is there: a stream is slowed, not
// refused. The error is ctx's.
func (l *limiter) pace(ctx context.Context, by auth.Principal) error {
	for {
		wait := l.take(by, 1)
		if wait == 0 {
			return nil
		}
		if err := pause(ctx, max(wait, time.Millisecond)); err != nil {
			return err
		}
	}
}

// used is how much of what each may hand in at once is used up, from 0 to 1; of
// all offices the most.
func (l *limiter) used() map[string]float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	used := make(map[string]float64)
	for _, b := range l.buckets {
		b.fill(now)
		used[b.operator] = max(used[b.operator], min(1, 1-b.tokens/b.allowed.atOnce))
	}
	return used
}
