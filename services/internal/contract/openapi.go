package contract

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/problem"
)

const about = "Relais is an exchange hub between public-service operators and local offices: it takes events in, keeps them in order per case, and delivers each to those it concerns, with proof. " +
	"Events are CloudEvents 1.0. Who takes Kafka finds the topics in " + AsyncAPIPath + "; people find everything at " + PagePath + "."

// version is the published language's: the `v1` in every type.
const version = "1"

// OpenAPI is the document of the HTTP doors.
func OpenAPI() object {
	paths := object{}
	for _, d := range Doors() {
		path, _ := paths[d.Path].(object)
		if path == nil {
			path = object{}
			paths[d.Path] = path
		}
		path[strings.ToLower(d.Method)] = d.operation()
	}
	var tags []any
	for _, g := range groups {
		tags = append(tags, object{"name": g.name, "description": g.text})
	}
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Relais: the HTTP doors", "version": version, "description": about,
			"contact": object{"name": "Whoever runs the hub"}, "license": object{"name": "See LICENSE"},
		},
		"servers": []any{object{"url": "/", "description": "The hub that serves this document"}},
		"tags":    tags,
		"paths":   paths,
		"components": object{
			"schemas":         components(),
			"securitySchemes": securitySchemes,
		},
	}
}

var securitySchemes = object{
	"bearer": object{"type": "http", "scheme": "bearer", "description": "An API key, or a token of the operator's OAuth2 client. On loopback dev-<participant>."},
	"basic":  object{"type": "http", "scheme": "basic", "description": "The participant as user, an API key as password: for clients that can do nothing else."},
}

// components are the schemas that others refer to.
func components() object {
	all := codeSchemas()
	for _, e := range schemas.Catalogue() {
		all[e.Name] = recordOf(e.Schema).jsonSchema()
		all[e.Name+"Event"] = eventSchema(e)
	}
	all["CloudEvent"] = cloudEvent()
	all["Problem"] = problemSchema()
	all["EventAnswer"] = answerSchema()
	return all
}

func problemSchema() object {
	var codes []any
	for _, d := range problem.Documents() {
		codes = append(codes, object{"const": d.Code, "title": d.Title, "description": d.TitleFR})
	}
	codes = append(codes, object{"type": "string", "title": "a code of a later version"})
	text := func(words string) object { return object{"type": "string", "description": words} }
	return object{
		"title": "A problem document (RFC 9457)", "type": "object", "required": []string{"type", "title", "status", "code"},
		"properties": object{
			"type": text("/problems/<code>"), "title": text("What is wrong, in English."), "status": object{"type": "integer"},
			"code":   object{"description": "Stable; programs go by it.", "anyOf": codes},
			"detail": text("What is at fault in this request."), "remedy": text("What to do."),
			"title_fr": text("Ce qui ne va pas."), "remedy_fr": text("Que faire."),
			"place": text("Where the submission stands, if it was taken."), "location": text("Where its outcome can be asked for."),
			"outcome": text("refusal, or repeat of one."),
		},
	}
}

func answerSchema() object {
	text := func(words string) object { return object{"type": "string", "description": words} }
	return object{
		"title": "What the hub says of one event", "type": "object",
		"properties": object{
			"line": object{"type": "integer", "description": "The line of a stream, from 1 on."}, "status": object{"type": "integer", "description": "What HTTP would say of this event alone, in a batch or a stream."},
			"id": text("The event's id."), "place": text("Where the submission stands, such as 3-1042: the one name of an event that is unique everywhere."),
			"location": text("Where its outcome can be asked for."), "outcome": object{"type": "string", "enum": []string{"fact", "refusal", "repeat", "pending"}},
			"sequence": text("The order of the fact in its dossier."),
			"first":    object{"type": "object", "description": "For a repeat, the first submission.", "properties": object{"place": object{"type": "string"}, "location": object{"type": "string"}, "reason": object{"type": "string"}}},
			"ignored":  object{"type": "array", "items": object{"type": "string"}, "description": "Attributes that were dropped."},
			"problem":  ref("Problem"),
		},
	}
}

