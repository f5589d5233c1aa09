package schemas

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// memorySource is a registry in memory. Ids from 1 on are those of our schemas in
// the order of the catalogue; others are added.
type memorySource struct {
	mu    sync.Mutex
	texts []string
	down  error
	asked int
}

func newMemorySource() *memorySource {
	s := &memorySource{}
	for _, e := range Catalogue() {
		s.texts = append(s.texts, e.Schema)
	}
	return s
}

func (s *memorySource) add(text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.texts = append(s.texts, text)
	return len(s.texts)
}

func (s *memorySource) Schema(_ context.Context, id int) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	switch {
	case s.down != nil:
		return "", s.down
	case id < 1 || id > len(s.texts):
		return "", ErrUnknownSchema
	}
	return s.texts[id-1], nil
}

func (s *memorySource) ID(_ context.Context, typ string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down != nil {
		return 0, s.down
	}
	i := slices.IndexFunc(Catalogue(), func(e Entry) bool { return e.Type == typ })
	return i + 1, nil
}

// framed is Avro in Confluent's framing.
func framed(id int, avro ...byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{0}, uint32(id))
	return append(b, avro...)
}

func reasonOf(err error) Reason {
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return refusal.Reason
	}
	return ""
}

func TestCodecRoundTrip(t *testing.T) {
	c := NewCodec(newMemorySource())
	for i, e := range Catalogue() {
		t.Run(e.Name, func(t *testing.T) {
			b, err := c.Encode(t.Context(), e.Example)
			if err != nil {
				t.Fatal(err)
			}
			if id, ok := SchemaID(b); !ok || id != i+1 {
				t.Errorf("SchemaID = %d, %v, want %d", id, ok, i+1)
			}
			got, err := c.Decode(t.Context(), e.Type, b)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(e.Example, got, equateEmpty); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			again, err := c.Encode(t.Context(), got)
			if err != nil || !bytes.Equal(again, b) {
				t.Errorf("encoded again: %x, %v; first %x", again, err, b)
			}
		})
	}
}

// equateEmpty takes an empty list for an absent one.
var equateEmpty = cmp.FilterValues(func(a, b any) bool { return isEmptyList(a) && isEmptyList(b) }, cmp.Ignore())

func isEmptyList(v any) bool {
	switch l := v.(type) {
	case []string:
		return len(l) == 0
	case []Attachment:
		return len(l) == 0
	case []byte:
		return len(l) == 0
	default:
		return false
	}
}

func TestDecodeSharesNoMemory(t *testing.T) {
	c := NewCodec(newMemorySource())
	e, _ := Lookup(TypeReferralMade)
	b, err := c.Encode(t.Context(), e.Example)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Decode(t.Context(), e.Type, b)
	if err != nil {
		t.Fatal(err)
	}
	clear(b)
	if diff := cmp.Diff(e.Example, got, equateEmpty); diff != "" {
		t.Errorf("-want +got after the bytes were overwritten:\n%s", diff)
	}
}

