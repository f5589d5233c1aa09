package broker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

// consumer is one member of a group, which commits what it reads.
type consumer struct {
	mu     sync.Mutex
	read   []string        // values
	kept   int             // values whose commit was acknowledged
	starts map[string]int  // by topic/partition: claims begun
	held   map[string]bool // claims at present
	done   chan error
	stop   context.CancelFunc
}

func (c *consumer) snapshot() (read []string, held int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.read...), len(c.held)
}

// consume starts a member. It starts where the group has committed, and commits
// the pair after each batch.
func consume(t *testing.T, b *broker.Broker, group string, topics ...string) *consumer {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	c := &consumer{starts: map[string]int{}, held: map[string]bool{}, done: make(chan error, 1), stop: stop}
	go func() { c.done <- b.Consume(ctx, group, topics, c.handle) }()
	t.Cleanup(stop)
	return c
}

func (c *consumer) handle(ctx context.Context, claim *broker.Claim) error {
	name := fmt.Sprintf("%s/%d", claim.Topic, claim.Partition)
	offset, metadata, ok, err := claim.Committed(ctx)
	if err != nil {
		return err
	}
	if ok {
		if pair, err := broker.ParsePair(metadata); err != nil || pair.Next != offset {
			return fmt.Errorf("committed %d with %q", offset, metadata)
		}
	} else {
		offset = 0
	}
	c.mu.Lock()
	c.starts[name]++
	c.held[name] = true
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.held, name)
		c.mu.Unlock()
	}()
	for cursor := claim.Cursor(offset); ; {
		batch, err := cursor.Fetch(ctx)
		if err != nil {
			return err
		}
		c.mu.Lock()
		c.read = append(c.read, values(batch.Records)...)
		c.mu.Unlock()
		if len(batch.Records) == 0 {
			continue
		}
		if err := claim.Commit(ctx, batch.Next, broker.Pair{Next: batch.Next, Highest: batch.Next - 1}.String()); err != nil {
			return err
		}
		c.mu.Lock()
		c.kept += len(batch.Records)
		c.mu.Unlock()
	}
}

func (c *consumer) end(t *testing.T) {
	t.Helper()
	c.stop()
	if err := <-c.done; err != nil {
		t.Error(err)
	}
}

func fill(t *testing.T, b *broker.Broker, topic string, partitions, each int, label string) {
	t.Helper()
	for p := range partitions {
		for i := range each {
			if _, err := b.Produce(t.Context(), text(topic, p, fmt.Sprintf("%s %d-%d", label, p, i))); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestAGroupGoesOnWhereItCommitted(t *testing.T) {
	bubble(t, func(t *testing.T, _ *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "submitted", 4)
		var all []string
		for run := range 3 {
			fill(t, b, topic, 4, 5, fmt.Sprint(run))
			member := consume(t, b, "gateway", topic)
			time.Sleep(5 * time.Second)
			read, _ := member.snapshot()
			all = append(all, read...)
			member.end(t)
		}
		distinct := map[string]bool{}
		for _, v := range all {
			distinct[v] = true
		}
		if len(all) != 60 || len(distinct) != 60 {
			t.Errorf("%d records were read of 60, %d of them different", len(all), len(distinct))
		}
	})
}

func TestASecondMemberGetsItsShareQuickly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.NewKafka(t)
		one, two := newBroker(t, k), newBroker(t, k)
		topic := makeTopic(t, one, "submitted", 6)
		first := consume(t, one, "ledger", topic)
		time.Sleep(3 * time.Second)
		if _, held := first.snapshot(); held != 6 {
			t.Fatalf("alone, the first member holds %d of 6", held)
		}
		second := consume(t, two, "ledger", topic)
		joined := time.Now()
		for {
			time.Sleep(10 * time.Millisecond)
			_, a := first.snapshot()
			if _, b := second.snapshot(); a == 3 && b == 3 {
				break
			}
			if time.Since(joined) > 5*time.Second {
				t.Fatal("the share did not come")
			}
		}
		if took := time.Since(joined); took > 1500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		fill(t, one, topic, 6, 10, "x")
		time.Sleep(time.Second)
		a, _ := first.snapshot()
		b, _ := second.snapshot()
		if len(a) != 30 || len(b) != 30 {
			t.Errorf("read %d and %d of 60", len(a), len(b))
		}

		second.end(t)
		time.Sleep(3 * time.Second)
		if _, held := first.snapshot(); held != 6 {
			t.Errorf("after the second has left, the first holds %d of 6", held)
		}
		first.end(t)
	})
}

func TestAnOldOwnerCannotCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.NewKafka(t)
		one, two := newBroker(t, k), newBroker(t, k)
		topic := makeTopic(t, one, "submitted", 1)
		fill(t, one, topic, 1, 3, "x")

		// The first member does not let go when its generation ends.
		late := make(chan error, 1)
		ctx, stop := context.WithCancel(t.Context())
		left := make(chan error, 1)
		var once sync.Once
		go func() {
			left <- one.Consume(ctx, "ledger", []string{topic}, func(ctx context.Context, c *broker.Claim) error {
				held := false
				once.Do(func() { held = true })
				if !held {
					<-ctx.Done()
					return nil
				}
				if err := c.Commit(ctx, 1, "1,0"); err != nil {
					late <- err
					return nil
				}
				<-ctx.Done()
				time.Sleep(30 * time.Second) // longer than the group waits
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
				defer cancel()
				late <- c.Commit(ctx, 3, "3,2")
				return nil
			})
		}()
		time.Sleep(3 * time.Second)

		committed := make(chan string, 1)
		ctx2, stop2 := context.WithCancel(t.Context())
		left2 := make(chan error, 1)
		go func() {
			left2 <- two.Consume(ctx2, "ledger", []string{topic}, func(ctx context.Context, c *broker.Claim) error {
				_, metadata, _, err := c.Committed(ctx)
				if err != nil {
					return err
				}
				select {
				case committed <- metadata:
				default:
				}
				<-ctx.Done()
				return nil
			})
		}()
		if got := <-committed; got != "1,0" {
			t.Errorf("the new owner starts from %q", got)
		}
		if err := <-late; !errors.Is(err, broker.ErrGenerationOver) {
			t.Errorf("the old owner's commit: %v", err)
		}
		stop()
		stop2()
		if err := errors.Join(<-left, <-left2); err != nil {
			t.Error(err)
		}
	})
}

