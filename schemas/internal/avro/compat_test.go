package avro

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	hamba "github.com/hamba/avro/v2"
)

func TestCheckCompatibility(t *testing.T) {
	record := func(fields string) string { return `{"type":"record","name":"R","fields":[` + fields + `]}` }
	const (
		none = ""
		a    = `{"name":"a","type":"int"}`
		b    = `{"name":"b","type":"string","default":""}`
	)
	tests := map[string]struct {
		reader, writer string
		kind, path     string
	}{
		"the same":                              {record(a), record(a), none, ""},
		"a field more, with a default":          {record(a + "," + b), record(a), none, ""},
		"a field less":                          {record(a), record(a + "," + b), none, ""},
		"a field more, without a default":       {record(a), record(b), IncompatibleNoDefault, "/fields/0"},
		"an alias for a field":                  {record(`{"name":"c","aliases":["b"],"type":"string"}`), record(b), none, ""},
		"another name":                          {`{"type":"record","name":"S","fields":[]}`, record(a), IncompatibleName, "/name"},
		"another name with an alias":            {`{"type":"record","name":"S","aliases":["R"],"fields":[]}`, record(a), none, ""},
		"another namespace":                     {`{"type":"record","name":"x.R","fields":[]}`, record(a), none, ""},
		"int as long":                           {`"long"`, `"int"`, none, ""},
		"long as int":                           {`"int"`, `"long"`, IncompatibleType, "/"},
		"long as double":                        {`"double"`, `"long"`, none, ""},
		"float as double":                       {`"double"`, `"float"`, none, ""},
		"string as bytes":                       {`"bytes"`, `"string"`, none, ""},
		"bytes as string":                       {`"string"`, `"bytes"`, none, ""},
		"null as int":                           {`"int"`, `"null"`, IncompatibleType, "/"},
		"into a union":                          {`["null","string"]`, `"string"`, none, ""},
		"into a union by promotion":             {`["null","long"]`, `"int"`, none, ""},
		"into a union that lacks it":            {`["null","long"]`, `"string"`, IncompatibleUnionBranch, "/"},
		"out of a union":                        {`"long"`, `["int","long"]`, none, ""},
		"out of a union with null":              {`"long"`, `["null","long"]`, IncompatibleType, "/"},
		"union to union":                        {`["string","null","long"]`, `["null","int"]`, none, ""},
		"union to a narrower union":             {`["null","int"]`, `["null","int","string"]`, IncompatibleUnionBranch, "/"},
		"an enum with more symbols":             {`{"type":"enum","name":"E","symbols":["A","B"]}`, `{"type":"enum","name":"E","symbols":["B"]}`, none, ""},
		"an enum with fewer symbols":            {`{"type":"enum","name":"E","symbols":["A"]}`, `{"type":"enum","name":"E","symbols":["A","B"]}`, IncompatibleSymbols, "/symbols"},
		"an enum with a default":                {`{"type":"enum","name":"E","symbols":["A"],"default":"A"}`, `{"type":"enum","name":"E","symbols":["A","B"]}`, none, ""},
		"a fixed of another size":               {`{"type":"fixed","name":"F","size":1}`, `{"type":"fixed","name":"F","size":2}`, IncompatibleFixedSize, "/size"},
		"items of another type":                 {`{"type":"array","items":"int"}`, `{"type":"array","items":"string"}`, IncompatibleType, "/items"},
		"values of another type":                {`{"type":"map","values":"int"}`, `{"type":"map","values":"string"}`, IncompatibleType, "/values"},
		"microseconds as milliseconds":          {`{"type":"long","logicalType":"timestamp-millis"}`, `{"type":"long","logicalType":"timestamp-micros"}`, IncompatibleLogicalType, "/"},
		"days as milliseconds":                  {`{"type":"long","logicalType":"timestamp-millis"}`, `{"type":"int","logicalType":"date"}`, IncompatibleLogicalType, "/"},
		"a number as milliseconds":              {`{"type":"long","logicalType":"timestamp-millis"}`, `"long"`, none, ""},
		"milliseconds as a number":              {`"long"`, `{"type":"long","logicalType":"timestamp-millis"}`, none, ""},
		"another scale":                         {`{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}`, `{"type":"bytes","logicalType":"decimal","precision":4}`, IncompatibleLogicalType, "/"},
		"a record that holds itself":            {record(`{"name":"r","type":["null","R"]}`), record(`{"name":"r","type":["null","R"]}`), none, ""},
		"a record that holds itself, less well": {record(`{"name":"r","type":["null","R"]},{"name":"n","type":"int"}`), record(`{"name":"r","type":["null","R"]}`), IncompatibleNoDefault, "/fields/1"},
		"the path into a record":                {record(a + `,{"name":"i","type":{"type":"record","name":"I","fields":[` + a + `]}}`), record(a + `,{"name":"i","type":{"type":"record","name":"I","fields":[]}}`), IncompatibleNoDefault, "/fields/1/type/fields/0"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := CheckCompatibility(test.reader, test.writer)
			if err != nil {
				t.Fatal(err)
			}
			var want []Incompatibility
			if test.kind != none {
				want = []Incompatibility{{Kind: test.kind, Path: test.path}}
			}
			for i := range got {
				got[i] = Incompatibility{Kind: got[i].Kind, Path: got[i].Path}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			checkAgainstHamba(t, test.reader, test.writer, test.kind)
		})
	}
}

