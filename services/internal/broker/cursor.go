package broker

import (
	"context"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
)

// Cursor reads one partition from a position of the caller's. It belongs to one
// goroutine.
type Cursor struct {
	b        *Broker
	tp       topicPartition
	progress *progress // of the claim; nil without one
	position int64
	wait     time.Duration
	limit    int32 // bytes of an answer
	unpacker unpacker
	watchdog watchdog
}

// Batch is what one Fetch brought. Records may be empty. The cursor goes on at
// Next, which can be beyond the last record: compaction and transactions leave
// gaps. End is the offset after the last record that can be read at present.
type Batch struct {
	Topic       string
	Partition   int
	Records     []Record
	Start, Next int64
	End         int64
}

// AtEnd says whether nothing was left to read when the batch was fetched.
func (b Batch) AtEnd() bool { return b.Next >= b.End }

// How a cursor asks. A long poll delays nothing: the broker answers as soon as
// it has a byte. The wait grows while nothing comes, to spare idle partitions.
const (
	firstWait  = 500 * time.Millisecond
	lastWait   = 4 * time.Second
	fetchBytes = 1 << 20
)

// Cursor makes a cursor that reads the partition from offset on. It has nothing
// to close.
func (b *Broker) Cursor(topic string, partition int, offset int64) *Cursor {
	tp := topicPartition{topic, partition}
	return &Cursor{
		b: b, tp: tp, position: offset, wait: firstWait, limit: fetchBytes,
		unpacker: unpacker{tp: tp, limit: b.cfg.MaxUnpacked},
	}
}

// SeekTo sets where the next Fetch reads.
func (c *Cursor) SeekTo(offset int64) { c.position, c.watchdog = offset, watchdog{} }

// Position is where the next Fetch reads.
func (c *Cursor) Position() int64 { return c.position }

// Fetch waits up to a few seconds for records and returns what there is,
// possibly none. Transient faults it retries until ctx ends; it returns ctx's
// error then, an error that is ErrOutOfRange when the log does not hold the
// position, and a *RefusedError when this client may not read the topic.
func (c *Cursor) Fetch(ctx context.Context) (Batch, error) {
	var answer *fetchAnswer
	err := c.b.retry(ctx, "fetch", func(ctx context.Context) (err error) {
		answer, err = c.ask(ctx)
		return err
	})
	if err != nil {
		return Batch{}, err
	}
	got := c.unpacker.unpack(answer, c.position)
	end := answer.highWatermark
	if answer.lastStable >= 0 {
		end = min(end, answer.lastStable)
	}
	batch := Batch{Topic: c.tp.topic, Partition: c.tp.partition, Records: got.records, Start: c.position, Next: got.next, End: end}
	c.position = got.next
	c.account(batch, got.damaged)
	return batch, nil
}

func (c *Cursor) ask(ctx context.Context) (*fetchAnswer, error) {
	res, err := c.b.transport.RoundTrip(ctx, c.b.addr, &fetchExchange{
		topic: c.tp.topic, partition: int32(c.tp.partition), offset: c.position,
		maxWait: min(c.wait, c.b.cfg.AttemptTimeout/2), maxBytes: c.limit, clientID: c.b.cfg.ClientID,
	})
	if err != nil {
		return nil, c.b.explain(ctx, err)
	}
	answer := res.(*fetchAnswer)
	switch code := kafka.Error(answer.code); {
	case code == 0:
		return answer, nil
	case code == kafka.OffsetOutOfRange:
		return nil, fmt.Errorf("%w: offset %d of %s", ErrOutOfRange, c.position, c.tp)
	case definite[code]:
		return nil, &RefusedError{Topic: c.tp.topic, Partition: c.tp.partition, Err: code}
	default:
		return nil, code
	}
}

func (c *Cursor) account(batch Batch, damaged int) {
	m := c.b.metrics
	if len(batch.Records) > 0 {
		c.wait = firstWait
		m.fetched.WithLabelValues(c.tp.topic).Add(float64(len(batch.Records)))
	} else {
		c.wait = min(2*c.wait, lastWait)
	}
	if damaged > 0 {
		m.unreadable.WithLabelValues(c.tp.topic).Add(float64(damaged))
	}
	if c.progress != nil {
		c.progress.read(batch)
	}
	if c.watchdog.stalled(batch) {
		m.rebuilds.WithLabelValues(c.tp.topic).Inc()
		c.b.log.Warn("a cursor has stalled before the end of its partition, renewing its connections",
			"topic", c.tp.topic, "partition", c.tp.partition, "offset", batch.Next, "end", batch.End)
		c.b.refresh()
	}
}

// watchdog notices a cursor that gets nothing although there is something. It
// should never happen, and has happened to every client.
type watchdog struct {
	at    int64
	since time.Time
}

// stallAfter is how long a cursor may stand still before the partition's end.
const stallAfter = 10 * time.Second

func (w *watchdog) stalled(batch Batch) bool {
	if batch.AtEnd() || batch.Next != w.at || w.since.IsZero() {
		w.at, w.since = batch.Next, time.Now()
		return false
	}
	if time.Since(w.since) < stallAfter {
		return false
	}
	w.since = time.Now()
	return true
}
