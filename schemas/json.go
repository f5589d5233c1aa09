package schemas

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"sync"

	"github.com/relais-fr/relais/schemas/internal/shape"
)

// shapes has the shape of every event by type. It is never changed once the
// program has started.
var shapes = newShapes()

func newShapes() map[string]*shape.Shape {
	byType := make(map[string]*shape.Shape, len(catalogue))
	for _, e := range catalogue {
		byType[e.Type] = shape.Of(reflect.TypeOf(e.New()).Elem())
	}
	return byType
}

// ParseJSON reads the JSON data of an event of the given type into a new payload,
// a pointer to its Go type. Bytes are base64, times RFC 3339 (kept to the
// millisecond, in UTC), days such as "2026-05-14". It is strict: an unknown or
// repeated field, a missing or null one that is required, another JSON type,
// invalid UTF-8, and anything after the object are refused. What an optional
// field's null says is that it is absent; an empty list is a nil slice.
//
// The error is a *Refusal whose detail begins with the place at fault, such as
// data.items[2].code. Data nests only as deep as the types do, so that nothing
// from outside can ask for depth. ParseJSON does not Validate.
func ParseJSON(typ string, data []byte) (any, error) {
	entry, ok := entryByType[typ]
	if !ok {
		return nil, refuse(ReasonUnknownSchema, "the type is not in the catalogue")
	}
	if len(data) > MaxDataBytes {
		return nil, refuse(ReasonTooLarge, fmt.Sprintf("data is longer than %d bytes", MaxDataBytes))
	}
	payload := entry.New()
	if err := shapes[typ].Read(data, reflect.ValueOf(payload).Elem(), MaxListItems); err != nil {
		return nil, refuse(ReasonMalformed, err.Error())
	}
	return payload, nil
}

// FormatJSON writes a payload, a pointer to one of the event types, as the JSON
// that ParseJSON reads: the fields in their order, optional ones left out when
// they are absent or empty, a required list always as a list. The same payload
// gives the same bytes. The error is for a payload that is no event.
func FormatJSON(payload any) ([]byte, error) {
	s, ok := shapes[TypeOf(payload)]
	if !ok {
		return nil, fmt.Errorf("write %T as JSON: it is not an event of the catalogue", payload)
	}
	return s.Append(nil, reflect.ValueOf(payload).Elem()), nil
}

// Digest is the SHA-256 of an event's type, subject and content. Two submissions
// with one id are repeats of each other when their digests are the same, whether
// they came as JSON or as Avro, and by whatever version of the schema.
//
// What is digested is the type, a line feed, the subject, a line feed, and the
// payload as FormatJSON writes it, which leaves out what is at its default. A
// payload that is no event counts as none. The ledger's decisions rest on these
// bytes: another digest of the same content is a new rules version.
func Digest(typ, subject string, payload any) [sha256.Size]byte {
	space := digested.Get().(*[]byte)
	defer digested.Put(space)
	b := append(append((*space)[:0], typ...), '\n')
	b = append(append(b, subject...), '\n')
	if s, ok := shapes[TypeOf(payload)]; ok {
		b = s.Append(b, reflect.ValueOf(payload).Elem())
	}
	*space = b
	return sha256.Sum256(b)
}

// digested are buffers of Digest, which is made for every event.
var digested = sync.Pool{New: func() any { return new([]byte) }}
