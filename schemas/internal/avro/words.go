package avro

import (
	"fmt"
	"strings"
)

// maxWords bounds how much of a type is told.
const maxWords = 8

// String is the type in words: `long (timestamp-millis)`, `null or string`,
// `array of record Item`.
func (t *schemaType) String() string { return t.words(maxWords) }

func (t *schemaType) words(depth int) string {
	if depth == 0 {
		return "…"
	}
	text := t.kind.String()
	switch t.kind {
	case kindArray, kindMap:
		return text + " of " + t.items.words(depth-1)
	case kindUnion:
		return strings.Join(t.branchWords(depth), " or ")
	case kindRecord, kindEnum:
		return text + " " + t.fullName()
	case kindFixed:
		text = fmt.Sprintf("%s %s of %d bytes", text, t.fullName(), t.size)
	default:
	}
	switch t.logical {
	case "":
		return text
	case "decimal":
		return fmt.Sprintf("%s (decimal %d, %d)", text, t.precision, t.scale)
	default:
		return text + " (" + t.logical + ")"
	}
}

func (t *schemaType) branchWords(depth int) []string {
	var all []string
	for i, branch := range t.branches {
		if i == maxWords {
			return append(all, "…")
		}
		all = append(all, branch.words(depth-1))
	}
	return all
}

// remedy is what the author of a reader's schema can do. Writer is nil where the
// writer has nothing there.
func remedy(kind string, reader, writer *schemaType) string {
	switch kind {
	case IncompatibleNoDefault:
		return "Give the field a default, or take it out of your schema: there is data without it."
	case IncompatibleSymbols:
		return "Add the symbol to your enum, or give the enum a default."
	case IncompatibleUnionBranch:
		return fmt.Sprintf("Add %s to your union.", writer)
	case IncompatibleName:
		return fmt.Sprintf("Name your type %s, or have that name in its aliases.", writer.fullName())
	case IncompatibleFixedSize:
		return fmt.Sprintf("Give your %s the size %d.", reader.fullName(), writer.size)
	case IncompatibleLogicalType:
		return fmt.Sprintf("Declare it as %s: the same number means another time or amount otherwise.", writer)
	default:
		return fmt.Sprintf("Declare it as %s, or as a type that Avro reads it as.", writer)
	}
}
