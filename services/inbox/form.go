package inbox

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net/url"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/inbox/internal/desk"
	"github.com/relais-fr/relais/services/internal/directory"
)

// form is an action's form as the template shows it. All that is random is in it,
// so that a double click hands the same event in.
type form struct {
	Action string // its address
	Name   string
	Title  string
	Button string
	Hidden []hidden
	Fields []shownField
	// Error and Remedy say why it is shown again; Detail names the fault to
	// whoever runs the hub, under the heading Technical.
	Error, Remedy, Detail, Technical string
	// Back is the page that it belongs to, and About the case that it is done on,
	// nil for none.
	Back  string
	About *desk.Case
}

type hidden struct{ Name, Value string }

type shownField struct {
	ID, Name, Label, Hint string
	Kind                  fieldKind
	Required              bool
	// Wide says that it needs the whole width.
	Wide        bool
	Value       string
	Least, Most int
	// Blank is what the choice of nothing is called.
	Blank   string
	Groups  []optionGroup
	Problem string
}

type optionGroup struct {
	Label   string
	Options []option
}

type option struct {
	Value, Label string
	Chosen       bool
}

// Names of a form's hidden fields.
const (
	hiddenAction    = "action"
	hiddenEvent     = "event"
	hiddenCase      = "case"
	hiddenOf        = "of"
	hiddenReference = "reference"
	hiddenChild     = "child"
	hiddenVisit     = "visit"
	hiddenOldStarts = "old_starts"
	// hiddenDay is where a visit that is taken back stood: where the page goes on.
	hiddenDay = "day"
)

// newID is a random id that sorts by time.
func newID() string {
	id, err := uuid.NewV7()
	if err != nil {
		panic(fmt.Sprintf("inbox: no randomness: %v", err)) // crypto/rand never fails
	}
	return id.String()
}

// hide fills in what the form of an action hides, with new ids. c is the case it
// is done on, nil for an action that opens a dossier.
func hide(a *action, c *desk.Case) url.Values {
	v := url.Values{}
	v.Set(hiddenEvent, newID())
	switch {
	case a.name == actChild:
		v.Set(hiddenCase, c.Child)
	case a.opens && a.on:
		v.Set(hiddenCase, schemas.Dossier(c.ID)+"~"+newID())
	case a.opens:
		v.Set(hiddenCase, newID())
	case c != nil:
		v.Set(hiddenCase, c.ID)
	}
	if c != nil {
		v.Set(hiddenOf, c.ID)
		v.Set(hiddenOldStarts, fmt.Sprint(c.Starts))
	}
	switch a.event {
	case schemas.TypeReferralMade:
		reference, err := schemas.NewReference(rand.Reader)
		if err != nil {
			panic(fmt.Sprintf("inbox: no randomness: %v", err)) // crypto/rand never fails
		}
		v.Set(hiddenReference, reference)
	case schemas.TypeReferralRerouted:
		v.Set(hiddenChild, schemas.Dossier(c.ID)+"~"+newID())
	}
	return v
}

// hiddenFields are those that an action's form hides.
func (a *action) hiddenFields() []string {
	list := []string{hiddenEvent, hiddenCase, hiddenOf}
	switch a.event {
	case schemas.TypeReferralMade:
		list = append(list, hiddenReference, hiddenVisit)
	case schemas.TypeReferralRerouted:
		list = append(list, hiddenChild)
	case schemas.TypeAppointmentRescheduled:
		list = append(list, hiddenOldStarts)
	case schemas.TypeVisitVoided:
		list = append(list, hiddenDay)
	}
	return list
}

// newForm shows an action's form with values, hidden ones included; problems are
// keys of texts by field.
func (f *frame) newForm(a *action, c *desk.Case, values url.Values, problems map[string]string) *form {
	shown := &form{
		Action: "/offices/" + f.Office.ID + "/submit", Name: a.name, Title: f.T(a.title), Button: f.T(cmp.Or(a.button, a.title)),
		Hidden: []hidden{{hiddenAction, a.name}}, Technical: f.T("technical"), Back: "/offices/" + f.Office.ID, About: c,
	}
	if c != nil {
		shown.Back = f.CaseURL(c.ID)
	}
	for _, name := range a.hiddenFields() {
		if v := values.Get(name); v != "" {
			shown.Hidden = append(shown.Hidden, hidden{name, v})
		}
	}
	for i, q := range a.fields {
		field := shownField{
			// A page may show several forms of the same questions.
			ID: fmt.Sprintf("%s-%s-%d", a.name, q.name, i), Name: q.name, Label: f.T(q.label), Kind: q.kind, Required: q.required,
			Value: values.Get(q.name), Groups: f.options(q, c, values[q.name]), Least: q.least, Most: q.most, Blank: f.T("blank"),
		}
		field.Wide = q.kind == askText || longest(field.Groups) > wideFrom
		if q.hint != "" {
			field.Hint = f.T(q.hint)
		}
		if q.required {
			field.Blank = f.T("choose")
		}
		if sentence := problems[q.name]; sentence != "" {
			field.Problem = f.problem(q, sentence)
		}
		shown.Fields = append(shown.Fields, field)
	}
	return shown
}

