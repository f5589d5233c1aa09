package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
)

// The bounds of one group commit. Brokers take about 1 MB by default, and a
// larger single record goes alone, for the broker to judge.
const (
	maxBatchBytes   = 900_000
	maxBatchRecords = 2000
)

// ProduceBatch appends records to one partition in one request, all or none,
// in one attempt, and returns the offset of the first. It does not pass through
// the buffer. Only a *RefusedError says that nothing was written; after any
// other error the fate is unknown, and the caller repeats the same batch before
// it sends anything else.
func (b *Broker) ProduceBatch(ctx context.Context, topic string, partition int, recs []Record) (base int64, err error) {
	if len(recs) == 0 {
		return 0, errors.New("broker: produce of no records")
	}
	ctx, cancel := context.WithTimeout(ctx, b.cfg.AttemptTimeout)
	defer cancel()
	started := time.Now()
	base, err = b.attempt(ctx, topicPartition{topic, partition}, &recordReader{n: len(recs), at: func(i int) *Record { return &recs[i] }})
	if err != nil {
		if !isDefinite(err) {
			b.metrics.retries.WithLabelValues("produce").Inc()
			b.refreshAfter(err)
		}
		return 0, err
	}
	b.metrics.batchRecords.Observe(float64(len(recs)))
	b.metrics.produceSeconds.Observe(time.Since(started).Seconds())
	return base, nil
}

// attempt sends one produce request. The library can report success for what
// was not written, so a success is believed only when nothing at all speaks
// against it.
func (b *Broker) attempt(ctx context.Context, tp topicPartition, records *recordReader) (base int64, err error) {
	res, err := b.client.Produce(ctx, &kafka.ProduceRequest{
		Topic:        tp.topic,
		Partition:    tp.partition,
		RequiredAcks: kafka.RequireAll,
		Records:      records,
		Compression:  b.compression,
	})
	switch {
	case err != nil:
		err = b.explain(ctx, err)
	case res == nil:
		err = errors.New("the library returned no answer")
	case res.Error != nil:
		err = res.Error
	case len(res.RecordErrors) > 0:
		err = fmt.Errorf("%w: %d records are at fault", kafka.InvalidRecord, len(res.RecordErrors))
	case !records.done():
		// An empty request is answered with success by the library itself.
		err = errors.New("not all records were sent")
	default:
		return res.BaseOffset, nil
	}
	if isDefinite(err) {
		return 0, &RefusedError{Topic: tp.topic, Partition: tp.partition, Err: err}
	}
	return 0, fmt.Errorf("produce to %s: %w", tp, err)
}

// recordReader hands records to the library one by one, without copying them.
// A used one must not be sent again: every attempt makes its own.
type recordReader struct {
	n, i       int
	at         func(i int) *Record
	record     kafka.Record
	key, value memory
	headers    []kafka.Header
}

func (r *recordReader) done() bool { return r.i == r.n }

func (r *recordReader) ReadRecord() (*kafka.Record, error) {
	if r.done() {
		return nil, io.EOF
	}
	rec := r.at(r.i)
	r.i++
	r.headers = r.headers[:0]
	for _, h := range rec.Headers {
		r.headers = append(r.headers, kafka.Header{Key: h.Key, Value: h.Value})
	}
	r.record = kafka.Record{Time: rec.Time, Key: r.key.of(rec.Key), Value: r.value.of(rec.Value), Headers: r.headers}
	return &r.record, nil
}

// memory is bytes as the library wants them; nil stays nil, which is a
// tombstone, where empty is not.
type memory struct{ bytes.Reader }

func (m *memory) Close() error { return nil }

func (m *memory) of(b []byte) kafka.Bytes {
	if b == nil {
		return nil
	}
	m.Reset(b)
	return m
}
