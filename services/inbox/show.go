package inbox

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/lifecycle"
	"github.com/relais-fr/relais/services/inbox/internal/desk"
	"github.com/relais-fr/relais/services/internal/directory"
)

// found bounds the offices that a search shows.
const found = 20

// home finds an office by what is typed.
func (p *pages) home(f *frame, _ http.ResponseWriter, r *http.Request) (string, error) {
	query := r.URL.Query().Get("q")
	offices := f.directory.Search(query, found+1)
	f.Title = f.T("home_title")
	f.Body = struct {
		Query, Found string
		Offices      []directory.Office
	}{query, f.found(query, len(offices)), offices[:min(found, len(offices))]}
	return "home.html", nil
}

// found says how many offices a search has found; of more than are shown, that
// there are more.
func (f *frame) found(query string, n int) string {
	switch {
	case strings.TrimSpace(query) == "":
		return ""
	case n == 0:
		return f.T("home_none")
	case n == 1:
		return f.T("home_one")
	case n > found:
		return fmt.Sprintf(f.T("home_more"), found)
	}
	return fmt.Sprintf(f.T("home_some"), n)
}

// toOffice sends whoever asks for an address that is none to the office's page:
// that of a form that was sent, typed or loaded again.
func (p *pages) toOffice(f *frame, w http.ResponseWriter, r *http.Request) (string, error) {
	http.Redirect(w, r, "/offices/"+f.Office.ID, http.StatusSeeOther)
	return "", nil
}

// listView is one list of an office's page.
type listView struct {
	*frame
	Name  desk.List
	Title string
	None  string
	Cases []listed
	Count int64
	More  bool
}

// officeView is what an office's page shows.
type officeView struct {
	Lists []listView
	Done  listView
	// Day is the day of which the visits are shown; Before and After are those
	// around it, After being empty when that is to come.
	Day, Before, After string
	DayTitle           string
	Visits             []visit
	VisitCount         int
	Refusals           []refusalView
}

func (p *pages) office(f *frame, _ http.ResponseWriter, r *http.Request) (string, error) {
	today := schemas.DayOf(f.Now)
	day, err := schemas.ParseDay(r.URL.Query().Get("day"))
	if err != nil {
		day = today
	}
	o, err := p.in.overview(r.Context(), f.Office.ID, day)
	if err != nil {
		return "", err
	}
	if err := p.bannerFor(f, r); err != nil {
		return "", err
	}
	f.Title = f.Office.Name
	f.After = streamID(p.in.partition(f.Office.ID), o.Office.Last-1)
	v := &officeView{
		Day: day.String(), Before: (day - 1).String(), DayTitle: f.T("visits_today"),
		Visits: o.Visits[:min(shown, len(o.Visits))], VisitCount: len(o.Visits), Refusals: p.refusals(f, o.Refusals),
	}
	if day != today {
		v.DayTitle = f.T("visits_of") + " " + f.Date(day.Time())
	}
	if day < today {
		v.After = (day + 1).String()
	}
	for _, l := range desk.Lists {
		list := listView{
			frame: f, Name: l, Title: f.T(string(l)), None: f.T("none_" + string(l)),
			Cases: o.Lists[l], Count: o.Counts[l], More: o.Counts[l] > int64(len(o.Lists[l])),
		}
		if l == desk.ToDo {
			urgentFirst(list.Cases)
		}
		if l == desk.Done {
			v.Done = list
			continue
		}
		v.Lists = append(v.Lists, list)
	}
	f.Body = v
	return "office.html", nil
}

// refusalView is a refused submission: what was to be done, and where its case
// is, "" for one that was not opened or has no page.
type refusalView struct {
	desk.Refusal
	Title, URL string
	// Undelivered says whom it has not reached, since when; empty for a refusal.
	Undelivered string
}

// refusalsShown is how long a refusal stays on the office's page.
const refusalsShown = 7 * 24 * time.Hour

