package courier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// box is where a participant's events stand.
type box struct {
	owner string
	topic string
	// partitions of the topic; those to read are the ones listed.
	partitions int
	read       []int
	// key is the record key of the owner's events on a topic that is shared; ""
	// on one of its own.
	key string
	// mark says that the cursor after each event is wanted.
	mark bool
}

// Bounds of one answer and of the work that it may cost. What lies beyond is for
// the next request: the cursor moves on even when nothing was the owner's.
const (
	maxAnswerBytes = 4 << 20
	maxScanned     = 20_000
	maxScanTime    = 2 * time.Second
	brokerPatience = 5 * time.Second
)

// page is what one look into a box brought.
type page struct {
	events [][]byte // CloudEvents as JSON, in the order to take them
	after  []string // the cursor after each, where the look was told to mark them
	cursor cursor   // after them
	// more says that reading stopped before the end.
	more                         bool
	scanned, repeats, unreadable int
}

// stretch is what was fetched of one partition.
type stretch struct {
	partition int
	records   []broker.Record
	received  []string // ce_receivedtime of each
	next      int64    // after all of them
}

// Errors of look that are the caller's affair or pass by themselves.
var (
	errBeyond = errors.New("cursor: beyond the end of the log; begin without one")
	errSlow   = errors.New("the log does not answer; try again in a moment")
)

// gapError says that events after a cursor are there no more. The reader has to
// know, so that it is told and not given what comes after them.
type gapError struct {
	// lost is how many records of the box's topic that may have been the reader's are
	// gone; at the cursor begins what is left.
	lost   int64
	cursor string
}

func (e *gapError) Error() string {
	return fmt.Sprintf("cursor: up to %d events after it are no longer kept; `cursor` of this problem begins with the oldest that are", e.lost)
}

// look reads what comes after the cursor, at most limit events. Repetitions are
// dropped, and the order within a dossier is kept, which lies on one partition.
// Across partitions events are merged by the time they were received.
func (c *Courier) look(ctx context.Context, b box, from cursor, limit int) (page, error) {
	p := page{cursor: from.clone()}
	behind, err := c.behind(ctx, b, &p.cursor)
	if err != nil {
		return page{}, err
	}
	var stretches []*stretch
	gathered, deadline := 0, time.Now().Add(maxScanTime)
	for _, s := range behind {
		if gathered >= limit || p.scanned >= maxScanned || time.Now().After(deadline) {
			p.more = true
			break
		}
		stopped, err := c.fetch(ctx, b, s, limit-gathered, &p, deadline)
		if err != nil {
			return page{}, err
		}
		p.more = p.more || stopped
		gathered += len(s.records)
		stretches = append(stretches, &s.stretch)
	}
	c.metrics.scanned.Add(float64(p.scanned))
	return p, c.merge(ctx, b, stretches, limit, &p)
}

// lagging is a partition with records after the cursor.
type lagging struct {
	stretch
	end int64
}

// behind lists the partitions with something to read, those furthest behind
// first, so that none waits for ever while another is read. Afterwards the cursor
// says of every partition where it stands, so that a later look sees what was
// deleted of one that had nothing yet.
func (c *Courier) behind(ctx context.Context, b box, from *cursor) ([]*lagging, error) {
	var all []*lagging
	begins, lost := from.clone(), int64(0)
	for _, p := range b.read {
		r, err := c.rangeOf(ctx, b.topic, p)
		if err != nil {
			return nil, err
		}
		next, begun := from.next[p]
		if next > r.Next {
			return nil, errBeyond
		}
		if begun && next < r.First {
			lost += r.First - next
		}
		next = max(next, r.First)
		begins.next[p] = next
		if next < r.Next {
			all = append(all, &lagging{stretch{partition: p, next: next}, r.Next})
		}
	}
	if lost > 0 {
		c.metrics.gaps.Inc()
		return nil, &gapError{lost, begins.encode(b.owner)}
	}
	from.next = begins.next
	slices.SortStableFunc(all, func(a, b *lagging) int { return cmp.Compare(b.end-b.next, a.end-a.next) })
	return all, nil
}

func (c *Courier) rangeOf(ctx context.Context, topic string, partition int) (broker.Range, error) {
	asked, cancel := context.WithTimeout(ctx, brokerPatience)
	defer cancel()
	r, err := c.host.Broker.RangeOf(asked, topic, partition)
	return r, c.patience(ctx, err)
}

// patience turns an answer that did not come in time, or that a later try may
// bring, into errSlow.
func (c *Courier) patience(ctx context.Context, err error) error {
	var refused *broker.RefusedError
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, broker.ErrOutOfRange):
		return fmt.Errorf("%w: %w", errSlow, err)
	case errors.As(err, &refused) && refused.Gone():
		return fmt.Errorf("%w: %w", errSlow, err)
	}
	return err
}

