package broker_test

import (
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
