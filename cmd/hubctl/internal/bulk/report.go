package bulk

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/relais-fr/relais/schemas"
)

// Counts is how many lines came to what.
type Counts struct {
	Facts    int `json:"facts"`
	Repeats  int `json:"repeats"`
	Refusals int `json:"refusals"`
}

func (c Counts) total() int { return c.Facts + c.Repeats + c.Refusals }

// Refused is why some lines were refused.
type Refused struct {
	Reason string `json:"reason"`
	Detail string `json:"detail,omitempty"`
	Count  int    `json:"count"`
	// Lines are their numbers, the first maxRefusedLines of them.
	Lines []int `json:"lines"`
}

const maxRefusedLines = 10_000

// Report accounts for every line of a file, over all runs of its import.
type Report struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
	Lines  int    `json:"lines"`
	Blank  int    `json:"blank"`
	Counts
	// Open are lines without an outcome: the import is not through.
	Open int `json:"open"`
	// Events are the facts on the hub that the lines stand for. A line that was
	// handed in twice, because its first answer was lost, is a repeat and stands
	// for the fact that its first time made.
	Events int               `json:"events"`
	ByKind map[string]Counts `json:"by_kind"`
	// Refused says why, the most frequent first.
	Refused []Refused `json:"refused,omitempty"`

	// Of this run alone: outcomes, lines handed in more than once, and time.
	RunLines        int     `json:"run_lines"`
	HandedInAgain   int     `json:"run_handed_in_again"`
	Seconds         float64 `json:"run_seconds"`
	EventsPerSecond float64 `json:"run_events_per_second"`
}

// account gathers outcomes. It is safe for concurrent use.
type account struct {
	mu      sync.Mutex
	report  Report
	done    []bool          // by line
	facts   []schemas.Place // of the first submission, of facts and repeats of facts
	refused map[[2]string]*Refused
}

func newAccount(file string, s survey) *account {
	return &account{
		report: Report{File: file, SHA256: s.SHA256, Lines: s.Lines, Blank: s.Blank, ByKind: map[string]Counts{}},
		done:   make([]bool, s.Lines+1), refused: map[[2]string]*Refused{},
	}
}

// add takes an outcome in; false when the line had one already.
func (a *account) add(o outcome, now bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.done[o.line] {
		return false
	}
	a.done[o.line] = true
	if now {
		a.report.RunLines++
	}
	kind := a.report.ByKind[nameOr(o.name, unknownKind)]
	a.report.count(o.result)
	kind.count(o.result)
	a.report.ByKind[nameOr(o.name, unknownKind)] = kind
	if o.result != resultRefusal && o.reason == "" {
		a.facts = append(a.facts, o.first)
	}
	if o.result == resultRefusal {
		a.refuse(o)
	}
	return true
}

// unknownKind is the kind of lines that could not be read.
const unknownKind = "unreadable"

func (c *Counts) count(r result) {
	switch r {
	case resultFact:
		c.Facts++
	case resultRepeat:
		c.Repeats++
	case resultRefusal:
		c.Refusals++
	}
}

func (a *account) refuse(o outcome) {
	key := [2]string{o.reason, o.detail}
	// Details name a field, not its content, so that there are few of them; one
	// that does otherwise must not fill the memory.
	if a.refused[key] == nil && len(a.refused) >= 1000 {
		key[1] = "(various)"
	}
	r := a.refused[key]
	if r == nil {
		r = &Refused{Reason: key[0], Detail: key[1]}
		a.refused[key] = r
	}
	if r.Count++; len(r.Lines) < maxRefusedLines {
		r.Lines = append(r.Lines, o.line)
	}
}

// has says whether the line has its outcome.
func (a *account) has(line int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.done[line]
}

// again counts a line that was handed in more than once.
func (a *account) again() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.report.HandedInAgain++
}

// counts are those so far, and how many of them are of this run.
func (a *account) counts() (c Counts, run int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.report.Counts, a.report.RunLines
}

// finish is the report after a run that took so long.
func (a *account) finish(took time.Duration) Report {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.report
	r.Open = r.Lines - r.Blank - r.total()
	slices.SortFunc(a.facts, func(x, y schemas.Place) int {
		return cmp.Or(cmp.Compare(x.Partition, y.Partition), cmp.Compare(x.Offset, y.Offset))
	})
	a.facts = slices.Compact(a.facts)
	r.Events = len(a.facts)
	r.Refused = nil
	for _, why := range a.refused {
		slices.Sort(why.Lines)
		r.Refused = append(r.Refused, *why)
	}
	slices.SortFunc(r.Refused, func(x, y Refused) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), cmp.Compare(x.Reason, y.Reason), cmp.Compare(x.Detail, y.Detail))
	})
	r.Seconds = took.Round(time.Millisecond).Seconds()
	if took > 0 {
		r.EventsPerSecond = float64(int(float64(r.RunLines) / took.Seconds()))
	}
	return r
}

// WriteJSON writes the report for programs.
func (r Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// Text is the report for people.
func (r Report) Text() string {
	w := &strings.Builder{}
	fmt.Fprintf(w, "%s: %s", r.File, many(r.Lines, "line"))
	if r.Blank > 0 {
		fmt.Fprintf(w, ", %s of them blank", thousands(r.Blank))
	}
	fmt.Fprint(w, "\n\n")
	row := func(name string, c Counts) {
		fmt.Fprintf(w, "  %-24s %12s %12s %12s\n", name, thousands(c.Facts), thousands(c.Repeats), thousands(c.Refusals))
	}
	fmt.Fprintf(w, "  %-24s %12s %12s %12s\n", "", "facts", "repeats", "refusals")
	for _, name := range slices.Sorted(maps.Keys(r.ByKind)) {
		row(name, r.ByKind[name])
	}
	row("all", r.Counts)
	fmt.Fprintf(w, "\n  On the hub for these lines: %s.\n", many(r.Events, "event"))
	for _, why := range r.Refused {
		fmt.Fprintf(w, "  refused %s: %s", why.Reason, thousands(why.Count))
		if why.Detail != "" {
			fmt.Fprintf(w, ", %s", why.Detail)
		}
		fmt.Fprintf(w, "\n    %s\n", lineList(why))
	}
	if r.Open > 0 {
		fmt.Fprintf(w, "  Without an outcome yet: %s. Run the same command again to go on.\n", many(r.Open, "line"))
	}
	if r.RunLines > 0 {
		fmt.Fprintf(w, "  This run: %s in %.0f s", many(r.RunLines, "line"), r.Seconds)
		if r.Seconds >= 1 {
			fmt.Fprintf(w, ", %s/s", thousands(int(r.EventsPerSecond)))
		}
		if r.HandedInAgain > 0 {
			fmt.Fprintf(w, "; %s handed in more than once", thousands(r.HandedInAgain))
		}
		fmt.Fprintln(w, ".")
	}
	return w.String()
}

// lineList names the first lines.
func lineList(why Refused) string {
	const shown = 10
	var b strings.Builder
	b.WriteString("line")
	if why.Count > 1 {
		b.WriteString("s")
	}
	for i, n := range why.Lines[:min(shown, len(why.Lines))] {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, " %d", n)
	}
	if why.Count > shown {
		b.WriteString(", …")
	}
	return b.String()
}

// many is a number and what it counts.
func many(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return thousands(n) + " " + what
}

// thousands writes n with a comma between groups of three digits.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
