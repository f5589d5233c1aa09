package broker_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

// newBroker is a client of k that is closed with the test.
func newBroker(t testing.TB, k *enginetest.Kafka, change ...func(*broker.Config)) *broker.Broker {
	t.Helper()
	cfg := broker.Config{Brokers: []string{k.Addr}, Dial: k.Dial}
	for _, c := range change {
		c(&cfg)
	}
	b, err := broker.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func makeTopic(t testing.TB, b *broker.Broker, name string, partitions int) string {
	t.Helper()
	topic := b.Topic(name)
	err := b.EnsureTopics(t.Context(), broker.TopicSpec{Name: topic, Partitions: partitions, Settings: map[string]string{"retention.ms": "-1"}})
	if err != nil {
		t.Fatal(err)
	}
	return topic
}

func TestARecordComesBackAsItWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t, enginetest.NewKafka(t))
		topic := makeTopic(t, b, "submitted", 3)
		at := time.Now().Truncate(time.Millisecond).Add(-time.Hour)
		want := []broker.Record{
			{Topic: topic, Partition: 2, Offset: 0, Key: []byte("k"), Value: []byte("v"), Headers: []schemas.Header{{Key: "ce_id", Value: []byte("1")}, {Key: "empty", Value: []byte{}}}, Time: at},
			{Topic: topic, Partition: 2, Offset: 1, Key: []byte("gone"), Value: nil, Time: at},
			{Topic: topic, Partition: 2, Offset: 2, Key: nil, Value: []byte{}, Time: at},
		}
		for _, rec := range want {
			offset, err := b.Produce(t.Context(), rec)
			if err != nil || offset != rec.Offset {
				t.Fatalf("Produce = %d, %v; want %d", offset, err, rec.Offset)
			}
		}
		got := readAll(t, b, topic, 2)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}
	})
}

// readAll reads a partition from its first record to its end.
func readAll(t testing.TB, b *broker.Broker, topic string, partition int) []broker.Record {
	t.Helper()
	r, err := b.RangeOf(t.Context(), topic, partition)
	if err != nil {
		t.Fatal(err)
	}
	cursor := b.Cursor(topic, partition, r.First)
	var all []broker.Record
	for cursor.Position() < r.Next {
		batch, err := cursor.Fetch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, batch.Records...)
	}
	return all
}

func values(recs []broker.Record) []string {
	var all []string
	for _, r := range recs {
		all = append(all, string(r.Value))
	}
	return all
}

func TestAGroupSharesPartitionsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.NewKafka(t)
		b := newBroker(t, k)
		topic := makeTopic(t, b, "submitted", 4)
		for p := range 4 {
			if _, err := b.Produce(t.Context(), broker.Record{Topic: topic, Partition: p, Value: fmt.Append(nil, p)}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan string, 10)
		done := make(chan error, 1)
		go func() {
			done <- b.Consume(ctx, "ledger", []string{topic}, func(ctx context.Context, c *broker.Claim) error {
				offset, _, ok, err := c.Committed(ctx)
				if err != nil || ok {
					return fmt.Errorf("Committed = %d, %v, %v", offset, ok, err)
				}
				cursor := c.Cursor(0)
				for {
					batch, err := cursor.Fetch(ctx)
					if err != nil {
						return err
					}
					for _, r := range batch.Records {
						got <- string(r.Value)
					}
					if err := c.Commit(ctx, batch.Next, broker.Pair{Next: batch.Next, Highest: 7}.String()); err != nil {
						return err
					}
				}
			})
		}()
		seen := map[string]bool{}
		for range 4 {
			seen[<-got] = true
		}
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if len(seen) != 4 {
			t.Errorf("seen %v", seen)
		}
	})
}