func TestAHandlerMayCommitOnItsWayOut(t *testing.T) {
	bubble(t, func(t *testing.T, _ *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "submitted", 2)
		ctx, stop := context.WithCancel(t.Context())
		began := make(chan struct{}, 2)
		left := make(chan error, 1)
		go func() {
			left <- b.Consume(ctx, "router", []string{topic}, func(ctx context.Context, c *broker.Claim) error {
				began <- struct{}{}
				<-ctx.Done()
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
				defer cancel()
				return c.Commit(ctx, 7, "last")
			})
		}()
		<-began
		<-began
		stop()
		if err := <-left; err != nil {
			t.Fatal(err)
		}
		ctx, stop = context.WithCancel(t.Context())
		defer stop()
		err := b.Consume(ctx, "router", []string{topic}, func(ctx context.Context, c *broker.Claim) error {
			defer stop()
			if offset, metadata, ok, err := c.Committed(ctx); offset != 7 || metadata != "last" || !ok || err != nil {
				return fmt.Errorf("Committed = %d, %q, %v, %w", offset, metadata, ok, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestAHandlersErrorEndsConsume(t *testing.T) {
	bubble(t, func(t *testing.T, _ *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "submitted", 3)
		broken := errors.New("broken")
		err := b.Consume(t.Context(), "ledger", []string{topic}, func(ctx context.Context, c *broker.Claim) error {
			if c.Partition == 1 {
				return broken
			}
			<-ctx.Done()
			return ctx.Err()
		})
		if !errors.Is(err, broken) {
			t.Errorf("Consume = %v", err)
		}
	})
}

func TestAMemberWithoutTheRightIsToldSo(t *testing.T) {
	for name, fault := range map[string]kfake.Fault{
		"to read the topic":          {Keys: []kmsg.Key{kmsg.Fetch}, Topic: "relais.submitted", Err: kerr.TopicAuthorizationFailed, Count: -1},
		"to read in the group":       {Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: "ledger", Err: kerr.GroupAuthorizationFailed, Count: -1},
		"to join the group":          {Keys: []kmsg.Key{kmsg.JoinGroup}, Group: "ledger", TopLevel: true, Err: kerr.GroupAuthorizationFailed, Count: -1},
		"to find the group's leader": {Keys: []kmsg.Key{kmsg.FindCoordinator}, Group: "ledger", Err: kerr.GroupAuthorizationFailed, Count: -1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
				topic := makeTopic(t, b, "submitted", 1)
				k.Cluster.Fault(fault)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				err := b.Consume(ctx, "ledger", []string{topic}, func(context.Context, *broker.Claim) error { return nil })
				if !errors.Is(err, kafka.GroupAuthorizationFailed) && !errors.Is(err, kafka.TopicAuthorizationFailed) || !strings.Contains(err.Error(), "right") {
					t.Errorf("Consume = %v", err)
				}
			})
		})
	}
}

func TestAGroupLivesThroughFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.NewKafka(t, kfake.DataDir(t.TempDir()))
		b := newBroker(t, k)
		topic := makeTopic(t, b, "submitted", 3)
		member := consume(t, b, "gateway", topic)
		for round, harm := range []func(){
			func() {},
			func() { k.LoseAnswers(kmsg.OffsetCommit, 2); k.LoseAnswers(kmsg.Heartbeat, 1) },
			func() { k.HoldAnswers(kmsg.OffsetCommit, 1) },
			func() {
				k.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.CoordinatorNotAvailable, Count: 5})
			},
			func() {
				k.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Err: kerr.NotCoordinator, Count: 5})
			},
			func() { k.Stop(); time.Sleep(20 * time.Second); k.Start(t) },
		} {
			harm()
			fill(t, b, topic, 3, 4, fmt.Sprint(round))
			time.Sleep(30 * time.Second)
			read, held := member.snapshot()
			distinct := map[string]bool{}
			for _, v := range read {
				distinct[v] = true
			}
			if len(distinct) != 12*(round+1) || held != 3 {
				t.Fatalf("round %d: %d different records of %d, %d partitions held", round, len(distinct), 12*(round+1), held)
			}
		}
		member.end(t)
	})
}

func TestNewPartitionsAndTopicsAreTakenUp(t *testing.T) {
	bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "from.cnaf", 2)
		member := consume(t, b, "gateway", topic, b.Topic("from.cpam"))
		time.Sleep(10 * time.Second)
		if _, held := member.snapshot(); held != 0 {
			t.Errorf("%d partitions are held before all topics exist", held)
		}
		makeTopic(t, b, "from.cpam", 1)
		time.Sleep(5 * time.Second)
		if _, held := member.snapshot(); held != 3 {
			t.Errorf("%d of 3 partitions are held", held)
		}
		more := kmsg.NewCreatePartitionsRequest()
		wanted := kmsg.NewCreatePartitionsRequestTopic()
		wanted.Topic, wanted.Count = topic, 5
		more.Topics, more.TimeoutMillis = append(more.Topics, wanted), 5000
		if _, err := more.RequestWith(t.Context(), another(t, k)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Second)
		if _, held := member.snapshot(); held != 6 {
			t.Errorf("%d of 6 partitions are held", held)
		}
		member.end(t)
	})
}

