package e2e

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// kafkaLimit is how long reading or writing a topic may take.
const kafkaLimit = time.Minute

// kafkaClient is a client of the hub's Kafka door: franz-go, as the hub itself
// uses another.
func (h *hub) kafkaClient(t *testing.T, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(strings.Split(h.kafka, ",")...)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// records are all records that a topic has now, by partition.
func (h *hub) records(t *testing.T, topic string) map[int32][]*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), kafkaLimit)
	defer cancel()
	c := h.kafkaClient(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer c.Close()
	ends := endsOf(ctx, t, c, topic)
	all, missing := make(map[int32][]*kgo.Record, len(ends)), 0
	for p, end := range ends {
		all[p] = nil
		missing += int(end)
	}
	for missing > 0 {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("read %s: %v", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset < ends[r.Partition] {
				all[r.Partition] = append(all[r.Partition], r)
				missing--
			}
		})
	}
	return all
}

// endsOf is where each partition of a topic ends. None of the hub's has lost its
// beginning yet, so that it is the number of its records too.
func endsOf(ctx context.Context, t *testing.T, c *kgo.Client, topic string) map[int32]int64 {
	t.Helper()
	about := kmsg.NewPtrMetadataRequest()
	named := kmsg.NewMetadataRequestTopic()
	named.Topic = &topic
	about.Topics = append(about.Topics, named)
	metadata, err := about.RequestWith(ctx, c)
	if err != nil || len(metadata.Topics) != 1 || metadata.Topics[0].ErrorCode != 0 {
		t.Fatalf("look for %s: %v %+v", topic, err, metadata)
	}
	ask := kmsg.NewPtrListOffsetsRequest()
	ask.ReplicaID = -1
	of := kmsg.NewListOffsetsRequestTopic()
	of.Topic = topic
	for _, p := range metadata.Topics[0].Partitions {
		latest := kmsg.NewListOffsetsRequestTopicPartition()
		latest.Partition, latest.Timestamp = p.Partition, -1
		of.Partitions = append(of.Partitions, latest)
	}
	ask.Topics = append(ask.Topics, of)
	offsets, err := ask.RequestWith(ctx, c)
	if err != nil {
		t.Fatalf("ask for the ends of %s: %v", topic, err)
	}
	ends := map[int32]int64{}
	for _, p := range offsets.Topics[0].Partitions {
		ends[p.Partition] = p.Offset
	}
	return ends
}

// header is the value of a record's header, "" where there is none.
func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// place is a submission's place, on either of its topics.
type place struct {
	partition int32
	offset    int64
}

func (p place) String() string {
	return strconv.Itoa(int(p.partition)) + "-" + strconv.FormatInt(p.offset, 10)
}

// placeOf is the place that an outcome names.
func placeOf(t *testing.T, r *kgo.Record) place {
	t.Helper()
	partition, err := strconv.ParseInt(header(r, "ce_submittedpartition"), 10, 32)
	offset, err2 := strconv.ParseInt(header(r, "ce_submittedoffset"), 10, 64)
	if err != nil || err2 != nil {
		t.Fatalf("%s %d-%d names no place: %v, %v", r.Topic, r.Partition, r.Offset, err, err2)
	}
	return place{int32(partition), offset}
}
