package contract

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/relais-fr/relais/schemas"
)

// The cases that the examples are about: those of the catalogue's.
const (
	exampleReferral    = "0198f3c2-6a41-7c3e-9b1d-2f4c8a7e5d10"
	exampleAppointment = exampleReferral + "~0198f5aa-93de-7d11-a0c4-b87f2e6c1d39"
	exampleVisit       = "0198f3bf-0d55-7e62-8f1a-94c6d2b0e7a8"
	exampleOffice      = "fs-563"
	exampleOperator    = "cnaf"
	exampleTime        = "2026-05-14T09:30:00Z"
)

// sendable says whether somebody other than the hub may hand the event in.
func sendable(e schemas.Entry) bool {
	return slices.ContainsFunc(e.Senders, func(r schemas.Role) bool { return r != schemas.RoleHub })
}

// entries are the events of the catalogue that fit, in the order of the story.
func entries(fits func(schemas.Entry) bool) []schemas.Entry {
	return slices.DeleteFunc(schemas.Catalogue(), func(e schemas.Entry) bool { return !fits(e) })
}

// exampleData is the data of an event's example, as JSON.
func exampleData(e schemas.Entry) object {
	text, err := schemas.FormatJSON(e.Example)
	if err != nil {
		panic(fmt.Sprintf("contract: %v", err))
	}
	var data object
	if err := json.Unmarshal(text, &data); err != nil {
		panic(fmt.Sprintf("contract: %v", err))
	}
	return data
}

// ExampleSender is who hands in the example of an event.
func ExampleSender(e schemas.Entry) string {
	switch {
	case !sendable(e):
		return schemas.HubParticipant
	case e.Kind == schemas.KindVisit:
		// A visit is told by the office where it was.
		if office, ok := exampleData(e)["office"].(string); ok {
			return office
		}
		return exampleOffice
	case slices.Contains(e.Senders, schemas.RoleOffice), slices.Contains(e.Senders, schemas.RoleSender):
		return exampleOffice
	}
	return exampleOperator
}

func exampleSubject(e schemas.Entry) string {
	switch e.Kind {
	case schemas.KindAppointment:
		return exampleAppointment
	case schemas.KindVisit:
		return exampleVisit
	case schemas.KindReferral, schemas.KindHub:
	}
	return exampleReferral
}

// Example is a whole event of the catalogue as a CloudEvent in JSON, as its sender
// hands it in.
func Example(e schemas.Entry) object {
	system := "software"
	switch {
	case e.Type == schemas.TypeSubmissionRefused || e.Type == schemas.TypeSubmissionRepeated:
		system = "ledger"
	case !sendable(e):
		system = "clock"
	}
	return object{
		"specversion": "1.0", "id": "example-" + e.Name, "source": schemas.Source(ExampleSender(e), system), "type": e.Type,
		"subject": exampleSubject(e), "time": exampleTime, "datacontenttype": schemas.JSONContentType, "data": exampleData(e),
	}
}

// delivered is the example as its recipient gets it.
func delivered(e schemas.Entry) object {
	o := Example(e)
	for name, value := range stamps {
		o[name] = value.example
	}
	o["partitionkey"] = schemas.Dossier(exampleSubject(e))
	return o
}

// attribute is an attribute of an event, in words.
type attribute struct{ text, example string }

// standard are the attributes that CloudEvents itself has, as everybody sends them.
var standard = map[string]attribute{
	"specversion": {"The version of CloudEvents, 1.0.", "1.0"},
	"id":          {"The event's id, unique with its source. Repeat it unchanged to try again: the hub recognises what it has.", ""},
	"source":      {"/participants/<participant>/<system>: who hands in, and with what.", ""},
	"type":        {"The event's type, of the catalogue.", ""},
	"subject":     {"The id of the case: a UUID, or <own participant id>.<own string>; a further case of a dossier is <dossier>~<own>.", ""},
	"time":        {"When it happened, by the sender's word (RFC 3339).", ""},
}

// chosen are the extension attributes that a sender may set.
var chosen = map[string]attribute{
	schemas.AttrCorrelationID: {"An id of the sender's own, handed on as it is.", "folder-118204"},
	schemas.AttrTraceParent:   {"The trace that the event began in (W3C).", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
	schemas.AttrPriority:      {"A code of the table priority.", "normal"},
	schemas.AttrLegalBasis:    {"A code of the table legal_basis.", ""},
	schemas.AttrMandate:       {"The id of the mandate under which it is handed in.", ""},
	schemas.AttrHistory:       {"`true` for what happened before the hub was there.", ""},
}

// stamps are the attributes that the hub adds to what it delivers.
var stamps = map[string]attribute{
	schemas.AttrReceivedTime:       {"When the hub received it.", "2026-05-14T09:30:00.120Z"},
	schemas.AttrSequence:           {"The order of facts in the dossier, ten digits.", "0000000001"},
	schemas.AttrSubmittedPartition: {"With submittedoffset the event's place: drop what you have by it.", "3"},
	schemas.AttrSubmittedOffset:    {"With submittedpartition the event's place. Per partition it only grows, but for what is replayed.", "1042"},
	schemas.AttrRecipient:          {"Whose copy it is.", exampleOperator},
	schemas.AttrRules:              {"The version of the hub's rules that judged it.", "1"},
}

// eventSchema is a whole event of the catalogue in JSON.
func eventSchema(e schemas.Entry) object {
	return object{
		"title": e.NameEN, "description": e.English + " — " + e.French,
		"allOf": []any{
			object{"$ref": "#/components/schemas/CloudEvent"},
			object{"type": "object", "properties": object{"type": object{"const": e.Type}, "data": object{"$ref": "#/components/schemas/" + e.Name}}},
		},
	}
}

// cloudEvent is what all events have in common.
func cloudEvent() object {
	properties := object{
		"datacontenttype": object{"type": "string", "description": "The media type of data: " + schemas.JSONContentType + "."},
		"dataschema":      object{"type": "string", "description": "The schema that the data was written with, at the registry."},
		"data":            object{"description": "The event's fields."},
		"data_base64":     object{"type": "string", "contentEncoding": "base64", "description": "Data that is no JSON."},
	}
	for _, group := range []map[string]attribute{standard, chosen, stamps} {
		for name, a := range group {
			properties[name] = object{"type": "string", "description": a.text}
		}
	}
	return object{
		"type": "object", "title": "A CloudEvent 1.0 in JSON", "properties": properties,
		"required": []string{"specversion", "id", "source", "type"},
	}
}
