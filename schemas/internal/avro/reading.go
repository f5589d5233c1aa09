package avro

import "fmt"

// Reading turns data written with one schema into the same data as another would
// have written it. It is safe for concurrent use.
type Reading struct {
	writer *schemaType
	plan   plan // nil when the writer's data is as the reader's
	most   int
}

// NewReading is how reader reads what writer wrote; CannotRead found nothing
// against it. A list may have at most so many items.
func NewReading(reader, writer Schema, most int) *Reading {
	r := &Reading{writer: writer.root, most: most}
	if !sameWire(reader.root, writer.root) {
		r.plan = newPlan(reader.root, writer.root)
	}
	return r
}

// Canonical walks data, which must be one whole value of the writer's schema, and
// gives it as the reader's would have written it; that may be data itself. The
// error says what is wrong with data, and in which field.
func (r *Reading) Canonical(data []byte) ([]byte, error) {
	c := cursor{data: data, most: r.most}
	if r.plan == nil {
		c.skip(r.writer)
	} else {
		data = r.plan(&c, make([]byte, 0, len(data)+64))
	}
	c.end()
	return data, c.fault()
}

// sameWire says whether data of both schemas has the same bytes with the same
// meaning. They were found compatible before.
func sameWire(ours, theirs *schemaType) bool {
	if ours.kind != theirs.kind || len(ours.fields) != len(theirs.fields) || len(ours.branches) != len(theirs.branches) {
		return false
	}
	for i, f := range ours.fields {
		if f.name != theirs.fields[i].name || !sameWire(f.typ, theirs.fields[i].typ) {
			return false
		}
	}
	for i, b := range ours.branches {
		if !sameWire(b, theirs.branches[i]) {
			return false
		}
	}
	switch ours.kind {
	case kindArray, kindMap:
		return sameWire(ours.items, theirs.items)
	case kindEnum:
		return fmt.Sprint(ours.symbols) == fmt.Sprint(theirs.symbols)
	case kindFixed:
		return ours.size == theirs.size
	default:
		return true
	}
}
