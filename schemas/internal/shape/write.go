package shape

import (
	"encoding/base64"
	"reflect"
	"strconv"
	"time"

	"github.com/relais-fr/relais/schemas/internal/strictjson"
)

// Append writes v, an addressable value of the type, as the JSON that Read reads:
// the fields in their order, optional ones left out when they are absent or empty,
// a required list always as a list.
func (s *Shape) Append(b []byte, v reflect.Value) []byte {
	switch s.kind {
	case kindObject:
		return s.appendObject(b, v)
	case kindList:
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = s.element.Append(b, v.Index(i))
		}
		return append(b, ']')
	case kindBoolean:
		return strconv.AppendBool(b, v.Bool())
	case kindInteger, kindLong:
		return strconv.AppendInt(b, v.Int(), 10)
	case kindBytes:
		b = base64.StdEncoding.AppendEncode(append(b, '"'), v.Bytes())
		return append(b, '"')
	case kindTime:
		t := v.Addr().Interface().(*time.Time)
		b = t.UTC().Truncate(time.Millisecond).AppendFormat(append(b, '"'), time.RFC3339Nano)
		return append(b, '"')
	case kindDay:
		b = append(append(b, '"'), v.Addr().Interface().(day).String()...)
		return append(b, '"')
	default:
		return strictjson.AppendString(b, v.String())
	}
}

func (s *Shape) appendObject(b []byte, v reflect.Value) []byte {
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
		b = append(strictjson.AppendString(b, f.name), ':')
		b = f.shape.Append(b, value)
	}
	return append(b, '}')
}
