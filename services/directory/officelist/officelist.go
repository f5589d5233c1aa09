// Package officelist reads the official list of France services offices as ANCT
// publishes it (CSV, Licence Ouverte 2.0) and makes office records of it.
//
// It knows the file's layouts of 2020, 2022 and 2024, told apart by their
// headers, its encodings and separators, the grammar of its opening hours, and
// everything else that is odd in it: what is odd is read as well as can be and
// named among the office's quirks. A row is rejected only when nobody could say
// which office it is, or when its quotes do not close; a file is refused whole
// when it looks wrong whole. It leaves to package directory what the records
// change, and writes nothing.
package officelist

import (
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/directory/territory"
)

// Bounds on what is read. The official list of 2024 has 1.1 MB, 2,845 rows and
// cells of 500 characters.
const (
	MaxBytes = 16 << 20
	maxRows  = 20_000
	maxCells = 200
	maxCell  = 8 << 10
	// maxRejected of the rows, in percent, may be rejected before the file is
	// refused whole, and the offices may become fewer by maxFall percent.
	maxRejected = 5
	maxFall     = 10
)

// Options say how a list is read.
type Options struct {
	// Prefix begins the ids of the offices; directory.OfficialPrefix for the
	// official list.
	Prefix string
	// Previous is the number of offices of the last list, 0 when there was none.
	Previous int
}

// List is what a file holds.
type List struct {
	// Layout is the year of the layout, Encoding and Separator how it is written.
	Layout    string `json:"layout"`
	Encoding  string `json:"encoding"`
	Separator string `json:"separator"`
	// Rows counts the rows read, the rejected ones included.
	Rows     int                `json:"rows"`
	Rejected []Rejection        `json:"rejected"`
	Offices  []directory.Office `json:"-"`

	lines []int // of Offices
}

// Read makes office records of a list, in the file's order. The error is a
// *Refusal when the file as a whole cannot be taken; its report then names the
// rejected rows as List does.
func Read(data []byte, atlas *territory.Atlas, opt Options) (*List, error) {
	text, encoding, err := decode(data)
	if err != nil {
		return nil, err
	}
	list := &List{Encoding: encoding, Rejected: []Rejection{}}
	records := newSplitter(text)
	list.Separator = string(records.separator)
	first, ok := records.next()
	if !ok {
		return nil, refuse(RefusedEmpty, "the file has no header line")
	}
	header, err := newHeader(first.cells)
	if err != nil {
		return nil, err
	}
	list.Layout = header.layout()
	r := reader{header: header, atlas: atlas, prefix: opt.Prefix}
	firstLine := map[string]int{}
	for rec, ok := records.next(); ok; rec, ok = records.next() {
		if rec.isBlank() {
			continue
		}
		if list.Rows++; list.Rows > maxRows {
			return nil, refuse(RefusedTooLarge, "the file has more than %d rows", maxRows)
		}
		office, rejection := r.office(rec)
		if rejection == nil {
			if line, again := firstLine[office.ID]; again {
				rejection = reject(rec, RejectedIDDuplicate, "%s stands on line %d already, which is kept", office.ID, line)
			}
		}
		if rejection != nil {
			list.Rejected = append(list.Rejected, *rejection)
			continue
		}
		firstLine[office.ID] = rec.line
		list.Offices, list.lines = append(list.Offices, office), append(list.lines, rec.line)
	}
	return list, list.check(opt.Previous)
}

// RejectIf rejects, with the code, the offices that the caller knows to be wrong.
func (l *List) RejectIf(code RejectedCode, wrong func(directory.Office) bool) {
	offices, lines := l.Offices, l.lines
	l.Offices, l.lines = nil, nil
	for i, o := range offices {
		if wrong(o) {
			l.Rejected = append(l.Rejected, *rejectLine(lines[i], code, o.ID))
			continue
		}
		l.Offices, l.lines = append(l.Offices, o), append(l.lines, lines[i])
	}
}

// check refuses the list when it looks wrong whole.
func (l *List) check(previous int) error {
	var refusal *Refusal
	switch {
	case l.Rows == 0:
		refusal = refuse(RefusedEmpty, "the file has a header and no rows")
	case len(l.Rejected)*100 > l.Rows*maxRejected:
		refusal = refuse(RefusedTooManyRejected, "%d of %d rows are rejected, more than %d %%", len(l.Rejected), l.Rows, maxRejected)
	case len(l.Offices)*100 < previous*(100-maxFall):
		refusal = refuse(RefusedFewerOffices, "the file has %d offices where the last one had %d, more than %d %% fewer", len(l.Offices), previous, maxFall)
	default:
		return nil
	}
	refusal.Rows, refusal.Rejected = l.Rows, l.Rejected
	return refusal
}
