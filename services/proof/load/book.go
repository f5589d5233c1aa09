package load

import (
	"maps"
	"sync"
	"time"
)

// Event is one event of a client's, and what the client wrote down about it.
type Event struct {
	ID, Source, Type, Subject string
	// By is who hands it in; Topic says that it goes by the participant's Kafka
	// topic, and not by HTTP.
	By    string
	Topic bool
	Data  map[string]any
	// Reason is that of the refusal that the client provokes; "" for a fact.
	Reason string
	// Parties are those to whom its outcome is due: `cnaf`, `offices/demo-1`.
	Parties []string
	// Dossier and Step are its number within the load, and within the dossier.
	Dossier, Step int

	Attempts     int
	Attempted    time.Time // at first
	Acknowledged time.Time // zero: never
	// Place, Told and Sequence are what HTTP said of the attempt that was
	// acknowledged: where it stands, and, to those who waited, what became of it.
	Place, Told, Sequence string
}

// Book is what the clients wrote down: what they attempted and what was
// acknowledged to them. Safe for concurrent use.
type Book struct {
	mu     sync.Mutex
	events map[string]*Event
	// surprises are answers that no client should get.
	surprises []string

	waiting   int
	acks      int
	since     time.Time // of the last acknowledgement, or of the first wait after it
	pause     time.Duration
	pauseFrom time.Time
	held      int
}

func newBook() *Book { return &Book{events: map[string]*Event{}} }

// BookOf is a book in which all of these were acknowledged.
func BookOf(acknowledged ...Event) *Book {
	b := newBook()
	for _, e := range acknowledged {
		b.Attempted(e)
		b.acknowledge(b.events[e.ID], told{e.Place, e.Told, e.Sequence})
	}
	return b
}

// Attempted writes an attempt down that nobody has answered.
func (b *Book) Attempted(e Event) { b.attempt(&e) }

// attempt writes down that an event is about to be sent, once more or for the
// first time.
func (b *Book) attempt(e *Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if e.Attempts == 0 {
		b.events[e.ID] = e
		e.Attempted = now
		if b.waiting == 0 {
			b.since = now
		}
		b.waiting++
	}
	e.Attempts++
}

// told is what a client was told of an attempt.
type told struct{ place, outcome, sequence string }

// acknowledge writes down that the hub has taken the event on.
func (b *Book) acknowledge(e *Event, t told) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e.Acknowledged, e.Place, e.Told, e.Sequence = time.Now(), t.place, t.outcome, t.sequence
	b.acks++
	b.ended()
}

// surprise writes down an answer that ends the attempts, and should not be.
func (b *Book) surprise(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.surprises = append(b.surprises, what)
	b.ended()
}

// ended is called with b.mu held, when an event waits no more.
func (b *Book) ended() {
	now := time.Now()
	if gap := now.Sub(b.since); gap > b.pause {
		b.pause, b.pauseFrom = gap, b.since
	}
	b.since = now
	b.waiting--
}

func (b *Book) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held++
}

// Waiting is how many events wait to be acknowledged, Acknowledged how many were.
func (b *Book) Waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waiting
}

// Acknowledged is how many events were acknowledged so far.
func (b *Book) Acknowledged() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.acks
}

// Pause is the longest time in which clients waited and none was acknowledged
// anything.
func (b *Book) Pause() (longest time.Duration, from time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pause, b.pauseFrom
}

// Held is how many events did not come into being because too many waited.
func (b *Book) Held() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held
}

// Events are copies of all entries by the events' ids.
func (b *Book) Events() map[string]Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make(map[string]Event, len(b.events))
	for id, e := range maps.All(b.events) {
		all[id] = *e
	}
	return all
}

// Surprises are answers that no client should have got.
func (b *Book) Surprises() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.surprises...)
}
