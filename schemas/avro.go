package schemas

import "github.com/relais-fr/relais/schemas/internal/avro"

// MaxSchemaBytes bounds the text of an Avro schema that comes from outside.
const MaxSchemaBytes = avro.MaxSchemaBytes

// ErrSchema is wrapped by every error that ParseAvro returns for a text that is
// not a valid Avro schema; ErrSchemaTooLarge for one beyond the bounds.
var (
	ErrSchema         = avro.ErrSchema
	ErrSchemaTooLarge = avro.ErrTooLarge
)

// AvroSchema is a parsed Avro schema: its full name, the text as it was given, and
// the canonical text by which two schemas are one and the same. It is never
// changed.
type AvroSchema = avro.Schema

// ParseAvro parses a schema that may be hostile: its size, depth, fields and
// defaults are bounded, and the time that it takes is too. It knows no references
// to schemas elsewhere. An error wraps ErrSchema or ErrSchemaTooLarge.
func ParseAvro(schema string) (AvroSchema, error) { return avro.Parse(schema) }

// Incompatibility is one reason for which a reader's schema cannot read what was
// written with a writer's: one of the kinds below, where in the reader's schema,
// and one line of English.
type Incompatibility = avro.Incompatibility

// The kinds of incompatibility, by the names that schema registries give them.
// IncompatibleLogicalType is our own: others let a reader take microseconds for
// milliseconds.
const (
	IncompatibleName        = avro.IncompatibleName
	IncompatibleFixedSize   = avro.IncompatibleFixedSize
	IncompatibleSymbols     = avro.IncompatibleSymbols
	IncompatibleNoDefault   = avro.IncompatibleNoDefault
	IncompatibleType        = avro.IncompatibleType
	IncompatibleUnionBranch = avro.IncompatibleUnionBranch
	IncompatibleLogicalType = avro.IncompatibleLogicalType
)

// CheckCompatibility says what keeps a reader's schema from reading data that was
// written with a writer's, by the rules of Avro 1.11 and one of ours: where both
// name a logical type, it is the same. Nothing means compatible. The error is
// ParseAvro's. For schemas that are parsed already it is AvroSchema.CannotRead.
func CheckCompatibility(reader, writer string) ([]Incompatibility, error) {
	return avro.CheckCompatibility(reader, writer)
}

// AvroReading turns data written with one schema into the same data as another would
// have written it, or says what is wrong with it and in which field. It is safe for
// concurrent use.
type AvroReading = avro.Reading

// NewAvroReading is how a consumer with the schema reader reads what writer wrote, within
// the hub's own bounds. reader.CannotRead(writer) has found nothing.
func NewAvroReading(reader, writer AvroSchema) *AvroReading {
	return avro.NewReading(reader, writer, MaxListItems)
}
