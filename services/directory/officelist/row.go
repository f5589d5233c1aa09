package officelist

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/directory/territory"
)

// reader makes offices of rows.
type reader struct {
	header header
	atlas  *territory.Atlas
	prefix string
}

// row is a record whose cells are known by column.
type row struct {
	record
	header header
	quirks
}

// cell is the cell as it stands; empty when the row is too short or the layout
// has no such column.
func (r *row) cell(c column) string {
	i, ok := r.header.at[c]
	if !ok || i >= len(r.cells) {
		return ""
	}
	return r.cells[i]
}

// plain is the cell on one line, with no note of what was odd.
func (r *row) plain(c column) string { return oneLine(r.cell(c)) }

// The ids of the list: a number, or a provisional one of new offices (2022).
var (
	officialID    = regexp.MustCompile(`^0*([0-9]{1,9})$`)
	provisionalID = regexp.MustCompile(`^temp_[0-9]{1,9}$`)
)

// office reads one row. Its quirks are in a fixed order, so that the same row
// gives the same record.
func (rd *reader) office(rec record) (directory.Office, *Rejection) {
	if rec.problem != "" {
		return directory.Office{}, reject(rec, rec.problem, "")
	}
	r := &row{record: rec, header: rd.header}
	o := directory.Office{Services: []string{"*"}}
	if rejection := rd.identify(r, &o); rejection != nil {
		return o, rejection
	}
	switch {
	case len(r.cells) < r.header.width:
		r.add("columns_missing")
	case len(r.cells) > r.header.width:
		r.add("columns_extra")
	}
	rd.kind(r, &o)
	rd.place(r, &o)
	r.coordinates(&o)
	o.Phone = r.phone(r.plain(colPhone), o.Department)
	week := r.week()
	o.Hours, o.WeeklyMinutes, o.ConditionalDays = week.openingHours(), week.minutes(), week.conditional()
	o.OnAppointment = yesNo(r.plain(colAppointment))
	o.LabelledOn = r.label(r.plain(colLabel))
	o.Note = joinNotes(r.text(fieldNote, r.cell(colNote)), week.note())
	o.Address = r.text(fieldAddress, r.cell(colAddress))
	o.Address2 = r.text(fieldAddress2, r.cell(colAddress2))
	o.Group = r.text(fieldGroup, r.cell(colGroup))
	o.Quirks = r.quirks
	return o, nil
}

// identify reads which office it is.
func (rd *reader) identify(r *row, o *directory.Office) *Rejection {
	id := r.plain(colID)
	switch m := officialID.FindStringSubmatch(id); {
	case m != nil:
		id = m[1]
		if rd.prefix == directory.OfficialPrefix {
			o.Matricule, _ = strconv.Atoi(id)
		}
	case provisionalID.MatchString(id):
		r.add("id_temporary")
	case id == "":
		return reject(r.record, RejectedIDMissing, "")
	default:
		return reject(r.record, RejectedIDBad, "%q", clip(id, 40))
	}
	o.ID = rd.prefix + id
	if o.Name = r.text(fieldName, r.cell(colName)); o.Name == "" {
		return reject(r.record, RejectedNameMissing, "%s", o.ID)
	}
	return nil
}

// clip is at most the first n characters of s.
func clip(s string, n int) string {
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n]) + "…"
	}
	return s
}

// kind reads the form of the office from whichever columns the layout has.
func (rd *reader) kind(r *row, o *directory.Office) {
	o.FormatSource = r.plain(colFormat)
	format, kind := directory.Fold(o.FormatSource), directory.Fold(r.plain(colType))
	tour := yesNo(r.plain(colItinerance))
	o.Kind, o.Mobile = directory.KindFixed, directory.No
	switch format {
	case "bus equivalent", "bus", "itinerante", "itinerant", "mobile":
		tour = directory.Yes
	case "multisites", "multisite":
		o.Kind = directory.KindMultisite
	case "fixe", "fixe antenne s", "antenne":
	case "":
		if kind == "" && tour == directory.Unknown {
			o.Mobile = directory.Unknown
		}
	default:
		r.add("format_unknown:" + clip(o.FormatSource, 40))
	}
	if tour == directory.Yes {
		o.Kind, o.Mobile = directory.KindItinerant, directory.Yes
	}
	if kind == "antenne" || format == "antenne" {
		o.Kind = directory.KindAntenna
	}
}

// yesNo reads Oui and Non; blank and anything else is not known.
func yesNo(cell string) directory.Answer {
	switch directory.Fold(cell) {
	case "oui":
		return directory.Yes
	case "non":
		return directory.No
	}
	return directory.Unknown
}

var labelledOn = regexp.MustCompile(`[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}`)

// label reads the day of « Espace labellisé DD/MM/YYYY » as 2006-01-02.
func (r *row) label(cell string) string {
	day := labelledOn.FindString(cell)
	if day == "" {
		return ""
	}
	t, err := time.Parse("2/1/2006", day)
	if err != nil {
		r.add("label_bad")
		return ""
	}
	return t.Format(time.DateOnly)
}

func joinNotes(notes ...string) string {
	var all []string
	for _, n := range notes {
		if n != "" {
			all = append(all, n)
		}
	}
	return strings.Join(all, " // ")
}
