package broker

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Pair is where a reader of one partition of `recorded` stands: two numbers
// that are only right together. It is stored with the effect, in one
// transaction, or as the metadata of a group's commit.
type Pair struct {
	// Next is the offset on recorded to read next.
	Next int64
	// Highest is the highest offset on submitted whose outcome has taken
	// effect; -1 before the first.
	Highest int64
}

// Beginning is the pair of a reader that has read nothing.
func Beginning() Pair { return Pair{Next: 0, Highest: -1} }

// String is the pair as text: `1042,1040`.
func (p Pair) String() string {
	return strconv.FormatInt(p.Next, 10) + "," + strconv.FormatInt(p.Highest, 10)
}

// ParsePair reads what Pair.String writes, and nothing else.
func ParsePair(s string) (Pair, error) {
	next, highest, ok := strings.Cut(s, ",")
	n, nerr := strconv.ParseInt(next, 10, 64)
	h, herr := strconv.ParseInt(highest, 10, 64)
	p := Pair{Next: n, Highest: h}
	if !ok || nerr != nil || herr != nil || n < 0 || h < -1 || p.String() != s {
		return Pair{}, fmt.Errorf("%q is not a pair of positions such as 1042,1040", s)
	}
	return p, nil
}

// ErrBadPair says that the outcomes between the pair's highest number and the
// next one found are missing: the pair does not belong to this log. Start from
// the beginning.
var ErrBadPair = errors.New("broker: the stored position does not belong to this log")

// Dedup is for readers of one partition of recorded: outcomes can be there more
// than once, because a ledger whose acknowledgement was lost, or an old owner
// of the partition, wrote them again.
type Dedup struct{ pair Pair }

// NewDedup goes on from a pair.
func NewDedup(p Pair) *Dedup { return &Dedup{p} }

// Pair is where the reader stands.
func (d *Dedup) Pair() Pair { return d.pair }

// Take takes the record at offset on recorded, the outcome of the given offset
// on submitted. It is fresh when its effect has not been had yet; else it is
// dropped. ErrBadPair, and nothing is taken, when outcomes are missing between.
func (d *Dedup) Take(offset, submitted int64) (fresh bool, err error) {
	if submitted > d.pair.Highest+1 {
		return false, fmt.Errorf("%w: the outcome of %d follows that of %d", ErrBadPair, submitted, d.pair.Highest)
	}
	d.pair.Next = offset + 1
	if submitted <= d.pair.Highest {
		return false, nil
	}
	d.pair.Highest = submitted
	return true, nil
}

// Skip moves over offsets on recorded that hold nothing.
func (d *Dedup) Skip(next int64) { d.pair.Next = max(d.pair.Next, next) }

// Numbers is for readers of a `to` topic: the highest submitted offset seen of
// each submitted partition. There, gaps are as it should be. The zero value of
// a map must be made before Take.
type Numbers map[int]int64

// Take says whether an event is new to this reader, and remembers it.
func (n Numbers) Take(submittedPartition int, submittedOffset int64) bool {
	if highest, ok := n[submittedPartition]; ok && submittedOffset <= highest {
		return false
	}
	n[submittedPartition] = submittedOffset
	return true
}

// String is the numbers as text, by partition: `0:17,3:1042`.
func (n Numbers) String() string {
	var b strings.Builder
	for i, p := range slices.Sorted(maps.Keys(n)) {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%d:%d", p, n[p])
	}
	return b.String()
}

// ParseNumbers reads what Numbers.String writes, and nothing else.
func ParseNumbers(s string) (Numbers, error) {
	n := make(Numbers)
	if s == "" {
		return n, nil
	}
	for item := range strings.SplitSeq(s, ",") {
		p, o, _ := strings.Cut(item, ":")
		partition, perr := strconv.Atoi(p)
		offset, oerr := strconv.ParseInt(o, 10, 64)
		if perr != nil || oerr != nil || partition < 0 || offset < 0 {
			return nil, fmt.Errorf("%q is not a list of positions such as 0:17,3:1042", s)
		}
		n[partition] = offset
	}
	if n.String() != s {
		return nil, fmt.Errorf("%q is not a list of positions such as 0:17,3:1042", s)
	}
	return n, nil
}
