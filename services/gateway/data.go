package gateway

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/relais-fr/relais/schemas"
)

// dataReadable decodes the data, framed Avro or JSON, and holds it against the
// published language.
func (h *hearing) dataReadable(ctx context.Context) error {
	payload, err := h.decode(ctx)
	if err != nil {
		return registryTrouble(err)
	}
	h.noteUse()
	if err := schemas.Validate(payload); err != nil {
		return err
	}
	h.payload = payload
	return nil
}

func (h *hearing) decode(ctx context.Context) (any, error) {
	switch mediaType(h.event.DataContentType) {
	case schemas.AvroContentType:
		return h.codec.Decode(ctx, h.event.Type, h.event.Data)
	case schemas.JSONContentType, "":
		data := h.event.Data
		if len(data) == 0 {
			// An event without fields may leave its data out.
			data = []byte("{}")
		}
		return schemas.ParseJSON(h.event.Type, data)
	}
	return nil, refuse(schemas.ReasonMalformed, "datacontenttype: %s or %s", schemas.JSONContentType, schemas.AvroContentType)
}

// mediaType is a content type in lower case without its parameters.
func mediaType(contentType string) string {
	name, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(name))
}

// registryTrouble keeps refusals and turns anything else that befalls the codec
// into "try again": a registry that does not answer says nothing of a schema.
func registryTrouble(err error) error {
	if refusal, ok := errors.AsType[*schemas.Refusal](err); ok {
		return refusal
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return &notReadyError{sentence: "The schema registry does not answer; try again in a moment.", err: err}
}

// dataCanonical encodes the data by the canonical schema. From here the bytes
// stay as they are.
func (h *hearing) dataCanonical(ctx context.Context) error {
	framed, err := h.codec.Encode(ctx, h.payload)
	if err != nil {
		return registryTrouble(err)
	}
	id, ok := schemas.SchemaID(framed)
	if !ok {
		panic("the codec's own framing cannot be read")
	}
	h.event.Data = framed
	h.event.DataContentType = schemas.AvroContentType
	h.event.DataSchema = h.schemaURL + strconv.Itoa(id)
	return nil
}
