package store

import (
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"strconv"
	"strings"
)

// Position says up to where in the log a projection is true.
type Position struct {
	// Next is the offset of the first record not yet applied. A stored position
	// has applied something, so 0 stands for none.
	Next int64
	// Highest is the highest submitted offset applied, for the fold's second
	// number; owners that keep none leave it 0.
	Highest int64
	// Mark is the fingerprint of the last record applied, so that a log that was
	// cut or replaced is noticed. At most 200 bytes.
	Mark string
}

// Absent says whether p stands for no position at all.
func (p Position) Absent() bool { return p.Next == 0 }

const maxMark = 200

// stored is a position as it stands under its key, with the format and
// generation of the values that belong to it.
type stored struct {
	format     string
	generation string
	position   Position
}

// String is `<format> <generation> <next> <highest> <mark>`. The commit script
// compares it whole and cuts the first two words off.
func (s stored) String() string {
	return fmt.Sprintf("%s %s %d %d %s", s.format, s.generation, s.position.Next, s.position.Highest, s.position.Mark)
}

func parseStored(text string) (stored, error) {
	words := strings.SplitN(text, " ", 5)
	if len(words) != 5 {
		return stored{}, fmt.Errorf("stored position %q is not readable", text)
	}
	next, err := strconv.ParseInt(words[2], 10, 64)
	if err != nil {
		return stored{}, fmt.Errorf("stored position %q: %w", text, err)
	}
	highest, err := strconv.ParseInt(words[3], 10, 64)
	if err != nil {
		return stored{}, fmt.Errorf("stored position %q: %w", text, err)
	}
	return stored{
		format:     words[0],
		generation: words[1],
		position:   Position{Next: next, Highest: highest, Mark: words[4]},
	}, nil
}

// newGeneration is random, not counted: a generation that was retired is swept
// by its name, by anybody and at any time later, so the name must never be used
// again, not even after the store was emptied.
func newGeneration() string {
	var b [5]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process first
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}
