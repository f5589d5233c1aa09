package router

import (
	"context"
	"errors"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/pause"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// lane writes the copies of one partition of recorded to one partition of one
// recipient's topic, in order, one request at a time: nothing is sent before the
// fate of what is earlier is known. Its goroutine lives while there is something to
// do.
//
//	live ──(not acknowledged for slowAfter, or full)──▶ behind ──(has read up to the reader)──▶ live
//	live, behind ──(topic unknown for gonePatience)──▶ gone ──(topic there again)──▶ behind
//	live, behind ──(recipient suspended)──▶ held ──(recipient resumed, or closed)──▶ behind
//
// While the topic is gone, each event for it is told as a dead delivery. All of
// them are copied, in order, once it is back, before anything new. While the
// recipient is suspended nothing is written, told or lost: see hold.go.
type lane struct {
	p         *partition
	name      string // as in the book: to.cnaf/3
	topic     string
	partition int
	label     string
	// moved says that something was acknowledged.
	moved chan struct{}
	// cursor reads recorded for a lane behind; the goroutine's own.
	cursor *broker.Cursor

	// Guarded by p.mu.
	pending []*copied // the first of them are being written
	bytes   int       // of pending
	writing int       // how many are being written
	running bool
	// behind says that the reader hands nothing to the lane: it reads on from next
	// once pending is empty.
	behind bool
	next   broker.Pair
	oldest time.Time // since when the oldest that is not copied has waited
	gone   bool
	told   broker.Pair // up to where it was told that deliveries are dead
	held   bool        // the recipient is suspended
	// late is up to where copies were held back when the recipient was resumed, or
	// when another router stood there; resumed is when that was.
	late    broker.Pair
	resumed time.Time
}

const (
	// laneRecords and laneBytes bound one request.
	laneRecords = 2000
	laneBytes   = 900_000
	// slowAfter is how long a request may take before the others go on without.
	slowAfter = time.Second
	// gonePatience is how long a topic must have been unknown: metadata may be old.
	gonePatience = 5 * time.Second
	// goneCheck is how often a topic that is gone is looked for.
	goneCheck = time.Second
	// firstRetry and lastRetry are the pauses between attempts.
	firstRetry = 20 * time.Millisecond
	lastRetry  = time.Second
)

// push takes a copy from the reader; p.mu is held.
func (l *lane) push(ctx context.Context, c *copied) {
	if l.behind {
		return
	}
	l.pending = append(l.pending, c)
	l.bytes += c.size()
	l.start(ctx)
}

// start runs the lane's goroutine; p.mu is held.
func (l *lane) start(ctx context.Context) {
	if !l.running {
		l.running = true
		l.p.work.Go(func() { l.run(ctx) })
	}
}

// at is up to where the recipient has its copies; p.mu is held.
func (l *lane) at() broker.Pair {
	switch {
	case len(l.pending) > 0:
		return l.pending[0].before
	case l.behind:
		return l.next
	}
	return l.p.seen.Pair()
}

// fallBehind lets go of all but what is being written; p.mu is held. Whoever found
// the lane slow may come when it has just got rid of everything: its goroutine is
// over then, and nobody would read for a lane behind.
func (l *lane) fallBehind() {
	if l.behind || len(l.pending) == 0 {
		return
	}
	l.behind, l.next, l.oldest = true, l.p.seen.Pair(), time.Now()
	if len(l.pending) > 0 {
		l.oldest = l.pending[0].received
	}
	if len(l.pending) > l.writing {
		l.next = l.pending[l.writing].before
		l.pending = l.pending[:l.writing:l.writing]
	}
	l.bytes = 0 // counted while the reader fills the lane only
	l.p.host.Log.Warn("recipient is slow, the others go on without", telemetry.KeyTopic, l.topic, telemetry.KeyPartition, l.p.number)
}

// run writes, and reads what it missed, until nothing is left to do.
func (l *lane) run(ctx context.Context) {
	for ctx.Err() == nil {
		batch, gone, idle := l.take()
		var err error
		switch {
		case idle:
			return
		case l.standing() == suspended:
			err = l.hold(ctx)
		case gone:
			err = l.mourn(ctx)
		case len(batch) == 0:
			err = l.catchUp(ctx)
		default:
			err = l.send(ctx, batch)
		}
		if err != nil && !errors.Is(err, errSuspended) && ctx.Err() == nil {
			l.p.fail(err)
			return
		}
	}
}

// take is what to write next. A lane that is idle has nothing to do, and its
// goroutine is over.
func (l *lane) take() (batch []*copied, gone, idle bool) {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	if l.gone {
		return nil, true, false
	}
	size, n := 0, 0
	for n < len(l.pending) && n < laneRecords {
		if size += l.pending[n].size(); size > laneBytes && n > 0 {
			break
		}
		n++
	}
	l.writing = n
	if n > 0 {
		return l.pending[:n:n], false, false
	}
	if l.behind && l.next.Next < l.p.seen.Pair().Next {
		return nil, false, false
	}
	if l.behind {
		l.behind = false
		l.p.tellMoved()
		l.p.host.Log.Info("recipient has caught up", telemetry.KeyTopic, l.topic, telemetry.KeyPartition, l.p.number)
	}
	l.running, l.pending = false, nil
	return nil, false, true
}

// size is about what the copy takes in a request.
func (c *copied) size() int {
	n := 100 + len(c.record.Key) + len(c.record.Value)
	for _, h := range c.record.Headers {
		n += 10 + len(h.Key) + len(h.Value)
	}
	return n
}

// catchUp reads the next records that the lane has missed.
func (l *lane) catchUp(ctx context.Context) error {
	l.p.mu.Lock()
	from := l.next
	l.p.mu.Unlock()
	copies, next, err := l.missed(ctx, from)
	if err != nil {
		return err
	}
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	l.next, l.pending = next, copies
	if len(copies) > 0 {
		l.oldest = copies[0].received
	}
	l.p.tellMoved()
	return nil
}

// missed reads the copies for this lane from a position on, no further than the
// reader has come.
func (l *lane) missed(ctx context.Context, from broker.Pair) (copies []*copied, next broker.Pair, err error) {
	l.p.mu.Lock()
	goal := l.p.seen.Pair().Next
	l.p.mu.Unlock()
	if l.cursor == nil {
		l.cursor = l.p.host.Broker.Cursor(l.p.recorded, l.p.number, from.Next)
	}
	l.cursor.SeekTo(from.Next)
	batch, err := l.cursor.Fetch(ctx)
	if err != nil {
		return nil, from, err
	}
	seen := broker.NewDedup(from)
	for _, record := range batch.Records {
		if record.Offset >= goal {
			break
		}
		place, err := placeOf(record)
		if err != nil {
			return nil, from, err
		}
		before := seen.Pair()
		fresh, err := seen.Take(record.Offset, place.Offset)
		if err != nil {
			return nil, from, err
		}
		if !fresh {
			continue
		}
		for _, c := range l.p.copies(record, place, before) {
			if c.record.Topic == l.topic && c.record.Partition == l.partition {
				copies = append(copies, c)
			}
		}
	}
	seen.Skip(min(batch.Next, goal))
	return copies, seen.Pair(), nil
}

// send writes a batch. The others wait for it no longer than slowAfter.
func (l *lane) send(ctx context.Context, batch []*copied) error {
	slow := time.AfterFunc(slowAfter, func() {
		l.p.mu.Lock()
		l.fallBehind()
		l.p.mu.Unlock()
		l.p.tellMoved()
	})
	defer slow.Stop()
	return l.write(ctx, batch)
}

// write repeats the batch, unchanged, until its fate is known. One that is refused
// is split until the culprit is alone: a dead delivery. Where the recipient is
// suspended meanwhile the batch is given up, whatever its fate: what is sent when it
// is resumed begins with the same copy, so that one that arrives late is dropped.
func (l *lane) write(ctx context.Context, batch []*copied) error {
	records := l.recordsOf(batch)
	var missing time.Time // since when the topic has been unknown
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		switch l.standing() {
		case suspended:
			return errSuspended
		case closed:
			return l.shutOut(ctx, batch)
		case open:
		}
		base, err := l.attempt(ctx, records, wait > firstRetry)
		var refused *broker.RefusedError
		switch {
		case err == nil:
			return l.written(ctx, batch, base)
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &refused) && len(batch) > 1:
			half := len(batch) / 2
			if err := l.write(ctx, batch[:half]); err != nil || l.isGone() {
				return err
			}
			return l.write(ctx, batch[half:])
		case errors.As(err, &refused):
			return l.refused(ctx, batch[0], refused)
		case !broker.Gone(err):
			missing = time.Time{}
		case missing.IsZero():
			missing = time.Now()
		case time.Since(missing) > gonePatience:
			l.lose(ctx, err)
			return nil
		}
		if err := pause.For(ctx, wait); err != nil {
			return err
		}
	}
}

