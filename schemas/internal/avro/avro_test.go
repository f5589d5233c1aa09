package avro

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	hamba "github.com/hamba/avro/v2"
)

func TestParseAccepts(t *testing.T) {
	tests := map[string]struct {
		schema, fullName, canonical string
	}{
		"a primitive":                        {` "int" `, "", `"int"`},
		"a primitive as an object":           {`{"type":"int"}`, "", `"int"`},
		"a logical type":                     {`{"logicalType":"date","type":"int"}`, "", `{"type":"int","logicalType":"date"}`},
		"a name with its namespace in it":    {`{"type":"fixed","size":2,"name":"a.b.F"}`, "a.b.F", `{"type":"fixed","name":"F","namespace":"a.b","size":2}`},
		"a name that has its namespace left": {`{"type":"fixed","name":"a.b.F","namespace":"c","size":2}`, "a.b.F", `{"type":"fixed","name":"F","namespace":"a.b","size":2}`},
		"a namespace that fields inherit": {
			`{"type":"record","name":"R","namespace":"n","doc":"d","x":{"b":1,"a":[null,true]},"aliases":["Q","o.P"],"fields":[
			  {"doc":"f","name":"a","type":{"type":"enum","name":"E","symbols":["A","B"],"default":"B"},"default":"A","order":"descending","aliases":["z"],"p":1.50},
			  {"name":"b","type":["null",{"type":"array","items":"E"},{"type":"map","values":"n.E"}],"default":null},
			  {"name":"c","type":{"type":"record","name":"m.S","fields":[{"name":"e","type":"n.E"},{"name":"s","type":["null","S"]}]}}]}`,
			"n.R",
			`{"type":"record","name":"R","namespace":"n","doc":"d","fields":[` +
				`{"name":"a","type":{"type":"enum","name":"E","symbols":["A","B"],"default":"B"},"doc":"f","default":"A","order":"descending","aliases":["z"],"p":1.50},` +
				`{"name":"b","type":["null",{"type":"array","items":"E"},{"type":"map","values":"E"}],"default":null},` +
				`{"name":"c","type":{"type":"record","name":"S","namespace":"m","fields":[{"name":"e","type":"n.E"},{"name":"s","type":["null","S"]}]}}]` +
				`,"x":{"b":1,"a":[null,true]},"aliases":["n.Q","o.P"]}`,
		},
		"an error":                              {`{"type":"error","name":"R","fields":[]}`, "R", `{"type":"error","name":"R","fields":[]}`},
		"a record that holds itself":            {`{"type":"record","name":"R","fields":[{"name":"r","type":["null","R"]}]}`, "R", `{"type":"record","name":"R","fields":[{"name":"r","type":["null","R"]}]}`},
		"a default that leans on others":        {`{"type":"record","name":"R","fields":[{"name":"i","type":{"type":"record","name":"I","fields":[{"name":"n","type":"int","default":3}]},"default":{}}]}`, "R", `{"type":"record","name":"R","fields":[{"name":"i","type":{"type":"record","name":"I","fields":[{"name":"n","type":"int","default":3}]},"default":{}}]}`},
		"a default of another branch":           {`{"type":"record","name":"R","fields":[{"name":"i","type":["null","string"],"default":"x"}]}`, "R", `{"type":"record","name":"R","fields":[{"name":"i","type":["null","string"],"default":"x"}]}`},
		"a logical type of another kind":        {`{"type":"string","logicalType":"date"}`, "", `{"type":"string","logicalType":"date"}`},
		"text beyond ASCII":                     {`{"type":"fixed","name":"F","size":0,"doc":"été \u00e9 \" \n"}`, "F", `{"type":"fixed","name":"F","doc":"été é \" \n","size":0}`},
		"an inner type in the null namespace":   {`{"type":"record","name":"n.R","fields":[{"name":"a","type":{"type":"fixed","name":"F","namespace":"","size":1}},{"name":"b","type":"F"}]}`, "n.R", `{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":{"type":"fixed","name":"F","namespace":"","size":1}},{"name":"b","type":"F"}]}`},
		"a type that is named where it is used": {`{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"R"}}]}`, "R", `{"type":"record","name":"R","fields":[{"name":"a","type":"R"}]}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(test.schema)
			if err != nil {
				t.Fatal(err)
			}
			if got.FullName != test.fullName || got.Canonical != test.canonical || got.Raw != test.schema {
				t.Errorf("got %q\n%s\nwant %q\n%s", got.FullName, got.Canonical, test.fullName, test.canonical)
			}
			again, err := Parse(got.Canonical)
			if err != nil || again.Canonical != got.Canonical || again.Normal != got.Normal {
				t.Errorf("parsed again: %s, %v", again.Canonical, err)
			}
			normal, err := Parse(got.Normal)
			if err != nil || normal.Normal != got.Normal {
				t.Errorf("normal form parsed again:\n%s, %v\n%s", normal.Normal, err, got.Normal)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	record := func(fields string) string { return `{"type":"record","name":"R","fields":[` + fields + `]}` }
	tests := map[string]string{
		"nothing":                         ``,
		"no JSON":                         `int`,
		"two values":                      `"int" "int"`,
		"invalid UTF-8":                   "\"\xff\"",
		"a key twice":                     `{"type":"int","type":"long"}`,
		"a number":                        `1`,
		"an unknown type":                 `"integer"`,
		"a type used before it is there":  record(`{"name":"a","type":"B"},{"name":"b","type":{"type":"fixed","name":"B","size":1}}`),
		"an empty union":                  `[]`,
		"a union in a union":              `[["null"]]`,
		"a type twice in a union":         `["int",{"type":"int","logicalType":"date"}]`,
		"a record without fields":         `{"type":"record","name":"R"}`,
		"a record without a name":         `{"type":"record","fields":[]}`,
		"a record of a primitive's name":  `{"type":"record","name":"int","fields":[]}`,
		"a name with a space":             `{"type":"record","name":"a b","fields":[]}`,
		"a name beyond ASCII":             `{"type":"record","name":"été","fields":[]}`,
		"a namespace that ends in a dot":  `{"type":"record","name":"R","namespace":"a.","fields":[]}`,
		"a field twice":                   record(`{"name":"a","type":"int"},{"name":"a","type":"int"}`),
		"a field without a type":          record(`{"name":"a"}`),
		"a field that is a string":        record(`"a"`),
		"a record twice":                  record(`{"name":"a","type":{"type":"record","name":"R","fields":[]}}`),
		"a default of another type":       record(`{"name":"a","type":"int","default":"1"}`),
		"a default beyond int":            record(`{"name":"a","type":"int","default":2147483648}`),
		"a fraction for an int":           record(`{"name":"a","type":"int","default":1.5}`),
		"a default that needs itself":     record(`{"name":"a","type":"R","default":{}}`),
		"a default without a field":       record(`{"name":"a","type":{"type":"record","name":"I","fields":[{"name":"n","type":"int"}]},"default":{}}`),
		"a default for bytes beyond 255":  record(`{"name":"a","type":"bytes","default":"Ā"}`),
		"an unknown order":                record(`{"name":"a","type":"int","order":"random"}`),
		"an enum without symbols":         `{"type":"enum","name":"E","symbols":[]}`,
		"a symbol twice":                  `{"type":"enum","name":"E","symbols":["A","A"]}`,
		"a default that is no symbol":     `{"type":"enum","name":"E","symbols":["A"],"default":"B"}`,
		"a fixed without a size":          `{"type":"fixed","name":"F"}`,
		"a fixed of a negative size":      `{"type":"fixed","name":"F","size":-1}`,
		"an alias that is no name":        `{"type":"fixed","name":"F","size":1,"aliases":["a b"]}`,
		"a type that is an object":        `{"type":{"type":"int"}}`,
		"an array without items":          `{"type":"array"}`,
		"a reference to another document": record(`{"name":"a","type":"fr.relais.visit.v1.VisitRecorded"}`),
	}
	for name, schema := range tests {
		t.Run(name, func(t *testing.T) {
			if got, err := Parse(schema); !errors.Is(err, ErrSchema) {
				t.Errorf("got %s, %v", got.Canonical, err)
			}
		})
	}
}

// What a schema can ask for is bounded, and so is the time until it is refused.
func TestParseBounds(t *testing.T) {
	tests := map[string]string{
		"a long text":      `"` + strings.Repeat(" ", MaxSchemaBytes) + `"`,
		"deep lists":       strings.Repeat("[", 200_000),
		"deep arrays":      strings.Repeat(`{"type":"array","items":`, 1000) + `"int"` + strings.Repeat("}", 1000),
		"many values":      `{"type":"fixed","name":"F","size":1,"x":[` + strings.Repeat("0,", 60_000) + `0]}`,
		"many fields":      `{"type":"record","name":"R","fields":[` + manyFields(5_000) + `]}`,
		"a huge fixed":     `{"type":"fixed","name":"F","size":1099511627776}`,
		"doubling default": doublingSchema(`{}`),
		"trying default":   tryingSchema(40),
	}
	for name, schema := range tests {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := Parse(schema)
			if !errors.Is(err, ErrSchema) && !errors.Is(err, ErrTooLarge) {
				t.Errorf("got %v", err)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

func manyFields(n int) string {
	fields := make([]string, n)
	for i := range fields {
		fields[i] = fmt.Sprintf(`{"name":"f%d","type":"int"}`, i)
	}
	return strings.Join(fields, ",")
}

// doublingSchema has defaults that each hold the one before twice.
func doublingSchema(def string) string {
	fields := []string{`{"name":"t0","type":{"type":"record","name":"T0","fields":[{"name":"s","type":"string","default":"0123456789"}]},"default":` + def + `}`}
	for i := 1; i < 40; i++ {
		fields = append(fields, fmt.Sprintf(`{"name":"t%d","type":{"type":"record","name":"T%d","fields":[{"name":"a","type":"T%d","default":%s},{"name":"b","type":"T%d","default":%s}]},"default":%s}`,
			i, i, i-1, def, i-1, def, def))
	}
	return `{"type":"record","name":"R","fields":[` + strings.Join(fields, ",") + `]}`
}

// tryingSchema has a default that fits no branch, which takes 2^depth tries to see.
func tryingSchema(depth int) string {
	inner := `"int"`
	for i := range depth {
		inner = fmt.Sprintf(`[{"type":"record","name":"A%d","fields":[{"name":"x","type":%s}]}]`, i, inner)
		inner = strings.TrimSuffix(inner, "]") + fmt.Sprintf(`,{"type":"record","name":"B%d","fields":[{"name":"x","type":"A%d"}]}]`, i, i)
		if len(inner) > MaxSchemaBytes/2 {
			break
		}
		if i >= 15 {
			break
		}
	}
	return `{"type":"record","name":"R","fields":[{"name":"x","type":` + inner + `,"default":` + strings.Repeat(`{"x":`, 30) + `"no"` + strings.Repeat("}", 30) + `}]}`
}

// Where ours says yes, the identity does not change when it is read again, and
// every step ends. Where hamba says no, we know why.
func FuzzParse(f *testing.F) {
	for _, schema := range ourSchemas(f) {
		f.Add(schema)
	}
	for _, s := range []string{
		readSchema(f, evolvedReferral), readSchema(f, hostileVisit), `"int"`, `["null","int"]`, `{"type":"fixed","name":"F","size":12,"logicalType":"duration"}`,
		`{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}`, `{"type":"map","values":{"type":"map","values":"string"}}`,
		doublingSchema("{}"), tryingSchema(10), `{"type":"record","name":"A","fields":[{"name":"a","type":"A","default":{}}]}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, schema string) {
		s, err := Parse(schema)
		if err != nil {
			return
		}
		again, err := Parse(s.Canonical)
		if err != nil || again.Canonical != s.Canonical || again.Normal != s.Normal {
			t.Fatalf("%s\nread again: %s\n%v", s.Canonical, again.Canonical, err)
		}
		if found := s.CannotRead(s); len(found) > 0 {
			t.Fatalf("%s cannot read itself: %v", s.Canonical, found)
		}
	})
}

// hamba reads our schemas, and everything that we write of them, as we do.
func TestCanonicalAgreesWithHamba(t *testing.T) {
	for _, schema := range append(ourSchemas(t), readSchema(t, evolvedReferral)) {
		ours, err := Parse(schema)
		if err != nil {
			t.Fatal(err)
		}
		raw := hamba.MustParse(schema).String()
		for _, text := range []string{ours.Canonical, ours.Normal} {
			parsed, err := hamba.ParseWithCache(text, "", &hamba.SchemaCache{})
			if err != nil {
				t.Errorf("%s: %v", ours.FullName, err)
				continue
			}
			if parsed.String() != raw {
				t.Errorf("%s: %s, want %s", ours.FullName, parsed, raw)
			}
		}
	}
}

// Schemas of other writers, which the codec's tests read too: a referral as an
// operator's own software might write it, and a visit made to cost its reader.
const (
	evolvedReferral = "testdata/evolved_referral.avsc"
	hostileVisit    = "testdata/hostile_visit.avsc"
)

func readSchema(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// ourSchemas are those of the published language.
func ourSchemas(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../../*.avsc")
	if err != nil || len(files) == 0 {
		t.Fatalf("no schema of ours: %v", err)
	}
	var all []string
	for _, file := range files {
		all = append(all, readSchema(t, file))
	}
	return all
}

// Ours must stay within what the codec rests on: every default is Go's zero
// value, and no type holds itself.
func TestOurSchemas(t *testing.T) {
	for _, schema := range ourSchemas(t) {
		s, err := Parse(schema)
		if err != nil {
			t.Fatal(err)
		}
		checkOurs(t, s.FullName, s.root, map[*schemaType]bool{})
	}
}

func checkOurs(t *testing.T, path string, typ *schemaType, within map[*schemaType]bool) {
	if within[typ] {
		t.Errorf("%s holds itself", path)
		return
	}
	within[typ] = true
	defer delete(within, typ)
	for _, f := range typ.fields {
		if f.def != nil && strings.Trim(string(f.encoded), "\x00") != "" {
			t.Errorf("%s.%s has a default that is not Go's zero value", path, f.name)
		}
		if f.def != nil && f.typ.kind == kindUnion && f.typ.branches[0].kind != kindNull {
			t.Errorf("%s.%s has a default other than null for a union", path, f.name)
		}
		checkOurs(t, path+"."+f.name, f.typ, within)
	}
	for _, b := range typ.branches {
		checkOurs(t, path, b, within)
	}
	if typ.items != nil {
		checkOurs(t, path+"[]", typ.items, within)
	}
	if typ.kind == kindEnum || typ.kind == kindFixed {
		t.Errorf("%s is a %s: codes travel as strings, hashes as bytes", path, typ.kind)
	}
}

func BenchmarkParse(b *testing.B) {
	schema := readSchema(b, "../../referral_made.avsc")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(schema); err != nil {
			b.Fatal(err)
		}
	}
}