// checkAgainstHamba compares with a fresh checker of hamba's, which knows our
// rules but for the logical types.
func checkAgainstHamba(t *testing.T, reader, writer, kind string) {
	r, w := hamba.MustParse(reader), hamba.MustParse(writer)
	err := hamba.NewSchemaCompatibility().Compatible(r, w)
	if (err == nil) != (kind == "" || kind == IncompatibleLogicalType) {
		t.Errorf("hamba says %v", err)
	}
}

// Where a reader cannot read is told by its fields' names, through lists and what may
// be absent, with the types on both sides and what to do.
func TestIncompatibilitiesNameTheField(t *testing.T) {
	record := func(inner string) string {
		return `{"type":"record","name":"R","fields":[{"name":"notes","type":["null",{"type":"array","items":{"type":"record","name":"n.Note","fields":[` + inner + `]}}]}]}`
	}
	const text = `{"name":"text","type":"string"}`
	for name, test := range map[string]struct {
		reader, writer string
		want           Incompatibility
	}{
		"a field that nobody wrote": {
			record(text + `,{"name":"day","type":{"type":"int","logicalType":"date"}}`), record(text),
			Incompatibility{Field: "notes[].day", Reader: "int (date)", Writer: "", Remedy: "Give the field a default, or take it out of your schema: there is data without it."},
		},
		"a field of another type": {
			record(`{"name":"text","type":"long"}`), record(text),
			Incompatibility{Field: "notes[].text", Reader: "long", Writer: "string", Remedy: "Declare it as string, or as a type that Avro reads it as."},
		},
		"a value that no branch takes": {
			record(`{"name":"text","type":["null","int"]}`), record(`{"name":"text","type":["null","string"]}`),
			Incompatibility{Field: "notes[].text", Reader: "null or int", Writer: "string", Remedy: "Add string to your union."},
		},
		"a symbol more": {
			`{"type":"enum","name":"E","symbols":["A"]}`, `{"type":"enum","name":"E","symbols":["A","B"]}`,
			Incompatibility{Reader: "enum E", Writer: "enum E", Remedy: "Add the symbol to your enum, or give the enum a default."},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := CheckCompatibility(test.reader, test.writer)
			if err != nil || len(got) != 1 {
				t.Fatalf("got %v, %v", got, err)
			}
			got[0].Kind, got[0].Path, got[0].Detail = "", "", ""
			if diff := cmp.Diff(test.want, got[0]); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestCheckCompatibilityRefusesWhatIsNoSchema(t *testing.T) {
	if _, err := CheckCompatibility(`"int"`, `{`); err == nil || !strings.HasPrefix(err.Error(), "writer") {
		t.Errorf("got %v", err)
	}
	if _, err := CheckCompatibility(`{`, `"int"`); err == nil || !strings.HasPrefix(err.Error(), "reader") {
		t.Errorf("got %v", err)
	}
}

// A pair that is judged within another, and rests on it, is judged again once the
// other turns out not to be compatible.
func TestCheckCompatibilityForgetsWhatRestedOnAFault(t *testing.T) {
	const schema = `{"type":"record","name":"Top","fields":[
		{"name":"one","type":["null",{"type":"record","name":"A","fields":[
			{"name":"b","type":{"type":"record","name":"B","fields":[{"name":"a","type":["null","A"]}]}}%s]}]},
		{"name":"two","type":"B"}]}`
	got, err := CheckCompatibility(fmt.Sprintf(schema, `,{"name":"n","type":"int"}`), fmt.Sprintf(schema, ""))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{}
	for _, i := range got {
		kinds[i.Path] = true
	}
	for _, path := range []string{"/fields/0/type", "/fields/1/type/fields/0/type"} {
		if !kinds[path] {
			t.Errorf("nothing at %s: %v", path, got)
		}
	}
}

// Comparing hostile schemas ends soon.
func TestCheckCompatibilityBounds(t *testing.T) {
	union := func(prefix string) string {
		var branches []string
		for i := range 1_500 {
			branches = append(branches, fmt.Sprintf(`{"type":"record","name":"%s%d","aliases":["Z%d"],"fields":[]}`, prefix, i, i))
		}
		return "[" + strings.Join(branches, ",") + "]"
	}
	start := time.Now()
	got, err := CheckCompatibility(union("A"), union("B"))
	if err != nil || len(got) == 0 {
		t.Errorf("got %v, %v", got, err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
}
