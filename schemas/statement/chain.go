package statement

import (
	"bytes"
	"fmt"

	"github.com/relais-fr/relais/schemas"
)

// CheckChain says in a sentence where two statements that should follow each other
// do not; "" when they do.
func CheckChain(before, after Issued) string {
	switch {
	case before.Participant != after.Participant:
		return fmt.Sprintf("it is that of %s, the one before that of %s", after.Participant, before.Participant)
	case after.Number == before.Number && after.ID == before.ID:
		return "it is there twice, with different content"
	case after.Number != before.Number+1:
		return fmt.Sprintf("it follows number %d: what lies between is not here", before.Number)
	case after.Predecessor == nil || *after.Predecessor != before.ID:
		return fmt.Sprintf("it names another predecessor than %s", before.ID)
	case !bytes.Equal(after.PredecessorHash, Hash(before.StatementIssued)):
		return fmt.Sprintf("its predecessor, number %d, was another when it was signed", before.Number)
	case !after.SpanStart.Equal(before.SpanEnd) && before.Complete:
		return "its span does not begin where that of its predecessor ended"
	}
	return checkPositions(before.StatementIssued, after.StatementIssued)
}

// checkPositions wants every range to begin where the account stood.
func checkPositions(before, after *schemas.StatementIssued) string {
	for i := range after.Ranges {
		r := &after.Ranges[i]
		next, highest := PositionOf(before, r.Book, r.Topic, r.Partition)
		if r.First != next {
			return fmt.Sprintf("%s/%d: the offsets from %d up to %d are in no statement", r.Topic, r.Partition, next, r.First-1)
		}
		if r.Highest != highest {
			return fmt.Sprintf("%s/%d: it counts from number %d, its predecessor ended at %d", r.Topic, r.Partition, r.Highest, highest)
		}
	}
	return ""
}

// CheckSelf says in a sentence where a statement contradicts itself; "" where it
// does not.
func CheckSelf(s *schemas.StatementIssued) string {
	for i := range s.Ranges {
		r := &s.Ranges[i]
		entries, err := Entries(r)
		if err != nil {
			return fmt.Sprintf("%s/%d: %v", r.Topic, r.Partition, err)
		}
		next, highest := PositionOf(s, r.Book, r.Topic, r.Partition)
		want := r.Highest
		if r.Book == schemas.BookTo && len(entries) > 0 {
			want = entries[len(entries)-1].Number
		}
		if next != r.Next || r.Book == schemas.BookTo && highest != want {
			return fmt.Sprintf("%s/%d: its positions are not where its range ends", r.Topic, r.Partition)
		}
	}
	return ""
}

// PositionOf is where a statement leaves the account of one partition: the next
// offset and the highest number. A partition that is not in it stands at its
// beginning.
func PositionOf(s *schemas.StatementIssued, book, topic string, partition int) (next, highest int64) {
	for _, p := range s.Positions {
		if p.Book == book && p.Topic == topic && partition < len(p.Next) && partition < len(p.Highest) {
			return p.Next[partition], p.Highest[partition]
		}
	}
	return 0, -1
}
