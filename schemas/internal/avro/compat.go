package avro

import (
	"fmt"
	"slices"
)

// Incompatibility is one reason for which a reader's schema cannot read what was
// written with a writer's.
type Incompatibility struct {
	// Kind is one of Incompatible….
	Kind string
	// Path is where, in the reader's schema, as a JSON pointer: `/fields/2/type`.
	Path string
	// Detail is one line of English.
	Detail string
	// Field is where for a person, by the names of the reader's fields:
	// `attachments[].size`; "" for the schema as a whole.
	Field string
	// Reader and Writer are the types that do not fit, in words; Writer is "" where
	// the writer has nothing there.
	Reader, Writer string
	// Remedy is what the reader's author can do, in a sentence.
	Remedy string
}

// The kinds of incompatibility, by the names that schema registries give them.
// IncompatibleLogicalType is our own: others let a reader take microseconds for
// milliseconds.
const (
	IncompatibleName         = "NAME_MISMATCH"
	IncompatibleFixedSize    = "FIXED_SIZE_MISMATCH"
	IncompatibleSymbols      = "MISSING_ENUM_SYMBOLS"
	IncompatibleNoDefault    = "READER_FIELD_MISSING_DEFAULT_VALUE"
	IncompatibleType         = "TYPE_MISMATCH"
	IncompatibleUnionBranch  = "MISSING_UNION_BRANCH"
	IncompatibleLogicalType  = "LOGICAL_TYPE_MISMATCH"
	maxIncompatibilities     = 100
	maxCompatibilityCompares = 1 << 18
)

// CheckCompatibility says what keeps a reader's schema from reading data that
// was written with a writer's, by the rules of Avro 1.11 and one of ours: where
// both name a logical type, it is the same. Nothing means compatible. The error
// is Parse's.
func CheckCompatibility(reader, writer string) ([]Incompatibility, error) {
	r, err := Parse(reader)
	if err != nil {
		return nil, fmt.Errorf("reader: %w", err)
	}
	w, err := Parse(writer)
	if err != nil {
		return nil, fmt.Errorf("writer: %w", err)
	}
	return r.CannotRead(w), nil
}

// CannotRead is CheckCompatibility for schemas that are parsed already: what
// keeps s from reading what was written with writer.
func (s Schema) CannotRead(writer Schema) []Incompatibility {
	c := compatibility{asked: map[typePair]bool{}}
	c.check(s.root, writer.root, spot{})
	return c.found
}

// spot is where a check stands: as a JSON pointer, and by the fields' names.
type spot struct{ path, field string }

func (s spot) items(of string) spot { return spot{s.path + of, s.field + "[]"} }

func (s spot) of(i int, f *schemaField) spot {
	field := f.name
	if s.field != "" {
		field = s.field + "." + f.name
	}
	return spot{fmt.Sprintf("%s/fields/%d", s.path, i), field}
}

func (s spot) to(part string) spot { return spot{s.path + part, s.field} }

type typePair struct{ reader, writer *schemaType }

// compatibility is one check. A pair of named types is judged once, and counts
// as compatible while it is being judged: a type may hold itself.
type compatibility struct {
	asked    map[typePair]bool
	order    []typePair // as they were first asked
	found    []Incompatibility
	compares int
}

// check reports whether reader can read writer, and keeps every reason why not.
func (c *compatibility) check(reader, writer *schemaType, at spot) bool {
	if c.compares++; c.compares > maxCompatibilityCompares {
		return c.add(IncompatibleType, at, reader, writer, "the schemas are too large to compare")
	}
	switch {
	case writer.kind == kindUnion:
		ok := true
		for _, branch := range writer.branches {
			ok = c.check(reader, branch, at) && ok
		}
		return ok
	case reader.kind == kindUnion:
		branch, why := readerBranch(reader, writer, c, at)
		switch {
		case branch >= 0:
			return true
		case why != nil:
			detail := fmt.Sprintf("no branch of the reader's union takes the writer's %s: %s", writer.kind, why.Detail)
			c.keep(Incompatibility{IncompatibleUnionBranch, at.path, detail, why.Field, why.Reader, why.Writer, why.Remedy})
			return false
		}
		return c.add(IncompatibleUnionBranch, at, reader, writer, fmt.Sprintf("no branch of the reader's union takes the writer's %s", writer.kind))
	case reader.kind != writer.kind:
		if !promotes(writer.kind, reader.kind) {
			return c.add(IncompatibleType, at, reader, writer, fmt.Sprintf("reader type %s, writer type %s", reader.kind, writer.kind))
		}
		return c.logical(reader, writer, at)
	}
	switch reader.kind {
	case kindArray:
		return c.check(reader.items, writer.items, at.items("/items"))
	case kindMap:
		return c.check(reader.items, writer.items, at.items("/values"))
	case kindRecord, kindEnum, kindFixed:
		return c.named(reader, writer, at)
	default:
		return c.logical(reader, writer, at)
	}
}

