package schemas

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the examples' files anew")

func TestTheCatalogueHangsTogether(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range Catalogue() {
		if seen[e.Type] {
			t.Errorf("%s is there twice", e.Type)
		}
		seen[e.Type] = true
		if got := TypeOf(e.New()); got != e.Type {
			t.Errorf("TypeOf(New()) of %s is %q", e.Type, got)
		}
		if got := TypeOf(e.Example); got != e.Type {
			t.Errorf("TypeOf(Example) of %s is %q", e.Type, got)
		}
		var schema struct{ Namespace, Name string }
		if err := json.Unmarshal([]byte(e.Schema), &schema); err != nil {
			t.Errorf("schema of %s: %v", e.Type, err)
		}
		if got := schema.Namespace + "." + schema.Name; got != e.Type {
			t.Errorf("schema of %s has the full name %s", e.Type, got)
		}
		if e.Dossier == "" || len(e.Senders) == 0 || e.NameFR == "" || e.NameEN == "" || e.French == "" || e.English == "" {
			t.Errorf("%s: something is not said", e.Type)
		}
		if got, ok := Lookup(e.Type); !ok || got.Name != e.Name {
			t.Errorf("Lookup(%s) = %s, %t", e.Type, got.Name, ok)
		}
	}
	if _, ok := Lookup("fr.relais.referral.v1.Nothing"); ok {
		t.Error("an unknown type is found")
	}
	if got := TypeOf(struct{}{}); got != "" {
		t.Errorf("TypeOf of something else is %q", got)
	}
}

func TestEverySchemaFileIsInTheCatalogue(t *testing.T) {
	files, err := schemaFiles.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(Catalogue()) {
		t.Errorf("%d schema files for %d events", len(files), len(Catalogue()))
	}
}

func TestTheCatalogueTableHasARowForEveryEvent(t *testing.T) {
	rows := strings.Split(strings.TrimSpace(CatalogueTable()), "\n")[2:]
	for i, e := range Catalogue() {
		if !strings.HasPrefix(rows[i], "| `"+e.Name+"` | ["+e.Type+"](schemas/") {
			t.Errorf("row %d is not %s: %s", i, e.Name, rows[i])
		}
		if got := strings.Count(rows[i], " | "); got != 7 {
			t.Errorf("row of %s has %d separators", e.Name, got)
		}
	}
}

func TestEveryExampleIsThereAsAFile(t *testing.T) {
	files, err := filepath.Glob("examples/*.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(Catalogue()) {
		t.Errorf("%d files in examples for %d events", len(files), len(Catalogue()))
	}
	for _, e := range Catalogue() {
		data, err := FormatJSON(e.Example)
		if err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		if err := json.Indent(&want, data, "", "  "); err != nil {
			t.Fatal(err)
		}
		want.WriteByte('\n')
		file := filepath.Join("examples", fileName(e.Name)+".json")
		if *update {
			if err := os.WriteFile(file, want.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s is not the catalogue's example (%v): go test ./schemas -update", file, err)
		}
	}
}
