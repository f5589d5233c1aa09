package inbox

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/inbox/internal/desk"
	"github.com/relais-fr/relais/services/internal/directory"
)

// maxFreeText bounds a text typed into a form, in characters: what the desk keeps
// of one, with room for accents. maxFreeText is that of the template too.
const maxFreeText = 2000

// input is what was typed into a form, and what an action makes its payload of.
// The office and its zone are the page's, not the form's. A field that cannot be
// read is noted in problems by its name, with the key of the sentence.
type input struct {
	url.Values
	office   directory.Office
	zone     *time.Location
	subject  string
	of       *desk.Case // the case acted on, or in whose dossier one is opened
	problems map[string]string
}

func (in *input) wrong(name, sentence string) {
	if in.problems == nil {
		in.problems = make(map[string]string)
	}
	in.problems[name] = sentence
}

// must is a value that has to be there.
func (in *input) must(name string) string {
	v := strings.TrimSpace(in.Get(name))
	if v == "" {
		in.wrong(name, "field_missing")
	}
	return v
}

// may is a value that may be missing.
func (in *input) may(name string) *string {
	v := strings.TrimSpace(in.Get(name))
	if v == "" {
		return nil
	}
	return &v
}

// many are the values of a list, never nil: an empty list is content, too.
func (in *input) many(name string) []string {
	list := []string{}
	for _, v := range in.Values[name] {
		if v = strings.TrimSpace(v); v != "" && !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	return list
}

func (in *input) number(name string) *int {
	v := in.may(name)
	if v == nil {
		return nil
	}
	n, err := strconv.Atoi(*v)
	if err != nil {
		in.wrong(name, "field_wrong")
		return nil
	}
	return &n
}

func (in *input) yesno(name string) *bool {
	switch in.Get(name) {
	case "yes":
		return new(true)
	case "no":
		return new(false)
	}
	return nil
}

func (in *input) day(name string) *schemas.Day {
	v := in.may(name)
	if v == nil {
		return nil
	}
	d, err := schemas.ParseDay(*v)
	if err != nil {
		in.wrong(name, "field_wrong")
		return nil
	}
	return &d
}

// momentFormat is what browsers send of a field datetime-local.
const momentFormat = "2006-01-02T15:04"

// moment is a time on the office's clock.
func (in *input) moment(name string) *time.Time {
	v := in.may(name)
	if v == nil {
		return nil
	}
	if len(*v) > len(momentFormat) {
		*v = (*v)[:len(momentFormat)]
	}
	t, err := time.ParseInLocation(momentFormat, *v, in.zone)
	if err != nil {
		in.wrong(name, "field_wrong")
		return nil
	}
	t = t.UTC()
	return &t
}

func (in *input) mustMoment(name string) time.Time {
	if t := in.moment(name); t != nil {
		return *t
	}
	if in.problems[name] == "" {
		in.wrong(name, "field_missing")
	}
	return time.Time{}
}

// sealed is free text. Its place is the sealed part: nowhere else may a person be
// named.
func (in *input) sealed() []byte {
	v := strings.TrimSpace(strings.ReplaceAll(in.Get("text"), "\r\n", "\n"))
	switch {
	case v == "":
		return nil
	case utf8.RuneCountInString(v) > maxFreeText || len(v) > desk.MaxText || !utf8.ValidString(v):
		in.wrong("text", "field_wrong")
		return nil
	}
	return []byte(v)
}

func (in *input) mustSealed() []byte {
	text := in.sealed()
	if text == nil && in.problems["text"] == "" {
		in.wrong("text", "field_missing")
	}
	return text
}

// recipient reads the choice of a recipient together with one of its services.
func (in *input) recipient() (to, service string) {
	v := in.must("service")
	to, service, ok := strings.Cut(v, " ")
	if v != "" && !ok {
		in.wrong("service", "field_wrong")
	}
	return to, service
}
