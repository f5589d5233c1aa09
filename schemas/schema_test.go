package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// record and recordField are what these tests read of a schema.
type record struct {
	Name, Namespace, Doc string
	Fields               []recordField
}

type recordField struct {
	Name                            string
	Type                            json.RawMessage
	Default                         json.RawMessage
	Sensitivity, Purpose, Retention string
	Codes, Doc                      string
	// Known is every property by name, to find those that nobody knows.
	Known map[string]json.RawMessage `json:"-"`
}

func (f *recordField) UnmarshalJSON(data []byte) error {
	type plain recordField
	if err := json.Unmarshal(data, (*plain)(f)); err != nil {
		return err
	}
	return json.Unmarshal(data, &f.Known)
}

// records is a schema's record and those nested in it, by the path to them.
func records(t *testing.T, schema string) map[string]record {
	t.Helper()
	found := map[string]record{}
	var walk func(path string, data json.RawMessage)
	walk = func(path string, data json.RawMessage) {
		var list []json.RawMessage
		if json.Unmarshal(data, &list) == nil {
			for _, branch := range list {
				walk(path, branch)
			}
			return
		}
		var complex struct {
			Type  string
			Items json.RawMessage
		}
		if json.Unmarshal(data, &complex) != nil {
			return
		}
		switch complex.Type {
		case "array":
			walk(path, complex.Items)
		case "record":
			var r record
			if err := json.Unmarshal(data, &r); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			found[path] = r
			for _, f := range r.Fields {
				walk(path+"."+f.Name, f.Type)
			}
		}
	}
	walk("", json.RawMessage(schema))
	return found
}

func eachField(t *testing.T, f func(t *testing.T, path string, field recordField)) {
	t.Helper()
	for _, e := range Catalogue() {
		for path, r := range records(t, e.Schema) {
			for _, field := range r.Fields {
				f(t, e.Name+path+"."+field.Name, field)
			}
		}
	}
}

func TestEveryFieldSaysHowSensitiveItIsWhatForAndHowLongItIsKept(t *testing.T) {
	known := []string{"name", "type", "default", "sensitivity", "purpose", "retention", "codes", "doc"}
	eachField(t, func(t *testing.T, path string, f recordField) {
		for table, code := range map[string]string{TableSensitivity: f.Sensitivity, TablePurpose: f.Purpose, TableRetention: f.Retention} {
			if _, ok := LookupCode(table, code); !ok {
				t.Errorf(`%s: its %s is %q; give it one of the table in codes.go`, path, table, code)
			}
		}
		if !strings.HasSuffix(f.Doc, ".") {
			t.Errorf("%s: its doc %q is not a sentence", path, f.Doc)
		}
		for _, property := range slices.Sorted(maps.Keys(f.Known)) {
			if !slices.Contains(known, property) {
				t.Errorf("%s: nobody knows its property %q", path, property)
			}
		}
	})
}

func TestPersonalDataHasOnePlace(t *testing.T) {
	eachField(t, func(t *testing.T, path string, f recordField) {
		personal := f.Sensitivity == "personal"
		if sealed := f.Name == "sealed"; personal != sealed {
			t.Errorf("%s: personal data belongs in the field sealed, and nothing else does", path)
		}
		if personal != (f.Retention == "person_block") {
			t.Errorf("%s: what is personal is kept in the person block, and nothing else is", path)
		}
		if personal && !bytes.Contains(f.Type, []byte(`"bytes"`)) {
			t.Errorf("%s: what is sealed is bytes", path)
		}
	})
	for _, e := range Catalogue() {
		if e.Kind == KindVisit && strings.Contains(e.Schema, `"pseudonymous"`) {
			t.Errorf("%s: a visit points to nobody", e.Name)
		}
	}
}

func TestEveryRecordIsDescribedInEnglishWithItsFrenchName(t *testing.T) {
	for _, e := range Catalogue() {
		for path, r := range records(t, e.Schema) {
			if r.Doc == "" || path == "" && strings.Count(r.Doc, ". ") == 0 {
				t.Errorf("%s%s: its doc is %q; begin with the French name and a full stop", e.Name, path, r.Doc)
			}
		}
	}
}

