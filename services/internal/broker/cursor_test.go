package broker_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

// another is a client that is not ours: participants bring their own.
func another(t testing.TB, k *enginetest.Kafka, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(k.Addr), kgo.Dialer(k.Dial), kgo.RecordPartitioner(kgo.ManualPartitioner()),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func TestEveryPackingIsUnderstood(t *testing.T) {
	packings := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	for name, codec := range packings {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
				topic := makeTopic(t, b, "from.cnaf", 1)
				client := another(t, k, kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(10*time.Millisecond))
				var want []string
				var recs []*kgo.Record
				for i := range 100 {
					v := fmt.Sprintf("%d %s", i, strings.Repeat("événement ", i))
					want = append(want, v)
					recs = append(recs, &kgo.Record{Topic: topic, Value: []byte(v), Headers: []kgo.RecordHeader{{Key: "ce_id", Value: []byte{byte(i)}}}})
				}
				if err := client.ProduceSync(t.Context(), recs...).FirstErr(); err != nil {
					t.Fatal(err)
				}
				got := readAll(t, b, topic, 0)
				if diff := cmp.Diff(want, values(got)); diff != "" {
					t.Errorf("values (-want +got):\n%s", diff)
				}
				for i, r := range got {
					if !bytes.Equal(r.Header("ce_id"), []byte{byte(i)}) {
						t.Errorf("record %d has the header %v", i, r.Header("ce_id"))
					}
				}
			})
		})
	}
}

func TestOurOwnPackingsAreUnderstood(t *testing.T) {
	for _, packing := range []string{"none", "snappy", "lz4", "zstd", "gzip"} {
		bubble(t, func(t *testing.T, _ *enginetest.Kafka, b *broker.Broker) {
			topic := makeTopic(t, b, "submitted", 1)
			value := strings.Repeat("packed ", 500)
			if _, err := b.Produce(t.Context(), text(topic, 0, value)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{value}, values(readAll(t, b, topic, 0))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", packing, diff)
			}
		}, func(c *broker.Config) { c.Compression = packing })
	}
	if _, err := broker.New(broker.Config{Brokers: []string{"x:1"}, Compression: "rar"}); err == nil {
		t.Error("rar is a packing")
	}
}

func TestAbortedTransactionsAreNotRead(t *testing.T) {
	bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "from.cnaf", 1)
		client := another(t, k, kgo.TransactionalID("caf"))
		write := func(value string, commit kgo.TransactionEndTry) {
			t.Helper()
			if err := client.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte(value)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if err := client.EndTransaction(t.Context(), commit); err != nil {
				t.Fatal(err)
			}
		}
		write("one", kgo.TryCommit)
		write("taken back", kgo.TryAbort)
		if _, err := b.Produce(t.Context(), text(topic, 0, "between")); err != nil {
			t.Fatal(err)
		}
		write("two", kgo.TryCommit)
		write("taken back too", kgo.TryAbort)
		if diff := cmp.Diff([]string{"one", "between", "two"}, values(readAll(t, b, topic, 0))); diff != "" {
			t.Errorf("read (-want +got):\n%s", diff)
		}
	})
}

func TestAnOpenTransactionIsBeyondTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "from.cnaf", 1)
		client := another(t, k, kgo.TransactionalID("caf"))
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("open")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		cursor := b.Cursor(topic, 0, 0)
		batch, err := cursor.Fetch(t.Context())
		if err != nil || len(batch.Records) != 0 || !batch.AtEnd() {
			t.Errorf("Fetch = %+v, %v", batch, err)
		}
		if r, err := b.RangeOf(t.Context(), topic, 0); err != nil || r.Next != 0 {
			t.Errorf("RangeOf = %v, %v", r, err)
		}
		if err := client.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
		batch, err = cursor.Fetch(t.Context())
		if err != nil || len(batch.Records) != 1 {
			t.Errorf("Fetch = %+v, %v", batch, err)
		}
	})
}

func TestACompactedLogIsReadToItsEnd(t *testing.T) {
	bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
		topic := b.Topic("directory")
		spec := broker.TopicSpec{Name: topic, Partitions: 1, Settings: map[string]string{"cleanup.policy": "compact"}}
		if err := b.EnsureTopics(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
		var batch []broker.Record
		for i := range 100 {
			batch = append(batch, broker.Record{Topic: topic, Key: fmt.Append(nil, i%10), Value: fmt.Append(nil, i)})
		}
		for range 3 {
			if _, err := b.ProduceBatch(t.Context(), topic, 0, batch); err != nil {
				t.Fatal(err)
			}
		}
		k.Cluster.Compact()
		r, err := b.RangeOf(t.Context(), topic, 0)
		if err != nil || r.Next != 300 {
			t.Fatalf("RangeOf = %v, %v", r, err)
		}
		latest := map[string]string{}
		for _, rec := range readAll(t, b, topic, 0) {
			latest[string(rec.Key)] = string(rec.Value)
		}
		if len(latest) != 10 || latest["7"] != "97" {
			t.Errorf("after compaction: %v", latest)
		}
	})
}

