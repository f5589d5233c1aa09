package contract

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/relais-fr/relais/schemas"
)

// avroType is an Avro type as a schema of ours writes it: the name of a primitive
// type, a list for a union, or an object.
type avroType any

// avroRecord is a record schema of ours.
type avroRecord struct {
	Name   string      `json:"name"`
	Doc    string      `json:"doc"`
	Fields []avroField `json:"fields"`
}

type avroField struct {
	Name    string          `json:"name"`
	Type    avroType        `json:"type"`
	Default json.RawMessage `json:"default"`
	Doc     string          `json:"doc"`
	Codes   string          `json:"codes"`

	Sensitivity string `json:"sensitivity"`
	Purpose     string `json:"purpose"`
	Retention   string `json:"retention"`
}

// recordOf reads a schema of the catalogue, which is always a record.
func recordOf(schema string) avroRecord {
	var r avroRecord
	if err := json.Unmarshal([]byte(schema), &r); err != nil {
		panic(fmt.Sprintf("contract: %v", err))
	}
	return r
}

// asRecord is the record that a type is.
func asRecord(t avroType) avroRecord {
	text, err := json.Marshal(t)
	if err != nil {
		panic(fmt.Sprintf("contract: %v", err))
	}
	return recordOf(string(text))
}

// required says whether the field must be there.
func (f avroField) required() bool { return f.Default == nil }

// plain is the type of a field that may be absent, without null.
func plain(t avroType) (of avroType, nullable bool) {
	union, ok := t.([]any)
	if !ok {
		return t, false
	}
	rest := slices.DeleteFunc(slices.Clone(union), func(b any) bool { return b == "null" })
	if len(rest) != 1 {
		panic(fmt.Sprintf("contract: a union of several types: %v", union))
	}
	return rest[0], len(rest) < len(union)
}

// kindOf is the name of a type, and its logical type.
func kindOf(t avroType) (kind, logical string) {
	switch t := t.(type) {
	case string:
		return t, ""
	case object:
		kind, _ = t["type"].(string)
		logical, _ = t["logicalType"].(string)
	}
	return kind, logical
}

// jsonSchema is a record's data as JSON, as schemas.ParseJSON reads it.
func (r avroRecord) jsonSchema() object {
	properties, required := object{}, []string{}
	for _, f := range r.Fields {
		properties[f.Name] = f.jsonSchema()
		if f.required() {
			required = append(required, f.Name)
		}
	}
	o := object{"type": "object", "properties": properties, "additionalProperties": false}
	if r.Doc != "" {
		o["description"] = r.Doc
	}
	if len(required) > 0 {
		o["required"] = required
	}
	return o
}

func (f avroField) jsonSchema() object {
	t, nullable := plain(f.Type)
	o := jsonType(t, f.Codes)
	if nullable {
		o = object{"anyOf": []any{o, object{"type": "null"}}}
	}
	o["description"] = f.Doc
	for key, value := range map[string]string{"x-sensitivity": f.Sensitivity, "x-purpose": f.Purpose, "x-retention": f.Retention} {
		if value != "" {
			o[key] = value
		}
	}
	return o
}

// jsonType is a type in JSON Schema. A string with a table of codes refers to it.
func jsonType(t avroType, codes string) object {
	kind, logical := kindOf(t)
	switch kind {
	case "boolean":
		return object{"type": "boolean"}
	case "int", "long":
		switch {
		case logical == "date":
			return object{"type": "string", "format": "date"}
		case strings.HasPrefix(logical, "timestamp-"):
			return object{"type": "string", "format": "date-time"}
		case kind == "int":
			return object{"type": "integer", "format": "int32"}
		}
		return object{"type": "integer", "format": "int64"}
	case "float", "double":
		return object{"type": "number"}
	case "bytes":
		return object{"type": "string", "contentEncoding": "base64"}
	case "string":
		if codes != "" {
			return object{"$ref": "#/components/schemas/" + codesName(codes)}
		}
		return object{"type": "string"}
	case "array":
		return object{"type": "array", "items": jsonType(t.(object)["items"], codes), "maxItems": schemas.MaxListItems}
	case "record":
		return asRecord(t).jsonSchema()
	}
	panic(fmt.Sprintf("contract: no JSON for the type %v", t))
}

// words is a field's type for a reader.
func words(t avroType) string {
	t, _ = plain(t)
	kind, logical := kindOf(t)
	switch {
	case logical == "date":
		return "day, 2026-05-14"
	case strings.HasPrefix(logical, "timestamp-"):
		return "time, 2026-05-14T09:30:00Z"
	case kind == "array":
		return "list of " + words(t.(object)["items"])
	case kind == "bytes":
		return "bytes, base64 in JSON"
	case kind == "record":
		var fields []string
		for _, f := range asRecord(t).Fields {
			fields = append(fields, f.Name)
		}
		return "object with " + strings.Join(fields, ", ")
	}
	return kind
}

// codesName is the name of a code table among the components.
func codesName(table string) string { return "code_" + table }

// codeSchemas are the code tables: each code with its label in English and French,
// and any other string, as a later version may have more.
func codeSchemas() object {
	all := object{}
	for _, table := range schemas.CodeTables() {
		var choices []any
		for _, c := range table.Codes {
			choices = append(choices, object{"const": c.Name, "title": c.English, "description": c.French})
		}
		choices = append(choices, object{"type": "string", "title": "a code of a later version", "description": "un code d'une version ultérieure"})
		all[codesName(table.Name)] = object{"title": table.English, "description": table.French, "anyOf": choices}
	}
	return all
}

// avroJSON is a value as Avro's own JSON would have it, for readers of the Avro
// schema: times and days are numbers, bytes are characters.
func (r avroRecord) avroJSON(data object) object {
	o := object{}
	for _, f := range r.Fields {
		value, ok := data[f.Name]
		switch {
		case ok:
			t, _ := plain(f.Type)
			o[f.Name] = avroValue(t, value)
		case f.Default != nil:
			var value any
			if err := json.Unmarshal(f.Default, &value); err != nil {
				panic(fmt.Sprintf("contract: %v", err))
			}
			o[f.Name] = value
		}
	}
	return o
}

func avroValue(t avroType, value any) any {
	kind, logical := kindOf(t)
	switch {
	case logical == "date":
		day, err := schemas.ParseDay(value.(string))
		if err != nil {
			panic(fmt.Sprintf("contract: %v", err))
		}
		return int(day)
	case strings.HasPrefix(logical, "timestamp-"):
		instant, err := time.Parse(time.RFC3339, value.(string))
		if err != nil {
			panic(fmt.Sprintf("contract: %v", err))
		}
		return instant.UnixMilli()
	case kind == "record":
		return asRecord(t).avroJSON(value.(object))
	case kind == "array":
		list := []any{}
		for _, item := range value.([]any) {
			list = append(list, avroValue(t.(object)["items"], item))
		}
		return list
	}
	return value
}