// refusals are those of the last days, the latest first.
func (p *pages) refusals(f *frame, all []desk.Refusal) []refusalView {
	var list []refusalView
	for _, r := range slices.Backward(all) {
		if f.Now.Sub(time.UnixMilli(r.Received)) > refusalsShown {
			break
		}
		v := refusalView{Refusal: r, Title: f.Event(r.Type)}
		for _, a := range p.actions {
			if a.event != r.Type {
				continue
			}
			v.Title = f.T(a.title)
			if !a.opens && !a.ofVisit() {
				v.URL = f.CaseURL(r.Case)
			}
			break
		}
		if r.Report != nil {
			v.Undelivered, v.URL = f.undelivered(r), f.CaseURL(r.Case)
		}
		list = append(list, v)
	}
	return list
}

// undelivered is a report in words.
func (f *frame) undelivered(r desk.Refusal) string {
	key, at := "report_undelivered", r.Report.Since
	switch {
	case r.Report.State == schemas.DeliveryRedriven, r.Report.State == schemas.DeliveryAcknowledged:
		key, at = "report_delivered", r.Received
	case r.Reason == schemas.DeliveryNotCollected, r.Reason == schemas.DeliveryDeleted:
		key = "report_uncollected"
	}
	return fmt.Sprintf(f.T(key), f.Name(r.Report.To), f.At(at))
}

// find opens the case with a reference, however it was typed.
func (p *pages) find(f *frame, w http.ResponseWriter, r *http.Request) (string, error) {
	unknown := &failure{status: http.StatusNotFound, title: "no_reference_title", key: "no_reference"}
	reference := strings.ToUpper(strings.Join(strings.FieldsFunc(r.URL.Query().Get("reference"), separates), ""))
	if len(reference) == 8 {
		reference = reference[:4] + "-" + reference[4:]
	}
	if !schemas.ValidReference(reference) {
		return "", unknown
	}
	id, err := p.in.byReference(r.Context(), f.Office.ID, reference)
	if errors.Is(err, errNotFound) {
		return "", unknown
	}
	if err != nil {
		return "", err
	}
	http.Redirect(w, r, f.CaseURL(id), http.StatusSeeOther)
	return "", nil
}

// separates are the characters that people put between the halves of a reference.
func separates(r rune) bool { return unicode.IsSpace(r) || unicode.In(r, unicode.Pd) || r == '.' }

// caseView is what a case's page shows.
type caseView struct {
	Case     *desk.Case
	Parent   *desk.Case
	Child    *desk.Case
	Related  []*desk.Case
	Timeline []lineView
	Forms    []*form
	Printed  bool
	Pending  bool // it was handed in, and is not on the desk yet
}

func (p *pages) showCase(f *frame, _ http.ResponseWriter, r *http.Request) (string, error) {
	id := r.PathValue("case")
	if _, err := schemas.ParseCaseID(id); err != nil {
		return "", errNotFound
	}
	dossier, timeline, office, err := p.in.dossier(r.Context(), f.Office.ID, schemas.Dossier(id))
	if err == nil && dossier.Find(id) == nil {
		err = errNotFound
	}
	if err := p.bannerFor(f, r); err != nil {
		return "", err
	}
	if err != nil && (f.Banner == nil || !errors.Is(err, errNotFound)) {
		return "", err
	}
	f.After = streamID(p.in.partition(f.Office.ID), office.Last-1)
	f.Dossier = schemas.Dossier(id)
	if err != nil {
		f.Title = f.T("sending")
		f.Body = &caseView{Pending: true}
		return "case.html", nil
	}
	c := dossier.Find(id)
	v := &caseView{Case: c, Parent: dossier.Find(c.Parent), Child: dossier.Find(c.Child), Timeline: f.lines(timeline)}
	for _, other := range dossier.Cases {
		if other.ID != id {
			v.Related = append(v.Related, other)
		}
	}
	v.Printed = c.Kind == schemas.KindReferral && c.From == f.Office.ID
	for _, a := range p.allowed(c, f.Office.ID, f.Now) {
		values := hide(a, c)
		maps.Copy(values, valuesOf(a, c, f.Now))
		v.Forms = append(v.Forms, f.newForm(a, c, values, nil))
	}
	f.Title = f.T(string(c.Kind)) + " " + c.Reference
	if c.Kind == schemas.KindAppointment {
		f.Title = f.T("appointment") + " · " + f.At(c.Starts)
	}
	f.Body = v
	return "case.html", nil
}

