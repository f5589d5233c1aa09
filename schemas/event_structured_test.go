package schemas

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseStructured(t *testing.T) {
	const text = ` {"specversion":"1.0","id":"e-1","source":"/participants/cnaf/si","type":"fr.relais.visit.v1.VisitVoided",
	"subject":"s\u00e9","time":"2026-05-14T09:30:00.5+02:00","dataschema":"http:\/\/r","priority":"bulk","history":true,"count":-3,
	"mandate":null,"datacontenttype":"application/json","data": {"reason" : "duplicate"} } `
	want := Event{
		ID: "e-1", Source: "/participants/cnaf/si", Type: TypeVisitVoided, Subject: "sé",
		Time:       time.Date(2026, 5, 14, 9, 30, 0, 5e8, time.FixedZone("", 7200)),
		DataSchema: "http://r", DataContentType: JSONContentType,
		Extensions: map[string]string{"priority": "bulk", "history": "true", "count": "-3"},
		Data:       []byte(`{"reason" : "duplicate"}`),
	}
	got, err := ParseStructured([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestParseStructuredData(t *testing.T) {
	tests := map[string]struct {
		members string
		media   string
		data    string
	}{
		"none":                        {``, "", ""},
		"null":                        {`,"data":null`, "", ""},
		"JSON without a media type":   {`,"data":[1]`, JSONContentType, "[1]"},
		"JSON with a charset":         {`,"data":{},"datacontenttype":"application/json; charset=utf-8"`, JSONContentType, "{}"},
		"framed Avro in base64":       {`,"data_base64":"AAAAAAE=","datacontenttype":"application/vnd.confluent.avro"`, AvroContentType, "\x00\x00\x00\x00\x01"},
		"framed Avro, no media type":  {`,"data_base64":"AAAAAAE="`, AvroContentType, "\x00\x00\x00\x00\x01"},
		"JSON in base64":              {`,"data_base64":"e30="`, JSONContentType, "{}"},
		"null for one, the other not": {`,"data":null,"data_base64":"e30="`, JSONContentType, "{}"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseStructured([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t"` + test.members + `}`))
			if err != nil {
				t.Fatal(err)
			}
			if got.DataContentType != test.media || string(got.Data) != test.data {
				t.Errorf("got %q %q", got.DataContentType, got.Data)
			}
		})
	}
}

func TestParseStructuredRefuses(t *testing.T) {
	with := func(members string) string {
		return `{"specversion":"1.0","id":"1","source":"s","type":"t"` + members + `}`
	}
	deep := strings.Repeat("[", MaxJSONDepth+1) + strings.Repeat("]", MaxJSONDepth+1)
	tests := map[string]struct {
		text   string
		reason Reason
		detail string
		id     string
	}{
		"nothing":               {"", ReasonMalformed, "JSON", ""},
		"a list":                {"[]", ReasonMalformed, "JSON", ""},
		"cut short":             {with("")[:20], ReasonMalformed, "JSON", ""},
		"something after it":    {with("") + "{}", ReasonMalformed, "JSON", ""},
		"invalid UTF-8":         {with(`,"subject":"` + "\xff" + `"`), ReasonMalformed, "UTF-8", ""},
		"half of a pair":        {with(`,"subject":"\ud800"`), ReasonMalformed, "JSON", ""},
		"too deep":              {with(`,"data":` + deep), ReasonMalformed, "deep", ""},
		"too long":              {with(`,"data":"` + strings.Repeat("x", MaxEventBytes) + `"`), ReasonTooLarge, "limit", ""},
		"data too long":         {with(`,"data":"` + strings.Repeat("x", MaxDataBytes+10) + `"`), ReasonTooLarge, "limit", "1"},
		"too many members":      {with(manyMembers(MaxHeaders)), ReasonMalformed, "too many members", ""},
		"an id twice":           {with(`,"id":"2"`), ReasonMalformed, "id stands there twice", ""},
		"an id that is a 1":     {`{"specversion":"1.0","id":1,"source":"s","type":"t"}`, ReasonMalformed, "not a string", ""},
		"no id":                 {`{"specversion":"1.0","source":"s","type":"t"}`, ReasonMalformed, "id is missing", ""},
		"an object":             {with(`,"mandate":{}`), ReasonMalformed, "not a string", "1"},
		"a fraction":            {with(`,"count":1.5`), ReasonMalformed, "not a string", "1"},
		"a name in capitals":    {with(`,"Priority":"bulk"`), ReasonMalformed, "Priority", "1"},
		"data twice":            {with(`,"data":{},"data":{}`), ReasonMalformed, "twice", "1"},
		"both forms of data":    {with(`,"data":{},"data_base64":""`), ReasonMalformed, "both", "1"},
		"no base64":             {with(`,"data_base64":"*"`), ReasonMalformed, "base64", "1"},
		"base64 that is a list": {with(`,"data_base64":[]`), ReasonMalformed, "base64", "1"},
		"text as data":          {with(`,"data":"x","datacontenttype":"text/xml"`), ReasonMalformed, "datacontenttype", "1"},
		"Avro as JSON":          {with(`,"data":{},"datacontenttype":"application/vnd.confluent.avro"`), ReasonMalformed, "data_base64", "1"},
		"two media types":       {with(`,"datacontenttype":"application/json","datacontenttype":"application/json"`), ReasonMalformed, "twice", "1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseStructured([]byte(test.text))
			if reasonOf(err) != test.reason || !strings.Contains(err.Error(), test.detail) {
				t.Errorf("got %v, want %s with %q", err, test.reason, test.detail)
			}
			if got.ID != test.id {
				t.Errorf("got the id %q, want %q", got.ID, test.id)
			}
		})
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"x%d":"1"`, i)
	}
	return b.String()
}

func TestSplitBatch(t *testing.T) {
	got, err := SplitBatch([]byte(` [ {"id":"1"} , 2 ] `), 2)
	if err != nil || len(got) != 2 || string(got[0]) != `{"id":"1"}` || string(got[1]) != "2" {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := SplitBatch([]byte(`[]`), 2); err != nil || len(got) != 0 {
		t.Errorf("an empty batch: %q, %v", got, err)
	}
	for text, reason := range map[string]Reason{`[1,2,3]`: ReasonTooLarge, `[1`: ReasonMalformed, `{}`: ReasonMalformed, `[1]x`: ReasonMalformed, ``: ReasonMalformed} {
		if _, err := SplitBatch([]byte(text), 2); reasonOf(err) != reason {
			t.Errorf("%s: %v, want %s", text, err, reason)
		}
	}
}

func TestMarshalStructured(t *testing.T) {
	for _, e := range Catalogue() {
		event := fullEvent
		event.Type = e.Type
		event.Extensions = map[string]string{"priority": "bu\"lk", "mandate": "é\u2028<"}
		b, err := MarshalStructured(event, e.Example)
		if err != nil || !json.Valid(b) {
			t.Fatalf("%s, %v", b, err)
		}
		got, err := ParseStructured(b)
		if err != nil {
			t.Fatal(err)
		}
		payload, err := ParseJSON(e.Type, got.Data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e.Example, payload, equateEmpty); diff != "" {
			t.Errorf("%s: -want +got:\n%s", e.Name, diff)
		}
		got.Data, event.Data, event.DataContentType = nil, nil, JSONContentType
		if diff := cmp.Diff(event, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	b, err := MarshalStructured(Event{ID: "1", Source: "s", Type: "t"}, nil)
	if want := `{"specversion":"1.0","id":"1","source":"s","type":"t"}`; err != nil || string(b) != want {
		t.Errorf("without data: %s, %v", b, err)
	}
	if _, err := MarshalStructured(fullEvent, 1); err == nil {
		t.Error("a payload that is no event was written")
	}
}

// Whatever the text: no panic, what was taken is JSON to encoding/json too, and
// survives as a record unchanged.
func FuzzParseStructured(f *testing.F) {
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"\u00e9\ud83d\ude00","time":"2026-05-14T09:30:00Z","data":{"a":[1,-2.5e3,null,true,"\\"]}}`))
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"AAAAAAE="}`))
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","x":1,"x":2}`))
	f.Add([]byte(`[[[[`))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := ParseStructured(text)
		if err != nil {
			if reasonOf(err) == "" {
				t.Fatalf("not a refusal: %v", err)
			}
			return
		}
		if !json.Valid(text) {
			t.Fatalf("taken, but not JSON: %q", text)
		}
		sameAfterRoundTrip(t, e)
	})
}

func BenchmarkParseStructured(b *testing.B) {
	e, _ := Lookup(TypeReferralMade)
	text, err := MarshalStructured(fullEvent, e.Example)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := ParseStructured(text); err != nil {
			b.Fatal(err)
		}
	}
}
