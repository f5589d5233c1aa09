// Package shape knows what the JSON of a Go struct looks like: its fields in their
// order, which of them may be absent, how times, days and bytes are written. A
// Shape is made once of a type by its tags, and then reads a value strictly and
// writes it always in the same bytes.
//
// Package schemas has one for every event, behind ParseJSON and FormatJSON;
// package strictjson reads the JSON itself.
package shape

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Shape is what JSON of a Go type looks like. It is never changed and safe for
// concurrent use.
type Shape struct {
	kind kind
	// name and fields are an object's.
	name   string
	fields []field
	// element is a list's.
	element *Shape
}

type field struct {
	name  string
	index int
	// optional fields may be absent or null; pointer says how Go has them.
	optional bool
	pointer  bool
	shape    *Shape
}

type kind uint8

const (
	kindText kind = iota
	kindBoolean
	kindInteger
	kindLong
	kindBytes
	kindTime
	kindDay
	kindList
	kindObject
)

var kindNames = [...]string{
	"a string", "true or false", "an integer", "an integer", "a string of base64",
	"a time such as 2026-05-14T09:30:00Z", "a day such as 2026-05-14", "a list", "an object",
}

// String is what the kind is called where another was found.
func (k kind) String() string { return kindNames[k] }

// day is a calendar day, such as schemas.Day: a number of days in Go, text in JSON.
type day interface {
	encoding.TextUnmarshaler
	fmt.Stringer
}

// Of is the shape of a struct type. It panics on a type that no event may carry,
// and on a struct of more than 64 fields: those seen fit in a word.
func Of(t reflect.Type) *Shape {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return &Shape{kind: kindTime}
	case t.Kind() == reflect.Int32 && reflect.PointerTo(t).Implements(reflect.TypeFor[day]()):
		return &Shape{kind: kindDay}
	case t == reflect.TypeFor[[]byte]():
		return &Shape{kind: kindBytes}
	}
	switch t.Kind() {
	case reflect.String:
		return &Shape{kind: kindText}
	case reflect.Bool:
		return &Shape{kind: kindBoolean}
	case reflect.Int:
		return &Shape{kind: kindInteger}
	case reflect.Int64:
		return &Shape{kind: kindLong}
	case reflect.Slice:
		return &Shape{kind: kindList, element: Of(t.Elem())}
	case reflect.Struct:
		return objectOf(t)
	default:
		panic(fmt.Sprintf("shape: no event may carry a %s", t))
	}
}

// objectOf reads the tags.
func objectOf(t reflect.Type) *Shape {
	object := &Shape{kind: kindObject, name: t.Name()}
	if t.NumField() > 64 {
		panic(fmt.Sprintf("shape: %s has more than 64 fields", t))
	}
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		entry := field{name: name, index: f.Index[0], optional: options == "omitempty"}
		element := f.Type
		if element.Kind() == reflect.Pointer {
			entry.pointer = true
			element = element.Elem()
		}
		entry.shape = Of(element)
		object.fields = append(object.fields, entry)
	}
	return object
}

// names lists an object's fields for a refusal.
func (s *Shape) names() string {
	names := make([]string, len(s.fields))
	for i, f := range s.fields {
		names[i] = f.name
	}
	return strings.Join(names, ", ")
}
