package gateway

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/pause"
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
	// usual is what a participant may hand in of whom nothing is set; set looks up
	// what is.
	usual func(by auth.Principal) allowance
	set   func(name string) (value string, ok bool)

	mu      sync.Mutex
	buckets map[string]*bucket
	// quota holds the buckets of participants of whom something is set: theirs are
	// the same at every door. It has no quota of its own.
	quota *limiter
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

// newLimiters are those of the HTTP door and of the topics. What is usual is each
// door's own, a protection of it and no promise; what an admin has set is one allowance
// whatever door the participant comes by.
func newLimiters(set func(name string) (string, bool)) (byHTTP, byTopic *limiter) {
	quota := newLimiter(usualByHTTP, set, nil)
	return newLimiter(usualByHTTP, set, quota), newLimiter(usualByTopic, set, quota)
}

func newLimiter(usual func(auth.Principal) allowance, set func(name string) (string, bool), quota *limiter) *limiter {
	return &limiter{usual: usual, set: set, buckets: map[string]*bucket{}, quota: quota}
}

// usualByHTTP is for callers who can be told to come again.
func usualByHTTP(by auth.Principal) allowance {
	if by.Role == schemas.RoleFeeder {
		return feederAllowance
	}
	return ownAllowance
}

// usualByTopic is generous: what stands on a participant's own topic was taken
// already, and a participant that comes back after an outage has much there.
func usualByTopic(auth.Principal) allowance { return feederAllowance }

// allowed is what the caller may hand in: what an admin has set, else what is usual.
func (l *limiter) allowed(by auth.Principal) (a allowance, isSet bool) {
	usual := l.usual(by)
	if value, ok := l.set(directory.RateSetting(by.ID)); ok {
		if n, err := strconv.Atoi(value); err == nil && n > 0 {
			return allowance{perSecond: float64(n), atOnce: float64(n) * usual.atOnce / usual.perSecond}, true
		}
	}
	return usual, false
}

// retryAfter is the wait as HTTP tells it, in whole seconds.
func retryAfter(wait time.Duration) int { return int((wait + time.Second - 1) / time.Second) }

// take takes n events out of the caller's bucket, or says after how long there
// will be enough. What is more than the bucket can hold is let through when it is
// full, and paid for afterwards.
func (l *limiter) take(by auth.Principal, n int) (wait time.Duration) {
	allowed, isSet := l.allowed(by)
	if isSet && l.quota != nil {
		return l.quota.take(by, n)
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

// pace takes n events, waiting until they are there: a stream is slowed, and a topic
// is read more slowly; neither is refused. The error is ctx's.
func (l *limiter) pace(ctx context.Context, by auth.Principal, n int) error {
	for {
		wait := l.take(by, n)
		if wait == 0 {
			return nil
		}
		if err := pause.For(ctx, max(wait, time.Millisecond)); err != nil {
			return err
		}
	}
}

// used is how much of what each may hand in at once is used up, from 0 to 1; of
// all offices the most.
func (l *limiter) used() map[string]float64 {
	used := make(map[string]float64)
	if l.quota != nil {
		used = l.quota.used()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, b := range l.buckets {
		b.fill(now)
		used[b.operator] = max(used[b.operator], min(1, 1-b.tokens/b.allowed.atOnce))
	}
	return used
}
