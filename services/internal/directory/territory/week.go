package territory

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Week is when an office receives people, by weekday (time.Sunday is 0).
type Week [7][]Opening

// Opening is a span of a day in minutes since midnight, local to the office.
type Opening struct{ From, To int }

// UsualHours are those of an office whose hours are not known: 9 to 12 and 14 to
// 17, Monday to Friday.
var UsualHours = func() (w Week) {
	for day := time.Monday; day <= time.Friday; day++ {
		w[day] = []Opening{{9 * 60, 12 * 60}, {14 * 60, 17 * 60}}
	}
	return w
}()

// Empty says whether the week has no opening.
func (w Week) Empty() bool {
	return !slices.ContainsFunc(w[:], func(day []Opening) bool { return len(day) > 0 })
}

var weekdays = []string{"Su", "Mo", "Tu", "We", "Th", "Fr", "Sa"}

// ParseWeek reads the part of OpenStreetMap's opening_hours that the directory
// writes: `Mo-Fr 09:00-12:00,14:00-17:00; Sa 09:00-12:00; PH off`. A later rule
// takes the place of an earlier one for its days.
func ParseWeek(hours string) (Week, error) {
	var w Week
	for rule := range strings.SplitSeq(hours, ";") {
		days, spans, ok := strings.Cut(strings.TrimSpace(rule), " ")
		switch {
		case days == "" || days == "PH":
			continue // an office is closed on public holidays anyway
		case !ok:
			return Week{}, fmt.Errorf("opening hours %q: %q names no hours", hours, rule)
		}
		openings, err := parseOpenings(spans)
		if err != nil {
			return Week{}, fmt.Errorf("opening hours %q: %w", hours, err)
		}
		for item := range strings.SplitSeq(days, ",") {
			first, last, ranged := strings.Cut(item, "-")
			from := slices.Index(weekdays, first)
			to := from
			if ranged {
				to = slices.Index(weekdays, last)
			}
			if from < 0 || to < 0 {
				return Week{}, fmt.Errorf("opening hours %q: %q is no day", hours, item)
			}
			for day := from; ; day = (day + 1) % len(w) {
				w[day] = openings
				if day == to {
					break
				}
			}
		}
	}
	return w, nil
}

func parseOpenings(spans string) ([]Opening, error) {
	if spans == "off" {
		return nil, nil
	}
	var openings []Opening
	for span := range strings.SplitSeq(spans, ",") {
		from, to, _ := strings.Cut(strings.TrimSpace(span), "-")
		o := Opening{minutes(from), minutes(to)}
		if o.From < 0 || o.To <= o.From || len(openings) > 0 && o.From < openings[len(openings)-1].To {
			return nil, fmt.Errorf("%q are no hours such as 09:00-12:00, or not in order", span)
		}
		openings = append(openings, o)
	}
	return openings, nil
}

// minutes reads 09:30; -1 for what is no time of day.
func minutes(s string) int {
	var h, m int
	if n, err := fmt.Sscanf(s, "%2d:%2d", &h, &m); err != nil || n != 2 || len(s) != 5 || h < 0 || h > 24 || m < 0 || m > 59 || h == 24 && m > 0 {
		return -1
	}
	return 60*h + m
}
