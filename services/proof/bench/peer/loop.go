// Package peer is what the hub is measured beside where the peer is Go: the least that
// could do the same, without anything that makes it right.
//
// It talks to Kafka with the bare library, which nothing else in the project may.
package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// Loop takes records from one topic to another until ctx ends: fetch, count by key in
// memory, produce with count and place in headers, one request in flight per
// partition. It begins at the beginning, keeps nothing, and tries again what failed,
// whatever had become of it.
func Loop(ctx context.Context, brokers []string, from, to string, partitions int) error {
	transport := &kafka.Transport{MetadataTTL: 2 * time.Second}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(brokers...), Timeout: 10 * time.Second, Transport: transport}
	var wg sync.WaitGroup
	for p := range partitions {
		wg.Go(func() { loop(ctx, client, from, to, p) })
	}
	wg.Wait()
	return nil
}

func loop(ctx context.Context, client *kafka.Client, from, to string, partition int) {
	counts := map[string]int64{}
	for next := int64(0); ctx.Err() == nil; {
		batch, err := fetch(ctx, client, from, partition, next, counts)
		for err == nil && len(batch) > 0 {
			n, size := 0, 0
			for n < len(batch) && (n == 0 || size+batch[n].size <= 800_000) {
				size += batch[n].size
				n++
			}
			for produce(ctx, client, to, partition, batch[:n]) != nil && ctx.Err() == nil {
				time.Sleep(pause)
			}
			next += int64(n)
			batch = batch[n:]
		}
		if err != nil {
			time.Sleep(pause)
		}
	}
}

const pause = 100 * time.Millisecond

func fetch(ctx context.Context, client *kafka.Client, topic string, partition int, from int64, counts map[string]int64) ([]counted, error) {
	res, err := client.Fetch(ctx, &kafka.FetchRequest{Topic: topic, Partition: partition, Offset: from, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: 500 * time.Millisecond})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		return nil, err
	}
	return read(res.Records, counts, partition, from)
}

type counted struct {
	time       time.Time
	key, value []byte
	headers    []kafka.Header
	size       int
}

// read takes what was fetched, from the offset on, and counts it.
func read(records kafka.RecordReader, counts map[string]int64, partition int, from int64) ([]counted, error) {
	var batch []counted
	for {
		r, err := records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return batch, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read: %w", err)
		}
		key, err := protocol.ReadAll(r.Key)
		if err != nil {
			return nil, err
		}
		value, err := protocol.ReadAll(r.Value)
		if err != nil {
			return nil, err
		}
		if r.Offset < from {
			continue
		}
		count := counts[string(key)] + 1
		counts[string(key)] = count
		headers := make([]kafka.Header, 0, len(r.Headers)+3)
		headers = append(append(headers, r.Headers...),
			kafka.Header{Key: "ce_sequence", Value: strconv.AppendInt(nil, count, 10)},
			kafka.Header{Key: "ce_submittedoffset", Value: strconv.AppendInt(nil, r.Offset, 10)},
			kafka.Header{Key: "ce_submittedpartition", Value: strconv.AppendInt(nil, int64(partition), 10)})
		size := len(key) + len(value) + 64
		for _, h := range headers {
			size += len(h.Key) + len(h.Value) + 8
		}
		batch = append(batch, counted{r.Time, key, value, headers, size})
	}
}

func produce(ctx context.Context, client *kafka.Client, topic string, partition int, batch []counted) error {
	records := make([]kafka.Record, len(batch))
	for i, r := range batch {
		records[i] = kafka.Record{Time: r.time, Key: protocol.NewBytes(r.key), Value: protocol.NewBytes(r.value), Headers: r.headers}
	}
	res, err := client.Produce(ctx, &kafka.ProduceRequest{
		Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...),
	})
	if err == nil && res.Error != nil {
		err = res.Error
	}
	if err != nil {
		return fmt.Errorf("produce: %w", err)
	}
	return nil
}
