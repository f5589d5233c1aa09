// Package logbook is where the recipients of one partition of recorded stand. The
// router keeps it in the metadata of its group's commit, and whoever asks how far an
// outcome has come reads it there.
package logbook

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/relais-fr/relais/services/internal/broker"
)

// Book is where a partition of recorded stands: the pair of all recipients but
// those named. It travels as text:
//
//	1042,1040 to.cnaf/3:900,899 to.cpam/3:700,699:1042,1040
type Book struct {
	Pair   broker.Pair
	Behind map[string]Mark // by Name
}

// Mark is where a recipient stands that is behind. Of the three none is below
// Copied.
type Mark struct {
	// Copied is up to where it has its copies, Told up to where it was told that
	// they are dead.
	Copied, Told broker.Pair
	// Held is up to where they are held back, or were until a moment ago, because the
	// recipient is suspended.
	Held broker.Pair
}

// At is the mark of a recipient about whom there is no more to say.
func At(copied broker.Pair) Mark { return Mark{copied, copied, copied} }

// Name is a recipient's partition in a book, by the topic's name without the prefix.
func Name(topic string, partition int) string { return topic + "/" + strconv.Itoa(partition) }

// Beginning is the book of a partition of which nothing is known.
func Beginning() Book { return Book{Pair: broker.Beginning()} }

// Of is the book of each partition of recorded, as the router has committed it; none
// where it has committed nothing that can be read.
func Of(ctx context.Context, b *broker.Broker, partitions int) (map[int]Book, error) {
	committed, err := b.GroupOffsets(ctx, b.Topic("router"), b.Topic("recorded"), partitions)
	if err != nil {
		return nil, err
	}
	books := map[int]Book{}
	for p, at := range committed {
		if book, err := Parse(at.Metadata); err == nil {
			books[p] = book
		}
	}
	return books, nil
}

// HasCopied says whether a recipient's partition has its copy of the outcome with
// the number.
func (b Book) HasCopied(name string, number int64) bool {
	if m, ok := b.Behind[name]; ok {
		return number <= m.Copied.Highest
	}
	return number <= b.Pair.Highest
}

// Holds says whether its copy of the outcome with the number is held back.
func (b Book) Holds(name string, number int64) bool {
	m, ok := b.Behind[name]
	return ok && number > m.Copied.Highest && number <= m.Held.Highest
}

// maxLength is how long the text may be: brokers take 4096 bytes by default.
const maxLength = 3500

// String is the book as text. Recipients for which there is no room hold the pair
// back, those furthest behind last: after a restart all is then copied again from
// there, and dropped by its readers.
func (b Book) String() string { return b.Fit().text() }

func (b Book) text() string {
	var s strings.Builder
	s.WriteString(b.Pair.String())
	for _, name := range slices.Sorted(maps.Keys(b.Behind)) {
		s.WriteString(b.Behind[name].text(name))
	}
	return s.String()
}

func (m Mark) text(name string) string {
	s := " " + name + ":" + m.Copied.String()
	if m.Told != m.Copied || m.Held != m.Copied {
		s += ":" + m.Told.String()
	}
	if m.Held != m.Copied {
		s += ":" + m.Held.String()
	}
	return s
}

// Fit leaves out what there is no room for.
func (b Book) Fit() Book {
	if len(b.text()) <= maxLength {
		return b
	}
	names := slices.SortedFunc(maps.Keys(b.Behind), func(x, y string) int {
		return cmp.Or(cmp.Compare(b.Behind[x].Copied.Next, b.Behind[y].Copied.Next), strings.Compare(x, y))
	})
	fitted, size := Book{b.Pair, map[string]Mark{}}, 64
	for _, name := range names {
		m := b.Behind[name]
		if size += len(m.text(name)); size <= maxLength {
			fitted.Behind[name] = m
		} else if m.Copied.Next < fitted.Pair.Next {
			fitted.Pair = m.Copied
		}
	}
	return fitted
}

// Parse reads what String writes, and nothing else.
func Parse(text string) (Book, error) {
	first, rest, _ := strings.Cut(text, " ")
	pair, err := broker.ParsePair(first)
	if err != nil {
		return Book{}, err
	}
	b := Book{pair, map[string]Mark{}}
	for item := range strings.FieldsSeq(rest) {
		name, positions, ok := strings.Cut(item, ":")
		if !ok || name == "" {
			return Book{}, fmt.Errorf("%q is no position of a recipient", item)
		}
		m, err := parseMark(strings.Split(positions, ":"))
		if err != nil {
			return Book{}, fmt.Errorf("%q is no position of a recipient: %w", item, err)
		}
		b.Behind[name] = m
	}
	if b.text() != text {
		return Book{}, fmt.Errorf("%q is no list of positions", text)
	}
	return b, nil
}

func parseMark(parts []string) (Mark, error) {
	var pairs []broker.Pair
	for _, part := range parts {
		pair, err := broker.ParsePair(part)
		if err != nil {
			return Mark{}, err
		}
		pairs = append(pairs, pair)
	}
	m := At(pairs[0])
	switch len(pairs) {
	case 1:
	case 2:
		m.Told = pairs[1]
	case 3:
		m.Told, m.Held = pairs[1], pairs[2]
	default:
		return Mark{}, fmt.Errorf("%d positions", len(pairs))
	}
	return m, nil
}
