package broker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
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

// bubble runs a test with a broker and a client in virtual time.
func bubble(t *testing.T, test func(t *testing.T, k *enginetest.Kafka, b *broker.Broker), change ...func(*broker.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.NewKafka(t)
		test(t, k, newBroker(t, k, change...))
	})
}

func text(topic string, partition int, value string) broker.Record {
	return broker.Record{Topic: topic, Partition: partition, Value: []byte(value)}
}

func TestARecordWhoseAcknowledgementWasLostIsSentAgain(t *testing.T) {
	bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "submitted", 1)
		k.LoseAnswers(kmsg.Produce, 2)
		first := b.Enqueue(text(topic, 0, "first"))
		offset, err := first.Wait(t.Context())
		if err != nil || offset != 2 {
			t.Fatalf("Wait = %d, %v; want the offset of the third attempt", offset, err)
		}
		if _, err := b.Produce(t.Context(), text(topic, 0, "second")); err != nil {
			t.Fatal(err)
		}
		want := []string{"first", "first", "first", "second"}
		if diff := cmp.Diff(want, values(readAll(t, b, topic, 0))); diff != "" {
			t.Errorf("the log (-want +got):\n%s", diff)
		}
	})
}

func TestOneKeyKeepsItsOrderThroughFailures(t *testing.T) {
	faults := map[string]func(k *enginetest.Kafka, topic string){
		"lost acknowledgements": func(k *enginetest.Kafka, _ string) { k.LoseAnswers(kmsg.Produce, 7) },
		"appended but timed out": func(k *enginetest.Kafka, topic string) {
			k.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.RequestTimedOut, Count: 5})
		},
		"too few replicas": func(k *enginetest.Kafka, topic string) {
			k.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.NotEnoughReplicas, Count: 5})
		},
		"a leader that moved": func(k *enginetest.Kafka, topic string) {
			k.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.NotLeaderForPartition, Count: 5})
		},
		"a disk that fails": func(k *enginetest.Kafka, topic string) {
			k.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.UnknownServerError, Count: 5})
		},
	}
	for name, inject := range faults {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
				topic := makeTopic(t, b, "submitted", 1)
				inject(k, topic)
				var acks []*broker.Ack
				for i := range 200 {
					acks = append(acks, b.Enqueue(text(topic, 0, fmt.Sprintf("%03d", i))))
					if i%20 == 0 {
						time.Sleep(time.Millisecond) // so that they go in several requests
					}
				}
				for i, ack := range acks {
					if _, err := ack.Wait(t.Context()); err != nil {
						t.Fatalf("record %d: %v", i, err)
					}
				}
				assertInOrder(t, values(readAll(t, b, topic, 0)), 200)
			})
		})
	}
}

// assertInOrder wants the values 0 to n-1, each for the first time right after
// the one before it: a batch may be there again, but whole, and nothing of it
// after a later one.
func assertInOrder(t *testing.T, log []string, n int) {
	t.Helper()
	next := 0
	for i, v := range log {
		if v < fmt.Sprintf("%03d", next) {
			continue
		}
		if v != fmt.Sprintf("%03d", next) || i > 0 && log[i-1] != fmt.Sprintf("%03d", next-1) {
			t.Fatalf("%s follows %s", v, log[i-1])
		}
		next++
	}
	if next != n {
		t.Errorf("%d of %d values are there", next, n)
	}
}

