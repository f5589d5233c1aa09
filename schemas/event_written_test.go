package schemas

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStampedHeadersAreThoseOfTheStampedEvent(t *testing.T) {
	written := Headers(Event{
		ID: "1", Source: "/participants/cnaf/x", Type: TypeProbeSent, Subject: "s", Time: time.Date(2026, 5, 14, 9, 0, 0, 5e8, time.UTC),
		DataSchema: "http://registry.example/schemas/ids/1", DataContentType: AvroContentType, Data: []byte{0, 0, 0, 0, 1, 2},
		Extensions: map[string]string{AttrPartitionKey: "s", AttrReceivedTime: "early", AttrRules: "1", AttrTraceParent: "00", AttrLate: "true", "zz": "last"},
	})
	changed := func(change func(h []Header) []Header) []Header { return change(slices.Clone(written)) }
	at := func(key string) int { return slices.IndexFunc(written, func(h Header) bool { return h.Key == key }) }
	stamps := []Header{
		{Key: HeaderKey(AttrLate)},
		{Key: HeaderKey(AttrParties), Value: []byte("cnaf")},
		{Key: HeaderKey(AttrReceivedTime), Value: []byte("later")},
		{Key: HeaderKey(AttrSequence), Value: []byte("0000000001")},
		{Key: HeaderKey("zzz"), Value: []byte("beyond")},
	}
	for name, from := range map[string][]Header{
		"as we write them":        written,
		"without a time":          changed(func(h []Header) []Header { return slices.Delete(h, at("ce_time"), at("ce_time")+1) }),
		"a time in another form":  changed(func(h []Header) []Header { h[at("ce_time")].Value = []byte("2026-05-14T09:00:00.500000Z"); return h }),
		"in another order":        changed(func(h []Header) []Header { slices.Reverse(h); return h }),
		"extensions out of order": changed(func(h []Header) []Header { slices.Reverse(h[at("ce_dataschema")+1:]); return h }),
		"capitals":                changed(func(h []Header) []Header { h[at("ce_rules")].Key = "Ce_Rules"; return h }),
		"another media type":      changed(func(h []Header) []Header { h[0].Value = []byte("application/octet-stream"); return h }),
		"a header of another's":   changed(func(h []Header) []Header { return append(h, Header{Key: "zzz", Value: []byte("x")}) }),
		"an empty attribute":      changed(func(h []Header) []Header { h[at("ce_traceparent")].Value = nil; return h }),
	} {
		e, err := FromRecord(from, []byte{0, 0, 0, 0, 1, 2})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		w, err := ReadWritten(from, []byte{0, 0, 0, 0, 1, 2})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := e
		want.Extensions = maps.Clone(e.Extensions)
		delete(want.Extensions, AttrLate)
		maps.Copy(want.Extensions, map[string]string{AttrParties: "cnaf", AttrReceivedTime: "later", AttrSequence: "0000000001", "zzz": "beyond"})
		if diff := cmp.Diff(Headers(want), w.Stamped(stamps)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if _, ok := readWritten(written, []byte{0, 0, 0, 0, 1, 2}); !ok {
		t.Error("our own headers are not taken over as they stand")
	}
}

// FuzzReadWritten reads headers both ways: what the quick way takes, the other reads
// the same.
func FuzzReadWritten(f *testing.F) {
	f.Add(fullHeaders, fullEvent.Data)
	f.Add(strings.Replace(fullHeaders, "ce_time: 2026", "ce_time: 2026-05-14T09:30:00,5Z\nce_zz: 2026", 1), []byte{0, 0, 0, 0, 7})
	f.Add(fullHeaders+"ce_zz: x\nce_zz: y\n", []byte{0, 0, 0, 0, 7})
	f.Add(fullHeaders+"ce_time: x\n", []byte{})
	f.Add(strings.Replace(fullHeaders, "urgent", "d\u00e9j\u00e0", 1), []byte{0, 0, 0, 0, 7})
	f.Fuzz(func(t *testing.T, text string, value []byte) {
		headers := headersOf(text)
		e, wanted := FromRecord(headers, value)
		w, err := ReadWritten(headers, value)
		if (err == nil) != (wanted == nil) || err != nil && err.Error() != wanted.Error() {
			t.Fatalf("error %v, want %v", err, wanted)
		}
		if diff := cmp.Diff(Headers(e), w.Stamped(nil)); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
		got := Event{
			ID: w.ID, Source: w.Source, Type: w.Type, Subject: w.Subject, Time: w.Time, Data: w.Data,
			DataContentType: e.DataContentType, DataSchema: string(w.DataSchema()),
		}
		for name := range e.Extensions {
			if got.Extensions == nil {
				got.Extensions = map[string]string{}
			}
			got.Extensions[name] = string(w.Attribute(name))
		}
		if diff := cmp.Diff(e, got); diff != "" {
			t.Errorf("event (-want +got):\n%s", diff)
		}
	})
}
