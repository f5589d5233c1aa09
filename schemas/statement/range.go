package statement

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"math"

	"github.com/relais-fr/relais/schemas"
)

// ShortBytes is how much of an event's digest stands in a range's entries.
const ShortBytes = 8

// maxEntry bounds the bytes of one entry.
const maxEntry = 2*binary.MaxVarintLen64 + ShortBytes

// Range gathers the events of one partition into a statement's range, in their
// order. It belongs to one goroutine.
type Range struct {
	r      schemas.StatementRange
	firsts *firsts
	sum    hash.Hash
	offset int64 // of the last entry
	number int64
}

// NewRange begins a range at the offset first; highest is the highest number seen
// on the partition before, -1 for none and for other books than `to`.
func NewRange(book, topic string, partition int, first, highest int64) *Range {
	return &Range{
		r:      schemas.StatementRange{Book: book, Topic: topic, Partition: partition, First: first, Next: first, Highest: highest},
		firsts: newFirsts(book, highest), sum: sha256.New(), offset: first, number: highest,
	}
}

// Take takes the next event of the partition; a repeat changes nothing but where
// the range ends.
func (r *Range) Take(e Event) {
	r.Skip(e.Offset + 1)
	if !r.firsts.take(&e) {
		return
	}
	digest := e.Digest()
	r.sum.Write(digest[:])
	r.r.Entries = binary.AppendUvarint(r.r.Entries, uint64(e.Offset-r.offset))
	r.r.Entries = binary.AppendUvarint(r.r.Entries, uint64(e.Number-r.number))
	r.r.Entries = append(r.r.Entries, digest[:ShortBytes]...)
	r.offset, r.number = e.Offset, e.Number
	r.r.Events++
}

// Skip says that up to next nothing else stands on the partition.
func (r *Range) Skip(next int64) { r.r.Next = max(r.r.Next, next) }

// Next is the offset after the last one taken or skipped.
func (r *Range) Next() int64 { return r.r.Next }

// Highest is the highest number seen, with what came before.
func (r *Range) Highest() int64 { return r.firsts.highest }

// Bytes is how large its entries are.
func (r *Range) Bytes() int { return len(r.r.Entries) }

// Close is the range; ok is false when nothing was taken or skipped.
func (r *Range) Close() (closed schemas.StatementRange, ok bool) {
	closed = r.r
	closed.Digest = r.sum.Sum(nil)
	if closed.Entries == nil {
		closed.Entries = []byte{}
	}
	return closed, closed.Next > closed.First
}

// Room says whether a statement whose entries have that many bytes can take
// another event.
func Room(bytes int) bool { return bytes+maxEntry <= schemas.MaxStatementEntries }

// Entry is one first occurrence of a range, as far as the statement tells it.
type Entry struct {
	Offset, Number int64
	Short          [ShortBytes]byte
}

// ErrEntries says that the entries of a range contradict the range.
var ErrEntries = errors.New("the entries of a range are not those of its events")

// Entries reads a range's entries.
func Entries(r *schemas.StatementRange) ([]Entry, error) {
	if r.Events < 0 || r.Events > int64(len(r.Entries))/(ShortBytes+2) {
		return nil, ErrEntries
	}
	all := make([]Entry, 0, r.Events)
	offset, number, rest := r.First, r.Highest, r.Entries
	for i := int64(0); i < r.Events; i++ {
		var err error
		if offset, rest, err = step(offset, rest); err != nil {
			return nil, err
		}
		if number, rest, err = step(number, rest); err != nil || len(rest) < ShortBytes || offset >= r.Next {
			return nil, ErrEntries
		}
		e := Entry{Offset: offset, Number: number, Short: [ShortBytes]byte(rest)}
		rest = rest[ShortBytes:]
		if i > 0 && (e.Offset <= all[i-1].Offset || e.Number <= all[i-1].Number) {
			return nil, ErrEntries
		}
		all = append(all, e)
	}
	if len(rest) > 0 {
		return nil, ErrEntries
	}
	return all, nil
}

func step(from int64, bytes []byte) (to int64, rest []byte, err error) {
	d, n := binary.Uvarint(bytes)
	if n <= 0 || d > math.MaxInt64 || from+int64(d) < from {
		return 0, nil, ErrEntries
	}
	return from + int64(d), bytes[n:], nil
}
