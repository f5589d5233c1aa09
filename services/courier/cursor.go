package courier

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"slices"

	"github.com/relais-fr/relais/services/internal/broker"
)

// cursor is how far a participant has read its mailbox. It travels as text that
// means nothing to its holder, who gives it back to read on.
type cursor struct {
	// next is the offset to read next on each partition; where it is missing,
	// reading begins at the partition's beginning.
	next map[int]int64
	// given is the highest number given out of each submitted partition. The
	// router may write an event again after a crash: what is not above is one.
	given broker.Numbers
	// replay is the last replay met, and replayed the numbers given out of it: a
	// replay has numbers of its own, and leaves the others as they are.
	replay   string
	replayed broker.Numbers
}

func newCursor() cursor {
	return cursor{next: map[int]int64{}, given: broker.Numbers{}}
}

func (c cursor) clone() cursor {
	return cursor{next: maps.Clone(c.next), given: maps.Clone(c.given), replay: c.replay, replayed: maps.Clone(c.replayed)}
}

// take says whether an event is new to the reader: by the numbers, or, for one
// that a replay wrote, by those of that replay.
func (c *cursor) take(replay string, partition int, offset int64) bool {
	if replay == "" {
		return c.given.Take(partition, offset)
	}
	if replay != c.replay {
		c.replay, c.replayed = replay, broker.Numbers{}
	}
	return c.replayed.Take(partition, offset)
}

const (
	cursorVersion = 2
	// ownerBytes is how much of a hash of the owner's id a cursor holds, so that
	// one that was mixed up with another participant's is noticed. It protects
	// nothing: what may be read is decided by the token.
	ownerBytes = 4
	// maxPartitions is what config allows; maxCursor what that many may take.
	maxPartitions = 1000
	maxCursor     = 48 << 10
	// maxReplay is the longest name of a replay that a cursor keeps.
	maxReplay = 64
)

// encode is the cursor as text for its owner: version, owner, then two lists of
// partition and number, ascending, and, once there was a replay, its name and a
// third list, in base64url.
func (c cursor) encode(owner string) string {
	b := append([]byte{cursorVersion}, ownerMark(owner)...)
	b = appendNumbers(b, c.next)
	b = appendNumbers(b, c.given)
	if c.replay != "" {
		b = append(append(b, byte(len(c.replay))), c.replay...)
		b = appendNumbers(b, c.replayed)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func ownerMark(owner string) []byte {
	sum := sha256.Sum256([]byte(owner))
	return sum[:ownerBytes]
}

func appendNumbers(b []byte, numbers map[int]int64) []byte {
	b = binary.AppendUvarint(b, uint64(len(numbers)))
	for _, p := range slices.Sorted(maps.Keys(numbers)) {
		b = binary.AppendUvarint(b, uint64(p))
		b = binary.AppendUvarint(b, uint64(numbers[p]))
	}
	return b
}

// Why a cursor is not taken.
var (
	errCursor      = errors.New("cursor: not one that this mailbox gave out; begin without one")
	errCursorOwner = errors.New("cursor: another participant's; begin without one")
)

// parseCursor reads what encode writes for the same owner, and nothing else.
func parseCursor(text, owner string) (cursor, error) {
	if len(text) > maxCursor {
		return cursor{}, errCursor
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 1+ownerBytes || b[0] != cursorVersion {
		return cursor{}, errCursor
	}
	mark, b := b[1:1+ownerBytes], b[1+ownerBytes:]
	next, b, err := parseNumbers(b)
	if err != nil {
		return cursor{}, err
	}
	given, b, err := parseNumbers(b)
	if err != nil {
		return cursor{}, err
	}
	replay, replayed, err := parseReplay(b)
	if err != nil {
		return cursor{}, err
	}
	if string(mark) != string(ownerMark(owner)) {
		return cursor{}, errCursorOwner
	}
	return cursor{next: next, given: given, replay: replay, replayed: replayed}, nil
}

// parseReplay reads the name and the numbers of the last replay, to the end.
func parseReplay(b []byte) (string, broker.Numbers, error) {
	if len(b) == 0 {
		return "", nil, nil
	}
	n := int(b[0])
	if n == 0 || n > maxReplay || len(b) < 1+n {
		return "", nil, errCursor
	}
	numbers, rest, err := parseNumbers(b[1+n:])
	if err != nil || len(rest) > 0 {
		return "", nil, errCursor
	}
	return string(b[1 : 1+n]), numbers, nil
}

// parseNumbers reads one list. Partitions ascend, and numbers are written in as
// few bytes as they need: one cursor has one text.
func parseNumbers(b []byte) (map[int]int64, []byte, error) {
	count, b, err := parseNumber(b, maxPartitions)
	if err != nil {
		return nil, nil, err
	}
	numbers := make(map[int]int64, count)
	last := int64(-1)
	for range count {
		var partition, number int64
		if partition, b, err = parseNumber(b, maxPartitions-1); err != nil {
			return nil, nil, err
		}
		if number, b, err = parseNumber(b, math.MaxInt64-1); err != nil {
			return nil, nil, err
		}
		if partition <= last {
			return nil, nil, errCursor
		}
		last = partition
		numbers[int(partition)] = number
	}
	return numbers, b, nil
}

func parseNumber(b []byte, most int64) (int64, []byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 || v > uint64(most) || n > 1 && b[n-1] == 0 {
		return 0, nil, errCursor
	}
	return int64(v), b[n:], nil
}
