package courier

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
)

// marshal is the record as a CloudEvent in JSON, its data decoded. Data that we
// cannot decode, though somebody could write it, goes out as it is, in base64:
// the reader may know more than we do. The error is a *schemas.Refusal when the
// record is no event at all; any other passes.
func (c *Courier) marshal(ctx context.Context, r *broker.Record) ([]byte, error) {
	e, err := schemas.FromRecord(r.Headers, r.Value)
	if err != nil {
		return nil, err
	}
	var payload any
	if e.DataContentType == schemas.AvroContentType {
		payload, err = c.codec.Decode(ctx, e.Type, e.Data)
	} else {
		err = &schemas.Refusal{Reason: schemas.ReasonMalformed, Detail: "datacontenttype: not " + schemas.AvroContentType}
	}
	var refusal *schemas.Refusal
	switch {
	case errors.As(err, &refusal):
		return marshalRaw(e)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errRegistry, err)
	}
	return schemas.MarshalStructured(e, payload)
}

var errRegistry = errors.New("the schema registry does not answer; try again in a moment")

// marshalRaw writes the event with its data as bytes.
func marshalRaw(e schemas.Event) ([]byte, error) {
	event, err := schemas.MarshalStructured(e, nil)
	if err != nil || len(e.Data) == 0 {
		return event, err
	}
	contentType, err := json.Marshal(e.DataContentType)
	if err != nil {
		return nil, err
	}
	event = event[:len(event)-1]
	if e.DataContentType != "" {
		event = append(append(event, `,"datacontenttype":`...), contentType...)
	}
	event = append(event, `,"data_base64":"`...)
	event = base64.StdEncoding.AppendEncode(event, e.Data)
	return append(event, `"}`...), nil
}
