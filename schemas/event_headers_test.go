package schemas

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var fullEvent = Event{
	ID: "e-1", Source: "/participants/cnaf/si", Type: TypeReferralAccepted, Subject: "0192-a~b",
	Time:       time.Date(2026, 5, 14, 9, 30, 0, 123456789, time.FixedZone("", 2*3600)),
	DataSchema: "http://r/schemas/ids/7", DataContentType: AvroContentType,
	Extensions: map[string]string{"priority": "urgent", "correlationid": "j-1", "partitionkey": "0192-a"},
	Data:       []byte{0, 0, 0, 0, 7, 0},
}

const fullHeaders = `content-type: application/vnd.confluent.avro
ce_specversion: 1.0
ce_id: e-1
ce_source: /participants/cnaf/si
ce_type: fr.relais.referral.v1.ReferralAccepted
ce_subject: 0192-a~b
ce_time: 2026-05-14T09:30:00.123456789+02:00
ce_dataschema: http://r/schemas/ids/7
ce_correlationid: j-1
ce_partitionkey: 0192-a
ce_priority: urgent
`

func headerText(headers []Header) string {
	var b strings.Builder
	for _, h := range headers {
		fmt.Fprintf(&b, "%s: %s\n", h.Key, h.Value)
	}
	return b.String()
}

// headersOf reads `key: value` lines.
func headersOf(text string) []Header {
	var headers []Header
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		headers = append(headers, Header{Key: key, Value: []byte(value)})
	}
	return headers
}