// fetch reads a partition until it has as many of the owner's records as are
// wanted, its end, or a bound on the work is reached; the last two tell apart by
// stopped.
func (c *Courier) fetch(ctx context.Context, b box, s *lagging, wanted int, p *page, deadline time.Time) (stopped bool, err error) {
	reader := c.host.Broker.Cursor(b.topic, s.partition, s.next)
	for s.next < s.end && len(s.records) < wanted {
		if p.scanned >= maxScanned || time.Now().After(deadline) {
			return true, nil
		}
		asked, cancel := context.WithTimeout(ctx, brokerPatience)
		batch, err := reader.Fetch(asked)
		cancel()
		if err != nil {
			return false, c.patience(ctx, err)
		}
		if batch.Next == s.next {
			// The end that was asked for is not there to be read yet.
			return false, nil
		}
		p.scanned += len(batch.Records)
		for _, r := range batch.Records {
			if b.key == "" || string(r.Key) == b.key || r.Unreadable != nil {
				s.records = append(s.records, r)
				s.received = append(s.received, string(r.Header(ceReceivedTime)))
			}
		}
		s.next = batch.Next
	}
	return s.next < s.end, nil
}

// Header keys as they stand on a record.
const (
	ceReceivedTime       = "ce_" + schemas.AttrReceivedTime
	ceSubmittedPartition = "ce_" + schemas.AttrSubmittedPartition
	ceSubmittedOffset    = "ce_" + schemas.AttrSubmittedOffset
	ceReplay             = "ce_" + schemas.AttrReplay
)

// merge takes events from the stretches, the earliest received first, each
// stretch in its own order, until the answer is full. The cursor follows: it is
// always after what was taken, and before the rest.
func (c *Courier) merge(ctx context.Context, b box, all []*stretch, limit int, p *page) error {
	for _, s := range all {
		s.move(&p.cursor)
	}
	size := 0
	for {
		s := earliest(all)
		if s == nil {
			return nil
		}
		if len(p.events) >= limit || size >= maxAnswerBytes {
			p.more = true
			return nil
		}
		event, err := c.event(ctx, &s.records[0], p)
		if err != nil {
			return err
		}
		s.records, s.received = s.records[1:], s.received[1:]
		s.move(&p.cursor)
		if event == nil {
			continue
		}
		p.events = append(p.events, event)
		size += len(event)
		if b.mark {
			p.after = append(p.after, p.cursor.encode(b.owner))
		}
	}
}

// move moves the cursor to where the stretch is.
func (s *stretch) move(c *cursor) {
	if len(s.records) > 0 {
		c.next[s.partition] = s.records[0].Offset
	} else {
		c.next[s.partition] = s.next
	}
}

// earliest is the stretch whose next record was received first; nil when all are
// used up. The times are all written in one form that sorts as text.
func earliest(all []*stretch) *stretch {
	var first *stretch
	for _, s := range all {
		if len(s.records) > 0 && (first == nil || s.received[0] < first.received[0]) {
			first = s
		}
	}
	return first
}

// event is a record as its reader gets it; nil for one that is dropped.
func (c *Courier) event(ctx context.Context, r *broker.Record, p *page) ([]byte, error) {
	partition, perr := strconv.Atoi(string(r.Header(ceSubmittedPartition)))
	offset, oerr := strconv.ParseInt(string(r.Header(ceSubmittedOffset)), 10, 64)
	if err := cmp.Or(perr, oerr, errorIf(partition < 0 || partition >= maxPartitions || offset < 0)); err != nil || r.Unreadable != nil {
		c.lose(ctx, r, p, cmp.Or(err, errNoPlace))
		return nil, nil
	}
	replay := string(r.Header(ceReplay))
	if len(replay) > maxReplay {
		c.lose(ctx, r, p, errNoPlace)
		return nil, nil
	}
	if !p.cursor.take(replay, partition, offset) {
		p.repeats++
		c.metrics.repeats.Inc()
		return nil, nil
	}
	event, err := c.marshal(ctx, r)
	if _, ok := errors.AsType[*schemas.Refusal](err); ok {
		c.lose(ctx, r, p, err)
		return nil, nil
	}
	return event, err
}

var errNoPlace = errors.New("the record carries no place")

func errorIf(wrong bool) error {
	if wrong {
		return errNoPlace
	}
	return nil
}

// lose tells of a record that nobody can read, which the router did not write so.
// It is not given out, and those behind it are not held up.
func (c *Courier) lose(ctx context.Context, r *broker.Record, p *page, err error) {
	p.unreadable++
	c.metrics.unreadable.Inc()
	c.host.Log.ErrorContext(ctx, "record cannot be given out", telemetry.KeyTopic, r.Topic, telemetry.KeyPartition, r.Partition,
		telemetry.KeyOffset, r.Offset, telemetry.KeyError, err)
}
