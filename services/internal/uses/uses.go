// Package uses counts who uses which schema, as far as a door sees it: the gateway
// sees what data is written with, the registry who asks for a schema. It counts in
// memory, since the process began: what it does not tell was not seen, and may be all
// the same.
package uses

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// maxUses bounds what is kept apart; what comes beyond is counted together.
const maxUses = 10_000

// Key is what is counted.
type Key struct {
	// Participant is "" where nobody was asked.
	Participant string `json:"participant"`
	// Channel is by what the use was seen: http, kafka, registry.
	Channel string `json:"channel"`
	// Type is the event's, "" where only the schema is known.
	Type string `json:"type,omitempty"`
	// Schema is the schema's id, 0 for JSON, which says none.
	Schema int `json:"schema,omitempty"`
}

// Use is one use, and how often it was seen.
type Use struct {
	Key
	Count int64     `json:"count"`
	Last  time.Time `json:"last"`
}

// Answer is what a door tells.
type Answer struct {
	// Since is when the counting began.
	Since time.Time `json:"since"`
	Uses  []Use     `json:"uses"`
	// Untold were seen and not kept apart.
	Untold int64 `json:"untold,omitempty"`
}

// Table counts uses. It is safe for concurrent use.
type Table struct {
	since time.Time

	mu     sync.Mutex
	seen   map[Key]*Use
	untold int64
}

// New makes an empty table.
func New() *Table { return &Table{since: time.Now().UTC(), seen: map[Key]*Use{}} }

// Note counts one use.
func (t *Table) Note(k Key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.seen[k]
	if u == nil {
		if len(t.seen) == maxUses {
			t.untold++
			return
		}
		u = &Use{Key: k}
		t.seen[k] = u
	}
	u.Count++
	u.Last = time.Now().UTC()
}

// Tell is what was counted of those whose may says so.
func (t *Table) Tell(may func(participant string) bool) Answer {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := Answer{Since: t.since, Uses: []Use{}, Untold: t.untold}
	for _, u := range t.seen {
		if may(u.Participant) {
			a.Uses = append(a.Uses, *u)
		}
	}
	slices.SortFunc(a.Uses, func(x, y Use) int {
		return cmp.Or(cmp.Compare(x.Participant, y.Participant), cmp.Compare(x.Type, y.Type), cmp.Compare(x.Schema, y.Schema), cmp.Compare(x.Channel, y.Channel))
	})
	return a
}
