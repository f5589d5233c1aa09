package avro

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// suiteCase is a pair of schemas, and what Apache Avro's own tests say of it.
type suiteCase struct {
	Reader     json.RawMessage `json:"reader"`
	Writer     json.RawMessage `json:"writer"`
	Compatible bool            `json:"compatible"`
	Kinds      []string        `json:"kinds"`
}

// TestApacheAvrosOwnCases holds the comparison against the cases of Apache Avro's test
// suite; testdata/avro-compatibility.json names the source and its licence.
func TestApacheAvrosOwnCases(t *testing.T) {
	text, err := os.ReadFile("testdata/avro-compatibility.json")
	if err != nil {
		t.Fatal(err)
	}
	var suite struct{ Cases []suiteCase }
	if err := json.Unmarshal(text, &suite); err != nil || len(suite.Cases) < 130 {
		t.Fatalf("%d cases, %v", len(suite.Cases), err)
	}
	judged := 0
	for _, c := range suite.Cases {
		if slices.Contains([]string{string(c.Reader), string(c.Writer)}, "[]") {
			// A union of nothing is no schema here: no value can be written with it.
			if _, err := Parse("[]"); err == nil {
				t.Error("an empty union is taken")
			}
			continue
		}
		found, err := CheckCompatibility(string(c.Reader), string(c.Writer))
		if err != nil {
			t.Errorf("reader %s\nwriter %s\n%v", c.Reader, c.Writer, err)
			continue
		}
		judged++
		if (len(found) == 0) != c.Compatible {
			t.Errorf("reader %s\nwriter %s\navro says %v %v, we say %v", c.Reader, c.Writer, c.Compatible, c.Kinds, found)
		}
		for _, kind := range c.Kinds {
			if !c.Compatible && len(found) > 0 && !slices.ContainsFunc(found, func(i Incompatibility) bool { return strings.EqualFold(i.Kind, kind) }) {
				t.Errorf("reader %s\nwriter %s\navro says %s, we say %v", c.Reader, c.Writer, kind, found)
			}
		}
	}
	t.Logf("%d pairs of schemas, %d of them judged", len(suite.Cases), judged)
}
