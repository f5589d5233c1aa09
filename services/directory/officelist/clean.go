package officelist

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

var (
	// jsEscape is how JavaScript writes a character; some comments were exported
	// through it.
	jsEscape    = regexp.MustCompile(`\\x[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}`)
	mailAddress = regexp.MustCompile(`[\p{L}\p{N}._%+'-]+@[\p{L}\p{N}-]+(\.[\p{L}\p{N}-]+)+`)
	// mailInNote also matches an address that lacks its last part, as they occur
	// in comments. In a name it would hit the Rur@linette of the Indre.
	mailInNote = regexp.MustCompile(`[\p{L}\p{N}._%+'-]+@[\p{L}\p{N}-]+(\.[\p{L}\p{N}-]+)*`)
)

// mailMask is what is left of an e-mail address. The published sample of the
// list has it in place of every address already.
const mailMask = "[mail]"

// The names of fields in quirks.
const (
	fieldName     = "name"
	fieldNote     = "comment"
	fieldAddress  = "address"
	fieldAddress2 = "address2"
	fieldGroup    = "group"
)

// text reads a cell of free text: on one line, with single plain spaces, in NFC,
// without e-mail addresses. What was odd is noted under the field's name.
func (q *quirks) text(field, cell string) string {
	s := cell
	if jsEscape.MatchString(s) {
		q.add("js_escaped:" + field)
		// An escaped space is no white space of the file's; only its line breaks
		// are worth a note.
		s = jsEscape.ReplaceAllStringFunc(s, func(e string) string {
			code, _ := strconv.ParseUint(e[2:], 16, 16)
			return strings.ToValidUTF8(string(rune(code)), "")
		})
		if strings.ContainsAny(s, "\r\n") {
			q.add("newline:" + field)
		}
		s = oneLine(s)
	}
	line := oneLine(s)
	switch {
	case line == norm.NFC.String(s):
	case strings.ContainsAny(s, "\r\n"):
		q.add("newline:" + field)
	default:
		q.add("whitespace:" + field)
	}
	if strings.ContainsRune(line, utf8.RuneError) {
		q.add("encoding:" + field)
	}
	address := mailAddress
	if field == fieldNote {
		address = mailInNote
	}
	masked := address.ReplaceAllString(line, mailMask)
	if strings.Contains(masked, mailMask) {
		q.add("mail_in_" + field)
	}
	return masked
}

// oneLine is the text in NFC with every run of white space and control
// characters as one space, and none at its ends.
func oneLine(s string) string {
	return norm.NFC.String(strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == '\u200b' || r == '\ufeff'
	}), " "))
}

// quirks gathers what was odd in a row, in the order in which it was met.
type quirks []string

func (q *quirks) add(quirk string) { *q = append(*q, quirk) }
