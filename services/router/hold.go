package router

import (
	"context"
	"errors"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// Kafka asks for rights when a fetch begins, so that one which waits is answered once
// more, with whatever comes, however long ago its participant was denied. So nothing
// comes: the copies for a participant that is suspended are held back, as those for a
// slow one, and its lane's place in the book says from where on. When it is resumed
// the lane reads them on recorded, in order, before anything new. A participant that
// is closed does not come back: its copies are told to be dead, so that their senders
// know, and none is made.

// standing is what the directory says of a recipient.
type standing int

const (
	open standing = iota
	suspended
	closed
)

// errSuspended says that the recipient is suspended.
var errSuspended = errors.New("the recipient is suspended")

// standing is that of a party that has a topic of its own. Offices' copies are for
// the hub itself, and whoever is not in the directory has nobody to suspend it.
func (r *Router) standing(party string) standing {
	p, ok := r.host.Directory.Participant(party)
	switch {
	case !ok || !p.HasTopics() || p.Active():
		return open
	case p.Closed():
		return closed
	}
	return suspended
}

func (l *lane) standing() standing { return l.p.standing(l.label) }

// hold lets go of all copies, and waits until the recipient is not suspended any
// more.
func (l *lane) hold(ctx context.Context) error {
	l.p.mu.Lock()
	if len(l.pending) > 0 {
		l.next, l.oldest = l.pending[0].before, l.pending[0].received
	}
	l.behind, l.held, l.pending, l.writing, l.bytes = true, true, nil, 0, 0
	known := !l.oldest.IsZero()
	l.p.mu.Unlock()
	l.p.tellMoved()
	l.p.host.Log.InfoContext(ctx, "recipient is suspended, its copies are held back", telemetry.KeyTopic, l.topic, telemetry.KeyPartition, l.p.number)
	if !known {
		if err := l.seek(ctx); err != nil {
			return err
		}
	}
	if err := l.awaitResumption(ctx); err != nil {
		return err
	}
	l.p.mu.Lock()
	l.late, l.held, l.resumed = l.heldUpTo(), false, time.Now()
	l.p.mu.Unlock()
	l.p.tellMoved()
	l.p.host.Log.InfoContext(ctx, "recipient is not suspended any more, it gets what was held back", telemetry.KeyTopic, l.topic, telemetry.KeyPartition, l.p.number)
	return nil
}

func (l *lane) awaitResumption(ctx context.Context) error {
	for {
		_, changed := l.p.host.Directory.Watch()
		if l.standing() != suspended {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// seek finds the first copy that is held back, for a router that has just taken the
// partition over: since when it has waited is not in the book.
func (l *lane) seek(ctx context.Context) error {
	for {
		l.p.mu.Lock()
		from, goal := l.next, l.p.seen.Pair().Next
		l.p.mu.Unlock()
		if from.Next >= goal {
			return nil
		}
		copies, next, err := l.missed(ctx, from)
		if err != nil {
			return err
		}
		l.p.mu.Lock()
		l.next = next
		if len(copies) > 0 {
			l.next, l.oldest = copies[0].before, copies[0].received
		}
		l.p.mu.Unlock()
		if len(copies) > 0 {
			return nil
		}
	}
}

// heldUpTo is up to where copies are held back, or were; p.mu is held.
func (l *lane) heldUpTo() broker.Pair {
	if seen := l.p.seen.Pair(); l.held && seen.Next > l.late.Next {
		return seen
	}
	return l.late
}

// isLate says whether a copy was held back.
func (l *lane) isLate(c *copied) bool {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	return c.origin.Offset < l.late.Next
}

// recordsOf are the records of copies as they are written. The time of those that
// were held back is now: a topic keeps its records by it, and would remove what is
// older than that before anybody could have it.
func (l *lane) recordsOf(batch []*copied) []broker.Record {
	records := make([]broker.Record, len(batch))
	now := time.Now()
	for i, c := range batch {
		records[i] = c.record
		if l.isLate(c) {
			records[i].Time = now
		}
	}
	return records
}

// shutOut tells of copies for a participant that is closed that they are dead, unless
// it was told before because the topic was gone.
func (l *lane) shutOut(ctx context.Context, batch []*copied) error {
	l.p.mu.Lock()
	told := l.told
	l.p.mu.Unlock()
	var changes []*schemas.DeliveryChanged
	for _, c := range batch {
		if c.origin.Offset >= told.Next {
			changes = append(changes, c.change(schemas.DeliveryDead, schemas.DeliveryClosed))
		}
	}
	if err := l.p.publish(ctx, changes); err != nil {
		return err
	}
	l.p.metrics.dead.WithLabelValues(l.label).Add(float64(len(changes)))
	l.p.metrics.attempts.WithLabelValues(channelOf(batch[0].party), outcomeClosed, "").Add(float64(len(changes)))
	l.settled(len(batch))
	return nil
}
