package shape

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/relais-fr/relais/schemas/internal/personal"
	"github.com/relais-fr/relais/schemas/internal/strictjson"
)

// Read reads data into v, a new and addressable value of the type. An error begins
// with the place at fault, such as data.items[2].code, and never repeats content.
// A list has at most so many items; data nests only as deep as the type does.
func (s *Shape) Read(data []byte, v reflect.Value, items int) error {
	r := reader{Scanner: strictjson.New(data), items: items}
	if r.value(s, v) && !r.AtEnd() {
		r.Fail("there is more after the object")
	}
	if fault := r.Fault(); fault != "" {
		return errors.New("data" + r.path + ": " + fault)
	}
	return nil
}

// reader puts the way to a fault together on the way out, so that it costs nothing
// when there is none.
type reader struct {
	strictjson.Scanner
	path  string
	items int // at most in a list
}

// value reads one value of shape s into v.
func (r *reader) value(s *Shape, v reflect.Value) bool {
	r.Space()
	switch s.kind {
	case kindObject:
		return r.object(s, v)
	case kindList:
		return r.list(s, v)
	case kindBoolean:
		return r.boolean(v)
	case kindInteger:
		return r.integer(v, math.MinInt32, math.MaxInt32)
	case kindLong:
		return r.integer(v, math.MinInt64, math.MaxInt64)
	default:
		return r.text(s, v)
	}
}

// text reads what JSON has as a string.
func (r *reader) text(s *Shape, v reflect.Value) bool {
	text, ok := r.Text(s.kind.String())
	if !ok {
		return false
	}
	switch s.kind {
	case kindBytes:
		return r.bytes(text, v)
	case kindTime:
		return r.time(text, v)
	case kindDay:
		if err := v.Addr().Interface().(day).UnmarshalText(text); err != nil {
			return r.Fail("it is not " + s.kind.String())
		}
	default:
		v.SetString(string(text))
	}
	return true
}

func (r *reader) object(s *Shape, v reflect.Value) bool {
	if !r.Open('{') {
		return false
	}
	var seen uint64
	for first := true; ; first = false {
		more, ok := r.Next('}', first)
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
			return r.Fail("it is there twice")
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
			return r.Fail("it is required and missing")
		}
	}
	return true
}

// field reads a field's name and the colon, and says which field it is.
func (r *reader) field(s *Shape) (int, bool) {
	r.Space()
	if r.Peek() != '"' {
		return 0, r.Fail("a field's name was expected; is it JSON?")
	}
	name, ok := r.Text(kindText.String())
	if !ok {
		return 0, false
	}
	r.Space()
	if !r.Take(':') {
		return 0, r.Fail("a colon was expected after a field's name; is it JSON?")
	}
	for i := range s.fields {
		if s.fields[i].name == string(name) {
			return i, true
		}
	}
	what := "it has a field that is"
	if personal.CodeShaped(string(name)) {
		what = strconv.Quote(string(name)) + " is"
	}
	return 0, r.Fail(fmt.Sprintf("%s not a field of %s, which has: %s", what, s.name, s.names()))
}

// member reads a field's value, or its null.
func (r *reader) member(f *field, v reflect.Value) bool {
	r.Space()
	if r.Word("null") {
		if !f.optional {
			return r.Fail("it is required and null")
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

func (r *reader) list(s *Shape, v reflect.Value) bool {
	if !r.Open('[') {
		return false
	}
	for n := 0; ; n++ {
		more, ok := r.Next(']', n == 0)
		if !ok || !more {
			return ok
		}
		if n == r.items {
			return r.Fail(fmt.Sprintf("it has more than %d elements", r.items))
		}
		v.Grow(1)
		v.SetLen(n + 1)
		if !r.value(s.element, v.Index(n)) {
			r.path = "[" + strconv.Itoa(n) + "]" + r.path
			return false
		}
	}
}

func (r *reader) boolean(v reflect.Value) bool {
	switch {
	case r.Word("true"):
		v.SetBool(true)
	case r.Word("false"):
		v.SetBool(false)
	default:
		return r.Expected(kindBoolean.String())
	}
	return true
}

func (r *reader) integer(v reflect.Value, low, high int64) bool {
	number, ok := r.Number()
	if !ok {
		return r.Expected(kindInteger.String())
	}
	n, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil || n < low || n > high {
		return r.Fail(fmt.Sprintf("it is not an integer from %d to %d", low, high))
	}
	v.SetInt(n)
	return true
}

func (r *reader) bytes(text []byte, v reflect.Value) bool {
	if len(text) == 0 {
		return true
	}
	decoded := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(decoded, text)
	if err != nil {
		return r.Fail("it is not " + kindBytes.String() + ", with its padding")
	}
	v.SetBytes(decoded[:n])
	return true
}

func (r *reader) time(text []byte, v reflect.Value) bool {
	var t time.Time
	if err := t.UnmarshalText(text); err != nil {
		return r.Fail("it is not " + kindTime.String())
	}
	v.Set(reflect.ValueOf(t.UTC().Truncate(time.Millisecond)))
	return true
}
