package officelist

import "fmt"

// Rejection says why a row was not read.
type Rejection struct {
	// Line is the physical line of the file on which the row begins, from 1.
	Line int          `json:"line"`
	Code RejectedCode `json:"code"`
	// Reason and ReasonFR say it in words; Detail adds what is at fault.
	Reason   string `json:"reason"`
	ReasonFR string `json:"reason_fr"`
	Detail   string `json:"detail,omitempty"`
}

// RejectedCode is why a row was rejected.
type RejectedCode string

// The reasons for which a row is rejected.
const (
	RejectedIDMissing   RejectedCode = "id_missing"
	RejectedIDBad       RejectedCode = "id_bad"
	RejectedIDDuplicate RejectedCode = "id_duplicate"
	// RejectedIDReused is given by whoever knows the offices of earlier lists.
	RejectedIDReused    RejectedCode = "id_reused"
	RejectedNameMissing RejectedCode = "name_missing"
	RejectedQuote       RejectedCode = "quote_not_closed"
	RejectedCellTooLong RejectedCode = "cell_too_long"
	RejectedTooWide     RejectedCode = "too_many_cells"
)

var rejectedWords = map[RejectedCode][2]string{
	RejectedIDMissing:   {"The row has no office id.", "La ligne n'a pas d'identifiant de structure."},
	RejectedIDBad:       {"The office id is neither a number nor temp_<number>.", "L'identifiant n'est ni un nombre ni temp_<nombre>."},
	RejectedIDDuplicate: {"The office stands in the file twice.", "La structure figure deux fois dans le fichier."},
	RejectedIDReused:    {"The provisional id was another office's, to which past events point.", "L'identifiant provisoire était celui d'une autre structure, que citent des événements passés."},
	RejectedNameMissing: {"The office has no name.", "La structure n'a pas de nom."},
	RejectedQuote:       {"A quoted cell is not closed, or goes on after its quote.", "Un guillemet n'est pas fermé, ou du texte le suit."},
	RejectedCellTooLong: {"A cell is longer than any that the list has.", "Une cellule est plus longue que tout ce que contient la liste."},
	RejectedTooWide:     {"The row has far too many cells.", "La ligne a beaucoup trop de cellules."},
}

func reject(r record, code RejectedCode, format string, args ...any) *Rejection {
	return rejectLine(r.line, code, fmt.Sprintf(format, args...))
}

func rejectLine(line int, code RejectedCode, detail string) *Rejection {
	words := rejectedWords[code]
	return &Rejection{Line: line, Code: code, Reason: words[0], ReasonFR: words[1], Detail: detail}
}

// Refusal is the error for a file that is refused whole.
type Refusal struct {
	Code   RefusedCode
	Detail string
	// Rows and Rejected are the report as far as the file was read.
	Rows     int
	Rejected []Rejection
}

// RefusedCode is why a file was refused whole.
type RefusedCode string

// The reasons for which a file is refused whole.
const (
	RefusedEmpty           RefusedCode = "file_empty"
	RefusedTooLarge        RefusedCode = "file_too_large"
	RefusedNotText         RefusedCode = "file_not_text"
	RefusedHeaderMissing   RefusedCode = "header_missing"
	RefusedHeaderTwice     RefusedCode = "header_twice"
	RefusedTooManyRejected RefusedCode = "too_many_rejected"
	RefusedFewerOffices    RefusedCode = "fewer_offices"
)

func (r *Refusal) Error() string { return string(r.Code) + ": " + r.Detail }

func refuse(code RefusedCode, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Detail: fmt.Sprintf(format, args...)}
}
