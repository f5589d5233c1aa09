package router

import (
	"context"
	"flag"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/enginetest"
	"github.com/relais-fr/relais/services/internal/pause"
)

// slowFor runs the measurement in real time, each row so long: `go test
// ./services/router -run Slow -slow 20s -v` logs it as a table.
var slowFor = flag.Duration("slow", 0, "measure slow recipients in real time, each for this long")

// How many events a second are routed, each to the recipient that is slow and to
// two others, in virtual and in real time.
const virtualRate, realRate = 20, 200

// answerTakes is how long the broker's answers are under way in virtual time.
const answerTakes = 2 * time.Millisecond

// slowness are the ways in which cnaf can be slow or dead.
var slowness = []struct {
	name  string
	begin func(w *world)
}{
	{"nothing is wrong", func(*world) {}},
	{"nothing is wrong, again", func(*world) {}},
	{"the topic is gone", func(w *world) {
		if err := w.broker.DeleteTopics(w.t.Context(), "relais.to.cnaf"); err != nil {
			w.t.Fatal(err)
		}
	}},
	{"the topic has no leader", func(w *world) { w.refuse("relais.to.cnaf", kerr.LeaderNotAvailable) }},
	{"too few replicas", func(w *world) { w.refuse("relais.to.cnaf", kerr.NotEnoughReplicas) }},
	{"every request takes 3 s", func(w *world) { w.hold("relais.to.cnaf", 3*time.Second) }},
	{"every copy is refused", func(w *world) { w.refuse("relais.to.cnaf", kerr.InvalidRecord) }},
	{"it collects nothing", func(w *world) {
		if err := w.broker.CommitGroup(w.t.Context(), "cnaf", "relais.to.cnaf", map[int]int64{0: 0}); err != nil {
			w.t.Fatal(err)
		}
	}},
}

// latencies are how long the copies of the others took, from their outcome to
// their reader.
func latencies(t *testing.T, begin func(*world), rate int, takes, length time.Duration) []time.Duration {
	w := newWorld(t)
	w.kafka.Takes(takes)
	_, stop := w.router()
	defer stop()
	var mu sync.Mutex
	var all []time.Duration
	ctx, cancel := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for _, topic := range []string{"relais.to.cpam", "relais.to.offices"} {
		readers.Go(func() {
			err := w.broker.Follow(ctx, topic, func(_ int, held broker.Range) int64 { return held.First }, func(_ context.Context, batch broker.Batch) error {
				mu.Lock()
				defer mu.Unlock()
				for _, r := range batch.Records {
					received, err := time.Parse(time.RFC3339Nano, header(r, schemas.AttrReceivedTime))
					if err != nil {
						return err
					}
					all = append(all, time.Since(received))
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	// The router has its partitions, and what is fetched first is not measured.
	w.record(0, "cpam", "offices/demo-1")
	time.Sleep(2 * time.Second)
	mu.Lock()
	all = nil
	mu.Unlock()
	begin(w)
	n, due := int(length.Seconds())*rate, time.Now()
	uneven := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		w.record(i%partitions, "cnaf", "cpam", "offices/demo-1")
		due = due.Add(time.Duration(uneven.Int64N(2 * int64(time.Second) / int64(rate))))
		_ = pause.For(t.Context(), time.Until(due))
	}
	time.Sleep(2 * time.Second)
	cancel()
	readers.Wait()
	stop()
	time.Sleep(4 * time.Second) // requests that are held end
	if len(all) != 2*n {
		t.Errorf("the others have %d of %d copies", len(all), 2*n)
	}
	return all
}

func TestASlowRecipientChangesTheOthersDeliveriesNoMoreThanTwoEqualRunsDiffer(t *testing.T) {
	var runs []enginetest.Waits
	for _, s := range slowness {
		synctest.Test(t, func(t *testing.T) {
			runs = append(runs, enginetest.Waits{Run: s.name, All: latencies(t, s.begin, virtualRate, answerTakes, 12*time.Second)})
		})
	}
	enginetest.CompareWaits(t, runs)
}

func TestSlowRecipientsInRealTime(t *testing.T) {
	if *slowFor == 0 {
		t.Skip("a measurement: run it with -slow 20s")
	}
	var runs []enginetest.Waits
	for _, s := range slowness {
		runs = append(runs, enginetest.Waits{Run: s.name, All: latencies(t, s.begin, realRate, 0, *slowFor)})
	}
	enginetest.LogWaits(t, runs)
}
