package schemas

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"
)

// These digests are part of what the ledger decides by: another one is a new
// rules version, not a change of this test.
func TestDigestIsStable(t *testing.T) {
	theme := "housing"
	payload := &ReferralMade{
		From: "fs-563", To: "cnaf", Service: "rsa", Reference: "7K3F-92QD", Theme: &theme, Sealed: []byte("secret"),
		Attachments: []Attachment{{Reference: "r", MediaType: "text/plain", SizeBytes: 7, SHA256: "00"}},
	}
	const want = TypeReferralMade + "\n0192-a\n" +
		`{"from":"fs-563","to":"cnaf","service":"rsa","reference":"7K3F-92QD","theme":"housing","sealed":"c2VjcmV0",` +
		`"attachments":[{"reference":"r","media_type":"text/plain","size_bytes":7,"sha256":"00"}]}`
	if got := Digest(TypeReferralMade, "0192-a", payload); got != sha256.Sum256([]byte(want)) {
		t.Errorf("got %x, want that of %s", got, want)
	}
	first, size := false, 12
	const visit = TypeVisitRecorded + "\nv-1\n" +
		`{"office":"fs-563","day":"2026-05-14","half_day":"morning","channel":"phone","operators":[],"services":["rsa"],"group_size":12,"first_contact":false}`
	got := Digest(TypeVisitRecorded, "v-1", &VisitRecorded{
		Office: "fs-563", Day: DayOf(time.Date(2026, 5, 14, 0, 0, 0, 0, time.UTC)), HalfDay: "morning", Channel: "phone",
		Services: []string{"rsa"}, GroupSize: &size, FirstContact: &first,
	})
	if got != sha256.Sum256([]byte(visit)) {
		t.Errorf("got %x, want that of %s", got, visit)
	}
}

func TestDigestIsTheSameForEveryDoor(t *testing.T) {
	src := newMemorySource()
	c := NewCodec(src)
	for _, e := range Catalogue() {
		want := Digest(e.Type, "s", e.Example)
		text, err := FormatJSON(e.Example)
		if err != nil {
			t.Fatal(err)
		}
		fromJSON, err := ParseJSON(e.Type, text)
		if err != nil {
			t.Fatal(err)
		}
		b, err := c.Encode(t.Context(), e.Example)
		if err != nil {
			t.Fatal(err)
		}
		fromAvro, err := c.Decode(t.Context(), e.Type, b)
		if err != nil {
			t.Fatal(err)
		}
		if Digest(e.Type, "s", fromJSON) != want || Digest(e.Type, "s", fromAvro) != want {
			t.Errorf("%s: another digest by another door", e.Name)
		}
	}
}

func TestDigestTellsContentApart(t *testing.T) {
	yes, no, empty := true, false, ""
	at := time.Date(2026, 5, 14, 9, 30, 0, 0, time.UTC)
	distinct := map[string][32]byte{
		"nothing":           Digest("t", "s", nil),
		"another type":      Digest("u", "s", nil),
		"another subject":   Digest("t", "r", nil),
		"an empty visit":    Digest("t", "s", &VisitRecorded{}),
		"a first contact":   Digest("t", "s", &VisitRecorded{FirstContact: &yes}),
		"none":              Digest("t", "s", &VisitRecorded{FirstContact: &no}),
		"an empty outcome":  Digest("t", "s", &VisitRecorded{Outcome: &empty}),
		"one empty theme":   Digest("t", "s", &VisitRecorded{Themes: []string{""}}),
		"a probe":           Digest("t", "s", &ProbeSent{Sent: at}),
		"a probe 1 ms on":   Digest("t", "s", &ProbeSent{Sent: at.Add(time.Millisecond)}),
		"a subject's break": Digest("t", "s\n{}", nil),
	}
	seen := map[[32]byte]string{}
	for name, d := range distinct {
		if other, ok := seen[d]; ok {
			t.Errorf("%s and %s have one digest", name, other)
		}
		seen[d] = name
	}
	same := map[string][2]any{
		"no list, an empty list": {&VisitRecorded{}, &VisitRecorded{Themes: []string{}, Operators: []string{}}},
		"no bytes, empty bytes":  {&ReferralMade{}, &ReferralMade{Sealed: []byte{}}},
		"a time in two zones":    {&ProbeSent{Sent: at}, &ProbeSent{Sent: at.In(time.FixedZone("", 3600))}},
		"less than a milli":      {&ProbeSent{Sent: at}, &ProbeSent{Sent: at.Add(999 * time.Microsecond)}},
	}
	for name, pair := range same {
		if Digest("t", "s", pair[0]) != Digest("t", "s", pair[1]) {
			t.Errorf("%s: two digests", name)
		}
	}
}

func BenchmarkDigest(b *testing.B) {
	for _, typ := range []string{TypeVisitRecorded, TypeReferralMade} {
		e, _ := Lookup(typ)
		b.Run(fmt.Sprint(e.Name), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Digest(e.Type, "s", e.Example)
			}
		})
	}
}
