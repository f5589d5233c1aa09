package enginetest

import (
	"slices"
	"testing"
	"time"
)

// Waits are how long those waited in one run with whom nothing is wrong.
type Waits struct {
	Run string
	All []time.Duration
}

// quantile is of sorted waits.
func (w Waits) quantile(q float64) time.Duration {
	if len(w.All) == 0 {
		return 0
	}
	return w.All[min(int(q*float64(len(w.All))), len(w.All)-1)]
}

// LogWaits logs runs as a table.
func LogWaits(t *testing.T, runs []Waits) {
	t.Helper()
	t.Logf("%-34s %8s %12s %12s %12s", "what is wrong with the one", "others'", "p50", "p99", "p99.9")
	for _, r := range runs {
		slices.Sort(r.All)
		t.Logf("%-34s %8d %12v %12v %12v", r.Run, len(r.All), r.quantile(0.5), r.quantile(0.99), r.quantile(0.999))
	}
}

// CompareWaits holds runs against the first two, which are equal and in which
// nothing is wrong with anybody: no p99 may be further above theirs than they are
// from each other, nor be higher by 10 % or more. It logs the table.
func CompareWaits(t *testing.T, runs []Waits) {
	t.Helper()
	LogWaits(t, runs)
	var p99s []time.Duration
	for _, r := range runs {
		p99s = append(p99s, r.quantile(0.99))
	}
	if len(runs) < 3 {
		t.Fatal("two equal runs and one to hold against them are needed")
	}
	least, most := min(p99s[0], p99s[1]), max(p99s[0], p99s[1])
	if least <= 0 {
		t.Fatalf("nobody waited when nothing was wrong: p99 is %v and %v, and nothing can be told from it", p99s[0], p99s[1])
	}
	for i, p99 := range p99s[2:] {
		run := runs[i+2].Run
		if p99 > most+(most-least) {
			t.Errorf("%s: p99 of the others is %v; of two equal runs it is %v and %v", run, p99, p99s[0], p99s[1])
		}
		if change := float64(p99-most) / float64(most); change >= 0.1 {
			t.Errorf("%s: p99 of the others is %v, %.0f %% more than %v", run, p99, 100*change, most)
		}
	}
}
