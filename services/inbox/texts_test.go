package inbox

import (
	"html/template"
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/lifecycle"
	"github.com/relais-fr/relais/services/inbox/internal/desk"
)

// dynamic are the texts whose keys are made: lists, kinds, warnings.
var dynamic = []string{
	"todo", "waiting", "done", "agenda", "none_todo", "none_waiting", "none_done", "none_agenda",
	"referral", "appointment", "approaching", "overdue", "past",
}

func TestEveryTextIsThereAndUsed(t *testing.T) {
	used := map[string]bool{}
	for _, key := range dynamic {
		used[key] = true
	}
	inTemplate := regexp.MustCompile(`\.T "([a-z_]+)"`)
	inCode := regexp.MustCompile(`"([a-z][a-z_]*)"`)
	for _, dir := range []fs.FS{templateFiles} {
		names, err := fs.Glob(dir, "templates/*.html")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := fs.ReadFile(dir, name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range inTemplate.FindAllStringSubmatch(string(text), -1) {
				used[m[1]] = true
				if _, ok := texts[m[1]]; !ok {
					t.Errorf("%s: there is no text %q", name, m[1])
				}
			}
		}
	}
	for _, name := range []string{"action.go", "act.go", "fault.go", "pages.go", "look.go", "show.go", "lines.go", "input.go", "form.go"} {
		source := readSource(t, name)
		for _, m := range inCode.FindAllStringSubmatch(source, -1) {
			used[m[1]] = true
			if _, ok := texts[m[1]]; !ok && (strings.HasPrefix(m[1], "f_") || strings.HasPrefix(m[1], "do_")) {
				t.Errorf("%s: there is no text %q", name, m[1])
			}
		}
	}
	for key, text := range texts {
		if !used[key] {
			t.Errorf("text %q is used nowhere", key)
		}
		if text.fr == "" || text.en == "" {
			t.Errorf("text %q is missing in a language", key)
		}
	}
}

func TestEveryActionOfTheTablesHasItsForm(t *testing.T) {
	byEvent := map[string]bool{}
	for _, a := range actions() {
		byEvent[a.event] = true
		if _, ok := schemas.Lookup(a.event); !ok {
			t.Errorf("%s hands in %q, which is no event", a.name, a.event)
		}
		for _, q := range a.fields {
			if _, ok := schemas.CodeTable(q.table); q.table != "" && !ok {
				t.Errorf("%s: there is no code table %q", a.name, q.table)
			}
		}
	}
	for _, m := range []*lifecycle.Machine{&lifecycle.Referral, &lifecycle.Appointment, &lifecycle.Visit} {
		for _, arrow := range m.Arrows {
			if arrow.By != lifecycle.Hub && !byEvent[arrow.Event] {
				t.Errorf("there is no form for %s", arrow.Event)
			}
		}
	}
}

func TestTheScriptAndThePagesNameTheSameThings(t *testing.T) {
	script, err := fs.ReadFile(assetFiles, "assets/page.js")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range []string{"layout", "home", "office", "case", "form", "visit", "reference", "failure"} {
		text, err := fs.ReadFile(templateFiles, "templates/"+name+".html")
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	for _, m := range regexp.MustCompile(`getElementById\("(\w+)"\)|replace\(fresh, "(\w+)"\)`).FindAllStringSubmatch(string(script), -1) {
		if id := m[1] + m[2]; !strings.Contains(all.String(), `id="`+id+`"`) {
			t.Errorf("no page has an element %q", id)
		}
	}
	if regexp.MustCompile(`\son[a-z]+=|<script>|style="`).MatchString(all.String()) {
		t.Error("a template has inline script or style, which the policy forbids")
	}
	if _, err := template.ParseFS(templateFiles, "templates/*.html"); err != nil {
		t.Error(err)
	}
}

// TestEveryEventHasItsFacts puts the catalogue's examples on a timeline, in both
// languages.
func TestEveryEventHasItsFacts(t *testing.T) {
	for _, entry := range schemas.Catalogue() {
		if entry.Kind != schemas.KindReferral && entry.Kind != schemas.KindAppointment {
			continue
		}
		e := &desk.Event{Event: schemas.Event{ID: "e", Source: schemas.Source("cnaf", "si"), Type: entry.Type, Subject: "case"}, Payload: entry.Example, Office: "demo-1"}
		change, _ := desk.Apply(new(desk.Office), new(desk.Dossier), e)
		for _, l := range []lang{french, english} {
			f := newTestFrame(l)
			for _, line := range f.lines([]desk.Entry{*change.Entry}) {
				if line.Name == "" || line.Name == entry.Type {
					t.Errorf("%s has no name", entry.Name)
				}
				for _, fact := range line.Facts {
					if fact.Label == "" || fact.Value == "" || texts[fact.Label].fr != "" {
						t.Errorf("%s: %+v", entry.Name, fact)
					}
				}
			}
		}
	}
}
