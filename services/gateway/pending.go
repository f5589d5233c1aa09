package gateway

import (
	"slices"
	"sync"
	"time"

	"github.com/relais-fr/relais/schemas"
)

// pending knows what this gateway has handed in and seen no outcome of, by who
// handed it in, to tell how long the oldest has waited: whatever holds the ledger
// up, its senders wait. It starts empty with the process. Safe for concurrent use.
type pending struct {
	mu         sync.Mutex // taken after that of outcomes
	partitions []pendingPartition
}

// pendingPartition is one partition of `relais.submitted`. It remembers spells, not
// submissions: an outage of the ledger may leave millions.
type pendingPartition struct {
	decided int64 // highest submission whose outcome was seen; -1 before the first
	spells  map[string][]spell
}

// spell is what somebody handed in within a second.
type spell struct {
	since time.Time
	last  int64 // highest submission
}

const (
	spellLength = time.Second
	// maxSpells bounds what is remembered of one sender on one partition. What
	// comes later belongs to the last spell.
	maxSpells = 512
)

func newPending(partitions int) *pending {
	p := &pending{partitions: make([]pendingPartition, partitions)}
	for i := range p.partitions {
		p.partitions[i] = pendingPartition{decided: -1, spells: map[string][]spell{}}
	}
	return p
}

// add remembers an acknowledged submission of the operator, received at since.
func (p *pending) add(place schemas.Place, operator string, since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	on := &p.partitions[place.Partition]
	all := on.spells[operator]
	switch n := len(all); {
	case place.Offset <= on.decided:
		on.spells[operator] = all // known from now on
	case n > 0 && (n >= maxSpells || since.Sub(all[n-1].since) < spellLength):
		all[n-1].last = max(all[n-1].last, place.Offset)
	default:
		on.spells[operator] = append(all, spell{since, place.Offset})
	}
}

// decide forgets the submissions of the partition up to the highest that has an
// outcome.
func (p *pending) decide(partition int, highest int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	on := &p.partitions[partition]
	on.decided = max(on.decided, highest)
	for operator, all := range on.spells {
		n := 0
		for n < len(all) && all[n].last <= on.decided {
			n++
		}
		on.spells[operator] = slices.Delete(all, 0, n)
	}
}

// oldest is how many seconds the oldest of each operator has waited, 0 for those of
// whom nothing waits.
func (p *pending) oldest() map[string]float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	ages := make(map[string]float64)
	for _, on := range p.partitions {
		for operator, all := range on.spells {
			age := 0.0
			if len(all) > 0 {
				age = time.Since(all[0].since).Seconds()
			}
			ages[operator] = max(ages[operator], age)
		}
	}
	return ages
}
