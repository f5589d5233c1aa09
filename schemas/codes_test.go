package schemas

import (
	"regexp"
	"strings"
	"testing"
)

func TestEveryCodeIsSaidInFrenchAndEnglish(t *testing.T) {
	name := regexp.MustCompile(`^[a-z0-9]+([_-][a-z0-9]+)*$`)
	tables := map[string]bool{}
	for _, table := range CodeTables() {
		if tables[table.Name] || table.French == "" || table.English == "" || len(table.Codes) == 0 {
			t.Errorf("table %s is there twice, empty, or says nothing", table.Name)
		}
		tables[table.Name] = true
		codes := map[string]bool{}
		for _, c := range table.Codes {
			if codes[c.Name] || !name.MatchString(c.Name) {
				t.Errorf("%s: code %q is there twice or is no code", table.Name, c.Name)
			}
			codes[c.Name] = true
			if c.French == "" || c.English == "" {
				t.Errorf("%s: %s has no label", table.Name, c.Name)
			}
			if got, ok := LookupCode(table.Name, c.Name); !ok || got != c {
				t.Errorf("LookupCode(%s, %s) = %v, %t", table.Name, c.Name, got, ok)
			}
		}
	}
}

func TestEveryRefusalSaysWhatToDoNext(t *testing.T) {
	for _, name := range []string{TableRefusalReason, TableHubRefusalReason} {
		codes, _ := CodeTable(name)
		for _, c := range codes {
			for _, sentence := range []string{c.French, c.English, c.RemedyFR, c.RemedyEN} {
				if !strings.HasSuffix(sentence, ".") {
					t.Errorf("%s: %s: %q is not a sentence", name, c.Name, sentence)
				}
				if len(sentence) > MaxSentenceBytes {
					t.Errorf("%s: %s: %q is too long", name, c.Name, sentence)
				}
			}
		}
	}
}

func TestReasonsOfRefusalByTheHubAreTheDesignPages(t *testing.T) {
	want := "unknown_schema, malformed, too_large, not_your_participant, unknown_participant, unknown_service, transition_not_allowed, not_a_party, " +
		"duplicate_id_other_content, mandate_not_valid, personal_data_in_clear, agreement_missing, not_yet_due, hub_error, rate_exceeded, not_ready"
	var got []string
	for _, c := range RefusalReasons() {
		got = append(got, c.Name)
	}
	if strings.Join(got, ", ") != want {
		t.Errorf("got %s", strings.Join(got, ", "))
	}
	if c := Reason("never_heard_of").Code(); c != (Code{}) {
		t.Errorf("an unknown reason has the code %v", c)
	}
}

func TestUnknownTablesAndCodesAreNotFound(t *testing.T) {
	if _, ok := CodeTable("nothing"); ok {
		t.Error("an unknown table is found")
	}
	if _, ok := LookupCode("nothing", "other"); ok {
		t.Error("a code of an unknown table is found")
	}
	if _, ok := LookupCode(TableUseful, "maybe"); ok {
		t.Error("an unknown code is found")
	}
}
