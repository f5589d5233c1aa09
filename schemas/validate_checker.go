package schemas

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/relais-fr/relais/schemas/internal/personal"
)

// checker looks at one payload and keeps the first fault it finds. Its methods
// take a field's name and value; inside a list they speak of the element set by
// at.
type checker struct {
	refusal *Refusal
	list    string
	index   int
}

// at says which element of which list the next checks are about; none after
// at("", 0).
func (c *checker) at(list string, index int) { c.list, c.index = list, index }

// path is where field stands, such as data.items[2].code. An element that is
// itself the value has no field.
func (c *checker) path(field string) string {
	if c.list == "" {
		return "data." + field
	}
	element := "data." + c.list + "[" + strconv.Itoa(c.index) + "]"
	if field == "" {
		return element
	}
	return element + "." + field
}

// fault refuses field as malformed, unless something was at fault before.
func (c *checker) fault(field, wrong string) {
	if c.refusal == nil {
		c.refusal = refuse(ReasonMalformed, c.path(field)+": "+wrong)
	}
}

// faultIn refuses a string; when it has personal data in it, that is the reason.
func (c *checker) faultIn(field, value, wrong string) {
	if c.refusal == nil && !c.personal(field, value) {
		c.fault(field, wrong)
	}
}

// personal refuses a value that has personal data in clear.
func (c *checker) personal(field, value string) bool {
	what := personal.Data(value)
	if what == "" {
		return false
	}
	if c.refusal == nil {
		c.refusal = refuse(ReasonPersonalDataInClear, c.path(field)+": it has what looks like "+what)
	}
	return true
}

// text takes one line of valid UTF-8, not empty, at most limit bytes long.
func (c *checker) text(field, value string, limit int) {
	if value == "" {
		c.fault(field, "it is empty")
		return
	}
	c.line(field, value, limit)
}

// line is text that may be empty.
func (c *checker) line(field, value string, limit int) {
	switch {
	case len(value) > limit:
		c.fault(field, fmt.Sprintf("it is longer than %d bytes", limit))
	case !utf8.ValidString(value):
		c.fault(field, "it is not valid UTF-8")
	case strings.IndexFunc(value, invisible) >= 0:
		c.faultIn(field, value, "it has a control character; it is one line of plain text")
	default:
		c.personal(field, value)
	}
}

// invisible is a control character, a line or paragraph separator, or one that
// turns the direction of writing.
func invisible(r rune) bool {
	return r < ' ' || r >= 0x7f && (unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control))
}

func (c *checker) optText(field string, value *string) {
	if value != nil {
		c.text(field, *value, MaxStringBytes)
	}
}

// id takes the id of a participant or of a thing in a participant's system.
func (c *checker) id(field, value string) {
	switch {
	case value == "":
		c.fault(field, "it is empty")
	case !ValidID(value):
		c.faultIn(field, value, "it is not an id: 1 to 128 of letters, digits, dot, underscore and hyphen")
	default:
		c.personal(field, value)
	}
}

func (c *checker) optID(field string, value *string) {
	if value != nil {
		c.id(field, *value)
	}
}

// caseID takes what ParseCaseID takes.
func (c *checker) caseID(field, value string) {
	if _, err := ParseCaseID(value); err != nil {
		c.faultIn(field, value, "it is not a case id: "+err.Error())
		return
	}
	c.personal(field, value)
}

func (c *checker) optCaseID(field string, value *string) {
	if value != nil {
		c.caseID(field, *value)
	}
}

// service takes what can be the code of a service, such as
// logement/expulsion-du-logement; the directory knows which there are.
func (c *checker) service(field, value string) {
	if value == "" || len(value) > MaxStringBytes || strings.IndexFunc(value, notOfService) >= 0 {
		c.faultIn(field, value, "it is not the code of a service: lower-case letters, digits, hyphen, underscore, dot and slash")
		return
	}
	c.personal(field, value)
}

func notOfService(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("-_./", r)
}

// code takes a code of a table.
func (c *checker) code(field, table, value string) {
	if _, ok := LookupCode(table, value); ok {
		return
	}
	c.noCode(field, value, table)
}

