package schemas

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// shape is what JSON data of an event type looks like: made once from the Go type
// by its tags, read by ParseJSON and FormatJSON.
type shape struct {
	kind shapeKind
	// name and fields are an object's.
	name   string
	fields []shapeField
	// element is a list's.
	element *shape
}

type shapeField struct {
	name  string
	index int
	// optional fields may be absent or null; pointer says how Go has them.
	optional bool
	pointer  bool
	shape    *shape
}

type shapeKind uint8

const (
	shapeText shapeKind = iota
	shapeBoolean
	shapeInteger
	shapeLong
	shapeBytes
	shapeTime
	shapeDay
	shapeList
	shapeObject
)

// String is what the kind is called in a refusal.
func (k shapeKind) String() string {
	return [...]string{
		"a string", "true or false", "an integer", "an integer", "a string of base64",
		"a time such as 2026-05-14T09:30:00Z", "a day such as 2026-05-14", "a list", "an object",
	}[k]
}

// shapes has the shape of every event by type. It is never changed once the
// program has started.
var shapes = newShapes()

func newShapes() map[string]*shape {
	byType := make(map[string]*shape, len(catalogue))
	for _, e := range catalogue {
		byType[e.Type] = shapeOf(reflect.TypeOf(e.New()).Elem())
	}
	return byType
}

func shapeOf(t reflect.Type) *shape {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return &shape{kind: shapeTime}
	case t == reflect.TypeFor[Day]():
		return &shape{kind: shapeDay}
	case t == reflect.TypeFor[[]byte]():
		return &shape{kind: shapeBytes}
	}
	switch t.Kind() {
	case reflect.String:
		return &shape{kind: shapeText}
	case reflect.Bool:
		return &shape{kind: shapeBoolean}
	case reflect.Int:
		return &shape{kind: shapeInteger}
	case reflect.Int64:
		return &shape{kind: shapeLong}
	case reflect.Slice:
		return &shape{kind: shapeList, element: shapeOf(t.Elem())}
	case reflect.Struct:
		return objectShape(t)
	}
	panic(fmt.Sprintf("schemas: no event may carry a %s", t))
}

// objectShape reads the tags. An object has at most 64 fields, so that those seen
// fit in a word.
func objectShape(t reflect.Type) *shape {
	object := &shape{kind: shapeObject, name: t.Name()}
	if t.NumField() > 64 {
		panic(fmt.Sprintf("schemas: %s has more than 64 fields", t))
	}
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		field := shapeField{name: name, index: f.Index[0], optional: options == "omitempty"}
		element := f.Type
		if element.Kind() == reflect.Pointer {
			field.pointer = true
			element = element.Elem()
		}
		field.shape = shapeOf(element)
		object.fields = append(object.fields, field)
	}
	return object
}

// names lists an object's fields for a refusal.
func (s *shape) names() string {
	names := make([]string, len(s.fields))
	for i, f := range s.fields {
		names[i] = f.name
	}
	return strings.Join(names, ", ")
}
