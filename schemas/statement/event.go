package statement

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/relais-fr/relais/schemas"
)

// DigestBytes is the length of a digest.
const DigestBytes = sha256.Size

// Event is one event of a book, as a statement sees it.
type Event struct {
	Book      string
	Partition int
	// Offset is where it stands on its topic; -1 where that is not known.
	Offset int64
	// Number is what repeats are told by; the offset itself but on `to`.
	Number int64

	Source, ID, Type, Subject, Time string
	// Content is the SHA-256 of its content; unused for a receipt.
	Content [sha256.Size]byte
	// Replayed events are outside the numbers, and in no statement.
	Replayed bool
}

// OnFrom is a record of a `from` topic.
func OnFrom(partition int, offset int64, headers []schemas.Header, value []byte) Event {
	e := Event{Book: schemas.BookFrom, Partition: partition, Offset: offset, Number: offset, Content: sha256.Sum256(value)}
	e.attributes(headers)
	return e
}

// replayHeader marks what the hub gives again on its participant's own demand.
const replayHeader = "ce_replay"

// OnTo is a record of a `to` topic; ok is false for one that has no place of that
// partition, which no router writes.
func OnTo(partition int, offset int64, headers []schemas.Header, value []byte) (e Event, ok bool) {
	e = Event{Book: schemas.BookTo, Partition: partition, Offset: offset, Content: sha256.Sum256(Unframed(value))}
	e.attributes(headers)
	_, e.Replayed = header(headers, replayHeader)
	p, _ := header(headers, "ce_"+schemas.AttrSubmittedPartition)
	n, _ := header(headers, "ce_"+schemas.AttrSubmittedOffset)
	place, err := schemas.ParsePlace(p + "-" + n)
	e.Number = place.Offset
	return e, err == nil && place.Partition == partition
}

// Receipt is a submission by HTTP, by the place that was given for it.
func Receipt(place schemas.Place, source, id string) Event {
	return Event{Book: schemas.BookReceipts, Partition: place.Partition, Offset: place.Offset, Number: place.Offset, Source: source, ID: id}
}

// Unframed is a value without Confluent's frame, or as it is without one.
func Unframed(value []byte) []byte {
	const frame = 5
	if len(value) >= frame && value[0] == 0 {
		return value[frame:]
	}
	return value
}

func (e *Event) attributes(headers []schemas.Header) {
	e.Source, _ = header(headers, "ce_source")
	e.ID, _ = header(headers, "ce_id")
	e.Type, _ = header(headers, "ce_type")
	e.Subject, _ = header(headers, "ce_subject")
	e.Time, _ = header(headers, "ce_time")
}

func header(headers []schemas.Header, key string) (string, bool) {
	for _, h := range headers {
		if h.Key == key {
			return string(h.Value), true
		}
	}
	return "", false
}

// Place is `<partition>-<number>`: on `from` where it stands, else the event's place.
func (e *Event) Place() string {
	return schemas.Place{Partition: e.Partition, Offset: e.Number}.String()
}

// Digest is the event's digest.
func (e *Event) Digest() [DigestBytes]byte { return e.digest(e.Place()) }

// sameness is equal for what is a repeat of each other on `from`.
func (e *Event) sameness() [DigestBytes]byte { return e.digest("") }

func (e *Event) digest(place string) (sum [DigestBytes]byte) {
	content := ""
	if e.Book != schemas.BookReceipts {
		content = hex.EncodeToString(e.Content[:])
	}
	h := sha256.New()
	var buffer [512]byte
	b := buffer[:0]
	for _, field := range [...]string{e.Book, place, e.Source, e.ID, e.Type, e.Subject, e.Time, content} {
		b = netstring(b, field)
	}
	h.Write(b)
	return [DigestBytes]byte(h.Sum(sum[:0]))
}

func netstring(b []byte, s string) []byte {
	b = strconv.AppendInt(b, int64(len(s)), 10)
	b = append(b, ':')
	b = append(b, s...)
	return append(b, ',')
}

// firsts tells first occurrences from repeats, over one range.
type firsts struct {
	book    string
	highest int64
	seen    map[[DigestBytes]byte]struct{}
}

func newFirsts(book string, highest int64) *firsts {
	return &firsts{book: book, highest: highest, seen: map[[DigestBytes]byte]struct{}{}}
}

// take says whether the event is a first occurrence, and remembers it.
func (f *firsts) take(e *Event) bool {
	switch {
	case e.Replayed:
		return false
	case f.book == schemas.BookFrom:
		same := e.sameness()
		if _, ok := f.seen[same]; ok {
			return false
		}
		f.seen[same] = struct{}{}
	case e.Number <= f.highest:
		return false
	default:
		f.highest = e.Number
	}
	return true
}
