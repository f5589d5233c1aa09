package broker

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// The pauses between attempts, doubling from the first to the last, each
// shortened at random by up to half so that partitions do not retry in step.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = time.Second
)

// backoff paces repeated attempts; the zero value is ready.
type backoff struct{ next time.Duration }

// wait pauses; false when ctx ended first.
func (p *backoff) wait(ctx context.Context) bool {
	if p.next == 0 {
		p.next = firstPause
	}
	pause := p.next - rand.N(p.next/2) //nolint:gosec // jitter, not a secret
	p.next = min(2*p.next, lastPause)
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// retry repeats attempt until it succeeds, fails for good or ctx ends. Each
// attempt has its own time limit: a request whose answer never comes is given
// up and sent again.
func (b *Broker) retry(ctx context.Context, what string, attempt func(ctx context.Context) error) error {
	var (
		pace    backoff
		warned  bool
		started = time.Now()
	)
	for {
		attemptCtx, cancel := context.WithTimeout(ctx, b.cfg.AttemptTimeout)
		err := attempt(attemptCtx)
		cancel()
		if err == nil {
			if warned {
				b.log.Info("broker answers again", "operation", what, "duration", time.Since(started))
			}
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if b.ctx.Err() != nil {
			return ErrClosed
		}
		if isDefinite(err) {
			return err
		}
		b.metrics.retries.WithLabelValues(what).Inc()
		if !warned && time.Since(started) > time.Second {
			warned = true
			b.log.Warn("broker does not answer, trying again", "operation", what, "error", err)
		}
		b.refresh()
		if !pace.wait(ctx) {
			return context.Cause(ctx)
		}
	}
}

// refreshed keeps refresh from being done by every partition at once.
type refreshed struct {
	mu sync.Mutex
	at time.Time
}

// refreshEvery is the least time between two refreshes.
const refreshEvery = 100 * time.Millisecond

// refresh forgets pooled connections and cluster metadata, so that the next
// request begins with fresh ones. After a broker's restart every idle
// connection is dead, and each would cost one failed attempt; after a change
// of leaders the transport would go on asking the old one for up to its TTL.
// Requests in flight are not disturbed.
func (b *Broker) refresh() {
	b.refreshed.mu.Lock()
	defer b.refreshed.mu.Unlock()
	if now := time.Now(); now.Sub(b.refreshed.at) >= refreshEvery {
		b.refreshed.at = now
		b.transport.CloseIdleConnections()
	}
}

// refreshAfter refreshes after a produce that failed, if that can help.
func (b *Broker) refreshAfter(err error) {
	if !isOfReplicas(err) {
		b.refresh()
	}
}

// refreshNow does so however short a time ago it was done: what is asked next
// must not be answered from memory.
func (b *Broker) refreshNow() {
	b.refreshed.mu.Lock()
	defer b.refreshed.mu.Unlock()
	b.refreshed.at = time.Now()
	b.transport.CloseIdleConnections()
}
