package officelist

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/relais-fr/relais/services/internal/directory"
)

// span is an opening, in minutes since midnight, local to the office.
type span struct{ from, to int }

// day is what a cell of opening hours says.
type day struct {
	spans []span
	// words is the cell when it tells its hours in words: every other week, by
	// appointment, in season. Such a day is not the same every week.
	words string
}

// cleanHours is the form that the list has had since 2024.
var cleanHours = regexp.MustCompile(`^[0-9]{2}:[0-9]{2} - [0-9]{2}:[0-9]{2}( / [0-9]{2}:[0-9]{2} - [0-9]{2}:[0-9]{2})*$`)

// day reads one cell of opening hours; quirks carry the day's two letters.
func (q *quirks) day(name, cell string) day {
	cell = oneLine(cell)
	if strings.Trim(cell, "-–— ") == "" {
		return day{}
	}
	if !cleanHours.MatchString(cell) {
		if directory.Fold(cell) == "ferme" {
			q.add("hours_format:" + name)
			return day{}
		}
	}
	times, ok := timesOf(cell)
	if !ok {
		q.add("hours_text:" + name)
		return day{words: cell}
	}
	if !cleanHours.MatchString(cell) {
		q.add("hours_format:" + name)
	}
	return day{spans: q.spans(name, times)}
}

// spans pairs times up, drops what is no opening and merges what overlaps.
func (q *quirks) spans(name string, times []int) []span {
	var spans []span
	found := map[string]bool{}
	for pair := range slices.Chunk(times, 2) {
		switch from, to := pair[0], pair[1]; {
		case from == badTime || to == badTime:
			found["hours_bad"] = true
		case from == to:
			found["hours_zero_length"] = true
		case from > to:
			found["hours_reversed"] = true
		default:
			spans = append(spans, span{from, to})
		}
	}
	merged := merge(spans)
	if overlaps(spans) {
		found["hours_overlap"] = true
	}
	for _, quirk := range []string{"hours_bad", "hours_zero_length", "hours_reversed", "hours_overlap"} {
		if found[quirk] {
			q.add(quirk + ":" + name)
		}
	}
	return merged
}

func byStart(a, b span) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) }

func overlaps(spans []span) bool {
	sorted := slices.SortedFunc(slices.Values(spans), byStart)
	for i := 1; i < len(sorted); i++ {
		if sorted[i].from < sorted[i-1].to {
			return true
		}
	}
	return false
}

// merge is the spans in order, those that overlap or touch as one.
func merge(spans []span) []span {
	var merged []span
	for _, s := range slices.SortedFunc(slices.Values(spans), byStart) {
		if n := len(merged); n > 0 && s.from <= merged[n-1].to {
			merged[n-1].to = max(merged[n-1].to, s.to)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// badTime stands for a time that no clock shows, such as 25:00.
const badTime = -1

// timesOf reads all times of a cell in order, whatever stands between them as
// long as it is no word: 9h-12h, 08:30-12:00/13h30 à 17h, 17 :00, 09:00:12:00.
// It is false for a cell that is not a list of pairs of times.
func timesOf(cell string) (times []int, ok bool) {
	s := strings.ToLower(cell)
	for s != "" {
		c := s[0]
		switch {
		case '0' <= c && c <= '9':
			var t int
			if t, s, ok = timeOf(s); !ok {
				return nil, false
			}
			times = append(times, t)
			continue
		case strings.IndexByte(" -/,;:|+&", c) >= 0:
			s = s[1:]
			continue
		}
		rest, ok := cutJoint(s)
		if !ok {
			return nil, false
		}
		s = rest
	}
	return times, len(times) > 0 && len(times)%2 == 0
}

// joints are the words and signs between times that say no more than a hyphen.
var joints = []string{"–", "—", "à ", "a ", "et ", "de ", "puis "}

func cutJoint(s string) (rest string, ok bool) {
	for _, j := range joints {
		if rest, ok := strings.CutPrefix(s, j); ok {
			return rest, true
		}
	}
	return s, false
}

// timeOf reads the time at the beginning of s: 9, 9h, 9h30, 09:00, 17 :00, 0830.
func timeOf(s string) (minutes int, rest string, ok bool) {
	hour, rest := number(s)
	if len(hour) == 4 {
		return clock(hour[:2], hour[2:]), rest, true
	}
	if len(hour) > 2 {
		return 0, s, false
	}
	after := strings.TrimLeft(rest, " ")
	switch {
	case strings.HasPrefix(after, "h"):
		minute, rest := number(after[1:])
		return clock(hour, minute), strings.TrimPrefix(rest, "h"), len(minute) <= 2
	case strings.HasPrefix(after, ":"), strings.HasPrefix(after, "."):
		minute, rest := number(strings.TrimLeft(after[1:], " "))
		return clock(hour, minute), rest, len(minute) == 2
	}
	return clock(hour, ""), rest, true
}

func number(s string) (digits, rest string) {
	rest = strings.TrimLeft(s, "0123456789")
	return s[:len(s)-len(rest)], rest
}

func clock(hour, minute string) int {
	h, m := atoi(hour), atoi(minute)
	if m > 59 || h > 24 || h == 24 && m > 0 {
		return badTime
	}
	return h*60 + m
}

// atoi reads at most two digits.
func atoi(s string) int {
	n := 0
	for _, c := range s {
		n = n*10 + int(c-'0')
	}
	return n
}