func (c *compatibility) add(kind string, at spot, reader, writer *schemaType, detail string) bool {
	written := ""
	if writer != nil {
		written = writer.String()
	}
	c.keep(Incompatibility{kind, at.path, detail, at.field, reader.String(), written, remedy(kind, reader, writer)})
	return false
}

func (c *compatibility) keep(i Incompatibility) {
	if i.Path == "" {
		i.Path = "/"
	}
	if len(c.found) < maxIncompatibilities {
		c.found = append(c.found, i)
	}
}

// logical holds our own rule. A writer without a logical type is taken at its
// number: generated code often drops them.
func (c *compatibility) logical(reader, writer *schemaType, at spot) bool {
	if reader.logical == "" || writer.logical == "" {
		return true
	}
	if reader.logical == writer.logical && reader.precision == writer.precision && reader.scale == writer.scale {
		return true
	}
	return c.add(IncompatibleLogicalType, at, reader, writer, fmt.Sprintf("reader logical type %s, writer logical type %s", reader.logical, writer.logical))
}

func (c *compatibility) named(reader, writer *schemaType, at spot) bool {
	pair := typePair{reader, writer}
	if ok, asked := c.asked[pair]; asked {
		return ok
	}
	c.asked[pair] = true
	since := len(c.order)
	c.order = append(c.order, pair)
	ok := c.judge(reader, writer, at)
	if !ok {
		// What was found compatible meanwhile may rest on this pair's being so.
		for _, p := range c.order[since:] {
			if c.asked[p] {
				delete(c.asked, p)
			}
		}
		c.order = c.order[:since]
	}
	c.asked[pair] = ok
	return ok
}

func (c *compatibility) judge(reader, writer *schemaType, at spot) bool {
	if !sameName(reader, writer) {
		return c.add(IncompatibleName, at.to("/name"), reader, writer, fmt.Sprintf("reader %s, writer %s", reader.fullName(), writer.fullName()))
	}
	switch reader.kind {
	case kindFixed:
		if reader.size != writer.size {
			return c.add(IncompatibleFixedSize, at.to("/size"), reader, writer, fmt.Sprintf("reader size %d, writer size %d", reader.size, writer.size))
		}
		return c.logical(reader, writer, at)
	case kindEnum:
		for _, s := range writer.symbols {
			if reader.fallback == "" && !slices.Contains(reader.symbols, s) {
				return c.add(IncompatibleSymbols, at.to("/symbols"), reader, writer, fmt.Sprintf("the reader has no symbol %s and no default", s))
			}
		}
		return true
	default:
		return c.fields(reader, writer, at)
	}
}

func (c *compatibility) fields(reader, writer *schemaType, at spot) bool {
	byName := make(map[string]*schemaField, len(writer.fields))
	for _, f := range writer.fields {
		byName[f.name] = f
	}
	ok := true
	for i, f := range reader.fields {
		written := writtenField(f, byName)
		switch {
		case written != nil:
			ok = c.check(f.typ, written.typ, at.of(i, f).to("/type")) && ok
		case f.def == nil:
			ok = c.add(IncompatibleNoDefault, at.of(i, f), f.typ, nil, fmt.Sprintf("the reader's field %s has no default and the writer has no such field", f.name))
		}
	}
	return ok
}

// writtenField is the writer's field that the reader's takes: the one of its
// name, else the first of its aliases that the writer has.
func writtenField(f *schemaField, byName map[string]*schemaField) *schemaField {
	if w := byName[f.name]; w != nil {
		return w
	}
	for _, alias := range f.aliases {
		if w := byName[alias]; w != nil {
			return w
		}
	}
	return nil
}

// sameName is Avro's rule for named types: the name without its namespace, or an
// alias of the reader's.
func sameName(reader, writer *schemaType) bool {
	return reader.name == writer.name || slices.Contains(reader.aliases, writer.fullName())
}

// readerBranch is the branch of the reader's union that takes the writer's type,
// which is no union: the first of the same type, else the first that it promotes
// to, else -1 and why the branch that was meant does not, nil when none was.
func readerBranch(union, writer *schemaType, c *compatibility, at spot) (branch int, why *Incompatibility) {
	for _, exact := range []bool{true, false} {
		for i, branch := range union.branches {
			if exact != (branch.kind == writer.kind) {
				continue
			}
			// What one branch cannot take another may: the reasons do not count.
			found := c.found
			c.found = nil
			ok := c.check(branch, writer, at)
			reasons := c.found
			c.found = found
			if ok {
				return i, nil
			}
			if why == nil && exact && len(reasons) > 0 && (branch.name == "" || sameName(branch, writer)) {
				why = &reasons[0]
			}
		}
	}
	return -1, why
}

// promotes says whether Avro reads a value of one primitive kind as another.
func promotes(from, to typeKind) bool {
	switch from {
	case kindInt:
		return to == kindLong || to == kindFloat || to == kindDouble
	case kindLong:
		return to == kindFloat || to == kindDouble
	case kindFloat:
		return to == kindDouble
	case kindString:
		return to == kindBytes
	case kindBytes:
		return to == kindString
	default:
		return false
	}
}
