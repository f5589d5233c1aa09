package statement

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/schemas"
)

const topic = "relais.to.cnaf"

// headersOf are the headers of a record on partition 3 of a `to` topic.
func headersOf(number int64, id string) []schemas.Header {
	h := func(key, value string) schemas.Header { return schemas.Header{Key: key, Value: []byte(value)} }
	return []schemas.Header{
		h("ce_id", id), h("ce_source", "/participants/demo-1/page"), h("ce_type", schemas.TypeReferralReceived), h("ce_subject", "cnaf.1"),
		h("ce_time", "2026-05-14T09:30:00Z"), h("ce_submittedpartition", "3"), h("ce_submittedoffset", strconv.FormatInt(number, 10)),
	}
}

// onTo is an event at an offset, with a number.
func onTo(t *testing.T, offset, number int64) Event {
	t.Helper()
	e, ok := OnTo(3, offset, headersOf(number, fmt.Sprintf("evt-%d", number)), []byte("\x00\x00\x00\x00\x01content of "+strconv.FormatInt(number, 10)))
	if !ok {
		t.Fatal("the record is not read")
	}
	return e
}

// sample is a log of a `to` topic, which repeats the number 12, and its statement.
func sample(t *testing.T) ([]Event, schemas.StatementRange) {
	t.Helper()
	log := []Event{onTo(t, 100, 10), onTo(t, 101, 12), onTo(t, 102, 12), onTo(t, 103, 15), onTo(t, 105, 16)}
	r := NewRange(schemas.BookTo, topic, 3, 100, 9)
	for _, e := range log {
		r.Take(e)
	}
	closed, ok := r.Close()
	if !ok {
		t.Fatal("the range is empty")
	}
	return log, closed
}

func TestALogAgreesWithItsStatement(t *testing.T) {
	log, r := sample(t)
	if r.Events != 4 || r.First != 100 || r.Next != 106 {
		t.Errorf("got %d events from %d up to %d, want 4 from 100 up to 106", r.Events, r.First, r.Next)
	}
	elsewhere := slices.Concat([]Event{onTo(t, 99, 9)}, log, []Event{onTo(t, 106, 17)})
	mailbox := slices.Clone(elsewhere)
	for i := range mailbox {
		mailbox[i].Offset = -1
	}
	replayed := slices.Clone(log)
	again := onTo(t, 104, 10)
	again.Replayed = true
	replayed = slices.Insert(replayed, 4, again)
	for name, log := range map[string][]Event{"as it is": log, "with what lies around": elsewhere, "of a mailbox": mailbox, "with a replay": replayed} {
		if n, err := Compare(&r, log); n != 4 || err != nil {
			t.Errorf("%s: %d events, %v", name, n, err)
		}
	}
}

