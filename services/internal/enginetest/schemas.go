package enginetest

import (
	"context"
	"fmt"

	"github.com/relais-fr/relais/schemas"
)

// Schemas is a schema registry that holds our canonical schemas, in the order of
// the catalogue from id 1.
type Schemas struct{}

var _ schemas.SchemaSource = Schemas{}

// Schema is the text of a schema.
func (Schemas) Schema(_ context.Context, id int) (string, error) {
	all := schemas.Catalogue()
	if id < 1 || id > len(all) {
		return "", fmt.Errorf("schema %d: %w", id, schemas.ErrUnknownSchema)
	}
	return all[id-1].Schema, nil
}

// ID is the id of our schema of an event type.
func (Schemas) ID(_ context.Context, typ string) (int, error) {
	for i, e := range schemas.Catalogue() {
		if e.Type == typ {
			return i + 1, nil
		}
	}
	return 0, fmt.Errorf("%s is no event of ours", typ)
}
