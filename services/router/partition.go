package router

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/logbook"
	"github.com/relais-fr/relais/services/internal/pause"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// partition shares out one partition of recorded while it is ours. One reader
// hands the copies to a lane for each recipient and goes on; it waits for none. A
// lane that does not get rid of its copies falls behind: it keeps no more than what
// it is just writing, and later reads recorded itself from where it stands, until
// it has caught up with the reader. What is committed is the position of all, and
// beside it that of each lane behind.
type partition struct {
	*Router
	claim  *broker.Claim
	number int

	// moved says that there may be something to commit.
	moved chan struct{}
	work  sync.WaitGroup // of the lanes
	fail  context.CancelCauseFunc

	mu    sync.Mutex // guards what follows, and the lanes' fields
	seen  *broker.Dedup
	lanes map[string]*lane
}

const (
	// commitEvery is the least time between two commits.
	commitEvery = 50 * time.Millisecond
	// lastCommit is how long the commit at the end may take: the group waits.
	lastCommit = 2 * time.Second
)

// route copies one partition for as long as it is ours. It goes on from the book
// in the group's commit; an unknown one, or one that a log which was cut does not
// reach, means the beginning, never the end: readers drop by number what they have.
func (r *Router) route(ctx context.Context, claim *broker.Claim) error {
	from, err := committed(ctx, claim)
	if err != nil {
		return err
	}
	for {
		reached, err := r.share(ctx, claim, from)
		begun := from.Pair == broker.Beginning() && len(from.Behind) == 0
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, broker.ErrBadPair) && !begun, errors.Is(err, broker.ErrOutOfRange) && (!begun || reached != broker.Beginning()):
			r.host.Log.WarnContext(ctx, "position does not fit the log: routing from the beginning", telemetry.KeyPartition, claim.Partition, telemetry.KeyError, err)
			from = logbook.Beginning()
		default:
			return err
		}
	}
}

func committed(ctx context.Context, claim *broker.Claim) (logbook.Book, error) {
	_, metadata, ok, err := claim.Committed(ctx)
	if err != nil {
		return logbook.Book{}, fmt.Errorf("position of partition %d: %w", claim.Partition, err)
	}
	if ok {
		if b, err := logbook.Parse(metadata); err == nil {
			return b, nil
		}
	}
	return logbook.Beginning(), nil
}

// share runs the reader, the lanes and the commits until ctx ends or one fails, and
// tells how far the reader came.
func (r *Router) share(ctx context.Context, claim *broker.Claim, from logbook.Book) (broker.Pair, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	p := &partition{
		Router: r, claim: claim, number: claim.Partition, moved: make(chan struct{}, 1), fail: fail,
		seen: broker.NewDedup(from.Pair), lanes: map[string]*lane{},
	}
	r.waiting.add(p)
	defer r.waiting.remove(p)
	p.resume(ctx, from)
	var committing sync.WaitGroup
	committing.Go(func() { p.commits(ctx) })
	fail(p.read(ctx, from.Pair.Next))
	p.work.Wait()
	committing.Wait()
	return p.seen.Pair(), context.Cause(ctx) // the reader's fault, or a lane's
}

// resume takes up the lanes that were behind.
func (p *partition) resume(ctx context.Context, from logbook.Book) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, m := range from.Behind {
		topic, number, _ := strings.Cut(name, "/")
		n, err := strconv.Atoi(number)
		if err != nil {
			continue
		}
		l := p.lane(p.host.Broker.Topic(topic), n)
		l.behind, l.next, l.told, l.late = true, m.Copied, m.Told, m.Held
		l.resumed = time.Now()
		l.start(ctx)
	}
}

// read reads recorded and hands out the copies.
func (p *partition) read(ctx context.Context, next int64) error {
	cursor := p.claim.Cursor(next)
	for {
		batch, err := cursor.Fetch(ctx)
		if err != nil {
			return err
		}
		if len(batch.Records) == 0 {
			continue
		}
		if err := p.room(ctx); err != nil {
			return err
		}
		copies, err := p.handOut(ctx, batch)
		if err != nil {
			return err
		}
		p.tellMoved()
		p.host.Log.InfoContext(ctx, "outcomes routed", telemetry.KeyPartition, p.number, telemetry.KeyCount, len(batch.Records), "copies", copies)
	}
}

