package schemas

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestEveryExampleIsValid(t *testing.T) {
	for _, e := range Catalogue() {
		if err := Validate(e.Example); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	made := func(change func(*ReferralMade)) any { return changed(change) }
	visit := func(change func(*VisitRecorded)) any { return changed(change) }
	booked := func(change func(*AppointmentBooked)) any { return changed(change) }
	tests := []struct {
		name    string
		payload any
		want    Refusal
	}{
		{"no event at all", "a string", Refusal{ReasonUnknownSchema, "data is not an event of the catalogue"}},
		{"a code that is not in the table", changed(func(p *ReferralCancelled) { p.Reason = "bored" }), Refusal{
			ReasonMalformed,
			`data.reason: "bored" is not a code of the table cancellation_reason: person_asked, resolved_otherwise, person_ill, service_cancelled, ` +
				`staff_absence, site_closed, duplicate, raised_in_error, person_moved, deceased, other`,
		}},
		{"a code that may be somebody's name is not repeated", changed(func(p *MessagePosted) { p.Audience = "Jeanne Martin" }), Refusal{
			ReasonMalformed,
			`data.audience: it is not a code of the table audience: all, operators_only`,
		}},
		{"a required field left empty", made(func(p *ReferralMade) { p.From = "" }), Refusal{ReasonMalformed, "data.from: it is empty"}},
		{"an optional field that is there and empty", changed(func(p *ReviewStarted) { p.Unit = new("") }), Refusal{ReasonMalformed, "data.unit: it is empty"}},
		{"a kiosk with a space", booked(func(p *AppointmentBooked) { p.Kiosk = new("borne 1") }), Refusal{
			ReasonMalformed,
			"data.kiosk: it is not an id: 1 to 128 of letters, digits, dot, underscore and hyphen",
		}},
		{"a digest in upper case", made(func(p *ReferralMade) { p.Attachments[0].SHA256 = strings.ToUpper(p.Attachments[0].SHA256) }), Refusal{
			ReasonMalformed,
			"data.attachments[0].sha256: it is not a SHA-256 of 64 hexadecimal digits in lower case",
		}},
		{"a residence of four characters", visit(func(p *VisitRecorded) { p.Residence = new("5600") }), Refusal{
			ReasonMalformed,
			"data.residence: it is not the code of a department (56, 2A, 974), of an EPCI (9 digits) or of a commune (5 characters)",
		}},
		{"a statement after itself", changed(func(p *StatementIssued) { p.Predecessor = new("") }), Refusal{ReasonMalformed, "data.predecessor: it is empty"}},
		{"a referral to oneself", made(func(p *ReferralMade) { p.To = p.From }), Refusal{ReasonMalformed, "data.to: it is the sender itself"}},
		{"a reference with look-alikes", made(func(p *ReferralMade) { p.Reference = "7K3F-92Q0" }), Refusal{
			ReasonMalformed,
			"data.reference: it is not a reference such as 7K3F-92QD, of the characters 23456789CDFHJKMNPQRTVWXY",
		}},
		{"an unknown service's form", made(func(p *ReferralMade) { p.Service = "Aide au logement" }), Refusal{
			ReasonMalformed,
			"data.service: it is not the code of a service: lower-case letters, digits, hyphen, underscore, dot and slash",
		}},
		{"sealed bytes beyond the bound", made(func(p *ReferralMade) { p.Sealed = make([]byte, MaxSealedBytes+1) }), Refusal{
			ReasonMalformed,
			"data.sealed: it is longer than 65536 bytes",
		}},
		{"too many attachments", made(func(p *ReferralMade) { p.Attachments = make([]Attachment, 21) }), Refusal{
			ReasonMalformed,
			"data.attachments: it has 21 elements; 0 to 20 are taken",
		}},
		{"a second attachment without a media type", made(func(p *ReferralMade) {
			p.Attachments = append(p.Attachments, p.Attachments[0])
			p.Attachments[1].MediaType = "pdf"
		}), Refusal{ReasonMalformed, "data.attachments[1].media_type: it is not a media type such as application/pdf"}},
		{"an attachment of a negative size", made(func(p *ReferralMade) { p.Attachments[0].SizeBytes = -1 }), Refusal{
			ReasonMalformed,
			"data.attachments[0].size_bytes: -1 is not from 0 to 1073741824",
		}},
		{"personal data in clear", changed(func(p *ReferralReceived) { p.OwnReference = new("jeanne.martin@example.fr") }), Refusal{
			ReasonPersonalDataInClear,
			"data.own_reference: it has what looks like an e-mail address",
		}},
		{"a social security number as a case id", made(func(p *ReferralMade) { p.Visit = new("fs-563.185057800608491") }), Refusal{
			ReasonPersonalDataInClear,
			"data.visit: it has what looks like a social security number",
		}},
		{"a telephone number where a code belongs", changed(func(p *VisitVoided) { p.Reason = "06 12 34 56 78" }), Refusal{
			ReasonPersonalDataInClear,
			"data.reason: it has what looks like a telephone number",
		}},
		{"nothing asked for", changed(func(p *InformationRequested) { p.Items = nil }), Refusal{ReasonMalformed, "data.items: it has 0 elements; 1 to 20 are taken"}},
		{"the same asked for twice", changed(func(p *InformationRequested) { p.Items[1] = p.Items[0] }), Refusal{ReasonMalformed, "data.items[1].code: it is there twice"}},
		{"another reason without a comment", changed(func(p *ReferralRefused) { p.Reason = "other" }), Refusal{
			ReasonMalformed,
			`data.sealed: the reason "other" needs a comment here`,
		}},
		{"a child outside any dossier", changed(func(p *ReferralRerouted) { p.Child = exampleReferral }), Refusal{
			ReasonMalformed,
			"data.child: it is not a further case of the dossier, <dossier>~<own string>",
		}},
		{"a message without a word", changed(func(p *MessagePosted) { p.Sealed = nil }), Refusal{ReasonMalformed, "data.sealed: it is empty"}},
		{"half of a clock", changed(func(p *ReferralClosed) { p.Clock = new("closing") }), Refusal{ReasonMalformed, "data.clock: clock, started_by and due go together"}},
		{"a place that is none", changed(func(p *ReferralExpired) { p.StartedBy = "3" }), Refusal{ReasonMalformed, "data.started_by: it is not a place such as 3-1042"}},
		{"an appointment that ends before it starts", booked(func(p *AppointmentBooked) { p.Ends = new(p.Starts) }), Refusal{ReasonMalformed, "data.ends: it is not after starts"}},
		{"a time without a year", booked(func(p *AppointmentBooked) { p.Starts = time.Time{} }), Refusal{ReasonMalformed, "data.starts: it is not a time of the years 2000 to 2099"}},
		{"a time in seconds taken for milliseconds", changed(func(p *AppointmentRescheduled) { p.NewStarts = time.UnixMilli(1_778_752_800) }), Refusal{
			ReasonMalformed,
			"data.new_starts: it is not a time of the years 2000 to 2099",
		}},
		{"a zone that can be none", booked(func(p *AppointmentBooked) { p.TimeZone = new("+02:00") }), Refusal{
			ReasonMalformed,
			"data.time_zone: it is not a time zone such as Europe/Paris",
		}},
		{"a day before there were offices", visit(func(p *VisitRecorded) { p.Day = 0 }), Refusal{ReasonMalformed, "data.day: it is not a day of the years 2000 to 2099"}},
		{"four themes", visit(func(p *VisitRecorded) { p.Themes = []string{"housing", "justice", "digital", "retirement"} }), Refusal{
			ReasonMalformed,
			"data.themes: it has 4 elements; 0 to 3 are taken",
		}},
		{"the same theme twice", visit(func(p *VisitRecorded) { p.Themes = []string{"housing", "housing"} }), Refusal{ReasonMalformed, "data.themes[1]: it is there twice"}},
		{"a group of one", visit(func(p *VisitRecorded) { p.GroupSize = new(1) }), Refusal{ReasonMalformed, "data.group_size: 1 is not from 2 to 1000"}},
		{"six stars", visit(func(p *VisitRecorded) { p.Satisfaction = new(6) }), Refusal{ReasonMalformed, "data.satisfaction: 6 is not from 1 to 5"}},
		{"a postcode of Corsica for a commune", visit(func(p *VisitRecorded) { p.Residence = new("20000") }), Refusal{
			ReasonMalformed,
			"data.residence: it is not the code of a department (56, 2A, 974), of an EPCI (9 digits) or of a commune (5 characters)",
		}},
		{"a digest that is too short", changed(func(p *SubmissionRepeated) { p.Digest = []byte{1} }), Refusal{ReasonMalformed, "data.digest: it is not a SHA-256 of 32 bytes"}},
		{"a range that runs backwards", changed(func(p *StatementIssued) { p.Ranges[0].Next = 1 }), Refusal{
			ReasonMalformed,
			"data.ranges[0].next: 1 is not from 9870 to 9223372036854775807",
		}},
		{"a range with more events than offsets", changed(func(p *StatementIssued) { p.Ranges[0].Events = 4 }), Refusal{
			ReasonMalformed,
			"data.ranges[0].events: 4 is not from 0 to 3",
		}},
		{"a statement of more than a statement holds", changed(func(p *StatementIssued) { p.Ranges[0].Entries = make([]byte, MaxStatementEntries+1) }), Refusal{
			ReasonMalformed,
			"data.ranges[0].entries: the statement has more than a statement holds",
		}},
		{"a second statement without a predecessor", changed(func(p *StatementIssued) { p.Predecessor, p.PredecessorHash = nil, nil }), Refusal{
			ReasonMalformed,
			"data.predecessor: the first statement has none, any other has its id and hash",
		}},
		{"a position before the beginning", changed(func(p *StatementIssued) { p.Positions[0].Next[0] = -1 }), Refusal{
			ReasonMalformed,
			"data.positions[0].next: -1 is not from 0 to 9223372036854775807",
		}},
		{"a statement without a signature", changed(func(p *StatementIssued) { p.Signature = nil }), Refusal{ReasonMalformed, "data.signature: it is empty or too long"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var refusal *Refusal
			if err := Validate(tt.payload); !errors.As(err, &refusal) {
				t.Fatalf("it is not refused: %v", err)
			}
			if diff := cmp.Diff(tt.want, *refusal); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatMayBeAbsentIsAccepted(t *testing.T) {
	for _, payload := range []any{
		&ReferralMade{From: "demo-1", To: "cnaf", Service: "logement/expulsion-du-logement", Reference: "2345-6789"},
		&ReferralReceived{}, &ReviewStarted{}, &ReferralAccepted{}, &ReferralWithdrawn{}, &ReferralClosed{}, &ReferralReopened{},
		&ReferralClosed{Clock: new("closing"), StartedBy: new(examplePlace), Due: new(exampleTime(31, 0, 0))},
		&ReferralRefused{Reason: "other", Sealed: exampleSealed()},
		&AppointmentBooked{Office: "demo-1", Operator: "cnam", Mode: "unknown", Starts: exampleTime(1, 9, 0)},
		&VisitRecorded{Office: "fs-1", Day: exampleDay(1), HalfDay: "unknown", Channel: "phone"},
		&VisitRecorded{Office: "fs-1", Day: exampleDay(1), HalfDay: "unknown", Channel: "phone", Residence: new("2A")},
		&VisitRecorded{Office: "fs-1", Day: exampleDay(1), HalfDay: "unknown", Channel: "phone", Residence: new("974")},
		&VisitRecorded{Office: "fs-1", Day: exampleDay(1), HalfDay: "unknown", Channel: "phone", Residence: new("2B033")},
		&VisitRecorded{Office: "fs-1", Day: exampleDay(1), HalfDay: "unknown", Channel: "phone", Residence: new("200067932")},
		&StatementIssued{Participant: "cnaf", Number: 1, SpanStart: exampleTime(1, 0, 0), SpanEnd: exampleTime(2, 0, 0), KeyID: "k1", Signature: []byte{1}},
	} {
		if err := Validate(payload); err != nil {
			t.Errorf("%T: %v", payload, err)
		}
	}
}

// What is said of single fields above holds for every string of every event.
func TestNoStringOfAnyEventTakesWhatItShouldNot(t *testing.T) {
	for _, e := range Catalogue() {
		for _, bad := range []struct {
			what, value string
			want        Reason
		}{
			{"an e-mail address", "jeanne.martin@example.fr", ReasonPersonalDataInClear},
			{"a telephone number", "06 12 34 56 78", ReasonPersonalDataInClear},
			{"a line break", "one\ntwo", ReasonMalformed},
			{"a character that turns the writing", "a\u202eb", ReasonMalformed},
			{"bytes that are not UTF-8", "a\xffb", ReasonMalformed},
			{"five thousand bytes", strings.Repeat("x", 5000), ReasonMalformed},
		} {
			eachString(t, e.Example, func(payload any, path string, field reflect.Value) {
				field.SetString(bad.value)
				var refusal *Refusal
				if err := Validate(payload); !errors.As(err, &refusal) {
					t.Errorf("%s takes %s as %s: %v", e.Name, bad.what, path, err)
				} else if refusal.Reason != bad.want || !strings.HasPrefix(refusal.Detail, "data."+path+":") {
					t.Errorf("%s with %s as %s: %v", e.Name, bad.what, path, refusal)
				} else if len(refusal.Detail) > MaxSentenceBytes || !utf8.ValidString(refusal.Detail) {
					t.Errorf("%s with %s as %s: detail %q", e.Name, bad.what, path, refusal.Detail)
				}
			})
		}
	}
}

// eachString calls f once for every string of a payload, each time with a new
// copy of it.
func eachString(t *testing.T, example any, f func(payload any, path string, field reflect.Value)) {
	t.Helper()
	data, err := FormatJSON(example)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		payload, err := ParseJSON(TypeOf(example), data)
		if err != nil {
			t.Fatal(err)
		}
		left := n
		path, field, ok := nthString(reflect.ValueOf(payload).Elem(), "", &left)
		if !ok {
			return
		}
		f(payload, path, field)
	}
}

func nthString(v reflect.Value, path string, left *int) (string, reflect.Value, bool) {
	switch v.Kind() {
	case reflect.String:
		*left--
		return path, v, *left < 0
	case reflect.Pointer:
		if !v.IsNil() {
			return nthString(v.Elem(), path, left)
		}
	case reflect.Slice:
		for i := range v.Len() {
			if p, f, ok := nthString(v.Index(i), path+"["+strconv.Itoa(i)+"]", left); ok {
				return p, f, true
			}
		}
	case reflect.Struct:
		for field, value := range v.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if p, f, ok := nthString(value, strings.TrimPrefix(path+"."+name, "."), left); ok {
				return p, f, true
			}
		}
	default:
	}
	return "", reflect.Value{}, false
}

// changed is a copy of a type's example with something changed.
func changed[T any](change func(*T)) any {
	payload := new(T)
	e, _ := Lookup(TypeOf(payload))
	data, err := FormatJSON(e.Example)
	if err != nil {
		panic(err)
	}
	copied, err := ParseJSON(e.Type, data)
	if err != nil {
		panic(err)
	}
	change(copied.(*T))
	return copied
}

func TestARefusalIsOneLineWithinItsBound(t *testing.T) {
	long := refuse(ReasonMalformed, strings.Repeat("x", MaxSentenceBytes-1)+"é and more")
	if len(long.Detail) > MaxSentenceBytes || !utf8.ValidString(long.Detail) {
		t.Errorf("detail %q", long.Detail)
	}
	if got := (&Refusal{Reason: ReasonNotReady}).Error(); got != "not_ready" {
		t.Errorf("without a detail it says %q", got)
	}
	if got := refuse(ReasonTooLarge, "data").Error(); got != "too_large: data" {
		t.Errorf("with a detail it says %q", got)
	}
}

func BenchmarkValidate(b *testing.B) {
	for _, typ := range []string{TypeReferralMade, TypeVisitRecorded} {
		e, _ := Lookup(typ)
		b.Run(e.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := Validate(e.Example); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
