package schemas

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hamba/avro/v2"
)

// Two writers' schemas, which the tests of package avro read too. The first is a
// referral as an operator's own software might write it: another order, fields
// that are never null, some left out, some of its own. The second is made to cost
// its reader: a type that holds itself, a tree of nothing that takes 2^20 steps and
// no bytes, and lists of items without bytes.
const (
	evolvedReferral = "evolved_referral.avsc"
	hostileVisit    = "hostile_visit.avsc"
)

func writersSchema(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("internal", "avro", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestDecodeResolvesWritersSchema(t *testing.T) {
	src := newMemorySource()
	c := NewCodec(src)
	local := map[string]any{"tags": map[string]any{"a": map[string]any{"double": 1.5}, "b": nil}, "next": map[string]any{
		"Local": map[string]any{"tags": map[string]any{}, "next": nil},
	}}
	// hamba writes what the operator's software would.
	evolved := writersSchema(t, evolvedReferral)
	schema, err := avro.ParseWithCache(evolved, "", &avro.SchemaCache{})
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
	got, err := c.Decode(t.Context(), TypeReferralMade, framed(src.add(evolved), b...))
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
	id := src.add(writersSchema(t, hostileVisit))
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
			if took := time.Since(start); took > 20*time.Second {
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