func TestAPositionOutsideTheLogIsAnError(t *testing.T) {
	bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "from.cnaf", 1)
		for range 5 {
			if _, err := b.Produce(t.Context(), text(topic, 0, "x")); err != nil {
				t.Fatal(err)
			}
		}
		if err := k.Cluster.DeleteRecords(topic, 0, 3); err != nil {
			t.Fatal(err)
		}
		for _, offset := range []int64{2, 6} {
			if _, err := b.Cursor(topic, 0, offset).Fetch(t.Context()); !errors.Is(err, broker.ErrOutOfRange) {
				t.Errorf("at %d: %v", offset, err)
			}
		}
		batch, err := b.Cursor(topic, 0, 3).Fetch(t.Context())
		if err != nil || len(batch.Records) != 2 || batch.Next != 5 || batch.End != 5 {
			t.Errorf("at 3: %+v, %v", batch, err)
		}
	})
}

func TestAFetchGoesOnThroughFaults(t *testing.T) {
	for _, fault := range []*kerr.Error{kerr.NotLeaderForPartition, kerr.UnknownTopicOrPartition, kerr.UnknownServerError, kerr.FencedLeaderEpoch} {
		t.Run(fault.Message, func(t *testing.T) {
			bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
				topic := makeTopic(t, b, "submitted", 1)
				if _, err := b.Produce(t.Context(), text(topic, 0, "x")); err != nil {
					t.Fatal(err)
				}
				k.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: topic, Err: fault, Count: 4})
				k.LoseAnswers(kmsg.Fetch, 2)
				k.HoldAnswers(kmsg.Fetch, 1)
				batch, err := b.Cursor(topic, 0, 0).Fetch(t.Context())
				if err != nil || len(batch.Records) != 1 {
					t.Errorf("Fetch = %+v, %v", batch, err)
				}
			})
		})
	}
}

func TestATopicThatMayNotBeReadIsAnError(t *testing.T) {
	bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "from.cnaf", 1)
		k.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: topic, Err: kerr.TopicAuthorizationFailed, Count: -1})
		_, err := b.Cursor(topic, 0, 0).Fetch(t.Context())
		if !errors.Is(err, kafka.TopicAuthorizationFailed) {
			t.Errorf("Fetch = %v", err)
		}
	})
}

func TestAFetchEndsWithItsContext(t *testing.T) {
	bubble(t, func(t *testing.T, _ *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "submitted", 1)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		started := time.Now()
		_, err := b.Cursor(topic, 0, 0).Fetch(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(started) > 110*time.Millisecond {
			t.Errorf("Fetch = %v after %v", err, time.Since(started))
		}
	})
}

func TestARecordIsReadAsSoonAsItIsWritten(t *testing.T) {
	bubble(t, func(t *testing.T, _ *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "submitted", 1)
		cursor := b.Cursor(topic, 0, 0)
		for range 6 { // an idle partition is asked for less and less often
			if batch, err := cursor.Fetch(t.Context()); err != nil || len(batch.Records) != 0 {
				t.Fatalf("Fetch = %+v, %v", batch, err)
			}
		}
		written := make(chan time.Time, 1)
		go func() {
			time.Sleep(time.Second)
			written <- time.Now()
			_, _ = b.Produce(t.Context(), text(topic, 0, "x"))
		}()
		batch, err := cursor.Fetch(t.Context())
		if err != nil || len(batch.Records) != 1 || time.Since(<-written) > 10*time.Millisecond {
			t.Errorf("Fetch = %+v, %v", batch, err)
		}
	})
}

func TestFollowReadsEveryPartitionFromWhereItIsTold(t *testing.T) {
	bubble(t, func(t *testing.T, _ *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "recorded", 3)
		for p := range 3 {
			for i := range 4 {
				if _, err := b.Produce(t.Context(), text(topic, p, fmt.Sprintf("%d-%d", p, i))); err != nil {
					t.Fatal(err)
				}
			}
		}
		stop := errors.New("seen enough")
		got := make(chan string, 100)
		seen := 0
		err := b.Follow(t.Context(), topic, func(p int, r broker.Range) int64 { return r.Next - int64(p) - 1 },
			func(_ context.Context, batch broker.Batch) error {
				for _, r := range batch.Records {
					got <- string(r.Value)
				}
				if seen = len(got); seen == 6 {
					return stop
				}
				return nil
			})
		if !errors.Is(err, stop) {
			t.Fatalf("Follow = %v", err)
		}
		all := map[string]bool{}
		for len(got) > 0 {
			all[<-got] = true
		}
		want := map[string]bool{"0-3": true, "1-2": true, "1-3": true, "2-1": true, "2-2": true, "2-3": true}
		if diff := cmp.Diff(want, all); diff != "" {
			t.Errorf("read (-want +got):\n%s", diff)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.Follow(ctx, topic, nil, nil); err != nil {
			t.Errorf("Follow = %v when told to stop", err)
		}
	})
}

