package courier

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

const (
	// bellLinger is how long a topic is still followed when nobody waits on it:
	// who polls comes again in a moment.
	bellLinger = 30 * time.Second
	// maxWaiting bounds the requests that wait. Whoever comes after is answered
	// at once.
	maxWaiting = 10_000
)

// bells wake the requests that wait for an event. A topic on which somebody
// waits is followed once for all of them, from its end on, so that a waiting
// reader costs the broker nothing. Safe for concurrent use.
type bells struct {
	broker  *broker.Broker
	log     *slog.Logger
	metrics *metrics

	mu      sync.Mutex
	spawn   func(func(context.Context)) // nil while run does not run
	waiting int
	topics  map[string]*bell
}

// bell follows one topic. Its fields are guarded by bells.mu but for following.
type bell struct {
	topic string
	// following is closed once every partition has its starting point: what is
	// written from then on rings.
	following chan struct{}
	unstarted map[int]bool
	waiters   map[*waiter]bool
	// idle says that nobody has waited since the last look.
	idle bool
}

// waiter is one request that waits.
type waiter struct {
	bell *bell
	// key is the record key that concerns it; "" when every record does.
	key  string
	ring chan struct{}
}

func newBells(b *broker.Broker, log *slog.Logger, m *metrics) *bells {
	return &bells{broker: b, log: log, metrics: m, topics: map[string]*bell{}}
}

// run lets topics be followed until ctx ends, and returns once none is.
func (b *bells) run(ctx context.Context) {
	var wg sync.WaitGroup
	b.mu.Lock()
	b.spawn = func(f func(context.Context)) { wg.Go(func() { f(ctx) }) }
	b.mu.Unlock()
	<-ctx.Done()
	b.mu.Lock()
	b.spawn = nil
	b.mu.Unlock()
	wg.Wait()
}

// listen asks to be woken by records of the topic; false when waiting is not
// possible now. The caller must leave.
func (b *bells) listen(topic string, partitions int, key string) (*waiter, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spawn == nil || b.waiting >= maxWaiting {
		return nil, false
	}
	at := b.topics[topic]
	if at == nil {
		at = &bell{topic: topic, following: make(chan struct{}), unstarted: map[int]bool{}, waiters: map[*waiter]bool{}}
		for p := range partitions {
			at.unstarted[p] = true
		}
		b.topics[topic] = at
		b.spawn(func(ctx context.Context) { b.follow(ctx, at) })
	}
	w := &waiter{bell: at, key: key, ring: make(chan struct{}, 1)}
	at.waiters[w], at.idle = true, false
	b.waiting++
	b.metrics.waiting.Set(float64(b.waiting))
	return w, true
}

func (b *bells) leave(w *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(w.bell.waiters, w)
	b.waiting--
	b.metrics.waiting.Set(float64(b.waiting))
}

// follow rings for new records until ctx ends or nobody has waited for a while.
func (b *bells) follow(ctx context.Context, at *bell) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := b.broker.Follow(ctx, at.topic, at.start(b), at.take(b))
		if err != nil && ctx.Err() == nil {
			b.log.WarnContext(ctx, "topic is not followed any more", telemetry.KeyTopic, at.topic, telemetry.KeyError, err)
		}
		b.end(at)
	}()
	tick := time.NewTicker(bellLinger)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			if b.forsaken(at) {
				cancel()
				<-done
				return
			}
		}
	}
}

// forsaken says whether nobody waits, nor has since the last time it was asked;
// the next who comes then gets a new bell.
func (b *bells) forsaken(at *bell) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at.idle && len(at.waiters) == 0 {
		delete(b.topics, at.topic)
		return true
	}
	at.idle = true
	return false
}

// end wakes all who still wait on a bell that rings no more.
func (b *bells) end(at *bell) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.topics[at.topic] == at {
		delete(b.topics, at.topic)
	}
	for w := range at.waiters {
		w.wake()
	}
}

func (at *bell) start(b *bells) func(partition int, r broker.Range) int64 {
	return func(partition int, r broker.Range) int64 {
		b.mu.Lock()
		defer b.mu.Unlock()
		if at.unstarted[partition] {
			if delete(at.unstarted, partition); len(at.unstarted) == 0 {
				close(at.following)
			}
		}
		return r.Next
	}
}

func (at *bell) take(b *bells) func(context.Context, broker.Batch) error {
	return func(_ context.Context, batch broker.Batch) error {
		if len(batch.Records) == 0 {
			return nil
		}
		keys := make(map[string]bool, len(batch.Records))
		for i := range batch.Records {
			keys[string(batch.Records[i].Key)] = true
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		for w := range at.waiters {
			if w.key == "" || keys[w.key] {
				w.wake()
			}
		}
		return nil
	}
}

func (w *waiter) wake() {
	select {
	case w.ring <- struct{}{}:
	default:
	}
}