// attempt sends the records once. After a failure it first looks whether there is
// anybody to send them to: each attempt that fails renews connections that the
// others use too.
func (l *lane) attempt(ctx context.Context, records []broker.Record, again bool) (base int64, err error) {
	if again {
		if err := l.p.host.Broker.Reachable(ctx, l.topic, l.partition); err != nil {
			return 0, err
		}
	}
	return l.p.host.Broker.ProduceBatch(ctx, l.topic, l.partition, records)
}

// written takes note of copies that are acknowledged.
func (l *lane) written(ctx context.Context, batch []*copied, base int64) error {
	if err := l.tellRedriven(ctx, batch, base); err != nil {
		return err
	}
	now := time.Now()
	for _, c := range batch {
		if !c.received.IsZero() && !l.isLate(c) {
			l.p.metrics.endToEnd.Observe(now.Sub(c.received).Seconds())
		}
	}
	l.p.metrics.copies.WithLabelValues(l.label).Add(float64(len(batch)))
	l.p.metrics.attempts.WithLabelValues(channelOf(batch[0].party), outcomeDelivered, "").Add(float64(len(batch)))
	l.settled(len(batch))
	return nil
}

// tellRedriven tells of those that were told to be dead that they are delivered.
func (l *lane) tellRedriven(ctx context.Context, batch []*copied, base int64) error {
	l.p.mu.Lock()
	told := l.told
	l.p.mu.Unlock()
	var changes []*schemas.DeliveryChanged
	for i, c := range batch {
		if c.origin.Offset < told.Next {
			d := c.change(schemas.DeliveryRedriven, schemas.DeliveryTopicGone)
			d.Attempt, d.CopyOffset = 2, new(base+int64(i))
			changes = append(changes, d)
		}
	}
	return l.p.publish(ctx, changes)
}

