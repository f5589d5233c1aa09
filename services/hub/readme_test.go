package hub

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/lifecycle"
)

const readme = "../../README.md"

// TestTheREADMEShowsWhatTheCodeSays compares the catalogue and the diagrams
// between their markers with the tables. `go test ./services/hub -run README
// -update` writes them anew.
func TestTheREADMEShowsWhatTheCodeSays(t *testing.T) {
	data, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for marker, want := range map[string]string{
		"catalogue":             schemas.CatalogueTable(),
		"lifecycle:referral":    mermaid(&lifecycle.Referral),
		"lifecycle:appointment": mermaid(&lifecycle.Appointment),
		"lifecycle:visit":       mermaid(&lifecycle.Visit),
	} {
		begin, end := "<!-- "+marker+" -->\n", "<!-- /"+marker+" -->"
		from, to := strings.Index(text, begin), strings.Index(text, end)
		if from < 0 || to < from {
			t.Errorf("the markers of %s are gone", marker)
			continue
		}
		from += len(begin)
		want = "\n" + strings.TrimSpace(want) + "\n\n"
		if *update {
			text = text[:from] + want + text[to:]
			continue
		}
		if diff := cmp.Diff(want, text[from:to]); diff != "" {
			t.Errorf("%s in the README (-code +README):\n%s", marker, diff)
		}
	}
	if *update {
		if err := os.WriteFile(readme, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func mermaid(m *lifecycle.Machine) string { return "```mermaid\n" + m.Diagram() + "```" }

// TestTheREADMENamesOnlyEventsThatExist keeps what can be pasted true.
func TestTheREADMENamesOnlyEventsThatExist(t *testing.T) {
	data, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	for word := range strings.FieldsFuncSeq(string(data), func(r rune) bool { return strings.ContainsRune(" \n\t\"'`|,{}()", r) }) {
		if strings.HasPrefix(word, "fr.relais.") && strings.Contains(word, ".v1.") {
			if _, ok := schemas.Lookup(word); !ok {
				t.Errorf("the README names %s, which is no event", word)
			}
		}
	}
}

// TestTheREADMEHasTheExamplesOwnLines holds the lines of the examples against those of
// their own READMEs, which the end-to-end tests run.
func TestTheREADMEHasTheExamplesOwnLines(t *testing.T) {
	data, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"python", "node", "java", "kcat", "curl"} {
		own, err := os.ReadFile("../../deploy/examples/" + name + "/README.md")
		if err != nil {
			t.Fatal(err)
		}
		_, lines, _ := strings.Cut(string(own), "```sh\n")
		lines, _, _ = strings.Cut(lines, "```")
		if want := "```sh\ncd deploy/examples/" + name + "\n" + lines + "```"; lines == "" || !strings.Contains(string(data), want) {
			t.Errorf("the README does not have\n%s", want)
		}
	}
}
