package broker_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
)

// produce writes records one by one and wants each at the offset after the last.
func produce(t *testing.T, b *broker.Broker, recs ...broker.Record) {
	t.Helper()
	for _, rec := range recs {
		if _, err := b.Produce(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
	}
}

func wantLog(t *testing.T, b *broker.Broker, topic string, partition int, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, values(readAll(t, b, topic, partition))); diff != "" {
		t.Errorf("%s/%d (-want +got):\n%s", topic, partition, diff)
	}
}

func recordsComeBack(t *testing.T, e *engine) {
	b, _ := e.client()
	topic := e.topic(b, "submitted", 3)
	at := time.Now().Truncate(time.Millisecond).Add(-time.Hour)
	want := []broker.Record{
		{Topic: topic, Partition: 2, Offset: 0, Key: []byte("k"), Value: []byte("v"), Headers: []schemas.Header{{Key: "ce_id", Value: []byte("1")}, {Key: "ce_id", Value: []byte("2")}, {Key: "empty", Value: []byte{}}}, Time: at},
		{Topic: topic, Partition: 2, Offset: 1, Key: []byte("gone"), Value: nil, Time: at},
		{Topic: topic, Partition: 2, Offset: 2, Key: nil, Value: []byte{}, Time: at},
	}
	for _, rec := range want {
		if offset, err := b.Produce(t.Context(), rec); err != nil || offset != rec.Offset {
			t.Fatalf("Produce = %d, %v; want %d", offset, err, rec.Offset)
		}
	}
	if diff := cmp.Diff(want, readAll(t, b, topic, 2)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func topicsAreMadeOnce(t *testing.T, e *engine) {
	b, _ := e.client()
	settings := []string{"max.message.bytes", "1000000", "message.timestamp.after.max.ms", "60000", "cleanup.policy", "delete"}
	topic := e.topic(b, "submitted", 6, settings...)
	e.topic(b, "submitted", 6, settings...)
	var wrong *broker.PartitionsError
	if err := b.EnsureTopics(t.Context(), broker.TopicSpec{Name: topic, Partitions: 12}); !errors.As(err, &wrong) || wrong.Have != 6 {
		t.Errorf("with another number of partitions: %v", err)
	}
	ask := kmsg.NewPtrDescribeConfigsRequest()
	ask.Resources = append(ask.Resources, kmsg.DescribeConfigsRequestResource{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: topic})
	answer, err := ask.RequestWith(t.Context(), e.other())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range answer.Resources[0].Configs {
		if c.Source == kmsg.ConfigSourceDynamicTopicConfig && c.Value != nil {
			got[c.Name] = *c.Value
		}
	}
	want := map[string]string{"retention.ms": "-1", "max.message.bytes": "1000000", "message.timestamp.after.max.ms": "60000", "cleanup.policy": "delete"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the topic's own settings (-want +got):\n%s", diff)
	}
	bad := broker.TopicSpec{Name: b.Topic("misspelt"), Partitions: 1, Settings: map[string]string{"retention.msec": "-1"}}
	e.differs("a topic's setting that does not exist", said(b.EnsureTopics(t.Context(), bad)))
}

func badAmongGood(t *testing.T, e *engine) {
	b, _ := e.client()
	topic := e.topic(b, "submitted", 1, "max.message.bytes", "1000000", "message.timestamp.after.max.ms", "60000")
	early := text(topic, 0, "from the future")
	early.Time = time.Now().Add(time.Hour)
	var acks []*broker.Ack
	for _, rec := range []broker.Record{text(topic, 0, "a"), text(topic, 0, strings.Repeat("x", 1_100_000)), text(topic, 0, "b"), early, text(topic, 0, "c")} {
		acks = append(acks, b.Enqueue(rec))
	}
	var outcomes []string
	for _, ack := range acks {
		_, err := ack.Wait(t.Context())
		outcomes = append(outcomes, said(err))
	}
	e.differs("a record beyond the bound that a topic sets to times", outcomes[3])
	outcomes[3] = ""
	if diff := cmp.Diff([]string{"done", "refused: Message Size Too Large", "done", "", "done"}, outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	got := slices.DeleteFunc(values(readAll(t, b, topic, 0)), func(v string) bool { return v == "from the future" })
	if diff := cmp.Diff([]string{"a", "b", "c"}, got); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
}

func timesOfRecords(t *testing.T, e *engine) {
	b, _ := e.client()
	now := time.Now().Truncate(time.Millisecond)
	plain := e.topic(b, "submitted", 1)
	future, past := text(plain, 0, "future"), text(plain, 0, "past")
	future.Time, past.Time = now.Add(2*time.Hour), now.AddDate(-1, 0, 0)
	_, err := b.Produce(t.Context(), future)
	e.differs("a record two hours ahead, where the topic sets no bound", said(err))
	if _, err := b.Produce(t.Context(), past); err != nil {
		t.Errorf("a record of a year ago: %v", err)
	}

	stamped := e.topic(b, "stamped", 1, "message.timestamp.type", "LogAppendTime")
	rec := text(stamped, 0, "x")
	rec.Time = now.Add(-time.Hour)
	produce(t, b, rec)
	c := e.other(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{stamped: {0: kgo.NewOffset().AtStart()}}))
	fetched := c.PollFetches(t.Context()).Records()
	if len(fetched) != 1 {
		t.Fatalf("another's reader has %d records", len(fetched))
	}
	whose := "the broker's"
	if fetched[0].Timestamp.Equal(rec.Time) {
		whose = "the producer's"
	}
	e.differs("the time that is read where the topic says LogAppendTime", whose)
	if got := readAll(t, b, stamped, 0)[0].Time; !got.Equal(fetched[0].Timestamp) {
		t.Errorf("our reader has the time %v of a record that another's gives %v", got, fetched[0].Timestamp)
	}
}

func limitsCountWhatIsStored(t *testing.T, e *engine) {
	plain, _ := e.client()
	topic := e.topic(plain, "from.cnaf", 1, "max.message.bytes", "100000")
	big := text(topic, 0, strings.Repeat("x", 200_000))
	if _, err := plain.Produce(t.Context(), big); said(err) != "refused: Message Size Too Large" {
		t.Errorf("a record that is too large: %v", err)
	}
	packing, _ := e.client(func(c *broker.Config) { c.Compression = "zstd" })
	if _, err := packing.Produce(t.Context(), big); err != nil {
		t.Errorf("the same record, packed: %v", err)
	}
	two := []broker.Record{text(topic, 0, strings.Repeat("x", 60_000)), text(topic, 0, strings.Repeat("y", 60_000))}
	if _, err := plain.ProduceBatch(t.Context(), topic, 0, two); said(err) != "refused: Message Size Too Large" {
		t.Errorf("two records that are too large together: %v", err)
	}
	var acks []*broker.Ack
	for _, rec := range two {
		acks = append(acks, plain.Enqueue(rec))
	}
	for _, ack := range acks {
		if _, err := ack.Wait(t.Context()); err != nil {
			t.Errorf("one by one they fit: %v", err)
		}
	}
	if n := len(readAll(t, plain, topic, 0)); n != 3 {
		t.Errorf("%d records are there", n)
	}
}

// A reader gets at least one batch, whatever it asks for: what is read in one go
// may be more than may be written in one go.
func fetchesBringWholeBatches(t *testing.T, e *engine) {
	b, _ := e.client(func(c *broker.Config) { c.MaxBuffered = 64 << 20 })
	topic := e.topic(b, "from.cnaf", 1, "max.message.bytes", "8000000")
	for range 3 {
		batch := make([]broker.Record, 50)
		for i := range batch {
			batch[i] = text(topic, 0, strings.Repeat("x", 100_000))
		}
		if _, err := b.ProduceBatch(t.Context(), topic, 0, batch); err != nil {
			t.Fatal(err)
		}
	}
	for cursor := b.Cursor(topic, 0, 0); cursor.Position() < 150; {
		batch, err := cursor.Fetch(t.Context())
		if err != nil || len(batch.Records)%50 != 0 {
			t.Fatalf("%d records of %d, %v", len(batch.Records), batch.End, err)
		}
	}
}

func everyPacking(t *testing.T, e *engine) {
	reader, _ := e.client()
	topic := e.topic(reader, "from.cnaf", 1)
	var want []string
	for _, name := range []string{"none", "snappy", "lz4", "zstd", "gzip"} {
		b, _ := e.client(func(c *broker.Config) { c.Compression = name })
		want = append(want, strings.Repeat("ours in "+name+" ", 300))
		produce(t, b, text(topic, 0, want[len(want)-1]))
	}
	others := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		c := e.other(kgo.ProducerBatchCompression(others[name]))
		want = append(want, strings.Repeat("another's in "+name+" ", 300))
		if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte(want[len(want)-1])}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	wantLog(t, reader, topic, 0, want...)
}

// hostileBatch sends a batch that claims to hold two billion records.
func hostileBatch(t *testing.T, e *engine) {
	b, _ := e.client()
	topic := e.topic(b, "from.cnaf", 1)
	c := e.other(kgo.MaxVersions(kversion.V2_4_0()))
	hostile := kmsg.RecordBatch{Length: 49, Magic: 2, ProducerID: -1, LastOffsetDelta: 1<<31 - 2, NumRecords: 1<<31 - 1, PartitionLeaderEpoch: -1}
	raw := hostile.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	ask := kmsg.NewPtrProduceRequest()
	ask.Acks, ask.TimeoutMillis = -1, 5000
	ask.Topics = []kmsg.ProduceRequestTopic{{Topic: topic, Partitions: []kmsg.ProduceRequestTopicPartition{{Records: raw}}}}
	word := ""
	e.until("its leader answers", func() bool {
		answer, err := ask.RequestWith(t.Context(), c.Broker(int(e.leader(c, topic, 0))))
		if err != nil {
			t.Fatal(err)
		}
		err = kerr.ErrorForCode(answer.Topics[0].Partitions[0].ErrorCode)
		if word = "taken"; err != nil {
			word, _, _ = strings.Cut(err.Error(), ":")
		}
		return !errors.Is(err, kerr.NotLeaderForPartition)
	})
	e.differs("a batch that claims two billion records and holds none", word)
	produce(t, b, text(topic, 0, "the next one"))
	got := readAll(t, b, topic, 0)
	if last := got[len(got)-1]; string(last.Value) != "the next one" {
		t.Errorf("after it stands %q", last.Value)
	}
	if len(got) == 2 && got[0].Unreadable == nil {
		t.Errorf("it is read as %+v", got[0])
	}
}

func transactions(t *testing.T, e *engine) {
	b, _ := e.client()
	topic := e.topic(b, "from.cnaf", 1)
	c := e.other(kgo.TransactionalID(topic))
	begin := func(value string) {
		t.Helper()
		if err := errors.Join(c.BeginTransaction(), c.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte(value)}).FirstErr()); err != nil {
			t.Fatal(err)
		}
	}
	// The coordinator answers before the end of a transaction stands on the
	// partition: each is a record, and the next one waits for it.
	end := func(how kgo.TransactionEndTry, next int64) {
		t.Helper()
		if err := c.EndTransaction(t.Context(), how); err != nil {
			t.Fatal(err)
		}
		e.until("the end of a transaction stands in the log", func() bool {
			r, err := b.RangeOf(t.Context(), topic, 0)
			if err != nil {
				t.Fatal(err)
			}
			return r.Next == next
		})
	}
	begin("one")
	end(kgo.TryCommit, 2)
	begin("taken back")
	end(kgo.TryAbort, 4)
	produce(t, b, text(topic, 0, "ours between"))
	begin("open")
	cursor := b.Cursor(topic, 0, 0)
	var got []string
	for cursor.Position() < 5 {
		batch, err := cursor.Fetch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, values(batch.Records)...)
	}
	if batch, err := cursor.Fetch(t.Context()); err != nil || len(batch.Records) != 0 || !batch.AtEnd() {
		t.Errorf("an open transaction: %+v, %v", batch, err)
	}
	end(kgo.TryCommit, 7)
	for cursor.Position() < 6 {
		batch, err := cursor.Fetch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, values(batch.Records)...)
	}
	if diff := cmp.Diff([]string{"one", "ours between", "open"}, got); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
}