func TestTheLagOfAGroupThatOnlyCommitsIsMeasured(t *testing.T) {
	reg := prometheus.NewRegistry()
	bubble(t, func(t *testing.T, _ *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "submitted", 1)
		fill(t, b, topic, 1, 7, "x")
		ctx, stop := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() {
			left <- b.Consume(ctx, "ledger", []string{topic}, func(ctx context.Context, c *broker.Claim) error {
				if err := c.Commit(ctx, 4, ""); err != nil {
					return err
				}
				<-ctx.Done()
				return nil
			})
		}()
		time.Sleep(15 * time.Second)
		want := `
# HELP relais_consumer_lag_events Records of the partition that the group has not read yet.
# TYPE relais_consumer_lag_events gauge
relais_consumer_lag_events{group="ledger",partition="0",topic="relais.submitted"} 3
`
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "relais_consumer_lag_events"); err != nil {
			t.Error(err)
		}
		if age := lagAge(t, reg); age < 5*time.Second || age > 15*time.Second {
			t.Errorf("the oldest unread record is said to be %s old, 10 s after it was written", age)
		}
		stop()
		if err := <-left; err != nil {
			t.Error(err)
		}
	}, func(c *broker.Config) { c.Metrics = reg })
}

// lagAge is the one relais_consumer_lag_seconds that there is.
func lagAge(t *testing.T, reg *prometheus.Registry) time.Duration {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "relais_consumer_lag_seconds" && len(f.GetMetric()) == 1 {
			return time.Duration(f.GetMetric()[0].GetGauge().GetValue() * float64(time.Second))
		}
	}
	t.Fatal("there is no one relais_consumer_lag_seconds")
	return 0
}

func TestTheLagOfAGroupIsMeasured(t *testing.T) {
	reg := prometheus.NewRegistry()
	bubble(t, func(t *testing.T, _ *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "submitted", 1)
		fill(t, b, topic, 1, 7, "x")
		read := make(chan int)
		ctx, stop := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() {
			left <- b.Consume(ctx, "ledger", []string{topic}, func(ctx context.Context, c *broker.Claim) error {
				batch, err := c.Cursor(0).Fetch(ctx)
				if err != nil {
					return err
				}
				read <- len(batch.Records)
				<-ctx.Done()
				return nil
			})
		}()
		<-read
		want := `
# HELP relais_consumer_lag_events Records of the partition that the group has not read yet.
# TYPE relais_consumer_lag_events gauge
relais_consumer_lag_events{group="ledger",partition="0",topic="relais.submitted"} 0
`
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "relais_consumer_lag_events"); err != nil {
			t.Error(err)
		}
		if age := lagAge(t, reg); age != 0 {
			t.Errorf("at the end the oldest unread record is said to be %s old", age)
		}
		fill(t, b, topic, 1, 1, "y")
		time.Sleep(7 * time.Second)
		fill(t, b, topic, 1, 4, "y")
		time.Sleep(18 * time.Second) // the handler is busy
		want = strings.ReplaceAll(want, "} 0", "} 5")
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "relais_consumer_lag_events"); err != nil {
			t.Error(err)
		}
		// It was measured 20 s after the generation began, a moment after which the
		// first of the five was written.
		if age := lagAge(t, reg); age < 19*time.Second || age > 20*time.Second {
			t.Errorf("the oldest unread record is said to be %s old", age)
		}
		stop()
		if err := <-left; err != nil {
			t.Error(err)
		}
		if n, err := testutil.GatherAndCount(reg, "relais_consumer_lag_events", "relais_consumer_lag_seconds"); n != 0 || err != nil {
			t.Errorf("%d lags are left, %v", n, err)
		}
		problems, err := testutil.GatherAndLint(reg)
		if diff := cmp.Diff(0, len(problems)); diff != "" || err != nil {
			t.Errorf("names of metrics: %v, %v", problems, err)
		}
	}, func(c *broker.Config) { c.Metrics = reg })
}
