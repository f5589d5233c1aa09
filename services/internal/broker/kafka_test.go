package broker_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/relais-fr/relais/services/internal/broker"
)

// TestOnApacheKafka does on a real cluster what the other tests do on the
// embedded broker, as far as it goes without faults. RELAIS_KAFKA is host:port
// of a cluster without authentication that may be written to.
func TestOnApacheKafka(t *testing.T) {
	addr := os.Getenv("RELAIS_KAFKA")
	if addr == "" {
		t.Skip("that all this holds on Apache Kafka is not shown: RELAIS_KAFKA names no cluster")
	}
	b, err := broker.New(broker.Config{Brokers: []string{addr}, Prefix: fmt.Sprintf("relais-test-%d", time.Now().UnixNano())})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	if err := b.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	topic := b.Topic("submitted")
	err = b.EnsureTopics(t.Context(), broker.TopicSpec{Name: topic, Partitions: 6, Settings: map[string]string{
		"retention.ms": "-1", "max.message.bytes": "1000000", "message.timestamp.after.max.ms": "60000",
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.DeleteTopics(t.Context(), topic) }()

	t.Run("good records go through among bad ones", func(t *testing.T) {
		early := text(topic, 0, "from the future")
		early.Time = time.Now().Add(time.Hour)
		var acks []*broker.Ack
		for _, rec := range []broker.Record{text(topic, 0, "a"), text(topic, 0, strings.Repeat("x", 1_100_000)), text(topic, 0, "b"), early, text(topic, 0, "c")} {
			acks = append(acks, b.Enqueue(rec))
		}
		for i, ack := range acks {
			_, err := ack.Wait(t.Context())
			var no *broker.RefusedError
			if refused := errors.As(err, &no); refused != (i == 1 || i == 3) {
				t.Errorf("record %d: %v", i, err)
			}
		}
		if diff := cmp.Diff([]string{"a", "b", "c"}, values(readAll(t, b, topic, 0))); diff != "" {
			t.Errorf("the log (-want +got):\n%s", diff)
		}
	})
	t.Run("transactions of others are respected", func(t *testing.T) {
		client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.TransactionalID(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		for _, how := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
			rec := &kgo.Record{Topic: topic, Partition: 5, Value: fmt.Append(nil, how)}
			if err := errors.Join(client.BeginTransaction(), client.ProduceSync(t.Context(), rec).FirstErr(), client.EndTransaction(t.Context(), how)); err != nil {
				t.Fatal(err)
			}
		}
		// The coordinator answers before the end of a transaction stands on the
		// partition, on a cluster noticeably so.
		const records, ends = 3, 3
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			r, err := b.RangeOf(t.Context(), topic, 5)
			if err != nil {
				t.Fatal(err)
			}
			if r.Next == records+ends {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("the last transaction is not over: %d", r.Next)
			}
		}
		if diff := cmp.Diff([]string{"true", "true"}, values(readAll(t, b, topic, 5))); diff != "" {
			t.Errorf("the log (-want +got):\n%s", diff)
		}
	})
	t.Run("a group shares, commits and goes on", func(t *testing.T) {
		one, two := consume(t, b, topic, topic), consume(t, b, topic, topic)
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			a, heldA := one.snapshot()
			b, heldB := two.snapshot()
			if len(a)+len(b) >= 5 && heldA == 3 && heldB == 3 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d and %d records read, %d and %d partitions held", len(a), len(b), heldA, heldB)
			}
		}
		one.end(t)
		two.end(t)
		three := consume(t, b, topic, topic)
		time.Sleep(3 * time.Second)
		if read, held := three.snapshot(); len(read) != 0 || held != 6 {
			t.Errorf("afterwards %d records are read again, %d partitions held", len(read), held)
		}
		three.end(t)
	})
}
