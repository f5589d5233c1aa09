package schemas

import (
	"encoding/base64"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/relais-fr/relais/schemas/internal/personal"
)

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
	r := jsonReader{data: data}
	r.value(shapes[typ], reflect.ValueOf(payload).Elem())
	if r.fault == "" {
		r.space()
		if r.pos < len(r.data) {
			r.wrong("there is more after the object")
		}
	}
	if r.fault != "" {
		return nil, refuse(ReasonMalformed, "data"+r.path+": "+r.fault)
	}
	return payload, nil
}

// jsonReader reads one value after the other and stops at the first fault: its
// methods return false from there on. The way to the fault is put together on
// the way out, so that it costs nothing when there is none.
type jsonReader struct {
	data []byte
	pos  int

	fault string
	path  string
}

func (r *jsonReader) wrong(fault string) bool {
	if r.fault == "" {
		r.fault = fault
	}
	return false
}

// value reads one value of shape s into v.
func (r *jsonReader) value(s *shape, v reflect.Value) bool {
	r.space()
	switch s.kind {
	case shapeObject:
		return r.object(s, v)
	case shapeList:
		return r.list(s, v)
	case shapeBoolean:
		return r.boolean(v)
	case shapeInteger:
		return r.integer(v, math.MinInt32, math.MaxInt32)
	case shapeLong:
		return r.integer(v, math.MinInt64, math.MaxInt64)
	}
	text, ok := r.text(s.kind)
	if !ok {
		return false
	}
	switch s.kind {
	case shapeBytes:
		return r.bytes(text, v)
	case shapeTime:
		return r.time(text, v)
	case shapeDay:
		day, err := ParseDay(string(text))
		if err != nil {
			return r.wrong("it is not " + s.kind.String())
		}
		v.SetInt(int64(day))
	default:
		v.SetString(string(text))
	}
	return true
}

func (r *jsonReader) object(s *shape, v reflect.Value) bool {
	if !r.open('{', s.kind) {
		return false
	}
	var seen uint64
	for first := true; ; first = false {
		more, ok := r.next('}', first)
		if !ok {
			return false
		}
		if !more {
			break
		}
		i, ok := r.field(s)
		if !ok {
			return false
		}
		f := &s.fields[i]
		if seen&(1<<i) != 0 {
			r.path = "." + f.name
			return r.wrong("it is there twice")
		}
		seen |= 1 << i
		if !r.member(f, v.Field(f.index)) {
			r.path = "." + f.name + r.path
			return false
		}
	}
	for i, f := range s.fields {
		if seen&(1<<i) == 0 && !f.optional {
			r.path = "." + f.name
			return r.wrong("it is required and missing")
		}
	}
	return true
}

// field reads a field's name and the colon, and says which field it is.
func (r *jsonReader) field(s *shape) (int, bool) {
	r.space()
	if r.pos == len(r.data) || r.data[r.pos] != '"' {
		return 0, r.wrong("a field's name was expected; is it JSON?")
	}
	name, ok := r.text(shapeText)
	if !ok {
		return 0, false
	}
	r.space()
	if r.pos == len(r.data) || r.data[r.pos] != ':' {
		return 0, r.wrong("a colon was expected after a field's name; is it JSON?")
	}
	r.pos++
	for i := range s.fields {
		if s.fields[i].name == string(name) {
			return i, true
		}
	}
	what := "it has a field that is"
	if personal.CodeShaped(string(name)) {
		what = strconv.Quote(string(name)) + " is"
	}
	return 0, r.wrong(fmt.Sprintf("%s not a field of %s, which has: %s", what, s.name, s.names()))
}

// member reads a field's value, or its null.
func (r *jsonReader) member(f *shapeField, v reflect.Value) bool {
	r.space()
	if r.word("null") {
		if !f.optional {
			return r.wrong("it is required and null")
		}
		return true
	}
	if f.pointer {
		p := reflect.New(v.Type().Elem())
		v.Set(p)
		v = p.Elem()
	}
	return r.value(f.shape, v)
}

func (r *jsonReader) list(s *shape, v reflect.Value) bool {
	if !r.open('[', s.kind) {
		return false
	}
	for n := 0; ; n++ {
		more, ok := r.next(']', n == 0)
		if !ok || !more {
			return ok
		}
		if n == MaxListItems {
			return r.wrong(fmt.Sprintf("it has more than %d elements", MaxListItems))
		}
		v.Grow(1)
		v.SetLen(n + 1)
		if !r.value(s.element, v.Index(n)) {
			r.path = "[" + strconv.Itoa(n) + "]" + r.path
			return false
		}
	}
}

func (r *jsonReader) boolean(v reflect.Value) bool {
	switch {
	case r.word("true"):
		v.SetBool(true)
	case r.word("false"):
		v.SetBool(false)
	default:
		return r.expected(shapeBoolean)
	}
	return true
}

func (r *jsonReader) integer(v reflect.Value, low, high int64) bool {
	number, ok := r.number()
	if !ok {
		return r.expected(shapeInteger)
	}
	n, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil || n < low || n > high {
		return r.wrong(fmt.Sprintf("it is not an integer from %d to %d", low, high))
	}
	v.SetInt(n)
	return true
}

func (r *jsonReader) bytes(text []byte, v reflect.Value) bool {
	if len(text) == 0 {
		return true
	}
	decoded := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(decoded, text)
	if err != nil {
		return r.wrong("it is not " + shapeBytes.String() + ", with its padding")
	}
	v.SetBytes(decoded[:n])
	return true
}

func (r *jsonReader) time(text []byte, v reflect.Value) bool {
	var t time.Time
	if err := t.UnmarshalText(text); err != nil {
		return r.wrong("it is not " + shapeTime.String())
	}
	v.Set(reflect.ValueOf(t.UTC().Truncate(time.Millisecond)))
	return true
}
