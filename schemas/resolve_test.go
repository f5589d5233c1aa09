package schemas

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hamba/avro/v2"
)

// evolvedReferral is a referral as an operator's own software might write it:
// another order, fields that are never null, some left out, some of its own.
const evolvedReferral = `{"type":"record","name":"fr.relais.referral.v1.ReferralMade","fields":[
	{"name":"local","type":{"type":"record","name":"Local","fields":[
		{"name":"tags","type":{"type":"map","values":["null","double",{"type":"enum","name":"E","symbols":["A"]}]}},
		{"name":"next","type":["null","Local"]}]}},
	{"name":"to","type":"string"},
	{"name":"theme","type":"string"},
	{"name":"reason","type":["string","null"]},
	{"name":"sealed","type":["null","string"]},
	{"name":"service","type":"bytes"},
	{"name":"attachments","type":{"type":"array","items":{"type":"record","name":"other.Attachment","fields":[
		{"name":"size_bytes","type":"int"},{"name":"sha256","type":"string"},
		{"name":"media_type","type":"string"},{"name":"reference","type":"string"}]}}},
	{"name":"from","type":"string"},
	{"name":"reference","type":"string"}]}`

// hostileVisit is made to cost its reader: a type that holds itself, a tree of
// nothing that takes 2^20 steps and no bytes, and lists of items without bytes.
const hostileVisit = `{"type":"record","name":"fr.relais.visit.v1.VisitVoided","fields":[
	{"name":"self","type":{"type":"record","name":"Self","fields":[{"name":"more","type":{"type":"array","items":"Self"}}]}},
	{"name":"nothing","type":{"type":"array","items":"null"}},
	{"name":"tree","type":{"type":"record","name":"T0","fields":[]}},
	{"name":"t1","type":{"type":"array","items":{"type":"record","name":"T1","fields":[{"name":"a","type":"T0"},{"name":"b","type":"T0"},{"name":"c","type":"T0"},{"name":"d","type":"T0"}]}}},
	{"name":"t2","type":{"type":"array","items":{"type":"record","name":"T2","fields":[{"name":"a","type":"T1"},{"name":"b","type":"T1"},{"name":"c","type":"T1"},{"name":"d","type":"T1"}]}}},
	{"name":"t3","type":{"type":"array","items":{"type":"record","name":"T3","fields":[{"name":"a","type":"T2"},{"name":"b","type":"T2"},{"name":"c","type":"T2"},{"name":"d","type":"T2"}]}}},
	{"name":"t4","type":{"type":"array","items":{"type":"record","name":"T4","fields":[{"name":"a","type":"T3"},{"name":"b","type":"T3"},{"name":"c","type":"T3"},{"name":"d","type":"T3"}]}}},
	{"name":"t5","type":{"type":"array","items":{"type":"record","name":"T5","fields":[{"name":"a","type":"T4"},{"name":"b","type":"T4"},{"name":"c","type":"T4"},{"name":"d","type":"T4"}]}}},
	{"name":"t6","type":{"type":"array","items":{"type":"record","name":"T6","fields":[{"name":"a","type":"T5"},{"name":"b","type":"T5"},{"name":"c","type":"T5"},{"name":"d","type":"T5"}]}}},
	{"name":"reason","type":"string"}]}`

