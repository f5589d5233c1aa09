package inbox

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/lifecycle"
	"github.com/relais-fr/relais/services/inbox/internal/desk"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets/*
var assetFiles embed.FS

// pages are the office's pages.
type pages struct {
	in        *Inbox
	templates *template.Template
	assets    fs.FS
	actions   []*action
	byName    map[string]*action
}

func newPages(in *Inbox) (*pages, error) {
	templates, err := template.ParseFS(templateFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("read templates: %w", err)
	}
	assets, err := fs.Sub(assetFiles, "assets")
	if err != nil {
		return nil, fmt.Errorf("read assets: %w", err)
	}
	p := &pages{in: in, templates: templates, assets: assets, actions: actions(), byName: map[string]*action{}}
	for _, a := range p.actions {
		p.byName[a.name] = a
	}
	return p, nil
}

func (p *pages) routes() map[string]http.Handler {
	return map[string]http.Handler{
		"GET /{$}":                                     p.page(p.home),
		"GET /offices/{office}":                        p.page(p.office),
		"GET /offices/{office}/events":                 http.HandlerFunc(p.serveEvents),
		"GET /offices/{office}/find":                   p.page(p.find),
		"GET /offices/{office}/new/{action}":           p.page(p.newForm),
		"GET /offices/{office}/cases/{case}":           p.page(p.showCase),
		"GET /offices/{office}/cases/{case}/reference": p.page(p.reference),
		"GET /offices/{office}/visits/{day}/{visit}":   p.page(p.showVisit),
		"POST /offices/{office}/submit":                p.page(p.submit),
		"GET /offices/{office}/submit":                 p.page(p.toOffice),
		"GET /offices/{office}/{$}":                    p.page(p.toOffice),
		"GET /assets/":                                 p.serveAssets(),
	}
}

// serveAssets serves the style and the script; they may be kept for a while, as
// nobody is in them. Which files there are is not listed.
func (p *pages) serveAssets() http.Handler {
	files := http.StripPrefix("/assets/", http.FileServerFS(p.assets))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "max-age=60")
		files.ServeHTTP(w, r)
	})
}

// frame is what every page knows.
type frame struct {
	lang
	directory *directory.Snapshot
	Now       time.Time
	// Path and query are the page's address, for the switch of languages.
	Path  string
	query url.Values
	// Office is the zero Office on pages of none.
	Office directory.Office
	Title  string
	// After is where the stream of a live page begins; empty on others. Dossier is
	// what it shows, empty for an office's all.
	After   string
	Dossier string
	Banner  *banner
	Body    any
}

// banner tells what became of what the page handed in.
type banner struct {
	Kind    string // recorded, refused, pending, old
	Text    string
	Remedy  string
	Detail  string
	Refresh bool
}

// failure is a page that says why there is none. key is the sentence's.
type failure struct {
	status     int
	title, key string
	detail     string
}

func (f *failure) Error() string { return f.key }

// page runs a handler that returns the name of its template, for the office of
// the path if there is one, and shows what it returns.
func (p *pages) page(handler func(f *frame, w http.ResponseWriter, r *http.Request) (template string, err error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := &frame{lang: languageOf(w, r), directory: p.in.host.Directory.Snapshot(), Now: time.Now().UTC(), Path: r.URL.Path, query: r.URL.Query()}
		name, err := p.enter(f, w, r, handler)
		if err != nil {
			p.fail(f, w, r, err)
			return
		}
		if name != "" {
			p.render(f, w, r, http.StatusOK, name)
		}
	})
}

func (p *pages) enter(f *frame, w http.ResponseWriter, r *http.Request, handler func(*frame, http.ResponseWriter, *http.Request) (string, error)) (string, error) {
	if !p.in.host.Directory.IsReady() {
		return "", &failure{status: http.StatusServiceUnavailable, title: "not_yet_title", key: "directory_wait"}
	}
	if id := r.PathValue("office"); id != "" {
		office, ok := f.directory.Office(id)
		if !ok {
			return "", &failure{status: http.StatusNotFound, title: "not_found_title", key: "unknown_office"}
		}
		f.Office = office
		f.Now = f.Now.In(zoneOf(office))
	}
	return handler(f, w, r)
}

func zoneOf(o directory.Office) *time.Location {
	if zone, err := time.LoadLocation(o.TimeZone); err == nil && o.TimeZone != "" {
		return zone
	}
	if zone, err := time.LoadLocation("Europe/Paris"); err == nil {
		return zone
	}
	return time.UTC
}

// render shows a template. It is built in memory first: half a page with status
// 200 would be worse than an error.
func (p *pages) render(f *frame, w http.ResponseWriter, r *http.Request, status int, name string) {
	var page bytes.Buffer
	if err := p.templates.ExecuteTemplate(&page, name, f); err != nil {
		p.in.host.Log.ErrorContext(r.Context(), "page cannot be shown", "page", name, telemetry.KeyError, err)
		http.Error(w, f.T("error"), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", f.Code())
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes())
}

// fail shows why there is no page.
func (p *pages) fail(f *frame, w http.ResponseWriter, r *http.Request, err error) {
	var said *failure
	var building *notYetError
	switch {
	case errors.As(err, &said):
	case errors.As(err, &building):
		said = building.failure()
	case errors.Is(err, errNotFound):
		said = &failure{status: http.StatusNotFound, title: "not_found_title", key: "not_found"}
	default:
		said = &failure{status: http.StatusInternalServerError, title: "error_title", key: "error"}
		if r.Context().Err() == nil {
			p.in.host.Log.ErrorContext(r.Context(), "page failed", "path", r.Pattern, telemetry.KeyError, err)
		}
	}
	if said.status == http.StatusServiceUnavailable || said.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "2")
	}
	f.Title = f.T(said.title)
	f.Body = struct {
		Sentence, Detail string
		Wait             bool
	}{f.T(said.key), said.detail, said.status == http.StatusServiceUnavailable && r.Method == http.MethodGet}
	if r.Method == http.MethodPost {
		f.Path = "/offices/" + r.PathValue("office")
	}
	p.render(f, w, r, said.status, "failure.html")
}

// Name is what a participant is called.
func (f *frame) Name(id string) string {
	if p, ok := f.directory.Participant(id); ok {
		return p.Name
	}
	return id
}

// Service is what a service is called.
func (f *frame) Service(code string) string {
	if s, ok := f.directory.Service(code); ok {
		return s.Label
	}
	return code
}

// At is a time in Unix milliseconds, on the office's clock.
func (f *frame) At(ms int64) string { return f.Moment(time.UnixMilli(ms).In(f.Now.Location())) }

// Span is when something starts and, if that is known, ends: the day once, if it
// is the same.
func (f *frame) Span(starts, ends int64) string {
	from, to := time.UnixMilli(starts).In(f.Now.Location()), time.UnixMilli(ends).In(f.Now.Location())
	switch {
	case ends == 0:
		return f.Moment(from)
	case schemas.DayOf(from) == schemas.DayOf(to):
		return f.Moment(from) + " – " + f.Clock(to)
	}
	return f.Moment(from) + " – " + f.Moment(to)
}

// Day is its day, in full.
func (f *frame) Day(ms int64) string { return f.LongDate(time.UnixMilli(ms).In(f.Now.Location())) }

// ISO is the same for machines.
func (f *frame) ISO(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

// CaseURL is the page of a case.
func (f *frame) CaseURL(id string) string {
	return "/offices/" + f.Office.ID + "/cases/" + url.PathEscape(id)
}

// StateOf is a case's state in the words of the office. Of a case that it handed
// on to others it has heard nothing since, and says no more than that.
func (f *frame) StateOf(c *desk.Case) string {
	hats := c.Hats(f.Office.ID)
	if hats == 0 {
		return f.T("handed_on")
	}
	return f.State(c.Kind, c.State, hats)
}

// Other is the other party of a case; who treats it, where the office is none.
func (f *frame) Other(c *desk.Case) string {
	if c.Hats(f.Office.ID)&lifecycle.Recipient != 0 {
		return f.Name(c.From)
	}
	return f.Name(c.To)
}

// Switch is the page's address in the other language.
func (f *frame) Switch() string {
	address := url.Values{"lang": {f.OtherLanguage()}}
	for _, name := range []string{"q", "day", "visit"} {
		if v := f.query.Get(name); v != "" {
			address.Set(name, v)
		}
	}
	return f.Path + "?" + address.Encode()
}

// OtherLanguage is the one that the page is not in.
func (f *frame) OtherLanguage() string {
	if f.lang == english {
		return "fr"
	}
	return "en"
}

// Warned is the key of the warning about a case's deadline, "" for none.
func (f *frame) Warned(c *desk.Case) string {
	switch c.Deadline {
	case schemas.TypeDeadlineApproaching:
		return "approaching"
	case schemas.TypeDeadlineBreached, schemas.TypeEscalationRaised:
		return "overdue"
	}
	if c.Kind == schemas.KindAppointment && c.Listed == desk.Agenda && c.Starts < f.Now.UnixMilli() {
		return "past"
	}
	return ""
}

// bannerFor says what became of the submission that the address names by `sent`.
func (p *pages) bannerFor(f *frame, r *http.Request) error {
	event := strings.TrimSpace(r.URL.Query().Get("sent"))
	if event == "" {
		return nil
	}
	found, err := p.in.outcome(r.Context(), f.Office.ID, event)
	if err != nil {
		return err
	}
	switch {
	case found == nil && handedInAt(event).Before(f.Now.Add(-10*time.Minute)):
		f.Banner = &banner{Kind: "old", Text: f.T("sent_old")}
	case found == nil:
		f.Banner = &banner{Kind: "pending", Text: f.T("sent_pending"), Refresh: true}
	case found.Refusal == nil:
		f.Banner = &banner{Kind: "recorded", Text: f.T("sent_recorded")}
	default:
		f.Banner = f.refused(found.Refusal)
	}
	return nil
}

func (f *frame) refused(r *desk.Refusal) *banner {
	return &banner{
		Kind: "refused", Text: f.T("sent_refused") + " " + f.pick(r.SentenceFR, r.SentenceEN),
		Remedy: f.pick(r.RemedyFR, r.RemedyEN), Detail: r.Detail,
	}
}