func TestFollowAsksAgainWhenThePositionIsGone(t *testing.T) {
	bubble(t, func(t *testing.T, _ *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "to.offices", 1)
		for range 5 {
			if _, err := b.Produce(t.Context(), text(topic, 0, "x")); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		var asked []broker.Range
		err := b.Follow(ctx, topic, func(_ int, r broker.Range) int64 {
			asked = append(asked, r)
			if len(asked) == 1 {
				return 99
			}
			return r.First
		}, func(_ context.Context, batch broker.Batch) error {
			if batch.AtEnd() {
				cancel()
			}
			return nil
		})
		want := []broker.Range{{First: 0, Next: 5}, {First: 0, Next: 5}}
		if diff := cmp.Diff(want, asked); diff != "" || err != nil {
			t.Errorf("asked, %v (-want +got):\n%s", err, diff)
		}
	})
}

func TestFollowTellsAtOnceThatThereIsNothingToRead(t *testing.T) {
	bubble(t, func(t *testing.T, _ *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "directory", 1)
		ctx, cancel := context.WithCancel(t.Context())
		started := time.Now()
		var got []broker.Batch
		err := b.Follow(ctx, topic, func(_ int, r broker.Range) int64 { return r.Next }, func(_ context.Context, batch broker.Batch) error {
			got = append(got, batch)
			cancel()
			return nil
		})
		if diff := cmp.Diff([]broker.Batch{{Topic: topic}}, got); diff != "" || err != nil || time.Since(started) > 10*time.Millisecond {
			t.Errorf("told, %v, after %v (-want +got):\n%s", err, time.Since(started), diff)
		}
	})
}

// The embedded broker stores what a batch claims without looking into it; the
// library's own reader would end the process on this one.
func TestABatchThatClaimsTwoBillionRecordsIsPassedOn(t *testing.T) {
	bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "from.cnaf", 1)
		hostile := kmsg.RecordBatch{Length: 49, Magic: 2, ProducerID: -1, LastOffsetDelta: 1<<31 - 2, NumRecords: 1<<31 - 1, PartitionLeaderEpoch: -1}
		raw := hostile.AppendTo(nil)
		binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
		req := kmsg.NewProduceRequest()
		req.Acks, req.TimeoutMillis = -1, 1000
		req.Topics = []kmsg.ProduceRequestTopic{{Topic: topic, Partitions: []kmsg.ProduceRequestTopicPartition{{Records: raw}}}}
		req.SetVersion(8)
		client := another(t, k, kgo.MaxVersions(kversion.V2_4_0()))
		resp, err := req.RequestWith(t.Context(), client)
		if err != nil || resp.Topics[0].Partitions[0].ErrorCode != 0 {
			t.Fatalf("the broker did not take it: %v, %+v", err, resp)
		}
		if _, err := b.Produce(t.Context(), text(topic, 0, "the next one")); err != nil {
			t.Fatal(err)
		}
		got := readAll(t, b, topic, 0)
		if len(got) != 2 || got[0].Unreadable == nil || got[0].Unreadable.Last != 1<<31-2 || string(got[1].Value) != "the next one" || got[1].Offset != 1<<31-1 {
			t.Errorf("read %+v", got)
		}
	})
}

func TestACursorThatStallsIsGivenNewConnections(t *testing.T) {
	reg := prometheus.NewRegistry()
	bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "submitted", 1)
		if _, err := b.Produce(t.Context(), text(topic, 0, "x")); err != nil {
			t.Fatal(err)
		}
		// A broker that always says that there is more, and never gives it.
		k.Cluster.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
			k.Cluster.KeepControl()
			time.Sleep(time.Second)
			resp := req.ResponseKind().(*kmsg.FetchResponse)
			resp.Topics = []kmsg.FetchResponseTopic{{Topic: topic, Partitions: []kmsg.FetchResponseTopicPartition{{HighWatermark: 1, LastStableOffset: 1}}}}
			return resp, nil, true
		})
		cursor, dials := b.Cursor(topic, 0, 0), k.Dials()
		for range 25 {
			if _, err := cursor.Fetch(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n := testutil.CollectAndCount(reg, "relais_cursor_rebuilds_total"); n != 1 {
			t.Errorf("%d cursors were counted as stalled", n)
		}
		if k.Dials() == dials {
			t.Error("there are no new connections")
		}
	}, func(c *broker.Config) { c.Metrics = reg })
}
