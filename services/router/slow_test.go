package router

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
)

// slowFor runs the measurement in real time, each row so long: `go test
// ./services/router -run Slow -slow 20s -v` prints it as a table.
var slowFor = flag.Duration("slow", 0, "measure slow recipients in real time, each for this long")

// How many events a second are routed, each to the recipient that is slow and to
// two others, in virtual and in real time.
const virtualRate, realRate = 20, 200

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
func latencies(t *testing.T, begin func(*world), rate int, length time.Duration) []time.Duration {
	w := newWorld(t)
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
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	n := int(length.Seconds()) * rate
	for i := range n {
		w.record(i%partitions, "cnaf", "cpam", "offices/demo-1")
		<-tick.C
	}
	time.Sleep(2 * time.Second)
	cancel()
	readers.Wait()
	stop()
	time.Sleep(4 * time.Second) // requests that are held end
	if len(all) != 2*n {
		t.Errorf("the others have %d of %d copies", len(all), 2*n)
	}
	slices.Sort(all)
	return all
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func TestASlowRecipientChangesTheOthersDeliveriesNoMoreThanTwoEqualRunsDiffer(t *testing.T) {
	var first, second time.Duration
	for i, s := range slowness {
		synctest.Test(t, func(t *testing.T) {
			p99 := quantile(latencies(t, s.begin, virtualRate, 12*time.Second), 0.99)
			switch i {
			case 0:
				first = p99
			case 1:
				second = p99
			default:
				if differ := max(first, second) - min(first, second); p99 > max(first, second)+differ {
					t.Errorf("%s: p99 of the others is %v; of two equal runs it is %v and %v", s.name, p99, first, second)
				}
			}
		})
	}
}

func TestSlowRecipientsInRealTime(t *testing.T) {
	if *slowFor == 0 {
		t.Skip("a measurement: run it with -slow 20s")
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(out, "cnaf\tothers' p50\tp99\tp99.9\n")
	for _, s := range slowness {
		all := latencies(t, s.begin, realRate, *slowFor)
		_, _ = fmt.Fprintf(out, "%s\t%v\t%v\t%v\n", s.name, quantile(all, 0.5), quantile(all, 0.99), quantile(all, 0.999))
	}
	_ = out.Flush()
}
