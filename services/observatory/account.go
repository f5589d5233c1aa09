package observatory

import (
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/statement"
	"github.com/relais-fr/relais/services/internal/broker"
)

// account is one participant's next statement while it is drawn up.
type account struct {
	participant string
	last        *statement.Issued // nil before the first
	books       []*book
}

// book is one topic of an account.
type book struct {
	name, topic string
	partitions  map[int]*page
}

// page is one partition of a book.
type page struct {
	*statement.Range
	// closed says that no more of it fits in this statement.
	closed bool
}

func newAccount(participant string, b *broker.Broker) *account {
	return &account{participant: participant, books: []*book{
		{name: schemas.BookFrom, topic: b.Topic("from." + participant)},
		{name: schemas.BookReceipts, topic: b.Topic("submitted")},
		{name: schemas.BookTo, topic: b.Topic("to." + participant)},
	}}
}

// topics are those that are the participant's own.
func (a *account) topics() []string { return []string{a.books[0].topic, a.books[2].topic} }

func (a *account) book(name string) *book {
	for _, b := range a.books {
		if b.name == name {
			return b
		}
	}
	return nil
}

// positionBefore is where the statement before this one ended.
func (a *account) positionBefore(name string, partition int) (next, highest int64) {
	if a.last == nil {
		return 0, -1
	}
	return statement.PositionOf(a.last.StatementIssued, name, a.book(name).topic, partition)
}

// begin opens a page for a partition of which the log holds the range.
func (a *account) begin(b *book, partition int, holds broker.Range) *page {
	next, highest := a.positionBefore(b.name, partition)
	p := &page{Range: statement.NewRange(b.name, b.topic, partition, max(next, holds.First), highest)}
	if b.partitions == nil {
		b.partitions = map[int]*page{}
	}
	b.partitions[partition] = p
	return p
}

// take takes an event into its page, if there is room for it; false when the
// page is closed.
func (a *account) take(p *page, e statement.Event) bool {
	if p.closed || !statement.Room(a.bytes()) {
		p.closed = true
		return false
	}
	p.Take(e)
	return true
}

func (a *account) bytes() int {
	n := 0
	for _, b := range a.books {
		for _, p := range b.partitions {
			n += p.Bytes()
		}
	}
	return n
}

// statement is what the account's pages come to, not signed yet.
func (a *account) statement(at time.Time, interval time.Duration) *schemas.StatementIssued {
	s := &schemas.StatementIssued{Participant: a.participant, Number: 1, SpanStart: at.Add(-interval), SpanEnd: at, Complete: true}
	if a.last != nil {
		id := a.last.ID
		s.Number, s.Predecessor, s.PredecessorHash = a.last.Number+1, &id, statement.Hash(a.last.StatementIssued)
		s.SpanStart = a.last.SpanEnd
		if !a.last.Complete {
			s.SpanStart, s.SpanEnd = a.last.SpanStart, a.last.SpanEnd
		}
	}
	for _, b := range a.books {
		position := schemas.StatementPosition{Book: b.name, Topic: b.topic, Next: make([]int64, len(b.partitions)), Highest: make([]int64, len(b.partitions))}
		for n := range len(b.partitions) {
			p := b.partitions[n]
			position.Next[n], position.Highest[n] = p.Next(), -1
			if b.name == schemas.BookTo {
				position.Highest[n] = p.Highest()
			}
			s.Complete = s.Complete && !p.closed
			if closed, ok := p.Close(); ok {
				s.Ranges = append(s.Ranges, closed)
			}
		}
		s.Positions = append(s.Positions, position)
	}
	return s
}

// goOn begins the next statement after the one that was issued.
func (a *account) goOn(issued *statement.Issued) {
	a.last = issued
	for _, b := range a.books {
		b.partitions = nil
	}
}
