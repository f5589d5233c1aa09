package logbook

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/services/internal/broker"
)

func TestABookIsReadAsItWasWritten(t *testing.T) {
	full := Book{Pair: pairOf(100_000), Behind: map[string]Mark{}}
	for i := range 500 {
		full.Behind[fmt.Sprintf("to.partner-%d/3", i)] = Mark{pairOf(int64(99_000 + i)), pairOf(100_000), pairOf(int64(99_000 + i))}
	}
	for _, b := range []Book{
		{Pair: pairOf(0), Behind: map[string]Mark{}},
		{Pair: pairOf(1042), Behind: map[string]Mark{
			"to.cnaf/3": At(pairOf(900)), "to.cpam/3": {pairOf(7), pairOf(1042), pairOf(7)}, "to.ft/3": {pairOf(7), pairOf(7), pairOf(1042)}, "to.msa/3": {pairOf(7), pairOf(9), pairOf(8)},
		}},
		full,
	} {
		text := b.String()
		if len(text) > maxLength {
			t.Errorf("a book of %d bytes", len(text))
		}
		got, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(text, got.String()); diff != "" {
			t.Errorf("the book (-written +read):\n%s", diff)
		}
		for name, m := range b.Behind {
			if kept, ok := got.Behind[name]; ok && kept != m || !ok && got.Pair.Next > m.Copied.Next {
				t.Errorf("%s stands at %v, and the book says %v", name, m, got)
			}
		}
	}
}

func TestWhatIsNoBookIsNotRead(t *testing.T) {
	for _, text := range []string{
		"", "1", "1,0 ", "1,0  to.cnaf/3:0,-1", "1,0 to.cnaf/3", "1,0 :0,-1", "1,0 to.cnaf/3:0,-1:0,-1", "1,0 to.cnaf/3:0,-1:0,-1:0,-1", "1,0 to.cnaf/3:0,-1:1,0:0,-1", "1,0 to.cnaf/3:0,-1:1,0:1,0:1,0", "1,0 to.cnaf/3:x",
		"1,0 to.cpam/3:0,-1 to.cnaf/3:0,-1", "01,0",
	} {
		if b, err := Parse(text); err == nil {
			t.Errorf("%q was read as %v", text, b)
		}
	}
}

func TestABookSaysHowFarARecipientHasItsCopies(t *testing.T) {
	b := Book{Pair: pairOf(1042), Behind: map[string]Mark{"to.cnaf/3": {pairOf(900), pairOf(900), pairOf(1000)}}}
	for _, test := range []struct {
		name          string
		number        int64
		copied, holds bool
	}{
		{"to.cpam/3", 1041, true, false},
		{"to.cpam/3", 1042, false, false},
		{"to.cnaf/3", 899, true, false},
		{"to.cnaf/3", 900, false, true},
		{"to.cnaf/3", 999, false, true},
		{"to.cnaf/3", 1000, false, false},
	} {
		if copied, holds := b.HasCopied(test.name, test.number), b.Holds(test.name, test.number); copied != test.copied || holds != test.holds {
			t.Errorf("%s, %d: copied %t, held %t", test.name, test.number, copied, holds)
		}
	}
}

func pairOf(next int64) broker.Pair { return broker.Pair{Next: next, Highest: next - 1} }
