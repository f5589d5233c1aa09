package follow_test

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/enginetest"
	"github.com/relais-fr/relais/services/internal/follow"
	"github.com/relais-fr/relais/services/internal/store"
)

const topic = "relais.recorded"

// reader is a projection that keeps the values of a partition, one after another.
type reader struct {
	t          *testing.T
	broker     *broker.Broker
	redis      *miniredis.Miniredis
	projection *store.Projection
	mixed      bool
	// dropped counts what was had before, begun how often the first was applied.
	dropped, begun int
	// most is how many records one commit may hold; 0 for any number.
	most int
}

// newReader makes one that does not read yet.
func newReader(t *testing.T, mixed bool) *reader {
	t.Helper()
	kafka := enginetest.NewKafka(t)
	mini, client := enginetest.NewRedis(t)
	b, err := broker.New(broker.Config{Brokers: []string{kafka.Addr}, Dial: kafka.Dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	r := &reader{t: t, broker: b, redis: mini, mixed: mixed, projection: store.New(store.Config{Client: client}).Projection("clock", "1")}
	r.create()
	return r
}

// start has it read until stop is called, or the test ends.
func (r *reader) start() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- r.broker.Consume(ctx, "relais.clock", []string{topic}, func(ctx context.Context, c *broker.Claim) error {
			p := &follow.Partition{
				Broker: r.broker, Projection: r.projection, Claim: c, Log: slog.New(slog.DiscardHandler), Mixed: r.mixed,
				Apply: r.apply, Progress: func(int64, int64) {},
				Stored: func(_ context.Context, _ store.Position, _ []broker.Record, dropped int) { r.dropped += dropped },
			}
			return p.Run(ctx)
		})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Errorf("the reader ended: %v", err)
		}
	})
	r.t.Cleanup(stop)
	return stop
}

func (r *reader) create() {
	r.t.Helper()
	if err := r.broker.EnsureTopics(r.t.Context(), broker.TopicSpec{Name: topic, Partitions: 1, Settings: map[string]string{"retention.ms": "-1"}}); err != nil {
		r.t.Fatal(err)
	}
}

// apply appends the values to what is stored.
func (r *reader) apply(ctx context.Context, at store.Position, fresh []broker.Record) ([]store.Op, error) {
	if r.most > 0 && len(fresh) > r.most {
		return []store.Op{store.Set("all", make([]byte, store.MaxBytes+1))}, nil
	}
	had, err := r.projection.Get(ctx, 0, at, []string{"all"})
	if err != nil {
		return nil, err
	}
	if at.Absent() {
		r.begun++
	}
	all := had[0]
	for _, record := range fresh {
		all = append(append(all, ' '), record.Value...)
	}
	return []store.Op{store.Set("all", all)}, nil
}

// outcome writes the outcome of a submission.
func (r *reader) outcome(number int) {
	r.t.Helper()
	_, err := r.broker.Produce(r.t.Context(), broker.Record{
		Topic: topic, Key: []byte("k"), Value: fmt.Append(nil, number), Time: time.Now(),
		Headers: []schemas.Header{{Key: "ce_" + schemas.AttrSubmittedOffset, Value: []byte(strconv.Itoa(number))}},
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *reader) outcomes(numbers ...int) {
	r.t.Helper()
	for _, n := range numbers {
		r.outcome(n)
	}
}

// wants compares what is stored after a while.
func (r *reader) wants(values string) {
	r.t.Helper()
	<-time.After(30 * time.Second)
	at, _, err := r.projection.Position(r.t.Context(), 0)
	if err != nil {
		r.t.Fatal(err)
	}
	got, err := r.projection.Get(r.t.Context(), 0, at, []string{"all"})
	if err != nil {
		r.t.Fatal(err)
	}
	if diff := cmp.Diff(values, strings.TrimSpace(string(got[0]))); diff != "" {
		r.t.Errorf("stored (-want +got):\n%s", diff)
	}
}

func TestWhatStandsTwiceOnRecordedIsAppliedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReader(t, false)
		r.start()
		r.outcomes(0, 1, 2, 1, 2, 3)
		r.wants("0 1 2 3")
		r.outcomes(2, 3, 4)
		r.wants("0 1 2 3 4")
		if r.dropped != 4 {
			t.Errorf("%d were dropped, 4 had been had before", r.dropped)
		}
	})
}

func TestWhereNumbersAreMixedTheCallerGetsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReader(t, true)
		r.start()
		r.outcomes(0, 1, 1, 5, 0)
		r.wants("0 1 1 5 0")
	})
}

func TestAnEmptiedStoreIsBuiltAgainWithoutANewOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReader(t, false)
		r.start()
		r.outcomes(0, 1, 2)
		r.wants("0 1 2")
		r.redis.FlushAll()
		r.wants("0 1 2")
		if r.begun != 2 {
			t.Errorf("the partition was begun %d times, not 2", r.begun)
		}
	})
}

func TestAPositionThatTheLogDoesNotHoldIsBuiltAgain(t *testing.T) {
	for _, tc := range []struct {
		name    string
		running bool
		after   []int
		want    string
	}{
		{"shorter than the position", false, []int{0, 1}, "0 1"},
		{"as long, with another last record", false, []int{0, 0, 1}, "0 1"},
		{"longer, with another record there", false, []int{0, 0, 1, 2, 3}, "0 1 2 3"},
		{"longer, and the same as far as it was read", false, []int{0, 1, 2, 3}, "0 1 2 3"},
		{"shorter, under a reader", true, []int{0, 1}, "0 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newReader(t, false)
				stop := r.start()
				r.outcomes(0, 1, 2)
				r.wants("0 1 2")
				if !tc.running {
					stop()
				}
				if err := r.broker.DeleteTopics(t.Context(), topic); err != nil {
					t.Fatal(err)
				}
				r.create()
				r.outcomes(tc.after...)
				if !tc.running {
					r.start()
				}
				r.wants(tc.want)
			})
		})
	}
}

func TestWhatIsTooMuchForOneCommitIsTakenInHalves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReader(t, false)
		r.start()
		r.most = 2
		r.outcomes(0, 1, 2, 3, 4, 5, 6)
		r.wants("0 1 2 3 4 5 6")
	})
}
