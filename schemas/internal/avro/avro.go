// Package avro reads Avro that may be hostile: schemas that anybody registers, and
// data written with them. Everything that bytes from outside could ask for, time,
// memory or depth, is bounded.
//
// Parse turns a schema into its types and its canonical forms, CannotRead compares
// two of them, and a Reading turns data of one into data of another. A Binding
// writes and reads Go values by hamba/avro, which is not made for hostile bytes and
// only sees those that a Reading gave.
//
// Package schemas shows Parse and the comparison to everybody, and builds its Codec
// on the rest. What an event is, this package does not know.
package avro

import (
	"errors"
	"fmt"
)

// Bounds on an Avro schema that comes from outside.
const (
	// MaxSchemaBytes bounds a schema's text.
	MaxSchemaBytes = 256 << 10

	maxSchemaDepth  = 64       // nesting of its JSON
	maxSchemaValues = 50_000   // JSON values in all
	maxSchemaFields = 4_000    // fields of all its records
	maxNameBytes    = 512      // a full name
	maxFixedBytes   = 64 << 10 // size of a fixed
	maxDefaultBytes = 1 << 20  // all defaults together, encoded
	maxDefaultSteps = 1 << 17  // values tried to encode them
)

// ErrSchema is wrapped by every error that Parse returns for a text that is not a
// valid Avro schema; ErrTooLarge for one beyond the bounds.
var (
	ErrSchema   = errors.New("not an Avro schema")
	ErrTooLarge = errors.New("Avro schema too large") //nolint:staticcheck // Avro is a name.
)

// Schema is a parsed Avro schema. It is never changed.
type Schema struct {
	// FullName is the namespace and name of a record, enum or fixed, "" for any
	// other type.
	FullName string
	// Raw is the schema as it was given.
	Raw string
	// Canonical is the schema without white space, its attributes in the order in
	// which Avro's Java library writes them. Two schemas are one and the same when
	// their Canonical is: names are resolved, while doc, default, aliases, order
	// and the properties of others still matter.
	Canonical string
	// Normal is what a registry compares when it is asked to normalize: as
	// Canonical, but with full names, and aliases and properties sorted.
	Normal string

	root *schemaType
}

// Parse parses a schema that may be hostile: its size, depth, fields and
// defaults are bounded, and the time that it takes is too. It knows no references
// to schemas elsewhere. An error wraps ErrSchema or ErrTooLarge.
func Parse(schema string) (Schema, error) {
	tree, err := parseJSONTree(schema)
	if err != nil {
		return Schema{}, err
	}
	p := parser{names: map[string]*schemaType{}}
	root, err := p.parse(tree, "")
	if err != nil {
		return Schema{}, err
	}
	if err := p.encodeDefaults(); err != nil {
		return Schema{}, err
	}
	return Schema{
		FullName:  root.fullName(),
		Raw:       schema,
		Canonical: canonical(root, false),
		Normal:    canonical(root, true),
		root:      root,
	}, nil
}

// typeKind is the kind of an Avro type.
type typeKind uint8

const (
	kindNull typeKind = iota
	kindBoolean
	kindInt
	kindLong
	kindFloat
	kindDouble
	kindBytes
	kindString
	kindRecord
	kindEnum
	kindFixed
	kindArray
	kindMap
	kindUnion
)

var kindNames = [...]string{
	"null", "boolean", "int", "long", "float", "double", "bytes", "string",
	"record", "enum", "fixed", "array", "map", "union",
}

func (k typeKind) String() string { return kindNames[k] }

// primitiveKind is the primitive kind of that name.
func primitiveKind(name string) (typeKind, bool) {
	for k := kindNull; k <= kindString; k++ {
		if kindNames[k] == name {
			return k, true
		}
	}
	return 0, false
}

// schemaType is one type in a schema. A named type is one schemaType wherever the
// schema refers to it, so types form a graph that may have cycles.
type schemaType struct {
	kind    typeKind
	logical string // a logical type that this kind can have, "" otherwise
	// precision and scale are a decimal's.
	precision, scale int

	name, space string // named types
	isError     bool   // a record declared as an error
	doc         *string
	aliases     []string // full names
	props       []jsonMember

	fields   []*schemaField // record
	items    *schemaType    // array items, map values
	branches []*schemaType  // union
	symbols  []string       // enum
	fallback string         // enum default
	size     int            // fixed
}

// schemaField is one field of a record.
type schemaField struct {
	name    string
	typ     *schemaType
	doc     *string
	aliases []string
	order   string
	props   []jsonMember

	def        *jsonNode // nil without a default
	encoded    []byte    // the default in Avro
	isEncoding bool
}

func (t *schemaType) fullName() string { return qualify(t.space, t.name) }

func qualify(space, name string) string {
	if space == "" || name == "" {
		return name
	}
	return space + "." + name
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrSchema, fmt.Sprintf(format, args...))
}

func tooLarge(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrTooLarge, fmt.Sprintf(format, args...))
}
