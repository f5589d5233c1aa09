package statement

import (
	"crypto/sha256"
	"fmt"

	"github.com/relais-fr/relais/schemas"
)

// Kind is what kind of difference there is between a statement and a log.
type Kind string

// The kinds of difference.
const (
	Missing Kind = "missing" // the statement has it, the log has not
	Extra   Kind = "extra"   // the log has it, the statement has not
	Changed Kind = "changed" // both have it, with other content
	Order   Kind = "order"   // both have it, elsewhere
)

// Difference is the first difference of a range and a log.
type Difference struct {
	Kind      Kind
	Topic     string
	Partition int
	// Offset is where the event stands on the topic; -1 where nobody knows.
	Offset int64
	// Place is the event's; on `from` where it stands.
	Place string
	// Source and ID are the event's where the log has it: a statement has no ids.
	Source, ID string
	// Detail says more where there is more to say.
	Detail string
}

func (d *Difference) Error() string {
	at := fmt.Sprintf("%s/%d", d.Topic, d.Partition)
	if d.Offset >= 0 {
		at += fmt.Sprintf(", offset %d", d.Offset)
	}
	text := fmt.Sprintf("%s: %s, event %s", d.Kind, at, d.Place)
	if d.ID != "" {
		text += fmt.Sprintf(", id %s of %s", d.ID, d.Source)
	}
	if d.Detail != "" {
		text += ": " + d.Detail
	}
	return text
}

// Compare finds the first difference between a range and the log's events of the
// same book and partition, in the log's order. Events that the range does not
// cover are passed over. It returns how many events agree, and nil or a
// *Difference; any other error says that the range contradicts itself.
func Compare(r *schemas.StatementRange, log []Event) (events int64, err error) {
	entries, err := Entries(r)
	if err != nil {
		return 0, fmt.Errorf("%s/%d: %w", r.Topic, r.Partition, err)
	}
	c := comparison{r: r, entries: entries, stated: map[int64]bool{}, logged: map[int64]*Event{}}
	for _, e := range entries {
		c.stated[e.Number] = true
	}
	c.gather(log)
	return c.compare()
}

type comparison struct {
	r       *schemas.StatementRange
	entries []Entry
	stated  map[int64]bool   // numbers of the statement
	logged  map[int64]*Event // the log's first event of each number
	firsts  []*Event         // the log's first occurrences
}

// gather takes what the range covers of the log. A mailbox tells no offsets: there
// the numbers say what is covered.
func (c *comparison) gather(log []Event) {
	last := c.r.Highest
	if n := len(c.entries); n > 0 {
		last = c.entries[n-1].Number
	}
	first := newFirsts(c.r.Book, c.r.Highest)
	for i := range log {
		e := &log[i]
		covered := c.r.First <= e.Offset && e.Offset < c.r.Next
		if e.Offset < 0 {
			covered = c.r.Highest < e.Number && e.Number <= last
		}
		if !covered || e.Replayed {
			continue
		}
		if c.logged[e.Number] == nil {
			c.logged[e.Number] = e
		}
		if first.take(e) {
			c.firsts = append(c.firsts, e)
		}
	}
}

func (c *comparison) compare() (int64, error) {
	sum := sha256.New()
	for i := 0; i < len(c.entries) || i < len(c.firsts); i++ {
		var stated *Entry
		var logged *Event
		if i < len(c.entries) {
			stated = &c.entries[i]
		}
		if i < len(c.firsts) {
			logged = c.firsts[i]
		}
		if d := c.difference(stated, logged); d != nil {
			return int64(i), d
		}
		digest := logged.Digest()
		if [ShortBytes]byte(digest[:]) != stated.Short {
			return int64(i), c.named(Changed, logged, "its content or an attribute is not what it was")
		}
		sum.Write(digest[:])
	}
	if string(sum.Sum(nil)) != string(c.r.Digest) {
		return 0, &Difference{Kind: Changed, Topic: c.r.Topic, Partition: c.r.Partition, Offset: -1, Place: "?", Detail: "the digest of all events differs, though the short one of each agrees"}
	}
	return int64(len(c.entries)), nil
}

// difference compares what comes next on both sides, but for the content.
func (c *comparison) difference(stated *Entry, logged *Event) error {
	switch {
	case logged != nil && !c.stated[logged.Number]:
		return c.named(Extra, logged, "the hub has no such event")
	case stated == nil:
		return c.named(Extra, logged, "the hub has it once")
	case c.logged[stated.Number] == nil:
		return &Difference{
			Kind: Missing, Topic: c.r.Topic, Partition: c.r.Partition, Offset: stated.Offset,
			Place: schemas.Place{Partition: c.r.Partition, Offset: stated.Number}.String(), Detail: "the log does not have it",
		}
	case logged == nil || logged.Number != stated.Number:
		return c.named(Order, c.logged[stated.Number], "it stands elsewhere in the log")
	case logged.Offset >= 0 && logged.Offset != stated.Offset:
		return c.named(Order, logged, fmt.Sprintf("the hub has it at offset %d", stated.Offset))
	}
	return nil
}

func (c *comparison) named(kind Kind, e *Event, detail string) *Difference {
	return &Difference{
		Kind: kind, Topic: c.r.Topic, Partition: c.r.Partition, Offset: e.Offset, Place: e.Place(),
		Source: e.Source, ID: e.ID, Detail: detail,
	}
}
