package contract

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/relais-fr/relais/schemas"
)

// AsyncAPI is the document of the topics, from the hub's side: it receives what
// participants hand in, and sends what it has for them.
func AsyncAPI(prefix string) object {
	messages := object{}
	var in, out []string
	for _, e := range schemas.Catalogue() {
		if sendable(e) {
			messages[e.Name+"JSON"] = structuredMessage(e)
			in = append(in, e.Name+"JSON", e.Name)
		}
		if len(e.Recipients) > 0 {
			out = append(out, e.Name)
		}
		if sendable(e) || len(e.Recipients) > 0 {
			messages[e.Name] = avroMessage(e)
		}
	}
	return object{
		"asyncapi": "3.0.0",
		"info": object{
			"title": "Relais: the topics", "version": version, "description": about,
			"license": object{"name": "See LICENSE"}, "contact": object{"name": "Whoever runs the hub"},
			"externalDocs": object{"description": "The HTTP doors, and everything for people, stand beside this document", "url": "https://github.com/relais-fr/relais"},
			"tags":         []any{object{"name": "cloudevents"}, object{"name": "avro"}},
		},
		"defaultContentType": schemas.AvroContentType,
		"servers": object{"kafka": object{
			"host": "{kafka}", "protocol": "kafka", "description": "The hub's Kafka; the schema registry is beside it.",
			"variables": object{"kafka": object{"default": "127.0.0.1:9092", "description": "Where Kafka is; the default is that of a hub on this machine."}},
			"security":  []any{object{"$ref": "#/components/securitySchemes/scram"}, object{"$ref": "#/components/securitySchemes/certificate"}},
			"bindings":  object{"kafka": object{"schemaRegistryUrl": "http://127.0.0.1:8081", "schemaRegistryVendor": "confluent", "bindingVersion": "0.5.0"}},
		}},
		"channels": object{
			"from": channel(prefix+".from.{participant}", "What a participant hands in. Only it may write there; key: the dossier, or none for an event that opens a case.", in),
			"to":   channel(prefix+".to.{participant}", "What the hub has for a participant: facts of its cases, its own included, and refusals of what it handed in. Only it may read there. Drop by submittedpartition and submittedoffset what you have.", out),
		},
		"operations": object{
			"handIn":  operation("receive", "from", "Hand an event in", in),
			"deliver": operation("send", "to", "Get an event", out),
		},
		"components": object{
			"messages": messages,
			"schemas":  asyncSchemas(),
			"securitySchemes": object{
				"scram":       object{"type": "scramSha512", "description": "The participant's name and password, where the hub runs with --secure."},
				"certificate": object{"type": "X509", "description": "A certificate whose common name is the participant, on a real Kafka."},
			},
		},
	}
}

func channel(address, text string, names []string) object {
	messages := object{}
	for _, name := range names {
		messages[name] = object{"$ref": "#/components/messages/" + name}
	}
	return object{
		"address": address, "description": text, "messages": messages,
		"servers":    []any{object{"$ref": "#/servers/kafka"}},
		"parameters": object{"participant": object{"description": "The participant's id, such as cnaf.", "examples": []string{exampleOperator}}},
	}
}

func operation(action, of, title string, names []string) object {
	var messages []any
	for _, name := range names {
		messages = append(messages, object{"$ref": "#/channels/" + of + "/messages/" + name})
	}
	return object{"action": action, "channel": object{"$ref": "#/channels/" + of}, "title": title, "messages": messages}
}

// message is what both forms of an event's message have.
func message(e schemas.Entry, form string) object {
	return object{
		"name": e.Type, "title": e.NameEN + " — " + e.NameFR + form, "summary": e.English, "description": e.French + " Who may send it: " + roles(e.Senders) + ". Who gets it: " + roles(e.Recipients) + ".",
	}
}

// avroMessage is an event in binary mode: attributes as headers, Avro as value.
func avroMessage(e schemas.Entry) object {
	var schema any
	if err := json.Unmarshal([]byte(e.Schema), &schema); err != nil {
		panic(fmt.Sprintf("contract: %v", err))
	}
	m := message(e, "")
	maps.Copy(m, object{
		"contentType":   schemas.AvroContentType,
		"correlationId": object{"location": "$message.header#/ce_" + schemas.AttrCorrelationID},
		"headers": object{"allOf": []any{
			object{"$ref": "#/components/schemas/Headers"},
			object{"type": "object", "properties": object{"ce_type": object{"const": e.Type}}},
		}},
		"payload":  object{"schemaFormat": "application/vnd.apache.avro;version=1.9.0", "schema": schema},
		"bindings": bindings("payload"),
		"examples": []any{object{
			"name": e.Name, "summary": "As its recipient gets it; days and times are numbers, as Avro has them.", "headers": exampleHeaders(e), "payload": recordOf(e.Schema).avroJSON(exampleData(e)),
		}},
	})
	return m
}

// structuredMessage is a whole event as JSON, which any tool can write.
func structuredMessage(e schemas.Entry) object {
	m := message(e, ", as JSON")
	maps.Copy(m, object{
		"contentType": schemas.StructuredContentType,
		"headers": object{
			"type": "object", "properties": object{"content-type": object{"type": "string", "const": schemas.StructuredContentType}}, "required": []string{"content-type"},
		},
		"payload":  object{"$ref": "#/components/schemas/" + e.Name + "Event"},
		"bindings": bindings(""),
		"examples": []any{object{
			"name": e.Name, "summary": "As its sender hands it in", "headers": object{"content-type": schemas.StructuredContentType}, "payload": Example(e),
		}},
	})
	return m
}

// bindings say how the message stands on Kafka: the schema's subject is its record's
// full name, as one topic has many types.
func bindings(idLocation string) object {
	kafka := object{
		"key":            object{"type": "string", "description": "The dossier: the subject up to ~. Placed as Java's default partitioner does (murmur2)."},
		"bindingVersion": "0.5.0",
	}
	if idLocation != "" {
		maps.Copy(kafka, object{"schemaIdLocation": idLocation, "schemaIdPayloadEncoding": "confluent", "schemaLookupStrategy": "RecordNameStrategy"})
	}
	return object{"kafka": kafka}
}

// asyncSchemas are the schemas that messages refer to.
func asyncSchemas() object {
	all := codeSchemas()
	for _, e := range entries(sendable) {
		all[e.Name] = recordOf(e.Schema).jsonSchema()
		all[e.Name+"Event"] = eventSchema(e)
	}
	all["CloudEvent"] = cloudEvent()
	properties := object{"content-type": object{"type": "string", "const": schemas.AvroContentType}, "ce_dataschema": object{"type": "string", "description": "The schema, at the registry."}}
	for _, group := range []map[string]attribute{standard, chosen, stamps} {
		for name, a := range group {
			properties["ce_"+name] = object{"type": "string", "description": a.text}
		}
	}
	all["Headers"] = object{
		"type": "object", "title": "A CloudEvent's attributes as record headers", "properties": properties,
		"required": []string{"content-type", "ce_specversion", "ce_id", "ce_source", "ce_type"},
	}
	return all
}

func exampleHeaders(e schemas.Entry) object {
	headers := object{"content-type": schemas.AvroContentType, "ce_dataschema": "http://127.0.0.1:8081/schemas/ids/1"}
	for name, value := range delivered(e) {
		if !slices.Contains([]string{"data", "datacontenttype"}, name) {
			headers["ce_"+name] = value
		}
	}
	return headers
}