// wideFrom is how many characters of an option fit in a third of a page.
const wideFrom = 36

// longest is the length of the longest option, in characters.
func longest(groups []optionGroup) int {
	n := 0
	for _, g := range groups {
		for _, o := range g.Options {
			n = max(n, utf8.RuneCountInString(o.Label))
		}
	}
	return n
}

// problem says what is wrong with an answer. Of one that cannot be taken the
// question itself may know better what is.
func (f *frame) problem(q field, sentence string) string {
	switch {
	case sentence == "field_wrong" && q.wrong != "":
		return f.T(q.wrong)
	case sentence == "field_wrong" && q.kind == askNumber:
		return fmt.Sprintf(f.T("number_wrong"), q.least, q.most)
	}
	return f.T(sentence)
}

// options are what a field offers, what was chosen before marked.
func (f *frame) options(q field, c *desk.Case, chosen []string) []optionGroup {
	var groups []optionGroup
	switch q.kind {
	case askChoice, askChoices:
		groups = []optionGroup{f.codes("", q.table)}
	case askTheme, askThemes:
		groups = []optionGroup{f.codes("", schemas.TableTheme), f.codes(f.T("digital_more"), schemas.TableDigitalTheme)}
	case askYesNo:
		groups = []optionGroup{{Options: []option{{Value: "yes", Label: f.T("yes")}, {Value: "no", Label: f.T("no")}}}}
	case askOperator, askOperators:
		groups = []optionGroup{f.operators(c)}
	case askRecipient, askProvider:
		groups = f.servicesByOperator(q.kind == askProvider)
	case askService, askServices:
		groups = f.servicesByTheme()
	case askCompetent:
		if c != nil {
			groups = []optionGroup{{Options: serviceOptions(f.directory.ServicesOf(c.Competent))}}
		}
	case askLine, askText, askNumber, askDay, askMoment:
	}
	for _, g := range groups {
		for i := range g.Options {
			g.Options[i].Chosen = slices.Contains(chosen, g.Options[i].Value)
		}
	}
	return groups
}

func (f *frame) codes(label, table string) optionGroup {
	list, _ := schemas.CodeTable(table)
	g := optionGroup{Label: label}
	for _, c := range list {
		g.Options = append(g.Options, option{Value: c.Name, Label: f.pick(c.French, c.English)})
	}
	return g
}

// operators are all of them but the one from whom the case came.
func (f *frame) operators(c *desk.Case) optionGroup {
	var g optionGroup
	for _, p := range f.directory.Operators() {
		if !p.Closed() && (c == nil || p.ID != c.From) {
			g.Options = append(g.Options, option{Value: p.ID, Label: p.Name})
		}
	}
	return g
}

// servicesByOperator lists every operator's services, with the operator in the
// value; where it may be chosen alone, it is the first of its own.
func (f *frame) servicesByOperator(alone bool) []optionGroup {
	var groups []optionGroup
	for _, p := range f.directory.Operators() {
		if p.Closed() {
			continue
		}
		g := optionGroup{Label: p.Name}
		if alone {
			g.Options = append(g.Options, option{Value: p.ID, Label: fmt.Sprintf(f.T("any_service"), p.Name)})
		}
		for _, o := range serviceOptions(f.directory.ServicesOf(p.ID)) {
			g.Options = append(g.Options, option{Value: p.ID + " " + o.Value, Label: o.Label})
		}
		if len(g.Options) > 0 {
			groups = append(groups, g)
		}
	}
	return groups
}

// servicesByTheme lists all services once each.
func (f *frame) servicesByTheme() []optionGroup {
	var groups []optionGroup
	theme := ""
	for _, s := range f.directory.Services() {
		if len(groups) == 0 || s.Theme != theme {
			theme = s.Theme
			groups = append(groups, optionGroup{Label: f.ServiceTheme(theme)})
		}
		g := &groups[len(groups)-1]
		g.Options = append(g.Options, option{Value: s.Code, Label: s.Label})
	}
	return groups
}

func serviceOptions(list []directory.Service) []option {
	options := make([]option, len(list))
	for i, s := range list {
		options[i] = option{Value: s.Code, Label: s.Label}
	}
	return options
}

// valuesOf are the answers with which a form begins.
func valuesOf(a *action, c *desk.Case, now time.Time) url.Values {
	v := url.Values{}
	switch a.name {
	case actVisit:
		v.Set("day", now.Format(time.DateOnly))
		v.Set("half_day", "morning")
		if now.Hour() >= 13 {
			v.Set("half_day", "afternoon")
		}
		v.Set("channel", "on_site_unplanned")
	case "provide":
		v["answered"] = slices.Clone(c.Asked)
	case actBook, actAppointment:
		v.Set("mode", "in_person")
	case actChild:
		v.Set("service", c.Service)
	case "reschedule":
		v.Set("starts", time.UnixMilli(c.Starts).In(now.Location()).Format(momentFormat))
	}
	return v
}
