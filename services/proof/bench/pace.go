package bench

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// pace is a constant rate that does not wait for answers: number n is due at its
// time, whatever became of those before. Times are counted from when something was
// due, so that what is late because of others counts as late.
type pace struct {
	every   time.Duration
	started time.Time
}

func newPace(perSecond int) *pace { return &pace{every: time.Second / time.Duration(perSecond)} }

func (p *pace) begin() { p.started = time.Now() }

func (p *pace) due(n int) time.Time { return p.started.Add(time.Duration(n) * p.every) }

// wait waits until n is due.
func (p *pace) wait(n int) {
	if d := time.Until(p.due(n)); d > 0 {
		time.Sleep(d)
	}
}

// arrivals are when numbered things were first seen.
type arrivals struct {
	mu    sync.Mutex
	times []time.Time
	seen  atomic.Int64
}

func newArrivals(n int) *arrivals { return &arrivals{times: make([]time.Time, n)} }

func (a *arrivals) at(n int, now time.Time) {
	if n < 0 || n >= len(a.times) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.times[n].IsZero() {
		a.times[n] = now
		a.seen.Add(1)
	}
}

func (a *arrivals) count() int { return int(a.seen.Load()) }

// since are the sorted times from when each was due, of those from number first on.
func (a *arrivals) since(p *pace, first int) []time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []time.Duration
	for n := first; n < len(a.times); n++ {
		if !a.times[n].IsZero() {
			out = append(out, a.times[n].Sub(p.due(n)))
		}
	}
	slices.Sort(out)
	return out
}