func TestHeaders(t *testing.T) {
	if diff := cmp.Diff(fullHeaders, headerText(Headers(fullEvent))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	got, err := FromRecord(Headers(fullEvent), fullEvent.Data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fullEvent, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

const fewHeaders = "ce_specversion: 1.0\nce_id: 1\nce_source: s\nce_type: t\n"

func TestFromRecordReads(t *testing.T) {
	frame := []byte{0, 0, 0, 0, 1}
	few := Event{ID: "1", Source: "s", Type: "t"}
	with := func(change func(*Event)) Event {
		e := few
		change(&e)
		return e
	}
	tests := map[string]struct {
		headers string
		value   []byte
		want    Event
	}{
		"no data":                            {fewHeaders, nil, few},
		"other people's headers, even twice": {fewHeaders + "__value_schema_id: x\nb3: \xff\nb3: 1\n", nil, few},
		"headers in capitals":                {"CE_SPECVERSION: 1.0\nCE_ID: 1\nCe_Source: s\nCE_Type: t\nContent-Type: application/json\n", []byte("{}"), with(func(e *Event) { e.DataContentType, e.Data = JSONContentType, []byte("{}") })},
		"framed Avro without a media type":   {fewHeaders, frame, with(func(e *Event) { e.DataContentType, e.Data = AvroContentType, frame })},
		"framed Avro as octets":              {fewHeaders + "content-type: application/octet-stream\n", frame, with(func(e *Event) { e.DataContentType, e.Data = AvroContentType, frame })},
		"framed Avro with a parameter":       {fewHeaders + "content-type: application/vnd.confluent.avro; v=1\n", frame, with(func(e *Event) { e.DataContentType, e.Data = AvroContentType, frame })},
		"JSON without a media type":          {fewHeaders, []byte("{}"), with(func(e *Event) { e.DataContentType, e.Data = JSONContentType, []byte("{}") })},
		"JSON with a charset":                {fewHeaders + "content-type: Application/JSON; Charset=UTF-8\n", []byte("{}"), with(func(e *Event) { e.DataContentType, e.Data = JSONContentType, []byte("{}") })},
		"JSON with a suffix":                 {fewHeaders + "content-type: application/vnd.relais+json\n", []byte("{}"), with(func(e *Event) { e.DataContentType, e.Data = JSONContentType, []byte("{}") })},
		"an empty attribute is absent":       {fewHeaders + "ce_subject: \nce_time: \nce_priority: \n", nil, few},
		"structured JSON":                    {"content-type: application/cloudevents+json; charset=utf-8\n", []byte(`{"specversion":"1.0","id":"1","source":"s","type":"t"}`), few},
		"structured JSON, whatever the ce_":  {"ce_id: 2\nCONTENT-TYPE: APPLICATION/CLOUDEVENTS+JSON\n", []byte(`{"specversion":"1.0","id":"1","source":"s","type":"t"}`), few},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := FromRecord(headersOf(test.headers), test.value)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestFromRecordRefuses(t *testing.T) {
	frame := []byte{0, 0, 0, 0, 1}
	long := strings.Repeat("x", MaxHeaderBytes+1)
	few := Event{ID: "1", Source: "s", Type: "t"}
	framedEvent := few
	framedEvent.DataContentType, framedEvent.Data = AvroContentType, frame
	without := func(change func(*Event)) Event {
		e := framedEvent
		change(&e)
		return e
	}
	tests := map[string]struct {
		headers string
		value   []byte
		reason  Reason
		detail  string
		want    Event // what could be read all the same
	}{
		"no headers":               {"", []byte(`{"id":"1"}`), ReasonMalformed, "content-type " + StructuredContentType, Event{}},
		"no CloudEvents headers":   {"b3: x\ncontent-type: application/json\n", []byte(`{}`), ReasonMalformed, "ce_specversion", Event{}},
		"no id":                    {"ce_specversion: 1.0\nce_source: s\nce_type: t\n", frame, ReasonMalformed, "id is missing", without(func(e *Event) { e.ID = "" })},
		"no source":                {"ce_specversion: 1.0\nce_id: 1\nce_type: t\n", frame, ReasonMalformed, "source is missing", without(func(e *Event) { e.Source = "" })},
		"no type":                  {"ce_specversion: 1.0\nce_id: 1\nce_source: s\n", frame, ReasonMalformed, "type is missing", without(func(e *Event) { e.Type = "" })},
		"no version":               {"ce_id: 1\nce_source: s\nce_type: t\n", frame, ReasonMalformed, "specversion", framedEvent},
		"another version":          {strings.Replace(fewHeaders, "1.0", "0.3", 1), frame, ReasonMalformed, "specversion", framedEvent},
		"an id twice":              {fewHeaders + "ce_id: 2\n", frame, ReasonMalformed, "id stands there twice", without(func(e *Event) { e.ID = "" })},
		"an extension twice":       {fewHeaders + "ce_mandate: 1\nCE_MANDATE: 2\n", frame, ReasonMalformed, "mandate", without(func(e *Event) { e.Extensions = map[string]string{} })},
		"a media type twice":       {fewHeaders + "content-type: application/json\nContent-Type: application/json\n", frame, ReasonMalformed, "content-type", few},
		"invalid UTF-8":            {fewHeaders + "ce_subject: \xff\n", frame, ReasonMalformed, "UTF-8", framedEvent},
		"a control character":      {fewHeaders + "ce_subject: a\x00b\n", frame, ReasonMalformed, "control", framedEvent},
		"a bad time":               {fewHeaders + "ce_time: yesterday\n", frame, ReasonMalformed, "RFC 3339", framedEvent},
		"a time without a zone":    {fewHeaders + "ce_time: 2026-05-14T09:30:00\n", frame, ReasonMalformed, "RFC 3339", framedEvent},
		"a time with one digit":    {fewHeaders + "ce_time: 2026-05-14T9:30:00Z\n", frame, ReasonMalformed, "RFC 3339", framedEvent},
		"a time a day off":         {fewHeaders + "ce_time: 2026-05-14T09:30:00+24:00\n", frame, ReasonMalformed, "RFC 3339", framedEvent},
		"a time with a comma":      {fewHeaders + "ce_time: 2026-05-14T09:30:00,5Z\n", frame, ReasonMalformed, "RFC 3339", framedEvent},
		"a long value":             {fewHeaders + "ce_subject: " + long + "\n", frame, ReasonTooLarge, "subject", framedEvent},
		"a name with a dash":       {fewHeaders + "ce_a-b: 1\n", frame, ReasonMalformed, "a-b", framedEvent},
		"a name without a letter":  {fewHeaders + "ce_: 1\n", frame, ReasonMalformed, "name", framedEvent},
		"a data attribute":         {fewHeaders + "ce_datacontenttype: application/json\n", frame, ReasonMalformed, "content-type", framedEvent},
		"bare Avro":                {fewHeaders + "content-type: application/avro\n", frame, ReasonMalformed, "Confluent's framing", few},
		"another charset":          {fewHeaders + "content-type: application/json; charset=latin1\n", []byte("{}"), ReasonMalformed, "charset", few},
		"no media type at all":     {fewHeaders + "content-type: ;;\n", frame, ReasonMalformed, "media type", few},
		"no media type, and text":  {fewHeaders, []byte("hello"), ReasonMalformed, "content-type is missing", few},
		"a batch":                  {"content-type: application/cloudevents-batch+json\n", []byte("[]"), ReasonMalformed, "one event", Event{}},
		"an event in Avro":         {"content-type: application/cloudevents+avro\n", frame, ReasonMalformed, StructuredContentType, Event{}},
		"data beyond its bound":    {fewHeaders, make([]byte, MaxDataBytes+6), ReasonTooLarge, "the limit", few},
		"structured, beyond bound": {"content-type: application/cloudevents+json\n", make([]byte, MaxEventBytes+1), ReasonTooLarge, "the limit", Event{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := FromRecord(headersOf(test.headers), test.value)
			if reasonOf(err) != test.reason || !strings.Contains(err.Error(), test.detail) {
				t.Errorf("got %v, want %s with %q", err, test.reason, test.detail)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("what could be read: -want +got:\n%s", diff)
			}
		})
	}
}

func TestFromRecordBoundsHeaders(t *testing.T) {
	headers := headersOf(fewHeaders)
	for i := range MaxHeaders {
		headers = append(headers, Header{Key: fmt.Sprintf("ce_x%d", i), Value: []byte("1")})
	}
	if _, err := FromRecord(headers, nil); reasonOf(err) != ReasonTooLarge {
		t.Errorf("too many headers: %v", err)
	}
	headers = headers[:MaxHeaders]
	if _, err := FromRecord(headers, nil); err != nil {
		t.Error(err)
	}
	for i := range headers[4:] {
		headers[4+i].Value = bytes.Repeat([]byte("x"), MaxHeaderBytes)
	}
	if _, err := FromRecord(headers, append([]byte{0}, make([]byte, MaxDataBytes)...)); err != nil {
		t.Errorf("headers and data at their bounds: %v", err)
	}
}

// Whatever the record: no panic, and an event that was taken survives its own
// headers unchanged.
func FuzzFromRecord(f *testing.F) {
	f.Add(fullHeaders, fullEvent.Data)
	f.Add(fewHeaders+"ce_id: 2\nce_time: x\n", []byte("{}"))
	f.Add("content-type: application/cloudevents+json\n", []byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"a":[1]}}`))
	f.Add("content-type: application/json; charset=\"utf-8\"\n"+fewHeaders, []byte("{}"))
	f.Fuzz(func(t *testing.T, headers string, value []byte) {
		e, err := FromRecord(headersOf(headers), value)
		if err != nil {
			if reasonOf(err) == "" {
				t.Fatalf("not a refusal: %v", err)
			}
			return
		}
		sameAfterRoundTrip(t, e)
	})
}

func sameAfterRoundTrip(t *testing.T, e Event) {
	first := Headers(e)
	again, err := FromRecord(first, e.Data)
	if err != nil {
		t.Fatalf("%+v: refused when sent on: %v", e, err)
	}
	if diff := cmp.Diff(headerText(first), headerText(Headers(again))); diff != "" || !bytes.Equal(e.Data, again.Data) {
		t.Fatalf("changed when sent on: %s", diff)
	}
}

func BenchmarkFromRecord(b *testing.B) {
	headers := Headers(fullEvent)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := FromRecord(headers, fullEvent.Data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHeaders(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Headers(fullEvent)
	}
}

// However an event's headers stood, stamping them is as setting the attributes and
// writing the headers anew.
