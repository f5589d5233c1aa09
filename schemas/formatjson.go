package schemas

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"strconv"
	"time"
)

// FormatJSON writes a payload, a pointer to one of the event types, as the JSON
// that ParseJSON reads: the fields in their order, optional ones left out when
// they are absent or empty, a required list always as a list. The same payload
// gives the same bytes. The error is for a payload that is no event.
func FormatJSON(payload any) ([]byte, error) {
	s, ok := shapes[TypeOf(payload)]
	if !ok {
		return nil, fmt.Errorf("write %T as JSON: it is not an event of the catalogue", payload)
	}
	return appendValue(nil, s, reflect.ValueOf(payload).Elem()), nil
}

func appendValue(b []byte, s *shape, v reflect.Value) []byte {
	switch s.kind {
	case shapeObject:
		return appendObject(b, s, v)
	case shapeList:
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, s.element, v.Index(i))
		}
		return append(b, ']')
	case shapeBoolean:
		return strconv.AppendBool(b, v.Bool())
	case shapeInteger, shapeLong:
		return strconv.AppendInt(b, v.Int(), 10)
	case shapeBytes:
		b = base64.StdEncoding.AppendEncode(append(b, '"'), v.Bytes())
		return append(b, '"')
	case shapeTime:
		t := v.Addr().Interface().(*time.Time)
		b = t.UTC().Truncate(time.Millisecond).AppendFormat(append(b, '"'), time.RFC3339Nano)
		return append(b, '"')
	case shapeDay:
		b = append(append(b, '"'), Day(v.Int()).String()...)
		return append(b, '"')
	default:
		return appendJSONString(b, v.String())
	}
}

func appendObject(b []byte, s *shape, v reflect.Value) []byte {
	b = append(b, '{')
	first := true
	for _, f := range s.fields {
		value := v.Field(f.index)
		if f.optional && (value.IsZero() || value.Kind() == reflect.Slice && value.Len() == 0) {
			continue
		}
		if f.pointer {
			value = value.Elem()
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendJSONString(b, f.name), ':')
		b = appendValue(b, f.shape, value)
	}
	return append(b, '}')
}
