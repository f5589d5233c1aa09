package inbox

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"slices"
	"time"

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
	// Error and Remedy say why it is shown again, Detail names the fault.
	Error, Remedy, Detail string
}

type hidden struct{ Name, Value string }

type shownField struct {
	ID, Name, Label string
	Kind            fieldKind
	Required        bool
	Value           string
	Groups          []optionGroup
	Problem         string
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
	}
	return list
}

// newForm shows an action's form with values, hidden ones included; problems are
// keys of texts by field.
func (f *frame) newForm(a *action, c *desk.Case, values url.Values, problems map[string]string) *form {
	shown := &form{
		Action: "/offices/" + f.Office.ID + "/submit", Name: a.name, Title: f.T(a.title), Button: f.T(a.button),
		Hidden: []hidden{{hiddenAction, a.name}},
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
			Value: values.Get(q.name), Groups: f.options(q, c, values[q.name]),
		}
		if sentence := problems[q.name]; sentence != "" {
			field.Problem = f.T(sentence)
		}
		shown.Fields = append(shown.Fields, field)
	}
	return shown
}

// options are what a field offers, what was chosen before marked.
func (f *frame) options(q field, c *desk.Case, chosen []string) []optionGroup {
	var groups []optionGroup
	switch q.kind {
	case askChoice, askChoices:
		groups = []optionGroup{f.codes("", q.table)}
	case askTheme, askThemes:
		groups = []optionGroup{f.codes("", schemas.TableTheme), f.codes(f.Label(schemas.TableTheme, "digital"), schemas.TableDigitalTheme)}
	case askYesNo:
		groups = []optionGroup{{Options: []option{{Value: "yes", Label: f.T("yes")}, {Value: "no", Label: f.T("no")}}}}
	case askOperator, askOperators:
		groups = []optionGroup{f.operators()}
	case askRecipient, askService, askServices:
		groups = f.servicesByOperator(q.kind == askRecipient)
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

func (f *frame) operators() optionGroup {
	var g optionGroup
	for _, p := range f.directory.Operators() {
		if !p.Closed() {
			g.Options = append(g.Options, option{Value: p.ID, Label: p.Name})
		}
	}
	return g
}

// servicesByOperator lists every operator's services; with the operator in the
// value where it is part of the choice, once each where it is not.
func (f *frame) servicesByOperator(withOperator bool) []optionGroup {
	if !withOperator {
		return servicesByTheme(f.directory.Services())
	}
	var groups []optionGroup
	for _, p := range f.directory.Operators() {
		g := optionGroup{Label: p.Name, Options: serviceOptions(f.directory.ServicesOf(p.ID))}
		for i := range g.Options {
			g.Options[i].Value = p.ID + " " + g.Options[i].Value
		}
		if len(g.Options) > 0 && !p.Closed() {
			groups = append(groups, g)
		}
	}
	return groups
}

func servicesByTheme(all []directory.Service) []optionGroup {
	var groups []optionGroup
	for _, s := range all {
		if len(groups) == 0 || groups[len(groups)-1].Label != s.Theme {
			groups = append(groups, optionGroup{Label: s.Theme})
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