func TestTheFirstDifferenceIsNamed(t *testing.T) {
	tests := []struct {
		name   string
		doctor func(log []Event) []Event
		want   string
	}{
		{
			"an event is missing", func(log []Event) []Event { return slices.Delete(log, 3, 4) },
			"missing: relais.to.cnaf/3, offset 103, event 3-15: the log does not have it",
		},
		{
			"the last event is missing", func(log []Event) []Event { return log[:4] },
			"missing: relais.to.cnaf/3, offset 105, event 3-16: the log does not have it",
		},
		{
			"all is missing", func([]Event) []Event { return nil },
			"missing: relais.to.cnaf/3, offset 100, event 3-10: the log does not have it",
		},
		{
			"an event was moved", func(log []Event) []Event { return slices.Insert(log, 4, onTo(t, 104, 16)) },
			"order: relais.to.cnaf/3, offset 104, event 3-16, id evt-16 of /participants/demo-1/page: the hub has it at offset 105",
		},
		{
			"an event with a number of its own was added", func(log []Event) []Event { return slices.Insert(log, 3, onTo(t, 102, 14)) },
			"extra: relais.to.cnaf/3, offset 102, event 3-14, id evt-14 of /participants/demo-1/page: the hub has no such event",
		},
		{
			"content was changed", func(log []Event) []Event { log[3].Content = sha256.Sum256(nil); return log },
			"changed: relais.to.cnaf/3, offset 103, event 3-15, id evt-15 of /participants/demo-1/page: its content or an attribute is not what it was",
		},
		{
			"an id was changed", func(log []Event) []Event { log[3].ID = "evt-other"; return log },
			"changed: relais.to.cnaf/3, offset 103, event 3-15, id evt-other of /participants/demo-1/page: its content or an attribute is not what it was",
		},
		{
			"two events were swapped", func(log []Event) []Event { log[1], log[3] = log[3], log[1]; return log },
			"order: relais.to.cnaf/3, offset 102, event 3-12, id evt-12 of /participants/demo-1/page: it stands elsewhere in the log",
		},
		{
			"the first repeat was changed, and readers take the first", func(log []Event) []Event { log[1].Subject = "cnaf.2"; return log },
			"changed: relais.to.cnaf/3, offset 101, event 3-12, id evt-12 of /participants/demo-1/page: its content or an attribute is not what it was",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			log, r := sample(t)
			_, err := Compare(&r, tt.doctor(log))
			var d *Difference
			if !errors.As(err, &d) {
				t.Fatalf("no difference is found: %v", err)
			}
			if diff := cmp.Diff(tt.want, d.Error()); diff != "" {
				t.Errorf("difference (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOnFromARepeatIsTheSameEventWithTheSameContent(t *testing.T) {
	record := func(offset int64, id, content string) Event {
		return OnFrom(0, offset, headersOf(0, id), []byte(content))
	}
	r := NewRange(schemas.BookFrom, "relais.from.cnaf", 0, 7, -1)
	log := []Event{record(7, "a", "1"), record(8, "b", "1"), record(9, "a", "1"), record(10, "a", "2")}
	for _, e := range log {
		r.Take(e)
	}
	closed, _ := r.Close()
	entries, err := Entries(&closed)
	if err != nil {
		t.Fatal(err)
	}
	var offsets []int64
	for _, e := range entries {
		offsets = append(offsets, e.Offset)
	}
	if diff := cmp.Diff([]int64{7, 8, 10}, offsets); diff != "" {
		t.Errorf("first occurrences (-want +got):\n%s", diff)
	}
	if n, err := Compare(&closed, log); n != 3 || err != nil {
		t.Errorf("%d events, %v", n, err)
	}
}

func TestWhatTheRouterDidNotWriteIsInNoStatement(t *testing.T) {
	for name, change := range map[string]func([]schemas.Header) []schemas.Header{
		"of another partition": func(h []schemas.Header) []schemas.Header { h[5].Value = []byte("4"); return h },
		"without a place":      func(h []schemas.Header) []schemas.Header { return h[:5] },
		"with a broken place":  func(h []schemas.Header) []schemas.Header { h[6].Value = []byte("1e3"); return h },
	} {
		if _, ok := OnTo(3, 1, change(headersOf(1, "a")), nil); ok {
			t.Errorf("%s: it is taken", name)
		}
	}
}

func TestABusyHourFitsInSeveralStatements(t *testing.T) {
	const events = 100_000
	size, statements := 0, 1
	r := NewRange(schemas.BookTo, topic, 3, 5_000_000, 60_000_000)
	for i := range int64(events) {
		if !Room(size + r.Bytes()) {
			closed, _ := r.Close()
			if err := schemas.Validate(issuedOf(closed)); err != nil {
				t.Fatal(err)
			}
			statements++
			r = NewRange(schemas.BookTo, topic, 3, r.Next(), r.Highest())
		}
		r.Take(Event{Book: schemas.BookTo, Partition: 3, Offset: 5_000_000 + i, Number: 60_000_001 + 12*i, Source: "s", ID: strconv.FormatInt(i, 10)})
	}
	if statements != 7 {
		t.Errorf("100,000 events took %d statements; the documentation says some 13,000 a statement", statements)
	}
}

func issuedOf(ranges ...schemas.StatementRange) *schemas.StatementIssued {
	s := &schemas.StatementIssued{
		Participant: "cnaf", Number: 1, SpanStart: time.Date(2026, 5, 14, 9, 0, 0, 0, time.UTC), SpanEnd: time.Date(2026, 5, 14, 10, 0, 0, 0, time.UTC),
		Complete: true, Ranges: ranges, KeyID: "k", Signature: []byte{1},
	}
	for _, r := range ranges {
		entries, err := Entries(&r)
		if err != nil {
			panic(err)
		}
		position := schemas.StatementPosition{Book: r.Book, Topic: r.Topic, Next: make([]int64, r.Partition+1), Highest: make([]int64, r.Partition+1)}
		for i := range position.Highest {
			position.Highest[i] = -1
		}
		position.Next[r.Partition], position.Highest[r.Partition] = r.Next, r.Highest
		if len(entries) > 0 && r.Book == schemas.BookTo {
			position.Highest[r.Partition] = entries[len(entries)-1].Number
		}
		s.Positions = append(s.Positions, position)
	}
	return s
}

func TestEntriesFromOutsideAreReadWithinBounds(t *testing.T) {
	_, r := sample(t)
	for name, change := range map[string]func(*schemas.StatementRange){
		"more events than entries":  func(r *schemas.StatementRange) { r.Events++ },
		"fewer events than entries": func(r *schemas.StatementRange) { r.Events-- },
		"a count of all memory":     func(r *schemas.StatementRange) { r.Events = 1 << 60 },
		"cut entries":               func(r *schemas.StatementRange) { r.Entries = r.Entries[:len(r.Entries)-1] },
		"an endless number":         func(r *schemas.StatementRange) { r.Entries = slices.Repeat([]byte{0xff}, len(r.Entries)) },
		"offsets beyond the range":  func(r *schemas.StatementRange) { r.Next-- },
	} {
		t.Run(name, func(t *testing.T) {
			changed := r
			changed.Entries = slices.Clone(r.Entries)
			change(&changed)
			if _, err := Entries(&changed); !errors.Is(err, ErrEntries) {
				t.Errorf("it is read: %v", err)
			}
		})
	}
}

func FuzzEntries(f *testing.F) {
	f.Add([]byte("\x00\x01ZZZZZZZZ"), int64(1), int64(0), int64(3))
	f.Fuzz(func(t *testing.T, entries []byte, events, first, next int64) {
		r := schemas.StatementRange{Entries: entries, Events: events, First: first, Next: next, Highest: -1}
		if all, err := Entries(&r); err == nil && int64(len(all)) != events {
			t.Errorf("%d entries for %d events", len(all), events)
		}
		_, _ = Compare(&r, nil)
	})
}

func TestASignatureIsCheckedWithTheKeyThatIsNamed(t *testing.T) {
	key, other := newKey(t), newKey(t)
	_, r := sample(t)
	s := issuedOf(r)
	key.Sign(s)
	keys := []PublicKey{other.Public, key.Public}
	if err := CheckSignature(s, keys); err != nil {
		t.Fatal(err)
	}
	if err := CheckSignature(s, keys[:1]); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("without the key: %v", err)
	}
	forged := other.Public
	forged.ID = key.Public.ID
	if err := CheckSignature(s, []PublicKey{forged}); err == nil {
		t.Error("a key under another's id is taken")
	}
	for name, change := range map[string]func(*schemas.StatementIssued){
		"the participant": func(s *schemas.StatementIssued) { s.Participant = "cnam" },
		"the number":      func(s *schemas.StatementIssued) { s.Number++ },
		"the span":        func(s *schemas.StatementIssued) { s.SpanEnd = s.SpanEnd.Add(time.Hour) },
		"a predecessor":   func(s *schemas.StatementIssued) { s.Predecessor = new("x") },
		"its completeness": func(s *schemas.StatementIssued) {
			s.Complete = false
		},
		"an entry":   func(s *schemas.StatementIssued) { s.Ranges[0].Entries[3] ^= 1 },
		"a digest":   func(s *schemas.StatementIssued) { s.Ranges[0].Digest[3] ^= 1 },
		"an offset":  func(s *schemas.StatementIssued) { s.Ranges[0].Next++ },
		"a position": func(s *schemas.StatementIssued) { s.Positions[0].Next[0]++ },
	} {
		t.Run(name, func(t *testing.T) {
			_, r := sample(t)
			s := issuedOf(r)
			key.Sign(s)
			change(s)
			if err := CheckSignature(s, keys); !errors.Is(err, ErrSignature) {
				t.Errorf("the change is not noticed: %v", err)
			}
		})
	}
}

func newKey(t *testing.T) *Key {
	t.Helper()
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	data, err := key.PEM()
	if err != nil {
		t.Fatal(err)
	}
	read, err := ParseKey(data)
	if err != nil || read.Public.ID != key.Public.ID {
		t.Fatalf("the key is not read back: %v", err)
	}
	return read
}

func TestWhatIsNoKeyIsRefused(t *testing.T) {
	for _, text := range []string{"", "secret", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		if _, err := ParseKey([]byte(text)); !errors.Is(err, ErrKey) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// chain is two statements that follow each other.
func chain(t *testing.T) (first, second Issued) {
	t.Helper()
	_, r := sample(t)
	one := issuedOf(r)
	next := NewRange(schemas.BookTo, topic, 3, r.Next, 16)
	next.Take(onTo(t, 106, 18))
	closed, _ := next.Close()
	two := issuedOf(closed)
	first = Issued{ID("cnaf", 1), one}
	two.Number, two.Predecessor, two.PredecessorHash = 2, &first.ID, Hash(one)
	two.SpanStart, two.SpanEnd = one.SpanEnd, one.SpanEnd.Add(time.Hour)
	return first, Issued{ID("cnaf", 2), two}
}

func TestABrokenChainIsNoticed(t *testing.T) {
	first, second := chain(t)
	if found := CheckChain(first, second) + CheckSelf(first.StatementIssued) + CheckSelf(second.StatementIssued); found != "" {
		t.Fatal(found)
	}
	tests := []struct {
		name   string
		change func(first, second *Issued)
		want   string
	}{
		{"another participant's", func(_, second *Issued) { second.Participant = "cnam" }, "it is that of cnam, the one before that of cnaf"},
		{"one is left out", func(_, second *Issued) { second.Number = 3 }, "it follows number 1: what lies between is not here"},
		{"another predecessor", func(_, second *Issued) { second.Predecessor = new("x") }, "it names another predecessor"},
		{"the predecessor was changed", func(first, _ *Issued) { first.Ranges[0].Digest[0] ^= 1 }, "its predecessor, number 1, was another when it was signed"},
		{"a gap of time", func(_, second *Issued) { second.SpanStart = second.SpanStart.Add(time.Minute) }, "its span does not begin where"},
		{"a gap of offsets", func(_, second *Issued) { second.Ranges[0].First++ }, "relais.to.cnaf/3: the offsets from 106 up to 106 are in no statement"},
		{"a gap of numbers", func(_, second *Issued) { second.Ranges[0].Highest++ }, "it counts from number 17, its predecessor ended at 16"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			first, second := chain(t)
			tt.change(&first, &second)
			if found := CheckChain(first, second); !strings.Contains(found, tt.want) {
				t.Errorf("got %q, want %q in it", found, tt.want)
			}
		})
	}
}

func TestAStatementThatContradictsItselfIsNoticed(t *testing.T) {
	_, r := sample(t)
	s := issuedOf(r)
	s.Positions[0].Next[3]++
	if found := CheckSelf(s); !strings.Contains(found, "its positions are not where its range ends") {
		t.Errorf("got %q", found)
	}
}

func ExampleCanonical() {
	r := NewRange(schemas.BookFrom, "relais.from.cnaf", 2, 1041, -1)
	r.Take(OnFrom(2, 1041, []schemas.Header{{Key: "ce_id", Value: []byte("evt-1")}, {Key: "ce_source", Value: []byte("/participants/cnaf/si")}}, []byte("{}")))
	closed, _ := r.Close()
	s := issuedOf(closed)
	s.KeyID = "3f9a51c07be2d684"
	fmt.Printf("%s", Canonical(s))
	// Output:
	// relais-statement-1
	// participant cnaf
	// number 1
	// span 1778749200000 1778752800000
	// predecessor - -
	// complete true
	// range from relais.from.cnaf 2 1041 1042 -1 1 745b2059d71c7bd8134b42b49ce06e24adbb52b8bbdbdc2025fb8c289555eec7 d14a102fbdb6bd304cfa1001e5b3e72ec720c5197ac3250db63c49cdc9383b5e
	// position from relais.from.cnaf 0,0,1042 -1,-1,-1
	// key 3f9a51c07be2d684
}