func lostAnswers(t *testing.T, e *engine) {
	b, line := e.client()
	topic := e.topic(b, "submitted", 1)
	line.LoseAnswers(kmsg.Produce, 4)
	var acks []*broker.Ack
	for i := range 100 {
		acks = append(acks, b.Enqueue(text(topic, 0, fmt.Sprintf("%03d", i))))
	}
	for i, ack := range acks {
		if _, err := ack.Wait(t.Context()); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	if left := line.Lost(kmsg.Produce); left != 0 {
		t.Errorf("%d answers were not lost", left)
	}
	got := values(readAll(t, b, topic, 0))
	if len(got) <= 100 {
		t.Errorf("%d records are there: nothing was written again", len(got))
	}
	assertInOrder(t, got, 100)
}

func anotherWriter(t *testing.T, e *engine) {
	one, _ := e.client()
	two, _ := e.client()
	topic := e.topic(one, "recorded", 1)
	var bases []int64
	for _, b := range []*broker.Broker{one, one, two, one} {
		base, err := b.ProduceBatch(t.Context(), topic, 0, []broker.Record{text(topic, 0, "a"), text(topic, 0, "b")})
		if err != nil {
			t.Fatal(err)
		}
		bases = append(bases, base)
	}
	if diff := cmp.Diff([]int64{0, 2, 4, 6}, bases); diff != "" {
		t.Errorf("base offsets (-want +got):\n%s", diff)
	}
}

func offsetsByTime(t *testing.T, e *engine) {
	b, _ := e.client()
	topic := e.topic(b, "from.cnaf", 3)
	began := time.Now().Add(-24 * time.Hour).Truncate(time.Millisecond)
	for i := range 10 {
		rec := text(topic, 1, "x")
		rec.Time = began.Add(time.Duration(i) * time.Hour)
		produce(t, b, rec)
	}
	e.cut(topic, 1, 4)
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
}

func cutBeginning(t *testing.T, e *engine) {
	b, _ := e.client()
	topic := e.topic(b, "from.cnaf", 1)
	for i := range 10 {
		produce(t, b, text(topic, 0, fmt.Sprint(i)))
	}
	reader := b.Cursor(topic, 0, 2)
	e.cut(topic, 0, 6)
	for _, offset := range []int64{0, 5, 11} {
		if _, err := b.Cursor(topic, 0, offset).Fetch(t.Context()); !errors.Is(err, broker.ErrOutOfRange) {
			t.Errorf("at %d: %v", offset, err)
		}
	}
	if _, err := reader.Fetch(t.Context()); !errors.Is(err, broker.ErrOutOfRange) {
		t.Errorf("a reader that was at 2: %v", err)
	}
	wantLog(t, b, topic, 0, "6", "7", "8", "9")

	// Who follows is asked where to go on.
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var asked []broker.Range
	var got []string
	err := b.Follow(ctx, topic, func(_ int, r broker.Range) int64 {
		asked = append(asked, r)
		return max(r.First, int64(6*(len(asked)-1)))
	}, func(_ context.Context, batch broker.Batch) error {
		got = append(got, values(batch.Records)...)
		if len(got) == 4 {
			e.cut(topic, 0, 10)
			produce(t, b, text(topic, 0, "10"))
		}
		if len(got) == 5 {
			stop()
		}
		return nil
	})
	if diff := cmp.Diff([]string{"6", "7", "8", "9", "10"}, got); diff != "" || err != nil {
		t.Errorf("followed, %v (-want +got):\n%s", err, diff)
	}
}

func retention(t *testing.T, e *engine) {
	b, _ := e.client()
	topic := e.topic(b, "to.cnaf", 1, "retention.ms", "2000", "segment.ms", "1000")
	kept := e.topic(b, "recorded", 1, "segment.ms", "1000")
	for i := range 5 {
		old := time.Now().Add(-time.Hour)
		for _, name := range []string{topic, kept} {
			rec := text(name, 0, fmt.Sprint(i))
			rec.Time = old
			produce(t, b, rec)
		}
	}
	if !e.onApache() {
		// Its own timer is an hour; the hub keeps a shorter one (engine_retention.go).
		e.embedded.Cluster.ApplyRetention()
	}
	e.until("the records are gone", func() bool {
		r, err := b.RangeOf(t.Context(), topic, 0)
		if err != nil {
			t.Fatal(err)
		}
		return r.First == 5 && r.Next == 5
	})
	if offset, err := b.Produce(t.Context(), text(topic, 0, "5")); err != nil || offset != 5 {
		t.Errorf("the next record is at %d, %v", offset, err)
	}
	wantLog(t, b, kept, 0, "0", "1", "2", "3", "4")
}

func compaction(t *testing.T, e *engine) {
	b, _ := e.client()
	topic := e.topic(b, "directory", 1, "cleanup.policy", "compact", "segment.ms", "500",
		"min.cleanable.dirty.ratio", "0.01", "max.compaction.lag.ms", "1000", "delete.retention.ms", "100")
	var batch []broker.Record
	for i := range 100 {
		batch = append(batch, broker.Record{Topic: topic, Key: fmt.Append(nil, i%10), Value: fmt.Append(nil, i)})
	}
	next := int64(0)
	write := func() {
		t.Helper()
		if _, err := b.ProduceBatch(t.Context(), topic, 0, batch); err != nil {
			t.Fatal(err)
		}
		next += 100
	}
	write()
	write()
	e.until("the log is compacted", func() bool {
		if e.onApache() {
			// A log's newest part is never compacted, and ends with a write only.
			write()
		} else {
			write()
			e.embedded.Cluster.Compact()
		}
		return len(readAll(t, b, topic, 0)) <= int(next)-100
	})
	got := readAll(t, b, topic, 0)
	latest := map[string]string{}
	for _, rec := range got {
		latest[string(rec.Key)] = string(rec.Value)
	}
	if r, err := b.RangeOf(t.Context(), topic, 0); err != nil || r.Next != next || got[len(got)-1].Offset != next-1 {
		t.Errorf("the log ends at %+v, %v; want %d", r, err, next)
	}
	if len(latest) != 10 || latest["7"] != "97" {
		t.Errorf("the last of each key: %v", latest)
	}
}

func deletedTopic(t *testing.T, e *engine) {
	b, _ := e.client()
	topic := e.topic(b, "to.cnaf", 1)
	produce(t, b, text(topic, 0, "a"), text(topic, 0, "b"), text(topic, 0, "c"))
	reader := b.Cursor(topic, 0, 2)
	if err := b.DeleteTopics(t.Context(), topic); err != nil {
		t.Fatal(err)
	}
	var no *broker.RefusedError
	begun := time.Now()
	if _, err := b.Produce(t.Context(), text(topic, 0, "d")); !errors.As(err, &no) || !no.Gone() {
		t.Errorf("a record for a topic that is gone: %v", err)
	}
	if took := time.Since(begun); took < 4*time.Second {
		t.Errorf("it was given up after %v: metadata may be stale for longer", took)
	}
	e.topic(b, "to.cnaf", 1)
	e.until("the new topic takes records", func() bool {
		_, err := b.Produce(t.Context(), text(topic, 0, "new"))
		return err == nil
	})
	wantLog(t, b, topic, 0, "new")
	if _, err := reader.Fetch(t.Context()); !errors.Is(err, broker.ErrOutOfRange) {
		t.Errorf("a reader of the old topic: %v", err)
	}
}
