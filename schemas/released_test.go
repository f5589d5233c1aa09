package schemas

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// releasedVersions reads every version of a type ever released, the first one
// first: released/<type>/1.avsc, 2.avsc, …
func releasedVersions(t *testing.T, typ string) []string {
	t.Helper()
	var versions []string
	for {
		data, err := os.ReadFile(filepath.Join("released", typ, fmt.Sprintf("%d.avsc", len(versions)+1)))
		if os.IsNotExist(err) {
			return versions
		}
		if err != nil {
			t.Fatal(err)
		}
		versions = append(versions, string(data))
	}
}

// releaseFault says what is wrong with a schema, given its released versions, and
// what to do; "" when nothing is.
func releaseFault(typ, file, current string, released []string) string {
	next := filepath.Join("released", typ, fmt.Sprintf("%d.avsc", len(released)+1))
	if len(released) == 0 {
		return fmt.Sprintf("%s was never released: copy schemas/%s to schemas/%s and add its sha256sum to schemas/released/checksums.txt", typ, file, next)
	}
	if !sameJSON(current, released[len(released)-1]) {
		return fmt.Sprintf("schemas/%s is not what was released last: undo the change, or release it: copy the file to schemas/%s and add its sha256sum "+
			"to schemas/released/checksums.txt; a released file itself is never changed", file, next)
	}
	for i, version := range released {
		for _, direction := range []struct{ what, reader, writer string }{
			{"the schema of today cannot read what version %d wrote", current, version},
			{"version %d cannot read what the schema of today writes", version, current},
		} {
			faults, err := CheckCompatibility(direction.reader, direction.writer)
			if err != nil {
				return fmt.Sprintf("%s: %v", typ, err)
			}
			if len(faults) > 0 {
				return fmt.Sprintf("%s: "+direction.what+" (%s at %s: %s): a new field needs a default, and a field without one stays; "+
					"what cannot be said so is a new event", typ, i+1, faults[0].Kind, faults[0].Path, faults[0].Detail)
			}
		}
	}
	return ""
}

// sameJSON takes white space for nothing.
func sameJSON(a, b string) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, []byte(a)) == nil && json.Compact(&y, []byte(b)) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

func TestEverySchemaIsReleasedAndCompatibleWithEveryReleasedVersion(t *testing.T) {
	for _, e := range Catalogue() {
		if fault := releaseFault(e.Type, fileName(e.Name)+".avsc", e.Schema, releasedVersions(t, e.Type)); fault != "" {
			t.Error(fault)
		}
	}
}

func TestASchemaThatIsNotReleasedAsItShouldIsNoticed(t *testing.T) {
	const (
		first    = `{"type":"record","name":"R","fields":[{"name":"a","type":"string"}]}`
		optional = `{"type":"record","name":"R","fields":[{"name":"a","type":"string"},{"name":"b","type":["null","string"],"default":null}]}`
		required = `{"type":"record","name":"R","fields":[{"name":"a","type":"string"},{"name":"b","type":"string"}]}`
		without  = `{"type":"record","name":"R","fields":[]}`
		retyped  = `{"type":"record","name":"R","fields":[{"name":"a","type":"long"}]}`
	)
	tests := []struct {
		name, current string
		released      []string
		want          string
	}{
		{"the last release", first, []string{first}, ""},
		{"the last release in other lines", strings.ReplaceAll(first, ",", ",\n  "), []string{first}, ""},
		{"an optional field more, released", optional, []string{first, optional}, ""},
		{"never released", first, nil, "copy schemas/r.avsc to schemas/released/R/1.avsc"},
		{"changed and not released", optional, []string{first}, "copy the file to schemas/released/R/2.avsc"},
		{"a required field more", required, []string{first, required}, "the schema of today cannot read what version 1 wrote"},
		{"a required field less", without, []string{first, without}, "version 1 cannot read what the schema of today writes"},
		{"another type", retyped, []string{first, retyped}, "cannot read what version 1 wrote"},
		{"incompatible with the version before the last", first, []string{required, optional, first}, "version 1 cannot read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := releaseFault("R", "r.avsc", tt.current, tt.released)
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q in it", got, tt.want)
			}
		})
	}
}

func TestWhatWasReleasedIsNeverChanged(t *testing.T) {
	sums, err := os.ReadFile("released/checksums.txt")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("released/*/*")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(sums)) {
		sum, file, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			t.Fatalf("checksums.txt: %q is not a line of sha256sum", line)
		}
		path := filepath.Join("released", file)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Errorf("a released schema is gone: %v", err)
			continue
		}
		if got := sha256.Sum256(data); hex.EncodeToString(got[:]) != sum {
			t.Errorf("%s was changed after its release: put it back, and release the change as a new version", path)
		}
		files = slices.DeleteFunc(files, func(f string) bool { return f == path })
	}
	for _, file := range files {
		t.Errorf("%s is not in schemas/released/checksums.txt: add its sha256sum", file)
	}
}

func TestNothingReleasedIsForgotten(t *testing.T) {
	types, err := os.ReadDir("released")
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range types {
		if _, ok := Lookup(typ.Name()); typ.IsDir() && !ok {
			t.Errorf("%s was released and is not in the catalogue: an event once published stays readable", typ.Name())
		}
	}
}
