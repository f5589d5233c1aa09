package officelist

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHoursOfADay(t *testing.T) {
	for _, test := range []struct {
		name, cell, want string
		quirks           []string
		words            bool
	}{
		{"the clean form", "09:00 - 12:00 / 13:30 - 17:00", "09:00-12:00,13:30-17:00", nil, false},
		{"five ranges in a day", "08:00 - 09:00 / 09:30 - 10:00 / 10:30 - 11:00 / 14:00 - 15:00 / 16:00 - 17:00", "08:00-09:00,09:30-10:00,10:30-11:00,14:00-15:00,16:00-17:00", nil, false},
		{"a blank cell is closed", " \n", "", nil, false},
		{"a hyphen is closed", " - ", "", nil, false},
		{"closed in a word", "Fermé", "", []string{"hours_format:Mo"}, false},
		{"hours of one digit", "9:00 - 12:00", "09:00-12:00", []string{"hours_format:Mo"}, false},
		{"no spaces", "09:00-12:00/13:30-17:00", "09:00-12:00,13:30-17:00", []string{"hours_format:Mo"}, false},
		{"a comma between ranges", "09:00-12:00, 13:30-17:00", "09:00-12:00,13:30-17:00", []string{"hours_format:Mo"}, false},
		{"a space between ranges", "09:00-12:00 13:30-17:00", "09:00-12:00,13:30-17:00", []string{"hours_format:Mo"}, false},
		{"a hyphen between ranges", "09:00 - 12:00 - 13:30 - 17:00", "09:00-12:00,13:30-17:00", []string{"hours_format:Mo"}, false},
		{"a space before the colon", "13:30 - 17 :00", "13:30-17:00", []string{"hours_format:Mo"}, false},
		{"the letter h, with and without minutes", "8h30-12h / 13H30 à 17h", "08:30-12:00,13:30-17:00", []string{"hours_format:Mo"}, false},
		{"a doubled h", "8h45h-12h", "08:45-12:00", []string{"hours_format:Mo"}, false},
		{"colons all the way", "09:00:12:00", "09:00-12:00", []string{"hours_format:Mo"}, false},
		{"no colons at all", "0900-1200", "09:00-12:00", []string{"hours_format:Mo"}, false},
		{"bare hours", "9-12 et 14-17", "09:00-12:00,14:00-17:00", []string{"hours_format:Mo"}, false},
		{"a long dash", "09:00 – 12:00", "09:00-12:00", []string{"hours_format:Mo"}, false},
		{"a line break in the cell", "09:00 - 12:00\n13:30 - 17:00", "09:00-12:00,13:30-17:00", []string{"hours_format:Mo"}, false},
		{"a no-break space", "09:00\u00a0- 12:00", "09:00-12:00", nil, false},
		{"midnight to midnight means nothing", "00:00 - 00:00", "", []string{"hours_zero_length:Mo"}, false},
		{"nothing beside something", "00:00 - 00:00 / 00:00 - 00:00 / 08:30 - 16:00", "08:30-16:00", []string{"hours_zero_length:Mo"}, false},
		{"an end before its start is dropped", "17:00 - 09:00 / 10:00 - 12:00", "10:00-12:00", []string{"hours_reversed:Mo"}, false},
		{"a time that no clock shows is dropped", "09:00 - 25:00", "", []string{"hours_bad:Mo"}, false},
		{"minutes that no clock shows are dropped", "09:60 - 12:00 / 14:00 - 15:00", "14:00-15:00", []string{"hours_bad:Mo"}, false},
		{"to midnight", "20:00 - 24:00", "20:00-24:00", nil, false},
		{"overlapping ranges are merged", "09:00 - 12:00 / 09:00 - 16:30 / 14:00 - 16:30", "09:00-16:30", []string{"hours_overlap:Mo"}, false},
		{"a repeated range is merged", "13:30 - 16:00 / 13:30 - 16:00", "13:30-16:00", []string{"hours_overlap:Mo"}, false},
		{"ranges out of order are put in order", "14:00 - 17:00 / 09:00 - 12:00", "09:00-12:00,14:00-17:00", nil, false},
		{"by appointment", "Sur RDV", "", []string{"hours_text:Mo"}, true},
		{"not told", "Horaires non communiqués", "", []string{"hours_text:Mo"}, true},
		{"every other week", "Semaines paires : 9h-12h // Semaines impaires : fermé", "", []string{"hours_text:Mo"}, true},
		{"once a month", "1er mercredi du mois : 9h-12h", "", []string{"hours_text:Mo"}, true},
		{"in season", "Sept. - Juin : 9h-12h // Été : 8h-11h", "", []string{"hours_text:Mo"}, true},
		{"an odd number of times", "09:00 - 12:00 - 13:30", "", []string{"hours_text:Mo"}, true},
		{"a telephone number", "05 63 34 80 74", "", []string{"hours_text:Mo"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var q quirks
			d := q.day("Mo", test.cell)
			if d.String() != test.want || (d.words != "") != test.words {
				t.Errorf("%q is %q with words %q, want %q", test.cell, d.String(), d.words, test.want)
			}
			if diff := cmp.Diff(quirks(test.quirks), q); diff != "" {
				t.Errorf("quirks (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHoursOfAWeek(t *testing.T) {
	for _, test := range []struct {
		name, cells, want, note string
		minutes                 int
		conditional, quirks     []string
	}{
		{
			name: "equal days in a row are written once", cells: "09:00 - 17:00|09:00 - 17:00|09:00 - 12:00|09:00 - 17:00|09:00 - 17:00|",
			want: "Mo-Tu 09:00-17:00; We 09:00-12:00; Th-Fr 09:00-17:00; PH off", minutes: 35 * 60,
		},
		{name: "six blank days are unknown, not closed", cells: "||-|||", quirks: []string{"hours_none"}},
		{
			name: "less than the charter's 24 hours", cells: "|09:00 - 12:00||||09:00 - 11:00",
			want: "Tu 09:00-12:00; Sa 09:00-11:00; PH off", minutes: 300, quirks: []string{"hours_below_24h_charter"},
		},
		{
			name: "106 hours that are 60 after merging are plausible", cells: strings.Repeat("08:00 - 18:00 / 08:00 - 15:00|", 6),
			want: "Mo-Sa 08:00-18:00; PH off", minutes: 3600,
			quirks: []string{"hours_overlap:Mo", "hours_overlap:Tu", "hours_overlap:We", "hours_overlap:Th", "hours_overlap:Fr", "hours_overlap:Sa"},
		},
		{
			name: "more than 60 hours are not", cells: strings.Repeat("08:00 - 18:30|", 6),
			want: "Mo-Sa 08:00-18:30; PH off", minutes: 3780, quirks: []string{"hours_implausible"},
		},
		{
			name: "a day in words is kept as a note and not taken for every week", cells: "Sur RDV|9h-12h||Semaines paires : 9h-12h||",
			want: "Tu 09:00-12:00; PH off", minutes: 180, conditional: []string{"Mo", "Th"},
			note: "Lundi : Sur RDV // Jeudi : Semaines paires : 9h-12h", quirks: []string{"hours_text:Mo", "hours_format:Tu", "hours_text:Th"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := row{record: record{cells: strings.Split(test.cells, "|")}, header: header{at: map[column]int{}}}
			for i, c := range days {
				r.header.at[c] = i
			}
			w := r.week()
			if w.openingHours() != test.want || w.minutes() != test.minutes || w.note() != test.note {
				t.Errorf("%q, %d minutes, note %q", w.openingHours(), w.minutes(), w.note())
			}
			if diff := cmp.Diff(test.conditional, w.conditional()); diff != "" {
				t.Errorf("conditional days (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(quirks(test.quirks), r.quirks); diff != "" {
				t.Errorf("quirks (-want +got):\n%s", diff)
			}
		})
	}
}
