package schemas

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"

	"github.com/relais-fr/relais/schemas/internal/strictjson"
)

// ParseStructured reads one CloudEvent in JSON. Its data stays as it is: the text
// of the member data, or the bytes of data_base64. Data is otherwise only bounded:
// ParseJSON reads it.
//
// An error is a *Refusal; the event then holds what could be read all the same.
func ParseStructured(data []byte) (Event, error) {
	if len(data) > MaxEventBytes {
		return Event{}, refuse(ReasonTooLarge, fmt.Sprintf("the event has %d bytes, the limit is %d", len(data), MaxEventBytes))
	}
	p := structuredParser{r: strictjson.New(data)}
	if !p.r.Members(p.member) || !p.r.End() {
		return Event{}, refuse(ReasonMalformed, "the CloudEvent cannot be read as JSON: "+p.r.Fault())
	}
	p.setData()
	return p.b.finish()
}

type structuredParser struct {
	r           strictjson.Scanner
	b           eventBuilder
	contentType string
	// data and encoded are the JSON texts of data and data_base64, nil when absent.
	data, encoded []byte
	members       int
}

// member takes one member of the event; null is the same as absent.
func (p *structuredParser) member(name []byte) bool {
	if p.members++; p.members > MaxHeaders {
		return p.r.Fail("too many members")
	}
	switch string(name) {
	case "data":
		return p.once(&p.data, "data")
	case "data_base64":
		return p.once(&p.encoded, "data_base64")
	}
	key := string(name)
	value, isPresent, ok := p.attribute(key)
	switch {
	case !ok || !isPresent:
		return ok
	case key != "datacontenttype":
		p.b.set(key, value)
	case p.contentType != "":
		p.b.refuse(ReasonMalformed, "the attribute %s stands there twice", key)
	default:
		p.contentType = value
	}
	return true
}

func (p *structuredParser) once(into *[]byte, name string) bool {
	// The depth is that of the data's own, plus the event around it.
	value, ok := p.r.Skip(MaxJSONDepth)
	if *into != nil {
		p.b.refuse(ReasonMalformed, "the member %s stands there twice", name)
	}
	if ok && string(value) != "null" {
		*into = value
	}
	return ok
}

// attribute reads the value of an attribute as a header has it: CloudEvents lets
// an extension be a boolean or a whole number too.
func (p *structuredParser) attribute(name string) (value string, isPresent, ok bool) {
	p.r.Space()
	if p.r.Peek() == '"' {
		text, ok := p.r.Text("a string")
		return string(text), ok, ok
	}
	raw, ok := p.r.Skip(MaxJSONDepth)
	if !ok || string(raw) == "null" {
		return "", false, ok
	}
	switch name {
	case "specversion", "id", "source", "type", "subject", "time", "dataschema", "datacontenttype":
	default:
		if raw[0] != '{' && raw[0] != '[' && (raw[0] == 't' || raw[0] == 'f' || !bytes.ContainsAny(raw, ".eE")) {
			return string(raw), true, true
		}
	}
	p.b.refuse(ReasonMalformed, "the attribute %.60q is not a string", name)
	return "", false, true
}

// setData takes the data, in one of its two forms.
func (p *structuredParser) setData() {
	switch {
	case p.data != nil && p.encoded != nil:
		p.b.refuse(ReasonMalformed, "the event has both data and data_base64")
	case p.data != nil:
		if media, err := dataMedia(p.contentType, []byte("{")); err != nil || media != JSONContentType {
			p.b.refuse(ReasonMalformed, "data is JSON and datacontenttype says otherwise: send other data as data_base64")
			return
		}
		p.b.setData(JSONContentType, p.data)
	case p.encoded != nil:
		r := strictjson.New(p.encoded)
		text, _ := r.Text("a string")
		raw, err := base64.StdEncoding.Strict().AppendDecode(nil, text)
		if r.Fault() != "" || err != nil {
			p.b.refuse(ReasonMalformed, "data_base64 is not base64")
			return
		}
		p.b.setData(p.contentType, raw)
	}
}

// SplitBatch gives the texts of the events of a JSON batch, each of them JSON but
// not judged otherwise, so that they can be answered one by one. The error is a
// *Refusal of the batch as a whole: not a JSON list, or more than most events.
func SplitBatch(data []byte, most int) ([][]byte, error) {
	r := strictjson.New(data)
	var events [][]byte
	ok := r.Items(func() bool {
		if len(events) == most {
			return false
		}
		event, ok := r.Skip(MaxJSONDepth + 1)
		events = append(events, event)
		return ok
	})
	if !ok && r.Fault() == "" {
		return nil, refuse(ReasonTooLarge, fmt.Sprintf("the batch has more than %d events", most))
	}
	if !r.End() {
		return nil, refuse(ReasonMalformed, "the batch is not a JSON list of events: "+r.Fault())
	}
	return events, nil
}

// MarshalStructured is the event as one CloudEvent in JSON, with the payload as
// its data; a nil payload is no data. Its members always stand in the same order.
// The error is FormatJSON's.
func MarshalStructured(e Event, payload any) ([]byte, error) {
	b := append(make([]byte, 0, 1024), `{"specversion":"1.0"`...)
	add := func(name, value string) {
		if value != "" {
			b = append(strictjson.AppendString(append(b, ','), name), ':')
			b = strictjson.AppendString(b, value)
		}
	}
	add("id", e.ID)
	add("source", e.Source)
	add("type", e.Type)
	add("subject", e.Subject)
	add("time", formatTime(e.Time))
	add("dataschema", e.DataSchema)
	for _, name := range slices.Sorted(maps.Keys(e.Extensions)) {
		add(name, e.Extensions[name])
	}
	if payload == nil {
		return append(b, '}'), nil
	}
	data, err := FormatJSON(payload)
	if err != nil {
		return nil, err
	}
	add("datacontenttype", JSONContentType)
	return append(append(append(b, `,"data":`...), data...), '}'), nil
}
