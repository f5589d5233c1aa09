package schemas

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

// ErrSchema is wrapped by every error that ParseAvro returns for a text that is
// not a valid Avro schema; ErrSchemaTooLarge for one beyond the bounds.
var (
	ErrSchema         = errors.New("not an Avro schema")
	ErrSchemaTooLarge = errors.New("Avro schema too large")
)

// AvroSchema is a parsed Avro schema. It is never changed.
type AvroSchema struct {
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

	root *avroType
}

// ParseAvro parses a schema that may be hostile: its size, depth, fields and
// defaults are bounded, and the time that it takes is too. It knows no references
// to schemas elsewhere. An error wraps ErrSchema or ErrSchemaTooLarge.
func ParseAvro(schema string) (AvroSchema, error) {
	tree, err := parseJSONTree(schema)
	if err != nil {
		return AvroSchema{}, err
	}
	p := avroParser{names: map[string]*avroType{}}
	root, err := p.parse(tree, "")
	if err != nil {
		return AvroSchema{}, err
	}
	if err := p.encodeDefaults(); err != nil {
		return AvroSchema{}, err
	}
	return AvroSchema{
		FullName:  root.fullName(),
		Raw:       schema,
		Canonical: canonicalAvro(root, false),
		Normal:    canonicalAvro(root, true),
		root:      root,
	}, nil
}

// avroKind is the kind of an Avro type.
type avroKind uint8

const (
	avroNull avroKind = iota
	avroBoolean
	avroInt
	avroLong
	avroFloat
	avroDouble
	avroBytes
	avroString
	avroRecord
	avroEnum
	avroFixed
	avroArray
	avroMap
	avroUnion
)

var avroKindNames = [...]string{
	"null", "boolean", "int", "long", "float", "double", "bytes", "string",
	"record", "enum", "fixed", "array", "map", "union",
}

func (k avroKind) String() string { return avroKindNames[k] }

// avroPrimitive is the primitive kind of that name.
func avroPrimitive(name string) (avroKind, bool) {
	for k := avroNull; k <= avroString; k++ {
		if avroKindNames[k] == name {
			return k, true
		}
	}
	return 0, false
}

// avroType is one type in a schema. A named type is one avroType wherever the
// schema refers to it, so types form a graph that may have cycles.
type avroType struct {
	kind    avroKind
	logical string // a logical type that this kind can have, "" otherwise
	// precision and scale are a decimal's.
	precision, scale int

	name, space string // named types
	isError     bool   // a record declared as an error
	doc         *string
	aliases     []string // full names
	props       []jsonMember

	fields   []*avroField // record
	items    *avroType    // array items, map values
	branches []*avroType  // union
	symbols  []string     // enum
	fallback string       // enum default
	size     int          // fixed
}

// avroField is one field of a record.
type avroField struct {
	name    string
	typ     *avroType
	doc     *string
	aliases []string
	order   string
	props   []jsonMember

	def        *jsonNode // nil without a default
	encoded    []byte    // the default in Avro
	isEncoding bool
}

func (t *avroType) fullName() string { return qualify(t.space, t.name) }

func qualify(space, name string) string {
	if space == "" || name == "" {
		return name
	}
	return space + "." + name
}

func schemaError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrSchema, fmt.Sprintf(format, args...))
}

func schemaTooLarge(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrSchemaTooLarge, fmt.Sprintf(format, args...))
}
