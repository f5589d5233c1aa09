package router

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/relais-fr/relais/services/internal/broker"
)

// book is where a partition of recorded stands: the pair of all recipients but
// those named. It travels as the metadata of the group's commit:
//
//	1042,1040 to.cnaf/3:900,899 to.cpam/3:700,699:1042,1040
type book struct {
	pair   broker.Pair
	behind map[string]mark
}

// mark is where a recipient stands that is behind.
type mark struct {
	// copied is up to where it has its copies, told up to where it was told that
	// they are dead; not below copied.
	copied, told broker.Pair
}

// maxBook is how long the metadata may be: brokers take 4096 bytes by default.
const maxBook = 3500

// String is the book as text. Recipients for which there is no room hold the pair
// back, those furthest behind last: after a restart all is then copied again from
// there, and dropped by its readers.
func (b book) String() string { return b.fit().text() }

func (b book) text() string {
	var s strings.Builder
	s.WriteString(b.pair.String())
	for _, name := range slices.Sorted(maps.Keys(b.behind)) {
		s.WriteString(b.behind[name].text(name))
	}
	return s.String()
}

func (m mark) text(name string) string {
	s := " " + name + ":" + m.copied.String()
	if m.told != m.copied {
		s += ":" + m.told.String()
	}
	return s
}

// fit leaves out what there is no room for.
func (b book) fit() book {
	if len(b.text()) <= maxBook {
		return b
	}
	names := slices.SortedFunc(maps.Keys(b.behind), func(x, y string) int {
		return cmp.Or(cmp.Compare(b.behind[x].copied.Next, b.behind[y].copied.Next), strings.Compare(x, y))
	})
	fitted, size := book{b.pair, map[string]mark{}}, 64
	for _, name := range names {
		m := b.behind[name]
		if size += len(m.text(name)); size <= maxBook {
			fitted.behind[name] = m
		} else if m.copied.Next < fitted.pair.Next {
			fitted.pair = m.copied
		}
	}
	return fitted
}

// parseBook reads what String writes, and nothing else.
func parseBook(text string) (book, error) {
	first, rest, _ := strings.Cut(text, " ")
	pair, err := broker.ParsePair(first)
	if err != nil {
		return book{}, err
	}
	b := book{pair, map[string]mark{}}
	for item := range strings.FieldsSeq(rest) {
		parts := strings.Split(item, ":")
		if len(parts) < 2 || len(parts) > 3 || parts[0] == "" {
			return book{}, fmt.Errorf("%q is no position of a recipient", item)
		}
		var m mark
		if m.copied, err = broker.ParsePair(parts[1]); err != nil {
			return book{}, err
		}
		if m.told, err = broker.ParsePair(parts[len(parts)-1]); err != nil {
			return book{}, err
		}
		b.behind[parts[0]] = m
	}
	if b.text() != text {
		return book{}, fmt.Errorf("%q is no list of positions", text)
	}
	return b, nil
}
