package deadline

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/relais-fr/relais/services/internal/directory/territory"
)

// Unit is what a span counts.
type Unit string

// The units. Days are the calendar's, at the same local hour; working days are
// those of the zone, at the same local hour; opening hours are those at which
// people are received.
const (
	Minutes      Unit = "minutes"
	Hours        Unit = "hours"
	Days         Unit = "days"
	WorkingDays  Unit = "working days"
	OpeningHours Unit = "opening hours"
)

// maxOf bounds what can be set, at some two years.
var maxOf = map[Unit]int{Minutes: 1_000_000, Hours: 20_000, Days: 730, WorkingDays: 500, OpeningHours: 4000}

// Span is how long a clock runs.
type Span struct {
	N    int
	Unit Unit
}

// ParseSpan reads `5 working days`; the singular will do.
func ParseSpan(s string) (Span, error) {
	number, word, _ := strings.Cut(strings.TrimSpace(s), " ")
	n, err := strconv.Atoi(number)
	unit := Unit(strings.Join(strings.Fields(word), " "))
	if n == 1 && !strings.HasSuffix(string(unit), "s") {
		unit += "s"
	}
	if _, known := maxOf[unit]; !known || err != nil {
		return Span{}, fmt.Errorf("%q is no span: write a number and minutes, hours, days, working days or opening hours", s)
	}
	return Span{n, unit}, nil
}

// String is `5 working days`.
func (s Span) String() string {
	unit := string(s.Unit)
	if s.N == 1 {
		unit = strings.TrimSuffix(unit, "s")
	}
	return strconv.Itoa(s.N) + " " + unit
}

// After is when the span that begins at t is over.
func (s Span) After(c *territory.Calendar, t time.Time) time.Time {
	switch s.Unit {
	case Days:
		return c.AfterDays(t, s.N)
	case WorkingDays:
		return c.AfterWorkingDays(t, s.N)
	case OpeningHours:
		return c.AfterOpening(t, time.Duration(s.N)*time.Hour)
	case Hours, Minutes:
	}
	return t.Add(s.duration())
}

// Before is when it is the span until t. Only plain time is counted back.
func (s Span) Before(c *territory.Calendar, t time.Time) time.Time {
	if s.Unit == Days {
		return c.AfterDays(t, -s.N)
	}
	return t.Add(-s.duration())
}

func (s Span) duration() time.Duration {
	if s.Unit == Minutes {
		return time.Duration(s.N) * time.Minute
	}
	return time.Duration(s.N) * time.Hour
}

// Held is when a span that was over at due is over, after its clock has stood
// still between two times: as much of what the span counts as lies between them is
// added at the end.
func (s Span) Held(c *territory.Calendar, due, from, to time.Time) time.Time {
	switch s.Unit {
	case WorkingDays:
		return c.AfterWorkingTime(due, c.WorkingTime(from, to))
	case OpeningHours:
		return c.AfterOpening(due, c.Opening(from, to))
	case Days, Hours, Minutes:
	}
	return due.Add(to.Sub(from))
}
