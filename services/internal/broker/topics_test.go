package broker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

func TestTopicsAreMadeOnceWithTheirSettings(t *testing.T) {
	bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
		spec := broker.TopicSpec{Name: "relais.submitted", Partitions: 12, Settings: map[string]string{"retention.ms": "-1", "cleanup.policy": "delete"}}
		other := broker.TopicSpec{Name: "relais.directory", Partitions: 1}
		for _, specs := range [][]broker.TopicSpec{{spec}, {spec, other}, {spec, other}} {
			if err := b.EnsureTopics(t.Context(), specs...); err != nil {
				t.Fatal(err)
			}
		}
		got := map[string]string{}
		for name, value := range k.Cluster.TopicInfo(spec.Name).Configs {
			got[name] = *value
		}
		if diff := cmp.Diff(spec.Settings, got); diff != "" {
			t.Errorf("settings (-want +got):\n%s", diff)
		}
		topics, err := b.Topics(t.Context())
		if diff := cmp.Diff([]string{"relais.directory", "relais.submitted"}, topics); diff != "" || err != nil {
			t.Errorf("topics, %v (-want +got):\n%s", err, diff)
		}
	})
}

func TestATopicWithAnotherNumberOfPartitionsIsAnError(t *testing.T) {
	bubble(t, func(t *testing.T, _ *enginetest.Kafka, b *broker.Broker) {
		makeTopic(t, b, "submitted", 6)
		err := b.EnsureTopics(t.Context(), broker.TopicSpec{Name: "relais.submitted", Partitions: 12})
		var wrong *broker.PartitionsError
		if !errors.As(err, &wrong) || wrong.Have != 6 || wrong.Want != 12 {
			t.Errorf("EnsureTopics = %v", err)
		}
	})
}

func TestATopicThatMayNotBeMadeIsAnError(t *testing.T) {
	bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
		k.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Err: kerr.TopicAuthorizationFailed, Count: -1})
		err := b.EnsureTopics(t.Context(), broker.TopicSpec{Name: "relais.submitted", Partitions: 1})
		if !errors.Is(err, kafka.TopicAuthorizationFailed) || !strings.Contains(err.Error(), "relais.submitted") {
			t.Errorf("EnsureTopics = %v", err)
		}
	})
}

func TestWaitTopicsWaitsUntilTheyExist(t *testing.T) {
	bubble(t, func(t *testing.T, _ *enginetest.Kafka, b *broker.Broker) {
		done := make(chan error, 1)
		go func() { done <- b.WaitTopics(t.Context(), "relais.late") }()
		time.Sleep(20 * time.Second)
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("WaitTopics = %v before there is one", err)
		default:
		}
		made := time.Now()
		makeTopic(t, b, "late", 1)
		if err := <-done; err != nil || time.Since(made) > time.Second {
			t.Errorf("WaitTopics = %v after %v", err, time.Since(made))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.WaitTopics(ctx, "relais.never"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("WaitTopics = %v", err)
		}
	})
}

func TestRangesAndOffsetsByTime(t *testing.T) {
	bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "from.cnaf", 3)
		began := time.Now()
		for i := range 10 {
			rec := text(topic, 1, "x")
			rec.Time = began.Add(time.Duration(i) * time.Hour)
			if _, err := b.Produce(t.Context(), rec); err != nil {
				t.Fatal(err)
			}
		}
		if err := k.Cluster.DeleteRecords(topic, 1, 4); err != nil {
			t.Fatal(err)
		}
		got, err := b.Ranges(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[int]broker.Range{0: {}, 1: {First: 4, Next: 10}, 2: {}}, got); diff != "" {
			t.Errorf("ranges (-want +got):\n%s", diff)
		}
		for after, want := range map[time.Duration]int64{0: 4, 6*time.Hour - time.Minute: 6, 6 * time.Hour: 6, 10 * time.Hour: 10} {
			if offset, err := b.OffsetAt(t.Context(), topic, 1, began.Add(after)); err != nil || offset != want {
				t.Errorf("OffsetAt(%v) = %d, %v; want %d", after, offset, err, want)
			}
		}
	})
}

func TestPingTellsWhoDoesNotAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
		if err := b.Ping(t.Context()); err != nil {
			t.Errorf("Ping = %v", err)
		}
		k.Stop()
		time.Sleep(time.Second)
		if err := b.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), k.Addr) {
			t.Errorf("Ping = %v, with no broker", err)
		}
	})
}

func TestKeysLandWhereJavaPutsThem(t *testing.T) {
	partitions := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	for i := range 10_000 {
		key := fmt.Appendf(nil, "%x", i*i*i)
		want := kafka.Murmur2Balancer{}.Balance(kafka.Message{Key: key}, partitions...)
		if got := broker.PartitionOf(key, len(partitions)); got != want {
			t.Fatalf("PartitionOf(%q) = %d, want %d", key, got, want)
		}
	}
	// From Kafka's own tests of Utils.murmur2, as partitions of 2^31-1.
	for key, hash := range map[string]int32{"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "abc": 479470107} {
		if got, want := broker.PartitionOf([]byte(key), 1000), int(uint32(hash)&0x7fffffff)%1000; got != want {
			t.Errorf("PartitionOf(%q, 1000) = %d, want %d", key, got, want)
		}
	}
}
