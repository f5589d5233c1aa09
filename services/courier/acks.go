package courier

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// acks are how far participants have acknowledged their mailboxes: who hands in a
// cursor again, or acknowledges it, has what came before it. Every few seconds it is committed to the
// consumer group `relais.mailbox.<participant>`, where the router, which watches
// that events are collected, finds it like that of a reader of Kafka. Safe for
// concurrent use.
type acks struct {
	broker *broker.Broker

	mu    sync.Mutex
	noted map[string]*noted // by owner
}

// noted is one participant's.
type noted struct {
	topic string
	next  map[int]int64
	dirty bool
	// known says that what was committed before is in next: another courier may
	// have been given a later cursor.
	known bool
	// committing keeps commits in order: an older one must not come later.
	committing chan struct{}
}

const (
	ackEvery   = 5 * time.Second
	ackTimeout = 10 * time.Second
)

func newAcks(b *broker.Broker) *acks {
	return &acks{broker: b, noted: map[string]*noted{}}
}

// note takes a cursor that was handed in. Offices share a topic of which nothing
// is ever deleted: theirs are not kept.
func (a *acks) note(b box, from cursor) {
	if b.key != "" || len(from.next) == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	n := a.noted[b.owner]
	if n == nil {
		n = &noted{topic: b.topic, next: map[int]int64{}, committing: make(chan struct{}, 1)}
		a.noted[b.owner] = n
	}
	n.further(from.next)
}

// further takes what is further than what is known.
func (n *noted) further(next map[int]int64) {
	for p, offset := range next {
		if offset > n.next[p] {
			n.next[p], n.dirty = offset, true
		}
	}
}

// run commits until ctx ends.
func (a *acks) run(ctx context.Context, c *Courier) {
	tick := time.NewTicker(ackEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for owner, topic := range a.dirty() {
			commit, cancel := context.WithTimeout(ctx, ackTimeout)
			err := a.commit(commit, owner, topic)
			cancel()
			if err != nil && ctx.Err() == nil {
				c.host.Log.WarnContext(ctx, "acknowledgement of a mailbox is not committed", telemetry.KeyParticipant, owner, telemetry.KeyError, err)
			}
		}
	}
}

func (a *acks) dirty() map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := map[string]string{}
	for owner, n := range a.noted {
		if n.dirty {
			all[owner] = n.topic
		}
	}
	return all
}

func (a *acks) commit(ctx context.Context, owner, topic string) error {
	group := a.broker.Topic(channelMailbox + "." + owner)
	a.mu.Lock()
	n := a.noted[owner]
	a.mu.Unlock()
	n.committing <- struct{}{}
	defer func() { <-n.committing }()
	a.mu.Lock()
	known, most := n.known, 0
	for p := range n.next {
		most = max(most, p+1)
	}
	a.mu.Unlock()
	if !known {
		before, err := a.broker.GroupOffsets(ctx, group, topic, most)
		if err != nil {
			return err
		}
		a.mu.Lock()
		for p, at := range before {
			n.next[p] = max(n.next[p], at.Offset)
		}
		n.known = true
		a.mu.Unlock()
	}
	a.mu.Lock()
	next := maps.Clone(n.next)
	n.dirty = false
	a.mu.Unlock()
	if err := a.broker.CommitGroup(ctx, group, topic, next); err != nil {
		a.mu.Lock()
		n.dirty = true
		a.mu.Unlock()
		return err
	}
	return nil
}
