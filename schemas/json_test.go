package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestEveryExampleIsReadBackFromItsJSON(t *testing.T) {
	for _, e := range Catalogue() {
		data, err := FormatJSON(e.Example)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseJSON(e.Type, data)
		if err != nil {
			t.Errorf("%s: %v", e.Name, err)
			continue
		}
		if diff := cmp.Diff(e.Example, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", e.Name, diff)
		}
		// Go's own JSON of the struct is the same language.
		data, err = json.Marshal(e.Example)
		if err != nil {
			t.Fatal(err)
		}
		if got, err = ParseJSON(e.Type, data); err != nil || !cmp.Equal(e.Example, got) {
			t.Errorf("%s: from encoding/json: %v", e.Name, err)
		}
	}
}

func TestJSONThatIsTaken(t *testing.T) {
	tests := []struct {
		name, typ, data string
		want            any
	}{
		{"no fields, with white space around", TypeReferralStarted, " \r\n\t{ } \n", &ReferralStarted{}},
		{"null for what may be absent", TypeReferralReceived, `{"own_reference":null,"unit":"CAF du Morbihan"}`, &ReferralReceived{Unit: new("CAF du Morbihan")}},
		{"null for an optional list", TypeInformationProvided, `{"answered":["mandate"],"attachments":null,"sealed":null}`, &InformationProvided{Answered: []string{"mandate"}}},
		{"fields in another order, with escapes", TypeReferralCompleted, `{"sealed":"c2Vh\/Q==","\u006futcome":"partial"}`, &ReferralCompleted{Outcome: "partial", Sealed: []byte("sea\xfd")}},
		{"a character beyond the first plane", TypeReviewStarted, `{"unit":"\ud83d\ude00 \u00e9\n"}`, &ReviewStarted{Unit: new("😀 é\n")}},
		{"a time in another zone, finer than a millisecond", TypeProbeSent, `{"sent":"2026-05-14T11:30:00.1239+02:00"}`, &ProbeSent{Sent: exampleTime(14, 9, 30).Add(123 * time.Millisecond)}},
		{"hexadecimal digits of either case", TypeReviewStarted, `{"unit":"\u00C9\u00e9"}`, &ReviewStarted{Unit: new("Éé")}},
		{"no bytes", TypeReferralCompleted, `{"outcome":"partial","sealed":""}`, &ReferralCompleted{Outcome: "partial"}},
		{"a day", TypeReferralRerouted, `{"competent":"msa","child":"a~b","received":"2026-05-14"}`, &ReferralRerouted{Competent: "msa", Child: "a~b", Received: new(exampleDay(14))}},
		{"an empty list that is required", TypeVisitRecorded, `{"office":"fs-563","day":"2026-05-14","half_day":"morning","channel":"phone","operators":[],"services":[]}`, &VisitRecorded{Office: "fs-563", Day: exampleDay(14), HalfDay: "morning", Channel: "phone"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseJSON(tt.typ, []byte(tt.data))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestJSONThatIsRefused(t *testing.T) {
	tests := []struct {
		name, typ, data string
		want            string
	}{
		{"a field that there is not", TypeReferralCancelled, `{"reason":"other","why":1}`, `data: "why" is not a field of ReferralCancelled, which has: reason`},
		{"a field's name that may be personal", TypeReferralCancelled, `{"Jeanne Martin":1}`, "data: it has a field that is not a field of ReferralCancelled, which has: reason"},
		{"a field in another case", TypeReferralCancelled, `{"Reason":"other"}`, "data: it has a field that is not a field of ReferralCancelled, which has: reason"},
		{"a field that is there twice", TypeReferralCancelled, `{"reason":"other","reason":"other"}`, "data.reason: it is there twice"},
		{"a required field that is missing", TypeReferralCancelled, `{}`, "data.reason: it is required and missing"},
		{"a required field that is null", TypeReferralCancelled, `{"reason":null}`, "data.reason: it is required and null"},
		{"a number for a string", TypeReferralCancelled, `{"reason":12}`, "data.reason: here is a number; a string was expected"},
		{"an object in the middle of a list", TypeInformationRequested, `{"items":[{"code":"mandate"},{"code":"other"},{"code":{}}]}`, "data.items[2].code: here is an object; a string was expected"},
		{"an unknown field in the middle of a list", TypeInformationRequested, `{"items":[{"code":"mandate"},{"cod":"other"}]}`, `data.items[1]: "cod" is not a field of InformationItem, which has: code`},
		{"a missing field in the middle of a list", TypeInformationRequested, `{"items":[{}]}`, "data.items[0].code: it is required and missing"},
		{"null in a list", TypeInformationProvided, `{"answered":[null]}`, "data.answered[0]: here is null; a string was expected"},
		{"a string for a list", TypeInformationProvided, `{"answered":"mandate"}`, "data.answered: here is a string; a list was expected"},
		{"a string for a truth", TypeReferralCompleted, `{"outcome":"partial","standard_procedure_existed":"yes"}`, "data.standard_procedure_existed: here is a string; true or false was expected"},
		{"a truth for a number", TypeReferralAccepted, `{"planned_delay_days":true}`, "data.planned_delay_days: here is true or false; an integer was expected"},
		{"a fraction", TypeReferralAccepted, `{"planned_delay_days":1.5}`, "data.planned_delay_days: it is not an integer from -2147483648 to 2147483647"},
		{"an integer beyond 32 bits", TypeReferralAccepted, `{"planned_delay_days":2147483648}`, "data.planned_delay_days: it is not an integer from -2147483648 to 2147483647"},
		{"an integer with a leading zero", TypeReferralAccepted, `{"planned_delay_days":010}`, "data.planned_delay_days: here is a number; an integer was expected"},
		{"base64 without its padding", TypeMessagePosted, `{"audience":"all","sealed":"c2VhbA"}`, "data.sealed: it is not a string of base64, with its padding"},
		{"a time without a zone", TypeProbeSent, `{"sent":"2026-05-14T09:30:00"}`, "data.sent: it is not a time such as 2026-05-14T09:30:00Z"},
		{"a time as a number", TypeProbeSent, `{"sent":1778752800000}`, "data.sent: here is a number; a time such as 2026-05-14T09:30:00Z was expected"},
		{"a day that there is not", TypeReferralRerouted, `{"competent":"msa","child":"a~b","received":"2026-02-30"}`, "data.received: it is not a day such as 2026-05-14"},
		{"bytes that are not UTF-8", TypeReviewStarted, "{\"unit\":\"\xff\"}", "data.unit: it is not valid UTF-8"},
		{"bytes that are not UTF-8 after an escape", TypeReviewStarted, "{\"unit\":\"\\n\xff\"}", "data.unit: it is not valid UTF-8"},
		{"half of a character", TypeReviewStarted, `{"unit":"\ud83d"}`, "data.unit: it has an escape that JSON does not know, or half of a character"},
		{"two halves that do not fit", TypeReviewStarted, `{"unit":"\ud83d\ud83d"}`, "data.unit: it has an escape that JSON does not know, or half of a character"},
		{"half of a character and a letter", TypeReviewStarted, `{"unit":"\ud83dA"}`, "data.unit: it has an escape that JSON does not know, or half of a character"},
		{"an escape that is no number", TypeReviewStarted, `{"unit":"\u00zz"}`, "data.unit: it has an escape that JSON does not know, or half of a character"},
		{"the end in the middle of an escape", TypeReviewStarted, `{"unit":"\`, "data.unit: it has an escape that JSON does not know, or half of a character"},
		{"the end in the middle of a string", TypeReviewStarted, `{"unit":"a`, "data.unit: the data ends in the middle of a string"},
		{"the end in the middle of a string with an escape", TypeReviewStarted, `{"unit":"\na`, "data.unit: the data ends in the middle of a string"},
		{"a bare line break after an escape", TypeReviewStarted, "{\"unit\":\"\\n\n\"}", "data.unit: it has a control character; is it JSON?"},
		{"a field's name that is not UTF-8", TypeReviewStarted, "{\"\xff\":1}", "data: it is not valid UTF-8"},
		{"a word that only begins like null", TypeReviewStarted, `{"unit":nullify}`, "data.unit: here is something that is not JSON; a string was expected"},
		{"an unknown escape", TypeReviewStarted, `{"unit":"\x41"}`, "data.unit: it has an escape that JSON does not know, or half of a character"},
		{"a bare line break in a string", TypeReviewStarted, "{\"unit\":\"a\nb\"}", "data.unit: it has a control character; is it JSON?"},
		{"something after the object", TypeReferralStarted, `{} {}`, "data: there is more after the object"},
		{"a list for the object", TypeReferralStarted, `[]`, "data: here is a list; an object was expected"},
		{"nothing", TypeReferralStarted, ``, "data: here is the end of the data; an object was expected"},
		{"a byte order mark", TypeReferralStarted, "\ufeff{}", "data: here is something that is not JSON; an object was expected"},
		{"no closing bracket", TypeReferralStarted, `{`, "data: the data ends in the middle"},
		{"a comma too many", TypeReferralCancelled, `{"reason":"other",}`, "data: a field's name was expected; is it JSON?"},
		{"a comma too few", TypeReferralReceived, `{"unit":"a" "own_reference":"b"}`, "data: a comma or the end was expected; is it JSON?"},
		{"no colon", TypeReferralCancelled, `{"reason" "other"}`, "data: a colon was expected after a field's name; is it JSON?"},
		{"a hundred thousand brackets", TypeInformationRequested, `{"items":` + strings.Repeat("[", 100_000), "data.items[0]: here is a list; an object was expected"},
		{"a list without end", TypeInformationProvided, `{"answered":[` + strings.Repeat(`"",`, 5000), "data.answered: it has more than 1024 elements"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseJSON(tt.typ, []byte(tt.data))
			var refusal *Refusal
			if !errors.As(err, &refusal) || got != nil {
				t.Fatalf("it is not refused: %v, %v", got, err)
			}
			if diff := cmp.Diff(Refusal{ReasonMalformed, tt.want}, *refusal); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
		})
	}
}

func TestJSONOfUnknownTypeOrSizeIsRefused(t *testing.T) {
	var refusal *Refusal
	if _, err := ParseJSON("fr.relais.referral.v1.Nothing", []byte("{}")); !errors.As(err, &refusal) || refusal.Reason != ReasonUnknownSchema {
		t.Errorf("an unknown type: %v", err)
	}
	if _, err := ParseJSON(TypeReferralStarted, bytes.Repeat([]byte(" "), MaxDataBytes+1)); !errors.As(err, &refusal) || refusal.Reason != ReasonTooLarge {
		t.Errorf("too much: %v", err)
	}
	if _, err := FormatJSON("a string"); err == nil {
		t.Error("a string is written as an event")
	}
}

func TestARequiredListIsWrittenAsAList(t *testing.T) {
	data, err := FormatJSON(&VisitRecorded{Office: "fs-563", Day: exampleDay(14), HalfDay: "morning", Channel: "phone"})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"office":"fs-563","day":"2026-05-14","half_day":"morning","channel":"phone","operators":[],"services":[]}`
	if string(data) != want {
		t.Errorf("got %s", data)
	}
}

// FuzzParseJSON holds ParseJSON against encoding/json: what it takes, the other
// takes too and reads the same; and it is read back from what FormatJSON writes.
func FuzzParseJSON(f *testing.F) {
	types := make([]string, 0, len(catalogue))
	for i, e := range Catalogue() {
		types = append(types, e.Type)
		data, err := FormatJSON(e.Example)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(i), data)
	}
	for _, seed := range []string{
		`{`, `[]`, `null`, `{"reason":null}`, `{"unit":"\ud83d\ude00"}`, `{"unit":"\ud83d"}`, "{\"unit\":\"\xff\"}", `{"sent":"2026-05-14T11:30:00.1239+02:00"}`,
		`{"planned_delay_days":-0}`, `{"planned_delay_days":1e2}`, `{"items":[{"code":""},{}]}`, `{"sealed":"c2VhbA==\n"}`, `{"UNIT":"a"}`, `{"unit":1}{}`,
	} {
		for i := range types {
			f.Add(byte(i), []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, which byte, data []byte) {
		typ := types[int(which)%len(types)]
		payload, err := ParseJSON(typ, data)
		if err != nil {
			var refusal *Refusal
			if !errors.As(err, &refusal) || len(refusal.Detail) > MaxSentenceBytes || !utf8.ValidString(refusal.Detail) {
				t.Fatalf("error %#v", err)
			}
			return
		}
		e, _ := Lookup(typ)
		other := e.New()
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(other); err != nil {
			t.Fatalf("encoding/json does not take it: %v", err)
		}
		milliseconds := cmp.Comparer(func(a, b time.Time) bool {
			return a.Truncate(time.Millisecond).Equal(b.Truncate(time.Millisecond))
		})
		if diff := cmp.Diff(other, payload, milliseconds, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("encoding/json reads something else (-theirs +ours):\n%s", diff)
		}
		written, err := FormatJSON(payload)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseJSON(typ, written)
		if err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		if diff := cmp.Diff(payload, again, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("it is not read back from %s (-want +got):\n%s", written, diff)
		}
		_ = Validate(payload)
	})
}

func BenchmarkParseJSON(b *testing.B) {
	for _, typ := range []string{TypeReferralMade, TypeVisitRecorded} {
		e, _ := Lookup(typ)
		data, err := FormatJSON(e.Example)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(e.Name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := ParseJSON(typ, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
