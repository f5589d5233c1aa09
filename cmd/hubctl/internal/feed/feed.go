// Package feed turns lines of files into events that the hub takes: whole
// CloudEvents in JSON, and the neutral feed that an office's software exports.
//
// It knows how a line maps to an event and which line must be handed in before
// which. It leaves to the hub whether the event is right, and to package bulk how
// it gets there.
package feed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/relais-fr/relais/schemas"
)

// Event is what a line says, ready to be handed in.
type Event struct {
	// JSON is one CloudEvent in JSON, without a line break.
	JSON []byte
	// Name is the event's name, such as VisitRecorded; "" when it is not known.
	Name string
	// Dossier is what keeps one order; "" when it is not known.
	Dossier string
	// First says that the event opens the dossier: every other one of it must come
	// after.
	First bool
}

// Format reads one kind of line. It is safe for concurrent use.
type Format interface {
	// Outline is what Event would say, but for JSON, and quicker. It may leave
	// Dossier empty where Event fails.
	Outline(line []byte) Event
	// Event maps a line. The error is a *schemas.Refusal: the line cannot be made
	// an event.
	Event(line []byte) (Event, error)
}

// CloudEvents are lines that each are a structured CloudEvent already. They are
// handed in as they are.
type CloudEvents struct {
	// History marks every event as a record of the past.
	History bool
}

var _ Format = CloudEvents{}

// Outline reads what must be known to keep the order.
func (f CloudEvents) Outline(line []byte) Event {
	e, _ := schemas.ParseStructured(line)
	return outline(e)
}

func outline(e schemas.Event) Event {
	entry, ok := schemas.Lookup(e.Type)
	out := Event{Name: entry.Name, Dossier: schemas.Dossier(e.Subject)}
	out.First = ok && entry.Opens && e.Subject == out.Dossier
	return out
}

// Event passes the line on. What is wrong with it the hub will say, line by line.
func (f CloudEvents) Event(line []byte) (Event, error) {
	e, err := schemas.ParseStructured(line)
	out := outline(e)
	out.JSON = line
	if !f.History {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	return f.past(e, out)
}

// past writes the event again with the mark.
func (f CloudEvents) past(e schemas.Event, out Event) (Event, error) {
	if e.DataContentType != "" && e.DataContentType != schemas.JSONContentType {
		return out, &schemas.Refusal{Reason: schemas.ReasonMalformed, Detail: "datacontenttype: to mark events as history their data must be " + schemas.JSONContentType}
	}
	extensions := map[string]string{schemas.AttrHistory: "true"}
	for name, value := range e.Extensions {
		if name != schemas.AttrHistory {
			extensions[name] = value
		}
	}
	e.Extensions = extensions
	var err error
	if out.JSON, err = Marshal(e); err != nil {
		return out, asRefusal(err)
	}
	return out, nil
}

// Marshal writes an event whose data is JSON already, or absent, as one CloudEvent
// in JSON on one line. The data is not judged: that is the hub's affair.
func Marshal(e schemas.Event) ([]byte, error) {
	text, err := schemas.MarshalStructured(e, nil)
	if err != nil || len(e.Data) == 0 {
		return text, err
	}
	out := bytes.NewBuffer(text[:len(text)-1])
	out.WriteString(`,"datacontenttype":"` + schemas.JSONContentType + `","data":`)
	if err := json.Compact(out, e.Data); err != nil {
		return nil, fmt.Errorf("data is not JSON: %w", err)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// asRefusal is err as a *schemas.Refusal.
func asRefusal(err error) *schemas.Refusal {
	if r, ok := errors.AsType[*schemas.Refusal](err); ok {
		return r
	}
	return &schemas.Refusal{Reason: schemas.ReasonMalformed, Detail: err.Error()}
}