func TestConcurrentCallersKeepTheirOrderPerPartition(t *testing.T) {
	bubble(t, func(t *testing.T, _ *enginetest.Kafka, b *broker.Broker) {
		const partitions, callers, each = 3, 12, 40
		topic := makeTopic(t, b, "submitted", partitions)
		var wg sync.WaitGroup
		for c := range callers {
			wg.Go(func() {
				for i := range each {
					rec := text(topic, c%partitions, fmt.Sprintf("%02d %03d", c, i))
					if _, err := b.Produce(t.Context(), rec); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		total := 0
		for p := range partitions {
			last := map[string]string{}
			for _, v := range values(readAll(t, b, topic, p)) {
				caller, number, _ := strings.Cut(v, " ")
				if number <= last[caller] && last[caller] != "" {
					t.Errorf("caller %s: %s after %s", caller, number, last[caller])
				}
				last[caller] = number
				total++
			}
		}
		if total != callers*each {
			t.Errorf("%d records, want %d", total, callers*each)
		}
	})
}

func TestATooLargeRecordAmongGoodOnesIsRefusedAlone(t *testing.T) {
	bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
		topic := b.Topic("submitted")
		spec := broker.TopicSpec{Name: topic, Partitions: 1, Settings: map[string]string{"max.message.bytes": "5000"}}
		if err := b.EnsureTopics(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
		// The first occupies the line, so that the others go together.
		hold := make(chan struct{})
		k.Cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			<-hold
			return nil, nil, false
		})
		acks := []*broker.Ack{b.Enqueue(text(topic, 0, "a"))}
		synctest.Wait()
		for _, v := range []string{"b", "c", strings.Repeat("x", 6000), "d", strings.Repeat("y", 7000), "e"} {
			acks = append(acks, b.Enqueue(text(topic, 0, v)))
		}
		close(hold)
		var refused []int
		for i, ack := range acks {
			_, err := ack.Wait(t.Context())
			var no *broker.RefusedError
			if errors.As(err, &no) && no.TooLarge() {
				refused = append(refused, i)
			} else if err != nil {
				t.Errorf("record %d: %v", i, err)
			}
		}
		if diff := cmp.Diff([]int{3, 5}, refused); diff != "" {
			t.Errorf("refused (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"a", "b", "c", "d", "e"}, values(readAll(t, b, topic, 0))); diff != "" {
			t.Errorf("the log (-want +got):\n%s", diff)
		}
	})
}

func TestAFullBufferSaysSoAtOnceAndDrainsLater(t *testing.T) {
	bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "submitted", 2)
		fault := k.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Partitions: []int32{0}, Err: kerr.NotEnoughReplicas, Count: -1})
		value := strings.Repeat("x", 1000)
		var taken []*broker.Ack
		for {
			ack := b.Enqueue(text(topic, 0, value))
			select {
			case <-ack.Done():
				if _, err := ack.Wait(t.Context()); !errors.Is(err, broker.ErrBufferFull) {
					t.Fatalf("Wait = %v", err)
				}
			default:
				taken = append(taken, ack)
				continue
			}
			break
		}
		// A partition that is stuck leaves room for the others.
		if _, err := b.Produce(t.Context(), text(topic, 1, value)); err != nil {
			t.Errorf("the other partition: %v", err)
		}
		fault.Remove()
		for _, ack := range taken {
			if _, err := ack.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := len(readAll(t, b, topic, 0)); got != len(taken) {
			t.Errorf("%d records, want %d", got, len(taken))
		}
		if _, err := b.Produce(t.Context(), text(topic, 0, value)); err != nil {
			t.Errorf("after the buffer has drained: %v", err)
		}
	}, func(c *broker.Config) { c.MaxBuffered = 100_000 })
}

func TestARefusalOfTheTopicRefusesAllAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "to.cnaf", 1)
		k.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.TopicAuthorizationFailed, Count: -1})
		_, err := b.Produce(t.Context(), text(topic, 0, "x"))
		var no *broker.RefusedError
		if !errors.As(err, &no) || !errors.Is(err, kafka.TopicAuthorizationFailed) || !strings.Contains(err.Error(), "no such right") {
			t.Errorf("Produce = %v", err)
		}
	})
}

func TestARefusalAfterAnUnknownFateIsNotARefusal(t *testing.T) {
	bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "to.cnaf", 1)
		k.Cluster.Fault(
			kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.RequestTimedOut, Count: 1},
			kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.TopicAuthorizationFailed, Count: -1},
		)
		_, err := b.Produce(t.Context(), text(topic, 0, "x"))
		var no *broker.RefusedError
		if err == nil || errors.As(err, &no) || !strings.Contains(err.Error(), "may have been written") {
			t.Errorf("Produce = %v", err)
		}
		if got := len(readAll(t, b, topic, 0)); got != 1 {
			t.Errorf("%d records are there", got)
		}
	})
}

func TestATopicThatIsGoneIsRefusedAfterAWhile(t *testing.T) {
	bubble(t, func(t *testing.T, _ *enginetest.Kafka, b *broker.Broker) {
		started := time.Now()
		_, err := b.Produce(t.Context(), text(b.Topic("to.nobody"), 0, "x"))
		var no *broker.RefusedError
		if !errors.As(err, &no) || !no.Gone() {
			t.Errorf("Produce = %v", err)
		}
		if took := time.Since(started); took < 4*time.Second || took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestACallerThatStopsWaitingLeavesTheRecordInLine(t *testing.T) {
	bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "submitted", 1)
		fault := k.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Produce(ctx, text(topic, 0, "first")); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Produce = %v", err)
		}
		second := b.Enqueue(text(topic, 0, "second"))
		fault.Remove()
		if _, err := second.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"first", "second"}, values(readAll(t, b, topic, 0))); diff != "" {
			t.Errorf("the log (-want +got):\n%s", diff)
		}
	})
}