func TestDecodeResolvesWritersSchema(t *testing.T) {
	src := newMemorySource()
	c := NewCodec(src)
	local := map[string]any{"tags": map[string]any{"a": map[string]any{"double": 1.5}, "b": nil}, "next": map[string]any{
		"Local": map[string]any{"tags": map[string]any{}, "next": nil},
	}}
	// hamba writes what the operator's software would.
	schema, err := avro.ParseWithCache(evolvedReferral, "", &avro.SchemaCache{})
	if err != nil {
		t.Fatal(err)
	}
	local["next"] = map[string]any{"fr.relais.referral.v1.Local": local["next"].(map[string]any)["Local"]}
	b, err := avro.Marshal(schema, map[string]any{
		"local": local, "from": "fs-563", "to": "cnaf", "service": []byte("rsa"), "reference": "7K3F-92QD",
		"theme": "housing", "reason": map[string]any{"string": "complex"}, "sealed": map[string]any{"string": "secret"},
		"attachments": []any{map[string]any{"size_bytes": 7, "sha256": "00", "media_type": "text/plain", "reference": "r"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Decode(t.Context(), TypeReferralMade, framed(src.add(evolvedReferral), b...))
	if err != nil {
		t.Fatal(err)
	}
	theme, reason := "housing", "complex"
	want := &ReferralMade{
		From: "fs-563", To: "cnaf", Service: "rsa", Reference: "7K3F-92QD", Theme: &theme, Reason: &reason, Sealed: []byte("secret"),
		Attachments: []Attachment{{Reference: "r", MediaType: "text/plain", SizeBytes: 7, SHA256: "00"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A writer's schema cannot make its reader loop, recurse or allocate.
func TestDecodeSurvivesHostileWritersSchema(t *testing.T) {
	src := newMemorySource()
	c := NewCodec(src)
	id := src.add(hostileVisit)
	many := []byte{0x80, 0x10} // a block of 1024
	tree := append(append([]byte{0, 0, 0, 0, 0, 0, 0}, many...), 0, 2, 'x')
	tests := map[string][]byte{
		"a list of 2^62 nothings":   {0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0},
		"a chain of lists":          append(make([]byte, 0), []byte(strings.Repeat("\x02", 200_000))...),
		"a tree of nothing":         tree,
		"lists that never end":      []byte(strings.Repeat("\x01\x00", 100_000)),
		"a block of negative bytes": {1, 1, 0},
	}
	for name, data := range tests {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			if _, err := c.Decode(t.Context(), TypeVisitVoided, framed(id, data...)); reasonOf(err) != ReasonMalformed {
				t.Errorf("got %v", err)
			}
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestDecodeRefusesWritersSchema(t *testing.T) {
	const probe = `{"type":"record","name":"fr.relais.hub.v1.ProbeSent","fields":[{"name":"sent","type":%s}]}`
	tests := map[string]struct {
		schema string
		reason Reason
		detail string
	}{
		"microseconds for milliseconds":     {strings.Replace(probe, "%s", `{"type":"long","logicalType":"timestamp-micros"}`, 1), ReasonUnknownSchema, "timestamp-micros"},
		"days for milliseconds":             {strings.Replace(probe, "%s", `{"type":"int","logicalType":"date"}`, 1), ReasonUnknownSchema, "date"},
		"text for a time":                   {strings.Replace(probe, "%s", `"string"`, 1), ReasonUnknownSchema, "string"},
		"a required field that may be null": {strings.Replace(probe, "%s", `["null","long"]`, 1), ReasonUnknownSchema, "null"},
		"a required field left out":         {`{"type":"record","name":"fr.relais.hub.v1.ProbeSent","fields":[]}`, ReasonUnknownSchema, "sent"},
		"no schema":                         {`{"type":"record"}`, ReasonUnknownSchema, "not an Avro schema"},
		"a schema without a name":           {`"string"`, ReasonMalformed, "ProbeSent"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			src := newMemorySource()
			c := NewCodec(src)
			id := src.add(test.schema)
			for range 2 { // the second time from memory
				_, err := c.Decode(t.Context(), TypeProbeSent, framed(id, 2))
				if reasonOf(err) != test.reason || !strings.Contains(err.Error(), test.detail) {
					t.Errorf("got %v, want %s with %q", err, test.reason, test.detail)
				}
			}
		})
	}
}

// A plain long for a timestamp is taken at its number: generated code drops
// logical types.
func TestDecodeTakesNumberForTime(t *testing.T) {
	src := newMemorySource()
	c := NewCodec(src)
	id := src.add(`{"type":"record","name":"fr.relais.hub.v1.ProbeSent","fields":[{"name":"sent","type":"int"}]}`)
	got, err := c.Decode(t.Context(), TypeProbeSent, framed(id, 2))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&ProbeSent{Sent: time.UnixMilli(1)}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Ours must stay within what the codec rests on: every default is Go's zero
// value, and no type holds itself.
func TestOurSchemas(t *testing.T) {
	for _, e := range Catalogue() {
		s, err := ParseAvro(e.Schema)
		if err != nil {
			t.Fatalf("%s: %v", e.Name, err)
		}
		if s.FullName != e.Type {
			t.Errorf("%s: full name %s", e.Name, s.FullName)
		}
		checkOurs(t, e.Name, s.root, map[*avroType]bool{})
	}
}

func checkOurs(t *testing.T, path string, typ *avroType, within map[*avroType]bool) {
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
		if f.def != nil && f.typ.kind == avroUnion && f.typ.branches[0].kind != avroNull {
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
	if typ.kind == avroEnum || typ.kind == avroFixed {
		t.Errorf("%s is a %s: codes travel as strings, hashes as bytes", path, typ.kind)
	}
}