// handOut gives the copies of a batch to the lanes that are not behind.
func (p *partition) handOut(ctx context.Context, batch broker.Batch) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	copies := 0
	for _, record := range batch.Records {
		place, err := placeOf(record)
		if err != nil {
			return 0, err
		}
		before := p.seen.Pair()
		fresh, err := p.seen.Take(record.Offset, place.Offset)
		if err != nil {
			return 0, err
		}
		if !fresh {
			p.metrics.dropped.Inc()
			continue
		}
		for _, c := range p.copies(record, place, before) {
			p.lane(c.record.Topic, c.record.Partition).push(ctx, c)
			copies++
		}
	}
	p.seen.Skip(batch.Next)
	return copies, nil
}

const (
	// laneFull is how many bytes of copies a lane may have waiting before the reader
	// waits for it.
	laneFull = 1 << 20
	// patience is how long the reader waits for a lane that is full and of whose
	// copies none is acknowledged.
	patience = 250 * time.Millisecond
)

// room waits for lanes that are full and moving, so that a backlog is read once
// for all of them. One that does not move falls behind.
func (p *partition) room(ctx context.Context) error {
	for {
		l := p.full()
		if l == nil {
			return nil
		}
		limit := time.NewTimer(patience)
		select {
		case <-l.moved:
		case <-limit.C:
			p.mu.Lock()
			l.fallBehind()
			p.mu.Unlock()
		case <-ctx.Done():
			limit.Stop()
			return ctx.Err()
		}
		limit.Stop()
	}
}

func (p *partition) full() *lane {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lanes {
		if !l.behind && l.bytes > laneFull {
			return l
		}
	}
	return nil
}

// lane is the lane of a recipient's partition; p.mu is held.
func (p *partition) lane(topic string, number int) *lane {
	short, _ := p.host.Broker.ShortName(topic)
	name := logbook.Name(short, number)
	l := p.lanes[name]
	if l == nil {
		l = &lane{p: p, name: name, topic: topic, partition: number, label: strings.TrimPrefix(short, "to."), moved: make(chan struct{}, 1), told: broker.Beginning(), late: broker.Beginning()}
		p.lanes[name] = l
	}
	return l
}

// book is where everybody stands.
func (p *partition) book() logbook.Book {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := logbook.Book{Pair: p.seen.Pair(), Behind: map[string]logbook.Mark{}}
	for name, l := range p.lanes {
		switch at := l.at(); {
		case l.behind:
			m := logbook.At(at)
			if l.told.Next > at.Next {
				m.Told = l.told
			}
			if held := l.heldUpTo(); held.Next > at.Next {
				m.Held = held
			}
			b.Behind[name] = m
		case at.Next < b.Pair.Next:
			b.Pair = at
		}
	}
	for name, m := range b.Behind {
		if m.Copied.Next >= b.Pair.Next && m == logbook.At(m.Copied) {
			delete(b.Behind, name)
		}
	}
	return b
}

func (p *partition) tellMoved() {
	select {
	case p.moved <- struct{}{}:
	default:
	}
}

// commits commits where everybody stands whenever that has changed, and once more
// when ctx has ended and the lanes have stopped.
func (p *partition) commits(ctx context.Context) {
	done := ""
	for {
		select {
		case <-p.moved:
			done = p.commit(ctx, done)
			if pause.For(ctx, commitEvery) == nil {
				continue
			}
		case <-ctx.Done():
		}
		break
	}
	p.work.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastCommit)
	defer cancel()
	p.commit(last, done)
}

// commit returns what is committed now.
func (p *partition) commit(ctx context.Context, done string) string {
	b := p.book().Fit()
	text := b.String()
	if text == done || done == "" && b.Pair == broker.Beginning() {
		return done
	}
	if err := p.claim.Commit(ctx, b.Pair.Next, text); err != nil {
		// Uncommitted copies are made again by the next owner, and dropped.
		if ctx.Err() == nil && !errors.Is(err, broker.ErrGenerationOver) {
			p.host.Log.WarnContext(ctx, "position is not committed", telemetry.KeyPartition, p.number, telemetry.KeyError, err)
		}
		return done
	}
	return text
}
