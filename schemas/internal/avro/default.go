package avro

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"
)

// encodeDefaults judges every default by writing it in Avro. It comes after the
// parsing, for the default of a record may lean on the defaults of its fields.
func (p *parser) encodeDefaults() error {
	var e defaultEncoder
	total := 0
	for _, f := range p.withDefault {
		if err := e.field(f); err != nil {
			return err
		}
		if total += len(f.encoded); total > maxDefaultBytes {
			return tooLarge("defaults of more than %d bytes", maxDefaultBytes)
		}
	}
	return nil
}

// defaultEncoder writes the defaults of one schema in Avro. A default is tried
// against each branch of a union, so that a hostile schema could make it try for
// ever: its steps are counted.
type defaultEncoder struct {
	steps int
}

// field writes the field's default once; a record that needs itself for its own
// default would never end.
func (e *defaultEncoder) field(f *schemaField) error {
	if f.encoded != nil {
		return nil
	}
	if f.isEncoding {
		return invalid("the default of the field %s needs itself", f.name)
	}
	f.isEncoding = true
	b, err := e.append([]byte{}, f.typ, f.def)
	if err != nil {
		return err
	}
	f.encoded, f.isEncoding = b, false
	return nil
}

func badDefault(t *schemaType) error { return invalid("a default that is not a %s", t.kind) }

// append writes a default, as JSON has it, in Avro.
func (e *defaultEncoder) append(b []byte, t *schemaType, v *jsonNode) ([]byte, error) {
	if e.steps++; e.steps > maxDefaultSteps || len(b) > maxDefaultBytes {
		return nil, tooLarge("defaults that take more than %d steps or bytes", maxDefaultSteps)
	}
	switch t.kind {
	case kindRecord:
		return e.record(b, t, v)
	case kindArray, kindMap:
		return e.block(b, t, v)
	case kindUnion:
		for i, branch := range t.branches {
			if out, err := e.append(appendZigzag(b, int64(i)), branch, v); err == nil {
				return out, nil
			}
		}
		return nil, badDefault(t)
	case kindNull:
		if v.kind != jsonNull {
			return nil, badDefault(t)
		}
		return b, nil
	case kindBoolean:
		if v.kind != jsonBool {
			return nil, badDefault(t)
		}
		if v.text == "true" {
			return append(b, 1), nil
		}
		return append(b, 0), nil
	case kindInt, kindLong, kindFloat, kindDouble:
		return appendNumberDefault(b, t, v)
	default:
		return appendTextDefault(b, t, v)
	}
}

func (e *defaultEncoder) record(b []byte, t *schemaType, v *jsonNode) ([]byte, error) {
	if v.kind != jsonObject {
		return nil, badDefault(t)
	}
	for _, f := range t.fields {
		given := v.member(f.name)
		switch {
		case given != nil:
			var err error
			if b, err = e.append(b, f.typ, given); err != nil {
				return nil, err
			}
		case f.def != nil:
			if err := e.field(f); err != nil {
				return nil, err
			}
			b = append(b, f.encoded...)
		default:
			return nil, invalid("a default without the field %s", f.name)
		}
		if len(b) > maxDefaultBytes {
			return nil, tooLarge("defaults of more than %d bytes", maxDefaultBytes)
		}
	}
	return b, nil
}

func (e *defaultEncoder) block(b []byte, t *schemaType, v *jsonNode) ([]byte, error) {
	n := len(v.list) + len(v.members)
	if t.kind == kindArray && v.kind != jsonList || t.kind == kindMap && v.kind != jsonObject {
		return nil, badDefault(t)
	}
	if n > 0 {
		b = appendZigzag(b, int64(n))
	}
	var err error
	for i := range v.list {
		if b, err = e.append(b, t.items, &v.list[i]); err != nil {
			return nil, err
		}
	}
	for i := range v.members {
		b = appendText(b, v.members[i].key)
		if b, err = e.append(b, t.items, &v.members[i].value); err != nil {
			return nil, err
		}
	}
	return append(b, 0), nil
}

func appendNumberDefault(b []byte, t *schemaType, v *jsonNode) ([]byte, error) {
	if v.kind != jsonNumber {
		return nil, badDefault(t)
	}
	switch t.kind {
	case kindInt, kindLong:
		bits := 64
		if t.kind == kindInt {
			bits = 32
		}
		i, err := strconv.ParseInt(v.text, 10, bits)
		if err != nil {
			return nil, badDefault(t)
		}
		return appendZigzag(b, i), nil
	default:
		f, err := strconv.ParseFloat(v.text, 64)
		if err != nil {
			return nil, badDefault(t)
		}
		if t.kind == kindFloat {
			return binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(f))), nil
		}
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(f)), nil
	}
}

func appendTextDefault(b []byte, t *schemaType, v *jsonNode) ([]byte, error) {
	if v.kind != jsonString {
		return nil, badDefault(t)
	}
	switch t.kind {
	case kindString:
		return appendText(b, v.text), nil
	case kindEnum:
		i := slices.Index(t.symbols, v.text)
		if i < 0 {
			return nil, badDefault(t)
		}
		return appendZigzag(b, int64(i)), nil
	default:
		return appendBytesDefault(b, t, v)
	}
}

// appendBytesDefault writes bytes or a fixed, which stand in JSON as one character
// from 0 to 255 for each byte.
func appendBytesDefault(b []byte, t *schemaType, v *jsonNode) ([]byte, error) {
	raw := make([]byte, 0, len(v.text))
	for _, r := range v.text {
		if r > 255 {
			return nil, badDefault(t)
		}
		raw = append(raw, byte(r))
	}
	if t.kind == kindFixed {
		if len(raw) != t.size {
			return nil, badDefault(t)
		}
		return append(b, raw...), nil
	}
	return append(appendZigzag(b, int64(len(raw))), raw...), nil
}

// appendZigzag writes an Avro int or long.
func appendZigzag(b []byte, v int64) []byte {
	return binary.AppendUvarint(b, uint64(v)<<1^uint64(v>>63))
}

func appendText(b []byte, s string) []byte {
	return append(appendZigzag(b, int64(len(s))), s...)
}