// Every prefix of an event, and an event with a byte too many, is refused. Other
// decoders take some prefixes for whole: a number cut off counts as the last.
func TestDecodeRefusesPrefixes(t *testing.T) {
	src := newMemorySource()
	c := NewCodec(src)
	for _, e := range Catalogue() {
		b, err := c.Encode(t.Context(), e.Example)
		if err != nil {
			t.Fatal(err)
		}
		for n := range b {
			if _, err := c.Decode(t.Context(), e.Type, b[:n]); reasonOf(err) != ReasonMalformed {
				t.Errorf("%s, %d bytes of %d: %v", e.Name, n, len(b), err)
			}
		}
		if _, err := c.Decode(t.Context(), e.Type, append(b, 0)); reasonOf(err) != ReasonMalformed {
			t.Errorf("%s, one byte more: %v", e.Name, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	src := newMemorySource()
	c := NewCodec(src)
	message := func(avro ...byte) []byte {
		id, _ := src.ID(t.Context(), TypeMessagePosted)
		return framed(id, avro...)
	}
	told := func(avro ...byte) []byte { // up to the list `told`
		id, _ := src.ID(t.Context(), TypeDeadlineBreached)
		return framed(id, append([]byte{2, 'c', 2, 's', 2, 2}, avro...)...)
	}
	other, _ := src.ID(t.Context(), TypeVisitVoided)
	tests := map[string]struct {
		typ    string
		data   []byte
		reason Reason
		detail string
	}{
		"no data":                            {TypeMessagePosted, nil, ReasonMalformed, "Confluent's framing"},
		"four bytes":                         {TypeMessagePosted, []byte{0, 0, 0, 1}, ReasonMalformed, "Confluent's framing"},
		"another magic byte":                 {TypeMessagePosted, append([]byte{1}, message(2, 'a', 0)[1:]...), ReasonMalformed, "Confluent's framing"},
		"JSON":                               {TypeMessagePosted, []byte(`{"audience":"all"}`), ReasonMalformed, "Confluent's framing"},
		"a negative id":                      {TypeMessagePosted, []byte{0, 0xff, 0xff, 0xff, 0xff}, ReasonUnknownSchema, "-1"},
		"an id nobody registered":            {TypeMessagePosted, framed(4711, 0), ReasonUnknownSchema, "4711"},
		"another event's schema":             {TypeMessagePosted, framed(other, 2, 'a'), ReasonMalformed, "VisitVoided"},
		"an unknown type":                    {"fr.relais.visit.v1.VisitImagined", message(0, 0), ReasonUnknownSchema, "VisitImagined"},
		"data beyond its bound":              {TypeMessagePosted, message(make([]byte, MaxDataBytes+1)...), ReasonTooLarge, "the limit"},
		"text longer than the data":          {TypeMessagePosted, message(0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1), ReasonMalformed, "audience"},
		"text of negative length":            {TypeMessagePosted, message(1), ReasonMalformed, "audience"},
		"text that is not UTF-8":             {TypeMessagePosted, message(2, 0xff, 0), ReasonMalformed, "UTF-8"},
		"a number without an end":            {TypeMessagePosted, message(bytes.Repeat([]byte{0x80}, 12)...), ReasonMalformed, "64 bits"},
		"a list of 2^40 items in six bytes":  {TypeDeadlineBreached, told(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1), ReasonMalformed, "told"},
		"a list of -2^63 items":              {TypeDeadlineBreached, told(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0), ReasonMalformed, "told"},
		"a block of another size":            {TypeDeadlineBreached, told(1, 20, 2, 'x', 0), ReasonMalformed, "block"},
		"a union's branch that is not there": {TypeReferralReceived, framed(2, 4, 0), ReasonMalformed, "branch"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := c.Decode(t.Context(), test.typ, test.data)
			if reasonOf(err) != test.reason || !strings.Contains(err.Error(), test.detail) {
				t.Errorf("got %v, want %s with %q", err, test.reason, test.detail)
			}
		})
	}
}

// The registry's silence is "try again", never a refusal, and nothing of it stays.
func TestDecodeWhenRegistryIsSilent(t *testing.T) {
	src := newMemorySource()
	c := NewCodec(src)
	e, _ := Lookup(TypeVisitRecorded)
	b, err := c.Encode(t.Context(), e.Example)
	if err != nil {
		t.Fatal(err)
	}
	src.down = errors.New("connection refused")
	if _, err := c.Decode(t.Context(), e.Type, b); !errors.Is(err, src.down) || reasonOf(err) != "" {
		t.Errorf("Decode = %v, want the source's error", err)
	}
	if _, err := c.Encode(t.Context(), &ProbeSent{Sent: time.Unix(1, 0)}); !errors.Is(err, src.down) || reasonOf(err) != "" {
		t.Errorf("Encode = %v, want the source's error", err)
	}
	src.down = nil
	for range 3 {
		if _, err := c.Decode(t.Context(), e.Type, b); err != nil {
			t.Fatal(err)
		}
	}
	if src.asked != 2 {
		t.Errorf("the registry was asked %d times for one schema, want 2", src.asked)
	}
}

// An id that was unknown may be registered later.
func TestDecodeAsksAgainForUnknownID(t *testing.T) {
	src := newMemorySource()
	c := NewCodec(src)
	next := len(src.texts) + 1
	data := framed(next, 2, 'x')
	if _, err := c.Decode(t.Context(), TypeVisitVoided, data); reasonOf(err) != ReasonUnknownSchema {
		t.Fatal(err)
	}
	e, _ := Lookup(TypeVisitVoided)
	src.add(e.Schema)
	if _, err := c.Decode(t.Context(), TypeVisitVoided, data); err != nil {
		t.Error(err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	c := NewCodec(newMemorySource())
	if _, err := c.Encode(t.Context(), &MessagePosted{Sealed: make([]byte, MaxDataBytes)}); reasonOf(err) != ReasonTooLarge {
		t.Errorf("a payload beyond its bound: %v", err)
	}
	if _, err := c.Encode(t.Context(), "a string"); reasonOf(err) != ReasonUnknownSchema {
		t.Errorf("a payload that is no event: %v", err)
	}
	if _, err := c.Encode(t.Context(), (*MessagePosted)(nil)); err == nil {
		t.Error("a nil payload was encoded")
	}
}

func TestCodecIsSafeForConcurrentUse(t *testing.T) {
	src := newMemorySource()
	c := NewCodec(src)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				e := Catalogue()[(i+j)%len(Catalogue())]
				b, err := c.Encode(t.Context(), e.Example)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := c.Decode(t.Context(), e.Type, b); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// Whatever the bytes, Decode ends soon, and what it takes can be encoded again to
// something that decodes to the same.
func FuzzDecode(f *testing.F) {
	src := newMemorySource()
	c := NewCodec(src)
	writers := []int{src.add(writersSchema(f, evolvedReferral)), src.add(writersSchema(f, hostileVisit))}
	for i, e := range Catalogue() {
		b, err := c.Encode(context.Background(), e.Example)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), b[frameBytes:])
	}
	f.Add(uint8(200), []byte{2, 'a', 2, 'b', 0, 0, 0, 0})
	f.Add(uint8(201), []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1})
	f.Fuzz(func(t *testing.T, which uint8, avro []byte) {
		id, typ := writers[0], TypeReferralMade
		switch {
		case int(which) < len(Catalogue()):
			id, typ = int(which)+1, Catalogue()[which].Type
		case which%2 == 1:
			id, typ = writers[1], TypeVisitVoided
		}
		payload, err := c.Decode(t.Context(), typ, framed(id, avro...))
		if err != nil {
			if r := reasonOf(err); r != ReasonMalformed && r != ReasonTooLarge {
				t.Fatalf("%s: %v", typ, err)
			}
			return
		}
		b, err := c.Encode(t.Context(), payload)
		if err != nil {
			t.Fatalf("%s: decoded, but: %v", typ, err)
		}
		again, err := c.Decode(t.Context(), typ, b)
		if err != nil {
			t.Fatalf("%s: encoded, but: %v", typ, err)
		}
		if Digest(typ, "s", payload) != Digest(typ, "s", again) {
			t.Fatalf("%s: another event after a round trip:\n%s", typ, cmp.Diff(payload, again))
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	c := NewCodec(newMemorySource())
	for _, typ := range []string{TypeVisitRecorded, TypeReferralMade} {
		e, _ := Lookup(typ)
		b.Run(e.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Encode(b.Context(), e.Example); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	src := newMemorySource()
	c := NewCodec(src)
	for _, typ := range []string{TypeVisitRecorded, TypeReferralMade} {
		e, _ := Lookup(typ)
		data, err := c.Encode(b.Context(), e.Example)
		if err != nil {
			b.Fatal(err)
		}
		theirs := strings.Replace(e.Schema, `"fields": [`, `"fields": [{"name":"more","type":"string"},`, 1)
		resolved := framed(src.add(theirs), append([]byte{8, 'm', 'o', 'r', 'e'}, data[frameBytes:]...)...)
		for name, data := range map[string][]byte{"ours": data, "resolved": resolved} {
			b.Run(fmt.Sprintf("%s/%s", e.Name, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := c.Decode(b.Context(), typ, data); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