func (c *checker) optCode(field, table string, value *string) {
	if value != nil {
		c.code(field, table, *value)
	}
}

// theme takes a code of either table of themes.
func (c *checker) theme(field, value string) {
	if _, ok := LookupCode(TableTheme, value); ok {
		return
	}
	if _, ok := LookupCode(TableDigitalTheme, value); ok {
		return
	}
	c.noCode(field, value, TableTheme, TableDigitalTheme)
}

// noCode refuses a value and says which codes there are. The value is repeated
// only if it has the form of a code: anything else may be personal.
func (c *checker) noCode(field, value string, tables ...string) {
	what := "it"
	if personal.CodeShaped(value) {
		what = strconv.Quote(value)
	}
	var names []string
	for _, table := range tables {
		for _, code := range tableByName[table].Codes {
			names = append(names, code.Name)
		}
	}
	c.faultIn(field, value, fmt.Sprintf("%s is not a code of the table %s: %s", what, strings.Join(tables, " or "), strings.Join(names, ", ")))
}

// place takes what ParsePlace takes.
func (c *checker) place(field, value string) {
	if _, err := ParsePlace(value); err != nil {
		c.faultIn(field, value, "it is not a place such as 3-1042")
	}
}

// sha256 takes a digest of 32 bytes.
func (c *checker) sha256(field string, value []byte) {
	if len(value) != 32 {
		c.fault(field, "it is not a SHA-256 of 32 bytes")
	}
}

func (c *checker) optSHA256(field string, value []byte) {
	if len(value) != 0 {
		c.sha256(field, value)
	}
}

// sealed takes sealed bytes, or none.
func (c *checker) sealed(value []byte) {
	if len(value) > MaxSealedBytes {
		c.fault("sealed", fmt.Sprintf("it is longer than %d bytes", MaxSealedBytes))
	}
}

// between takes a number from low to high.
func (c *checker) between(field string, value, low, high int64) {
	if value < low || value > high {
		c.fault(field, fmt.Sprintf("%d is not from %d to %d", value, low, high))
	}
}

func (c *checker) optBetween(field string, value *int, low, high int64) {
	if value != nil {
		c.between(field, int64(*value), low, high)
	}
}

// length takes a list with low to high elements.
func (c *checker) length(field string, n, low, high int) {
	if n < low || n > high {
		c.fault(field, fmt.Sprintf("it has %d elements; %d to %d are taken", n, low, high))
	}
}

// The first and the last year that a day or a time may name: older or later ones
// are slips of the pen or of a unit.
const (
	firstYear = 2000
	lastYear  = 2099
)

var (
	firstDay = DayOf(time.Date(firstYear, time.January, 1, 0, 0, 0, 0, time.UTC))
	lastDay  = DayOf(time.Date(lastYear, time.December, 31, 0, 0, 0, 0, time.UTC))
)

func (c *checker) day(field string, value Day) {
	if value < firstDay || value > lastDay {
		c.fault(field, fmt.Sprintf("it is not a day of the years %d to %d", firstYear, lastYear))
	}
}

func (c *checker) optDay(field string, value *Day) {
	if value != nil {
		c.day(field, *value)
	}
}

func (c *checker) time(field string, value time.Time) {
	if year := value.UTC().Year(); year < firstYear || year > lastYear {
		c.fault(field, fmt.Sprintf("it is not a time of the years %d to %d", firstYear, lastYear))
	}
}

func (c *checker) optTime(field string, value *time.Time) {
	if value != nil {
		c.time(field, *value)
	}
}

// after takes a time later than another.
func (c *checker) after(field string, value *time.Time, other string, than time.Time) {
	if value == nil {
		return
	}
	c.time(field, *value)
	if !value.After(than) {
		c.fault(field, "it is not after "+other)
	}
}

// each looks at every element of a list of strings, none of them twice.
func (c *checker) each(field string, values []string, low, high int, check func(field, value string)) {
	c.length(field, len(values), low, high)
	if c.refusal != nil {
		return
	}
	for i, value := range values {
		c.at(field, i)
		check("", value)
		for _, earlier := range values[:i] {
			if earlier == value {
				c.fault("", "it is there twice")
			}
		}
	}
	c.at("", 0)
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
