package officelist

import (
	"fmt"
	"strings"
)

// dayNames are the days as OpenStreetMap and as people write them.
var dayNames = [6]struct{ osm, french string }{
	{"Mo", "Lundi"}, {"Tu", "Mardi"}, {"We", "Mercredi"}, {"Th", "Jeudi"}, {"Fr", "Vendredi"}, {"Sa", "Samedi"},
}

// Bounds of what is plausible in a week, in minutes.
const (
	// charterWeek is the least that the network's charter asks for: 24 hours.
	charterWeek = 24 * 60
	// longestWeek is more than any office is open.
	longestWeek = 60 * 60
)

// week is an office's opening hours, Monday to Saturday.
type week [6]day

// week reads the six cells of opening hours.
func (r *row) week() week {
	var w week
	blank := true
	for i, c := range days {
		cell := r.cell(c)
		w[i] = r.day(dayNames[i].osm, cell)
		blank = blank && strings.Trim(oneLine(cell), "-–— ") == ""
	}
	switch minutes := w.minutes(); {
	case blank:
		r.add("hours_none")
	case minutes > longestWeek:
		r.add("hours_implausible")
	case minutes > 0 && minutes < charterWeek && w.conditional() == nil:
		r.add("hours_below_24h_charter")
	}
	return w
}

// minutes is how long the office is open in a week; days told in words do not
// count.
func (w week) minutes() int {
	total := 0
	for _, d := range w {
		for _, s := range d.spans {
			total += s.to - s.from
		}
	}
	return total
}

// conditional are the days whose hours are told in words.
func (w week) conditional() []string {
	var names []string
	for i, d := range w {
		if d.words != "" {
			names = append(names, dayNames[i].osm)
		}
	}
	return names
}

// note tells the days that have words.
func (w week) note() string {
	var notes []string
	for i, d := range w {
		if d.words != "" {
			notes = append(notes, dayNames[i].french+" : "+mailInNote.ReplaceAllString(d.words, mailMask))
		}
	}
	return joinNotes(notes...)
}

// openingHours is the week as an OpenStreetMap opening_hours value, equal days
// in a row written once; empty when no day has hours that are the same each
// week.
func (w week) openingHours() string {
	var rules []string
	for i := 0; i < len(w); {
		hours := w[i].String()
		last := i
		for last+1 < len(w) && w[last+1].String() == hours {
			last++
		}
		name := dayNames[i].osm
		if last > i {
			name += "-" + dayNames[last].osm
		}
		if hours != "" {
			rules = append(rules, name+" "+hours)
		}
		i = last + 1
	}
	if rules == nil {
		return ""
	}
	return strings.Join(append(rules, "PH off"), "; ")
}

// String is the day's openings, 09:00-12:00,13:30-17:00.
func (d day) String() string {
	spans := make([]string, len(d.spans))
	for i, s := range d.spans {
		spans[i] = fmt.Sprintf("%02d:%02d-%02d:%02d", s.from/60, s.from%60, s.to/60, s.to%60)
	}
	return strings.Join(spans, ",")
}
