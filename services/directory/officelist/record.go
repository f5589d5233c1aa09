package officelist

import (
	"slices"
	"strings"
)

// record is one row of the file as cells.
type record struct {
	// line is where it begins, from 1.
	line  int
	cells []string
	// problem is set when the row could not be cut into cells.
	problem RejectedCode
}

func (r record) isBlank() bool {
	return r.problem == "" && !slices.ContainsFunc(r.cells, func(c string) bool { return strings.TrimSpace(c) != "" })
}

// splitter cuts a text into records as RFC 4180 says, line breaks inside quotes
// included. It differs from encoding/csv in what it does with a broken row: a
// quote that is not closed must not swallow the rows after it, so that the row
// is reported and reading goes on at the next line.
type splitter struct {
	text      string
	separator rune
	line      int
}

func newSplitter(text string) *splitter {
	return &splitter{text: text, separator: separatorOf(text), line: 1}
}

// separatorOf is the separator that the header line has most of.
func separatorOf(text string) rune {
	header, _, _ := strings.Cut(text, "\n")
	best := ','
	for _, s := range ";\t" {
		if strings.Count(header, string(s)) > strings.Count(header, string(best)) {
			best = s
		}
	}
	return best
}

// next is the next record; false at the end.
func (s *splitter) next() (record, bool) {
	if s.text == "" {
		return record{}, false
	}
	r := record{line: s.line}
	for {
		cell, size, problem := s.cell()
		if problem == "" && len(r.cells) == maxCells {
			problem = RejectedTooWide
		}
		if problem != "" {
			// What stands before it on this line, its opening quote included, is
			// given up; the next line begins a record.
			r.problem = problem
			s.skip(lineEnd(s.text))
			return r, true
		}
		r.cells = append(r.cells, cell)
		s.skip(size)
		if strings.HasPrefix(s.text, string(s.separator)) {
			s.skip(1)
			continue
		}
		s.skip(lineEnd(s.text))
		return r, true
	}
}

// skip goes n bytes on.
func (s *splitter) skip(n int) {
	s.line += strings.Count(s.text[:n], "\n")
	s.text = s.text[n:]
}

// lineEnd is the length of the text up to and with its first line break.
func lineEnd(text string) int {
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		return i + 1
	}
	return len(text)
}

// cell reads the cell at the beginning of the text: its value and its size in
// the text, quotes included.
func (s *splitter) cell() (value string, size int, problem RejectedCode) {
	inner := strings.TrimLeft(s.text, " ")
	blanks := len(s.text) - len(inner)
	if !strings.HasPrefix(inner, `"`) {
		size = strings.IndexAny(s.text, "\n"+string(s.separator))
		if size < 0 {
			size = len(s.text)
		}
		if size > maxCell {
			return "", 0, RejectedCellTooLong
		}
		return strings.TrimSuffix(s.text[:size], "\r"), size, ""
	}
	value, size, problem = s.quoted(inner[1:])
	return value, blanks + 1 + size, problem
}

// quoted reads a cell whose opening quote has been passed.
func (s *splitter) quoted(text string) (value string, size int, problem RejectedCode) {
	var b strings.Builder
	for {
		// Looking no further than a cell may reach keeps a file full of open
		// quotes from being read through once for each of them.
		window := text[size:min(len(text), size+maxCell+1)]
		i := strings.IndexByte(window, '"')
		if i < 0 {
			if len(window) > maxCell {
				return "", 0, RejectedCellTooLong
			}
			return "", 0, RejectedQuote
		}
		b.WriteString(window[:i])
		size += i + 1
		if b.Len() > maxCell {
			return "", 0, RejectedCellTooLong
		}
		rest := text[size:]
		if strings.HasPrefix(rest, `"`) {
			b.WriteByte('"')
			size++
			continue
		}
		after := strings.TrimLeft(rest, " \r")
		if after == "" || after[0] == '\n' || strings.HasPrefix(after, string(s.separator)) {
			return b.String(), size + len(rest) - len(after), ""
		}
		return "", 0, RejectedQuote
	}
}
