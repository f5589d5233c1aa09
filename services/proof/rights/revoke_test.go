package rights_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/relais-fr/relais/services/internal/broker"
)

// revokedWithin is how long a participant's open connections may go on.
const revokedWithin = 5 * time.Second

// live is somebody's clients that write and read without a pause.
type live struct {
	mu       sync.Mutex
	written  time.Time // when a produce was last acknowledged
	refused  time.Time // when one was first refused
	received time.Time // when the last record was read
	stamped  time.Time // when that record was written
	stopped  time.Time // when reading was first refused
	count    int
}

func (l *live) write(ctx context.Context, c *kgo.Client, topic string) {
	for ctx.Err() == nil {
		res := c.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("x")})
		l.mu.Lock()
		switch now := time.Now(); {
		case res.FirstErr() == nil:
			l.written = now
		case l.refused.IsZero() && ctx.Err() == nil:
			l.refused = now
		}
		l.mu.Unlock()
		if res.FirstErr() != nil {
			pause(ctx)
		}
	}
}

func (l *live) read(ctx context.Context, c *kgo.Client) {
	for ctx.Err() == nil {
		got := c.PollFetches(ctx)
		l.mu.Lock()
		got.EachRecord(func(r *kgo.Record) {
			l.received, l.stamped = time.Now(), r.Timestamp
			l.count++
		})
		if err := got.Err(); err != nil && ctx.Err() == nil && l.stopped.IsZero() {
			l.stopped = time.Now()
		}
		l.mu.Unlock()
		if got.Err() != nil {
			pause(ctx)
		}
	}
}

func pause(ctx context.Context) {
	t := time.NewTimer(50 * time.Millisecond)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func (l *live) works() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.written.IsZero() && l.count > 0
}

// Connections that were open before, in the middle of writing and reading, are
// refused within five seconds of a denial; so is a reader without a group, and one
// that waits for hours.
func TestARevocationClosesOpenConnections(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e *engine) {
		e.populate("cnaf", "cpam", "denied")
		must(t, e.hub.DenyParticipant(t.Context(), "denied"))
		e.settle()
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()
		lives := map[string]*live{}
		for _, how := range e.ways {
			for name, reading := range map[string][]kgo.Opt{
				"in a group":      {kgo.ConsumerGroup("cnaf." + how), kgo.ConsumeTopics(e.full("topic", "to.cnaf")), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())},
				"alone":           {kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{e.full("topic", "to.cnaf"): {0: kgo.NewOffset().AtStart()}})},
				"with long waits": {kgo.FetchMaxWait(time.Hour), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{e.full("topic", "to.cnaf"): {0: kgo.NewOffset().AtStart()}})},
			} {
				l := new(live)
				lives[how+", "+name] = l
				c, err := kgo.NewClient(append(e.opts("cnaf", how), append(reading, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.KeepRetryableFetchErrors(), kgo.MetadataMinAge(100*time.Millisecond), kgo.MetadataMaxAge(time.Second))...)...)
				must(t, err)
				defer c.Close()
				running.Go(func() { l.write(ctx, c, e.full("topic", "from.cnaf")) })
				running.Go(func() { l.read(ctx, c) })
			}
		}
		bystander := new(live)
		c, err := kgo.NewClient(append(e.opts("cpam", byScram), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{e.full("topic", "to.cpam"): {0: kgo.NewOffset().AtStart()}}))...)
		must(t, err)
		defer c.Close()
		running.Go(func() { bystander.write(ctx, c, e.full("topic", "from.cpam")) })
		running.Go(func() { bystander.read(ctx, c) })
		running.Go(func() { // the hub goes on delivering
			for ctx.Err() == nil {
				for _, to := range []string{"to.cnaf", "to.cpam"} {
					_, _ = e.hub.Produce(ctx, broker.Record{Topic: e.full("topic", to), Value: []byte("x"), Time: time.Now()})
				}
				pause(ctx)
			}
		})
		await(t, "everybody writes and reads", func() bool {
			for _, l := range lives {
				if !l.works() {
					return false
				}
			}
			return bystander.works()
		})

		denied := time.Now()
		must(t, e.hub.DenyParticipant(t.Context(), "cnaf"))
		must(t, e.hub.DeletePassword(t.Context(), "cnaf"))
		known := time.Since(denied)
		<-time.After(e.watch) // what is refused must stay refused
		cancel()
		running.Wait()
		worst := time.Duration(0)
		for name, l := range lives {
			worst = max(worst, l.written.Sub(denied), l.stamped.Sub(denied))
			if l.written.Sub(denied) > revokedWithin || l.refused.IsZero() && l.written.After(denied.Add(time.Second)) {
				t.Errorf("%s: it still wrote %v after the denial", name, l.written.Sub(denied))
			}
			if l.received.Sub(denied) > revokedWithin || l.stamped.Sub(denied) > revokedWithin {
				t.Errorf("%s: it still read %v after the denial, what was written %v after it", name, l.received.Sub(denied), l.stamped.Sub(denied))
			}
		}
		if bystander.written.Before(denied.Add(e.watch/2)) || bystander.received.Before(denied.Add(e.watch/2)) {
			t.Errorf("the denial struck somebody else too: last written %v, last read %v after it", bystander.written.Sub(denied), bystander.received.Sub(denied))
		}
		t.Logf("%s: denied and forgotten in %v; the last of %d open clients was cut off %v after the first word", e.name, known.Round(time.Millisecond), len(lives), worst.Round(time.Millisecond))
	})
}

func await(t *testing.T, what string, met func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); !met(); <-tick.C {
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("30 s later still not: %s", what)
		}
	}
}