// allowed are the actions that the tables allow the office on the case now.
func (p *pages) allowed(c *desk.Case, office string, now time.Time) []*action {
	machine, ok := lifecycle.ByKind(c.Kind)
	hats := c.Hats(office)
	if !ok || hats == 0 {
		return nil
	}
	events := map[string]bool{}
	for _, e := range machine.Allowed(c.Lifecycle(), hats, now) {
		events[e] = true
	}
	var list []*action
	for _, a := range p.actions {
		switch a.name {
		case actChild:
			ok = c.State == lifecycle.Rerouted && !c.HasChild && hats&lifecycle.Recipient != 0
		case actBook:
			ok = c.Kind == schemas.KindReferral && !machine.Ended(c.State) && lifecycle.AfterBooking(c.State) == lifecycle.Scheduled
		default:
			ok = !a.opens && events[a.event]
		}
		if ok {
			list = append(list, a)
		}
	}
	if c.Kind == schemas.KindAppointment && c.Starts > now.UnixMilli() {
		// Who came is not the first question before it has begun.
		slices.SortStableFunc(list, func(a, b *action) int { return cmp.Compare(a.whenOver(), b.whenOver()) })
	}
	return list
}

// whenOver is 1 for what is done once an appointment is over, else 0.
func (a *action) whenOver() int {
	if a.event == schemas.TypeAppointmentAttended || a.event == schemas.TypeAppointmentMissed {
		return 1
	}
	return 0
}

// reference is the sheet that the person takes along. It says to whom and under
// which reference, and nothing about the person.
func (p *pages) reference(f *frame, _ http.ResponseWriter, r *http.Request) (string, error) {
	c, err := p.caseOf(r.Context(), f.Office.ID, r.PathValue("case"))
	if err != nil {
		return "", err
	}
	if c.Kind != schemas.KindReferral {
		return "", errNotFound
	}
	f.Title = f.T("reference") + " " + c.Reference
	f.Body = c
	return "reference.html", nil
}

// newForm shows the form of an action that opens a dossier. It may begin with
// answers from the address: the visit from which a person is referred, say.
func (p *pages) newForm(f *frame, _ http.ResponseWriter, r *http.Request) (string, error) {
	a := p.byName[r.PathValue("action")]
	if a == nil || !a.opens || a.on {
		return "", errNotFound
	}
	values := hide(a, nil)
	maps.Copy(values, valuesOf(a, nil, f.Now))
	visit := r.URL.Query().Get("visit")
	if _, err := schemas.ParseCaseID(visit); err == nil {
		values.Set(hiddenVisit, visit)
	}
	f.showForm(f.newForm(a, nil, values, nil))
	return "form.html", nil
}

func (f *frame) showForm(shown *form) {
	f.Title = shown.Title
	f.Body = shown
}

// showVisit shows a visit in the forms by which it is corrected or taken back.
func (p *pages) showVisit(f *frame, _ http.ResponseWriter, r *http.Request) (string, error) {
	day, err := schemas.ParseDay(r.PathValue("day"))
	if err != nil {
		return "", errNotFound
	}
	v, err := p.in.visit(r.Context(), f.Office.ID, day, r.PathValue("visit"))
	if err != nil {
		return "", err
	}
	correct, void := p.byName[actCorrect], p.byName[actVoid]
	values := visitValues(&v.VisitRecorded)
	values.Set(hiddenEvent, newID())
	values.Set(hiddenCase, v.Case)
	voiding := map[string][]string{hiddenEvent: {newID()}, hiddenCase: {v.Case}, hiddenDay: {v.Day.String()}}
	f.Title = f.T("visit")
	f.Body = struct {
		Visit         visit
		Correct, Void *form
	}{v, f.newForm(correct, nil, values, nil), f.newForm(void, nil, voiding, nil)}
	return "visit.html", nil
}

func urgentFirst(cases []listed) {
	var urgent, others []listed
	for _, c := range cases {
		if c.Urgency == "immediate" {
			urgent = append(urgent, c)
		} else {
			others = append(others, c)
		}
	}
	copy(cases, append(urgent, others...))
}

// handedInAt is when an event id of ours was made; the zero time for others.
func handedInAt(event string) time.Time {
	id, err := uuid.Parse(event)
	if err != nil || id.Version() != 7 {
		return time.Time{}
	}
	sec, nsec := id.Time().UnixTime()
	return time.Unix(sec, nsec)
}