func TestABrokerThatDoesNotAnswerIsAskedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "submitted", 1)
		k.HoldAnswers(kmsg.Produce, 1)
		started := time.Now()
		if _, err := b.Produce(t.Context(), text(topic, 0, "x")); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(started); took < 10*time.Second || took > 15*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestTheBrokerComesBackAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.NewKafka(t, kfake.DataDir(t.TempDir()))
		b := newBroker(t, k)
		topic := makeTopic(t, b, "submitted", 4)
		cursor := b.Cursor(topic, 0, 0)
		for p := range 4 {
			if _, err := b.Produce(t.Context(), text(topic, p, "before")); err != nil {
				t.Fatal(err)
			}
		}
		k.Stop()
		var acks []*broker.Ack
		for p := range 4 {
			acks = append(acks, b.Enqueue(text(topic, p, "meanwhile")))
		}
		time.Sleep(30 * time.Second)
		k.Start(t)
		back := time.Now()
		for _, ack := range acks {
			if _, err := ack.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(back); took > 3*time.Second {
			t.Errorf("it took %v to notice that the broker is back", took)
		}
		var got []string
		for len(got) < 2 {
			batch, err := cursor.Fetch(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, values(batch.Records)...)
		}
		if diff := cmp.Diff([]string{"before", "meanwhile"}, got); diff != "" {
			t.Errorf("read (-want +got):\n%s", diff)
		}
	})
}

func TestCloseWaitsForWhatIsInLine(t *testing.T) {
	bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "submitted", 1)
		k.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: 3})
		ack := b.Enqueue(text(topic, 0, "x"))
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := ack.Wait(t.Context()); err != nil {
			t.Errorf("a record in line: %v", err)
		}
		if _, err := b.Produce(t.Context(), text(topic, 0, "late")); !errors.Is(err, broker.ErrClosed) {
			t.Errorf("a record after Close: %v", err)
		}
	})
}

func TestCloseGivesUpOnABrokerThatIsGone(t *testing.T) {
	bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "submitted", 1)
		k.Stop()
		acks := []*broker.Ack{b.Enqueue(text(topic, 0, "x")), b.Enqueue(text(topic, 0, "y"))}
		started := time.Now()
		_ = b.Close()
		if took := time.Since(started); took > 6*time.Second {
			t.Errorf("Close took %v", took)
		}
		for _, ack := range acks {
			if _, err := ack.Wait(t.Context()); !errors.Is(err, broker.ErrClosed) {
				t.Errorf("Wait = %v", err)
			}
		}
	})
}

func TestABatchIsWrittenInOneAttemptOrItsFateIsUnknown(t *testing.T) {
	bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "recorded", 1)
		batch := []broker.Record{text(topic, 0, "a"), text(topic, 0, "b")}
		k.LoseAnswers(kmsg.Produce, 1)
		var no *broker.RefusedError
		if _, err := b.ProduceBatch(t.Context(), topic, 0, batch); err == nil || errors.As(err, &no) {
			t.Fatalf("a lost acknowledgement: %v", err)
		}
		base, err := b.ProduceBatch(t.Context(), topic, 0, batch)
		if err != nil || base != 2 {
			t.Errorf("ProduceBatch = %d, %v; want 2: the first attempt was written", base, err)
		}
		big := []broker.Record{text(topic, 0, strings.Repeat("x", 2<<20))}
		if _, err := b.ProduceBatch(t.Context(), topic, 0, big); !errors.As(err, &no) || !no.TooLarge() {
			t.Errorf("a batch that is too large: %v", err)
		}
	})
}

func TestACallerOfABrokerThatIsAwayIsToldSo(t *testing.T) {
	var log bytes.Buffer
	bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "submitted", 1)
		k.Stop()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		// The library says "topic not found".
		if _, err := b.Produce(ctx, text(topic, 0, "x")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Produce = %v", err)
		}
		if s := log.String(); !strings.Contains(s, "no listener") || strings.Contains(s, "not found") {
			t.Errorf("the log says %s", s)
		}
	}, func(c *broker.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
}
