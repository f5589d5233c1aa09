package broker

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Ack is what becomes of a record that was enqueued.
type Ack struct {
	rec    Record
	size   int
	done   chan struct{}
	offset int64
	err    error
}

// Done is closed once the record's fate is known, or given up by Close.
func (a *Ack) Done() <-chan struct{} { return a.done }

// Wait waits for the record's fate and returns its offset. ErrBufferFull means
// that the record was not taken, a *RefusedError that the broker does not want
// it; neither is or will be written. With any other error, ctx's included, the
// fate is unknown: the record is still in line, or may have been written.
func (a *Ack) Wait(ctx context.Context) (offset int64, err error) {
	select {
	case <-a.done:
		return a.offset, a.err
	default:
	}
	select {
	case <-a.done:
		return a.offset, a.err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

func (a *Ack) resolve(offset int64, err error) {
	// The record is left alone: an attempt that was given up may still read it.
	a.offset, a.err = offset, err
	close(a.done)
}

// Enqueue puts a record in line for its partition (rec.Partition) and returns
// at once. Records of a partition are written in the order in which they were
// enqueued; those that gather while a request is under way go together in the
// next one. The first in line leaves only when it is acknowledged or refused
// for good, so nothing overtakes it. A record must not be changed until its
// fate is known.
//
// A caller that is told ErrBufferFull and means to try again must send nothing
// later of the same key before.
func (b *Broker) Enqueue(rec Record) *Ack {
	ack := &Ack{rec: rec, size: rec.size(), done: make(chan struct{})}
	q := b.queueOf(topicPartition{rec.Topic, rec.Partition})
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.closed {
		ack.resolve(0, ErrClosed)
		return ack
	}
	if !b.buffer.take(ack.size) {
		b.metrics.bufferFull.Inc()
		ack.resolve(0, ErrBufferFull)
		return ack
	}
	b.metrics.bufferBytes.Add(float64(ack.size))
	b.metrics.bufferRecords.Inc()
	if !q.push(ack) {
		b.metrics.bufferFull.Inc()
		q.resolve([]*Ack{ack}, 0, ErrBufferFull)
	}
	return ack
}

// Produce enqueues a record and waits for its fate; see Enqueue and Ack.Wait.
func (b *Broker) Produce(ctx context.Context, rec Record) (offset int64, err error) {
	return b.Enqueue(rec).Wait(ctx)
}

func (b *Broker) queueOf(tp topicPartition) *queue {
	b.queuesMu.Lock()
	defer b.queuesMu.Unlock()
	q := b.queues[tp]
	if q == nil {
		q = &queue{b: b, tp: tp, maxBytes: b.cfg.MaxBuffered / 2, guard: b.guards[tp.topic]}
		b.queues[tp] = q
	}
	return q
}

// buffer counts the bytes that wait in all queues together.
type buffer struct {
	max  int64
	used atomic.Int64
}

func (f *buffer) take(size int) bool {
	// A single record larger than the whole buffer is let through when it is
	// alone: it is the broker's to refuse.
	n := int64(size)
	if used := f.used.Add(n); used > f.max && used != n {
		f.used.Add(-n)
		return false
	}
	return true
}

func (f *buffer) release(size int) { f.used.Add(-int64(size)) }

// queue is the line of one partition. Its goroutine lives while there is
// something in it.
type queue struct {
	b        *Broker
	tp       topicPartition
	maxBytes int

	mu      sync.Mutex
	waiting []*Ack // first in line first
	bytes   int    // of waiting
	running bool
	guard   func(partition int) int64 // nil for a topic that is not guarded
	next    int64                     // after what was acknowledged, of a guarded topic
	cut     *CutError                 // why nothing more is written
}

// push is called with b.mu held for reading, so that Close cannot have begun to
// wait for the producers.
func (q *queue) push(ack *Ack) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bytes > 0 && q.bytes+ack.size > q.maxBytes {
		return false
	}
	q.waiting = append(q.waiting, ack)
	q.bytes += ack.size
	if !q.running {
		q.running = true
		q.b.producers.Go(q.run)
	}
	return true
}

func (q *queue) run() {
	for batch := q.take(); len(batch) > 0; batch = q.take() {
		q.send(batch, false)
	}
}

// take removes from the head of the line as much as one request holds; nothing
// when the line is empty, and then the goroutine is over.
func (q *queue) take() []*Ack {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, size := 0, 0
	for n < len(q.waiting) && n < maxBatchRecords {
		if size += q.waiting[n].size; size > maxBatchBytes && n > 0 {
			size -= q.waiting[n].size
			break
		}
		n++
	}
	if n == 0 {
		q.running, q.waiting = false, nil
		return nil
	}
	batch := slices.Clone(q.waiting[:n])
	clear(q.waiting[:n])
	q.waiting = q.waiting[n:]
	q.bytes -= size
	return batch
}

// send repeats a batch, unchanged, until the fate of every record in it is
// known or Close gives up. A batch that is refused for a fault that one record
// may have is split, until the culprit is alone and refused. perhaps says that
// an earlier attempt may have been written.
func (q *queue) send(batch []*Ack, perhaps bool) {
	if err := q.b.Cut(q.tp.topic, q.tp.partition); err != nil {
		q.resolve(batch, 0, err)
		return
	}
	started, pace, known := time.Now(), backoff{}, q.written()
	trial := trial{perhaps: perhaps}
	for tries := 0; ; tries++ {
		base, err := q.attempt(batch)
		if err == nil {
			q.b.metrics.batchRecords.Observe(float64(len(batch)))
			q.b.metrics.produceSeconds.Observe(time.Since(started).Seconds())
			q.resolve(batch, base, q.accepted(len(batch), base, known))
			return
		}
		if isDefinite(err) && isOfTheRecord(err) && len(batch) > 1 {
			q.send(batch[:len(batch)/2], trial.perhaps)
			q.send(batch[len(batch)/2:], trial.perhaps)
			return
		}
		if refusal := trial.refusal(q.tp, err); refusal != nil {
			q.b.metrics.refused.WithLabelValues(q.tp.topic).Add(float64(len(batch)))
			q.resolve(batch, 0, refusal)
			return
		}
		q.b.metrics.retries.WithLabelValues("produce").Inc()
		if tries == 4 {
			q.b.log.Warn("records are not acknowledged, trying again", "topic", q.tp.topic, "partition", q.tp.partition, "count", len(batch), "error", err)
		}
		q.b.refreshAfter(err)
		if !pace.wait(q.b.ctx) {
			q.resolve(batch, 0, fmt.Errorf("%w before it was acknowledged: %w", ErrClosed, err))
			return
		}
	}
}

// trial is what is known of a batch from the attempts so far.
type trial struct {
	perhaps bool      // one of them may have been written
	missing time.Time // since when the topic has been unknown
}

// unknownTopicPatience is how long a topic must have been unknown before its
// records are refused: metadata may be stale for as long as its TTL.
const unknownTopicPatience = 5 * time.Second

// refusal judges a failed attempt: nil means that it is to be repeated. A
// definite no after an attempt that may have been written is an unknown fate.
func (t *trial) refusal(tp topicPartition, err error) error {
	switch {
	case isDefinite(err):
	case !isUnknownTopic(err):
		t.missing = time.Time{}
		t.perhaps = t.perhaps || !wasNotWritten(err)
		return nil
	case t.missing.IsZero():
		t.missing = time.Now()
		return nil
	case time.Since(t.missing) <= unknownTopicPatience:
		return nil
	default:
		err = &RefusedError{Topic: tp.topic, Partition: tp.partition, Err: err}
	}
	if t.perhaps {
		return fmt.Errorf("an earlier attempt may have been written, and now: %v", err) //nolint:errorlint // it must not be taken for a refusal
	}
	return err
}

func (q *queue) attempt(batch []*Ack) (base int64, err error) {
	if q.b.ctx.Err() != nil {
		return 0, ErrClosed
	}
	ctx, cancel := context.WithTimeout(q.b.ctx, q.b.cfg.AttemptTimeout)
	defer cancel()
	return q.b.attempt(ctx, q.tp, &recordReader{n: len(batch), at: func(i int) *Record { return &batch[i].rec }})
}

func (q *queue) resolve(batch []*Ack, base int64, err error) {
	size := 0
	for _, ack := range batch {
		size += ack.size
	}
	q.b.buffer.release(size)
	q.b.metrics.bufferBytes.Sub(float64(size))
	q.b.metrics.bufferRecords.Sub(float64(len(batch)))
	for i, ack := range batch {
		if err != nil {
			ack.resolve(0, err)
		} else {
			ack.resolve(base+int64(i), nil)
		}
	}
}