// handedIn are the bodies that POST /v1/events takes.
func handedIn() object {
	var events, data []any
	mapping := object{}
	for _, e := range entries(sendable) {
		events = append(events, ref(e.Name+"Event"))
		data = append(data, ref(e.Name))
		mapping[e.Type] = "#/components/schemas/" + e.Name + "Event"
	}
	one := object{"anyOf": events, "discriminator": object{"propertyName": "type", "mapping": mapping}}
	return object{
		schemas.StructuredContentType: object{"schema": one, "examples": examples(sendable, func(e schemas.Entry) any { return Example(e) })},
		schemas.BatchContentType:      object{"schema": object{"type": "array", "items": one, "maxItems": 1000}, "examples": batches(sendable, Example)},
		"application/x-ndjson":        object{"schema": object{"type": "string", "description": "One CloudEvent in JSON a line."}},
		schemas.JSONContentType:       object{"schema": object{"anyOf": data, "description": "The data alone; the attributes are headers: ce-specversion, ce-id, ce-source, ce-type, ce-subject …"}},
		schemas.AvroContentType:       object{"schema": object{"description": "The data alone in Confluent's framing: 0x00, four bytes of schema id, Avro; the attributes are headers."}},
	}
}

// examples are those of the events that fit, by name.
func examples(fits func(schemas.Entry) bool, make func(schemas.Entry) any) object {
	all := object{}
	for _, e := range entries(fits) {
		all[e.Name] = object{"summary": e.NameEN + " — " + e.NameFR, "value": make(e)}
	}
	return all
}

func batches(fits func(schemas.Entry) bool, make func(schemas.Entry) object) object {
	return examples(fits, func(e schemas.Entry) any { return []any{make(e)} })
}

var pathParameter = regexp.MustCompile(`\{(\w+)\}`)

// operation is the door as OpenAPI has it.
func (d Door) operation() object {
	o := object{"operationId": d.id(), "tags": []string{d.Group}, "summary": d.Summary, "responses": d.responses()}
	if d.Text != "" {
		o["description"] = d.Text
	}
	var parameters []any
	for _, p := range d.params {
		parameters = append(parameters, object{"in": p.in, "name": p.name, "description": p.text, "schema": p.schema, "required": p.in == "path"})
	}
	if len(parameters) > 0 {
		o["parameters"] = parameters
	}
	if d.body != nil {
		o["requestBody"] = object{"required": true, "content": d.body}
	}
	o["security"] = []any{object{"bearer": []string{}}, object{"basic": []string{}}}
	if d.Who() == anybody {
		o["security"] = []any{}
	}
	o["x-who"] = d.Who()
	return o
}

// id is `getEventsPlace` for GET /v1/events/{place}.
func (d Door) id() string {
	var id strings.Builder
	id.WriteString(strings.ToLower(d.Method))
	path := pathParameter.ReplaceAllString(d.Path, "$1")
	if strings.HasSuffix(path, "/") {
		path += "else"
	}
	for _, part := range strings.FieldsFunc(strings.TrimPrefix(path, "/v1"), func(r rune) bool { return r == '/' || r == '.' }) {
		id.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return id.String()
}

// responses are the answers, and the problems by their status.
func (d Door) responses() object {
	all := object{}
	for status, answer := range d.answers {
		all[status] = answer
	}
	byStatus := map[string][]problem.Document{}
	for _, code := range d.problems {
		document := problem.New(code, "")
		status := strconv.Itoa(document.Status)
		byStatus[status] = append(byStatus[status], document)
	}
	for status, documents := range byStatus {
		cases, said := object{}, []string{}
		for _, document := range documents {
			cases[document.Code] = object{"summary": document.Title, "value": asObject(document)}
			said = append(said, fmt.Sprintf("`%s`: %s", document.Code, document.Title))
		}
		slices.Sort(said)
		all[status] = object{
			"description": strings.Join(slices.Compact(said), "\n\n"),
			"content":     object{problem.ContentType: object{"schema": ref("Problem"), "examples": cases}},
		}
	}
	return all
}

func asObject(v any) object {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("contract: %v", err))
	}
	var o object
	if err := json.Unmarshal(text, &o); err != nil {
		panic(fmt.Sprintf("contract: %v", err))
	}
	return o
}