// settled moves on behind the first n copies.
func (l *lane) settled(n int) {
	l.p.mu.Lock()
	if !l.behind {
		for _, c := range l.pending[:n] {
			l.bytes -= c.size()
		}
	}
	l.pending, l.writing = l.pending[n:], l.writing-n
	l.p.mu.Unlock()
	select {
	case l.moved <- struct{}{}:
	default:
	}
	l.p.tellMoved()
}

// refused tells of a copy that the broker does not want: a dead delivery, which
// holds nobody up.
func (l *lane) refused(ctx context.Context, c *copied, refusal *broker.RefusedError) error {
	d := c.change(schemas.DeliveryDead, schemas.DeliveryRefused)
	d.ErrorCode = new(refusal.Code())
	if err := l.p.publish(ctx, []*schemas.DeliveryChanged{d}); err != nil {
		return err
	}
	l.p.metrics.dead.WithLabelValues(l.label).Inc()
	l.p.metrics.attempts.WithLabelValues(channelOf(c.party), outcomeRefused, "").Inc()
	l.p.host.Log.ErrorContext(ctx, "delivery is dead", telemetry.KeyTopic, l.topic, telemetry.KeyParticipant, c.recipient(), telemetry.KeyPlace, d.Place, telemetry.KeyError, refusal)
	l.settled(1)
	return nil
}

func (l *lane) isGone() bool {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	return l.gone
}

// lose finds that the topic is gone. Nothing later was sent: what is still to be
// copied is told to be dead, and copied when the topic is back.
func (l *lane) lose(ctx context.Context, err error) {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	l.fallBehind()
	l.gone, l.next, l.oldest = true, l.pending[0].before, l.pending[0].received
	l.pending, l.writing = nil, 0
	if l.told.Next < l.next.Next {
		l.told = l.next
	}
	l.p.tellMoved()
	l.p.host.Log.ErrorContext(ctx, "topic is gone, its deliveries are dead until it is back", telemetry.KeyTopic, l.topic, telemetry.KeyPartition, l.p.number, telemetry.KeyError, err)
}

// mourn tells of the deliveries that are dead because the topic is gone, and looks
// whether it is back.
func (l *lane) mourn(ctx context.Context) error {
	if !broker.Gone(l.p.host.Broker.Reachable(ctx, l.topic, l.partition)) {
		l.p.mu.Lock()
		defer l.p.mu.Unlock()
		l.gone = false
		l.p.host.Log.InfoContext(ctx, "topic is back, it is filled from the log", telemetry.KeyTopic, l.topic, telemetry.KeyPartition, l.p.number)
		return nil
	}
	l.p.mu.Lock()
	told, goal := l.told, l.p.seen.Pair().Next
	l.p.mu.Unlock()
	if told.Next >= goal {
		return pause.For(ctx, goneCheck)
	}
	copies, next, err := l.missed(ctx, told)
	if err != nil {
		return err
	}
	changes := make([]*schemas.DeliveryChanged, len(copies))
	for i, c := range copies {
		changes[i] = c.change(schemas.DeliveryDead, schemas.DeliveryTopicGone)
	}
	if err := l.p.publish(ctx, changes); err != nil {
		return err
	}
	l.p.metrics.dead.WithLabelValues(l.label).Add(float64(len(copies)))
	for _, c := range copies {
		l.p.metrics.attempts.WithLabelValues(channelOf(c.party), outcomeGone, "").Inc()
	}
	l.p.mu.Lock()
	l.told = next
	l.p.mu.Unlock()
	l.p.tellMoved()
	return nil
}