func TestSchemasAndGoTypesAgree(t *testing.T) {
	for _, e := range Catalogue() {
		found := records(t, e.Schema)
		var compare func(path string, typ reflect.Type)
		compare = func(path string, typ reflect.Type) {
			r, ok := found[path]
			if !ok {
				t.Errorf("%s%s: the schema has no record there", e.Name, path)
				return
			}
			if r.Name != typ.Name() {
				t.Errorf("%s%s: the schema calls it %s, Go %s", e.Name, path, r.Name, typ.Name())
			}
			var got, want []string
			for _, f := range r.Fields {
				got = append(got, fmt.Sprintf("%s %s %s", f.Name, withoutRecords(f.Type), f.Default))
			}
			for f := range typ.Fields() {
				name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
				if name != f.Tag.Get("avro") {
					t.Errorf("%s%s.%s: its JSON and Avro names differ", e.Name, path, f.Name)
				}
				want = append(want, name+" "+avroTypeOf(f.Type, options == "omitempty"))
				if f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct {
					compare(path+"."+name, f.Type.Elem())
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s%s (-Go +schema):\n%s", e.Name, path, diff)
			}
		}
		compare("", reflect.TypeOf(e.New()).Elem())
	}
}

// withoutRecords is a type in the fewest characters, a record by its name alone.
func withoutRecords(typ json.RawMessage) string {
	var array struct{ Items record }
	if json.Unmarshal(typ, &array) == nil && array.Items.Name != "" {
		return `{"type":"array","items":` + array.Items.Name + `}`
	}
	var text bytes.Buffer
	if err := json.Compact(&text, typ); err != nil {
		return err.Error()
	}
	return text.String()
}

// avroTypeOf is the type and default that a Go field has in a schema.
func avroTypeOf(t reflect.Type, omitempty bool) string {
	name := func(t reflect.Type) string {
		switch t {
		case reflect.TypeFor[time.Time]():
			return `{"type":"long","logicalType":"timestamp-millis"}`
		case reflect.TypeFor[Day]():
			return `{"type":"int","logicalType":"date"}`
		case reflect.TypeFor[[]byte]():
			return `"bytes"`
		}
		switch t.Kind() {
		case reflect.String:
			return `"string"`
		case reflect.Bool:
			return `"boolean"`
		case reflect.Int:
			return `"int"`
		case reflect.Int64:
			return `"long"`
		case reflect.Struct:
			return t.Name()
		default:
			return "no type for " + t.String()
		}
	}
	switch {
	case t.Kind() == reflect.Pointer:
		return `["null",` + name(t.Elem()) + `] null`
	case t == reflect.TypeFor[[]byte]() && omitempty:
		return `["null","bytes"] null`
	case t.Kind() == reflect.Slice && t != reflect.TypeFor[[]byte]():
		list := `{"type":"array","items":` + name(t.Elem()) + `} `
		if omitempty {
			list += "[]"
		}
		return list
	case omitempty:
		return name(t) + ` ""`
	}
	return name(t) + " "
}

func TestACodedFieldNamesItsTableAndIsHeldToIt(t *testing.T) {
	for _, e := range Catalogue() {
		coded := map[string]string{}
		for path, r := range records(t, e.Schema) {
			for _, f := range r.Fields {
				coded[strings.TrimPrefix(path+"."+f.Name, ".")] = f.Codes
				if f.Codes == "" {
					continue
				}
				if _, ok := CodeTable(f.Codes); !ok {
					t.Errorf("%s.%s: there is no table %s", e.Name, f.Name, f.Codes)
				}
				if !strings.Contains(f.Doc, f.Codes) {
					t.Errorf("%s.%s: its doc does not name the table %s", e.Name, f.Name, f.Codes)
				}
			}
		}
		eachString(t, withAClock(e.Example), func(payload any, path string, field reflect.Value) {
			field.SetString("no_such_code")
			table := coded[strings.ReplaceAll(path, "[0]", "")]
			if strings.Contains(path, "[") && table == "" {
				table = coded[path[:strings.IndexByte(path, '[')]]
			}
			if strings.Contains(path, "[1]") {
				return
			}
			var refusal *Refusal
			_ = errors.As(Validate(payload), &refusal)
			switch {
			case table == "" && refusal != nil && strings.Contains(refusal.Detail, "is not a code of the table"):
				t.Errorf("%s.%s is held to a table that the schema does not name: %v", e.Name, path, refusal)
			case table != "" && (refusal == nil || !strings.Contains(refusal.Detail, "is not a code of the table "+table)):
				t.Errorf("%s.%s is not held to the table %s: %v", e.Name, path, table, refusal)
			}
		})
	}
}

// withAClock is an example as the hub would make it, where it may.
func withAClock(example any) any {
	switch p := example.(type) {
	case *ReferralClosed:
		return &ReferralClosed{Useful: p.Useful, Clock: new("closing"), StartedBy: new(examplePlace), Due: new(exampleTime(31, 0, 0))}
	case *ReferralReopened:
		return &ReferralReopened{Reason: p.Reason, Clock: new("reroute"), StartedBy: new(examplePlace), Due: new(exampleTime(31, 0, 0))}
	case *SubmissionRepeated:
		repeated := *p
		repeated.FirstReason = string(ReasonMalformed)
		return &repeated
	}
	return example
}
