package registry

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The calls that serializers make, with the answers that their clients expect.
func TestCallsOfSerializers(t *testing.T) {
	startNode(t, newMemoryLog()).play(t, `
		GET /
		200 {}
		GET /subjects
		200 []
		POST /subjects/a-value/versions {"schema":"\"string\""}
		200 {"id":1}
		# the same schema again, in another form, and under another subject
		POST /subjects/a-value/versions {"schema":"{\"type\":\"string\"}","schemaType":"AVRO","unknown":1,"references":[],"metadata":null}
		200 {"id":1}
		POST /subjects/b-value/versions {"schema":" \"string\" "}
		200 {"id":1}
		POST /subjects/a-value/versions?normalize=True {"schema":"\"bytes\""}
		200 {"id":2}
		POST /subjects/a-value {"schema":"\"bytes\""}
		200 {"subject":"a-value","version":2,"id":2,"schema":"\"bytes\""}
		POST /subjects/a-value {"schema":"\"int\""}
		404 {"error_code":40403,"message":"Schema not found"}
		POST /subjects/none {"schema":"\"int\""}
		404 {"error_code":40401,"message":"Subject 'none' not found."}
		GET /schemas/ids/2
		200 {"schema":"\"bytes\""}
		GET /schemas/ids/2?fetchMaxId=true&subject=x&format=resolved
		200 {"maxId":2,"schema":"\"bytes\""}
		GET /schemas/ids/3
		404 {"error_code":40403,"message":"Schema 3 not found"}
		GET /schemas/ids/x
		404 {"error_code":404,"message":"HTTP 404 Not Found"}
		GET /schemas/ids/1/schema
		200 "string"
		GET /schemas/ids/1/subjects
		200 ["a-value","b-value"]
		GET /schemas/ids/1/versions
		200 [{"subject":"a-value","version":1},{"subject":"b-value","version":1}]
		GET /schemas/types
		200 ["AVRO"]
		GET /schemas?latestOnly=true
		200 [{"subject":"a-value","version":2,"id":2,"schema":"\"bytes\""},{"subject":"b-value","version":1,"id":1,"schema":"\"string\""}]
		GET /schemas?subjectPrefix=b
		200 [{"subject":"b-value","version":1,"id":1,"schema":"\"string\""}]
		GET /subjects?subjectPrefix=:*:
		200 ["a-value","b-value"]
		GET /subjects?offset=1&limit=5
		200 ["b-value"]
		GET /subjects/a-value/versions
		200 [1,2]
		GET /subjects/none/versions
		404 {"error_code":40401,"message":"Subject 'none' not found."}
		GET /subjects/a-value/versions/latest
		200 {"subject":"a-value","version":2,"id":2,"schema":"\"bytes\""}
		GET /subjects/a-value/versions/-1
		200 {"subject":"a-value","version":2,"id":2,"schema":"\"bytes\""}
		GET /subjects/a-value/versions/1
		200 {"subject":"a-value","version":1,"id":1,"schema":"\"string\""}
		GET /subjects/a-value/versions/3
		404 {"error_code":40402,"message":"Version 3 not found."}
		GET /subjects/none/versions/3
		404 {"error_code":40401,"message":"Subject 'none' not found."}
		GET /subjects/a-value/versions/0
		422 {"error_code":42202,"message":"The specified version '0' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\""}
		GET /subjects/a-value/versions/2147483648
		422 {"error_code":42202,"message":"The specified version '2147483648' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\""}
		GET /subjects/a-value/versions/2/schema
		200 "bytes"
		GET /subjects/a-value/versions/2/referencedby
		200 []
		GET /subjects/a-value/metadata
		200 {"subject":"a-value","version":2,"id":2,"schema":"\"bytes\""}
		GET /subjects/a-value/metadata?key=k&value=v
		404 {"error_code":40403,"message":"Schema not found"}
		GET /contexts
		200 ["."]
		GET /associations/resources/-/orders?resourceType=topic&associationType=value
		200 []
		GET /v1/metadata/id
		200 {"scope":{"path":[],"clusters":{"kafka-cluster":"relais","schema-registry-cluster":"schema-registry"}},"id":""}
	`)
}

func TestCallsThatAreRefused(t *testing.T) {
	startNode(t, newMemoryLog()).play(t, `
		POST /subjects/a/versions {"schema":"\"strang\""}
		422 {"error_code":42201,"message":"Invalid schema: not an Avro schema: the type \"strang\" is not defined"}
		POST /subjects/a/versions {"schema":""}
		422 {"error_code":42201,"message":"Invalid schema: it is empty."}
		POST /subjects/a/versions {"schema":"syntax","schemaType":"PROTOBUF"}
		422 {"error_code":42201,"message":"Invalid schema type \"PROTOBUF\": this registry keeps AVRO."}
		POST /subjects/a/versions {"schema":"\"int\"","references":[{"name":"x"}]}
		422 {"error_code":42201,"message":"Invalid schema: references are not kept here, put the types into the schema."}
		POST /subjects/a/versions {"schema":"\"int\"","metadata":{"properties":{"a":"b"}}}
		422 {"error_code":42201,"message":"Invalid schema: metadata is not kept here."}
		POST /subjects/a/versions {"schema":"\"int\"","ruleSet":{"domainRules":[]}}
		422 {"error_code":42210,"message":"Rule sets are not kept here."}
		POST /subjects/a/versions {"schema":"\"int\"","id":7}
		422 {"error_code":42205,"message":"Subject a is not in import mode"}
		POST /subjects/a/versions {"schema":"\"int\"","version":7}
		422 {"error_code":42201,"message":"Version is not one more than previous version"}
		POST /subjects/__GLOBAL/versions {"schema":"\"int\""}
		422 {"error_code":42208,"message":"The specified subject is not a valid subject."}
		POST /subjects/a%00/versions {"schema":"\"int\""}
		422 {"error_code":42208,"message":"The specified subject is not a valid subject."}
		POST /subjects/a/versions nonsense
		400 {"error_code":400,"message":"The request is not the JSON that belongs here: invalid character 'o' in literal null (expecting 'u')"}
		# what is not offered is not found: a 5xx would be tried again
		GET /dek-registry/v1/keks
		404 {"error_code":404,"message":"HTTP 404 Not Found"}
		PATCH /subjects
		404 {"error_code":404,"message":"HTTP 404 Not Found"}
		GET /subjects
		200 []
	`)
}

func TestSubjectsWithSlashesAndContexts(t *testing.T) {
	startNode(t, newMemoryLog()).play(t, `
		POST /subjects/a%2Fb%20c/versions {"schema":"\"string\""}
		200 {"id":1}
		GET /subjects/a%2Fb%20c/versions
		200 [1]
		POST /subjects/a%2F%2Fb/versions {"schema":"\"string\""}
		200 {"id":1}
		POST /subjects/:.team:x/versions {"schema":"\"int\""}
		200 {"id":2}
		GET /subjects/%3A.team%3Ax/versions/latest
		200 {"subject":":.team:x","version":1,"id":2,"schema":"\"int\""}
		GET /subjects
		200 [":.team:x","a//b","a/b c"]
		GET /contexts
		200 [".",".team"]
		# the default context is part of no name
		GET /subjects/:.:a%2Fb%20c/versions
		200 [1]
		GET /subjects?subjectPrefix=:.:a
		200 ["a//b","a/b c"]
	`)
}

func TestDeleting(t *testing.T) {
	startNode(t, newMemoryLog()).play(t, `
		PUT /config {"compatibility":"NONE"}
		200 {"compatibility":"NONE"}
		POST /subjects/a/versions {"schema":"\"string\""}
		200 {"id":1}
		POST /subjects/a/versions {"schema":"\"int\""}
		200 {"id":2}
		POST /subjects/a/versions {"schema":"\"long\""}
		200 {"id":3}
		DELETE /subjects/a/versions/2?permanent=true
		404 {"error_code":40407,"message":"Subject 'a' Version 2 was not deleted first before being permanently deleted"}
		DELETE /subjects/a/versions/2
		200 2
		DELETE /subjects/a/versions/2
		404 {"error_code":40406,"message":"Subject 'a' Version 2 was soft deleted. Set permanent=true to delete permanently"}
		DELETE /subjects/a/versions/9
		404 {"error_code":40402,"message":"Version 9 not found."}
		DELETE /subjects/none/versions/1
		404 {"error_code":40401,"message":"Subject 'none' not found."}
		GET /subjects/a/versions
		200 [1,3]
		GET /subjects/a/versions?deleted=true
		200 [1,2,3]
		GET /subjects/a/versions?deletedOnly=True
		200 [2]
		GET /subjects/a/versions/2
		404 {"error_code":40402,"message":"Version 2 not found."}
		GET /subjects/a/versions/2?deleted=true
		200 {"subject":"a","version":2,"id":2,"schema":"\"int\""}
		# what was written with it can still be read
		GET /schemas/ids/2
		200 {"schema":"\"int\""}
		GET /schemas/ids/2/versions
		200 []
		GET /schemas/ids/2/versions?deleted=true
		200 [{"subject":"a","version":2}]
		POST /subjects/a {"schema":"\"int\""}
		404 {"error_code":40403,"message":"Schema not found"}
		POST /subjects/a?deleted=true {"schema":"\"int\""}
		200 {"subject":"a","version":2,"id":2,"schema":"\"int\""}
		# registered again it keeps its id and gets the next version
		POST /subjects/a/versions {"schema":"\"int\""}
		200 {"id":2}
		GET /subjects/a/versions
		200 [1,3,4]
		DELETE /subjects/a/versions/2?permanent=true
		200 2
		GET /subjects/a/versions?deleted=true
		200 [1,3,4]
		DELETE /subjects/a/versions/latest
		200 4
		DELETE /subjects/a?permanent=true
		404 {"error_code":40405,"message":"Subject 'a' was not deleted first before being permanently deleted"}
		DELETE /subjects/a
		200 [1,3]
		DELETE /subjects/a
		404 {"error_code":40404,"message":"Subject 'a' was soft deleted. Set permanent=true to delete permanently"}
		GET /subjects
		200 []
		GET /subjects?deleted=true
		200 ["a"]
		GET /subjects?deletedOnly=true
		200 ["a"]
		POST /subjects/a/versions {"schema":"\"boolean\""}
		200 {"id":4}
		GET /subjects/a/versions
		200 [5]
		DELETE /subjects/a
		200 [5]
		PUT /config/a {"compatibility":"full"}
		200 {"compatibility":"FULL"}
		DELETE /subjects/a?permanent=true
		200 [1,3,4,5]
		DELETE /subjects/a?permanent=true
		404 {"error_code":40401,"message":"Subject 'a' not found."}
		GET /schemas/ids/4
		404 {"error_code":40403,"message":"Schema 4 not found"}
		GET /config/a
		404 {"error_code":40408,"message":"Subject 'a' does not have subject-level compatibility configured"}
		# versions begin again, ids never do
		POST /subjects/a/versions {"schema":"\"boolean\""}
		200 {"id":5}
		GET /subjects/a/versions
		200 [1]
	`)
}

func TestLevelsAndModes(t *testing.T) {
	startNode(t, newMemoryLog()).play(t, `
		GET /config
		200 {"compatibilityLevel":"BACKWARD"}
		GET /config/a
		404 {"error_code":40408,"message":"Subject 'a' does not have subject-level compatibility configured"}
		GET /config/a?defaultToGlobal=true
		200 {"compatibilityLevel":"BACKWARD"}
		PUT /config/a {"compatibility":"FULL_TRANSITIVE"}
		200 {"compatibility":"FULL_TRANSITIVE"}
		GET /config/a
		200 {"compatibilityLevel":"FULL_TRANSITIVE"}
		PUT /config {"compatibility":"forward"}
		200 {"compatibility":"FORWARD"}
		GET /config
		200 {"compatibilityLevel":"FORWARD"}
		PUT /config {"compatibility":"SIDEWAYS"}
		422 {"error_code":42203,"message":"Invalid compatibility level. Valid values are NONE, BACKWARD, BACKWARD_TRANSITIVE, FORWARD, FORWARD_TRANSITIVE, FULL, FULL_TRANSITIVE"}
		DELETE /config/a
		200 {"compatibilityLevel":"FULL_TRANSITIVE"}
		DELETE /config/a
		404 {"error_code":40401,"message":"Subject 'a' not found."}
		DELETE /config
		200 {"compatibilityLevel":"FORWARD"}
		DELETE /config
		200 {"compatibilityLevel":"BACKWARD"}
		GET /config/:.:
		200 {"compatibilityLevel":"BACKWARD"}
		GET /mode
		200 {"mode":"READWRITE"}
		GET /mode/a
		404 {"error_code":40409,"message":"Subject 'a' does not have subject-level mode configured"}
		GET /mode/a?defaultToGlobal=True
		200 {"mode":"READWRITE"}
		PUT /mode/a {"mode":"READONLY"}
		200 {"mode":"READONLY"}
		POST /subjects/a/versions {"schema":"\"int\""}
		422 {"error_code":42205,"message":"Subject a is in read-only mode"}
		PUT /config/a {"compatibility":"NONE"}
		422 {"error_code":42205,"message":"Subject a is in read-only mode"}
		POST /subjects/b/versions {"schema":"\"int\""}
		200 {"id":1}
		PUT /mode {"mode":"READONLY_OVERRIDE"}
		200 {"mode":"READONLY_OVERRIDE"}
		DELETE /subjects/b
		422 {"error_code":42205,"message":"Subject b is in read-only mode"}
		PUT /mode {"mode":"IMPORT"}
		422 {"error_code":42205,"message":"Mode IMPORT is not offered here: ids are given by this registry alone."}
		PUT /mode {"mode":"SLEEP"}
		422 {"error_code":42204,"message":"Invalid mode. Valid values are READWRITE, READONLY, READONLY_OVERRIDE"}
		DELETE /mode
		200 {"mode":"READONLY_OVERRIDE"}
		GET /mode
		200 {"mode":"READWRITE"}
		DELETE /mode/a
		200 {"mode":"READONLY"}
		DELETE /mode/a
		404 {"error_code":40401,"message":"Subject 'a' not found."}
		DELETE /mode/a?recursive=true
		200 {}
	`)
}

// record is the body of a record schema with these fields.
func recordSchema(fields ...string) string {
	schema, _ := json.Marshal(`{"type":"record","name":"R","fields":[` + strings.Join(fields, ",") + `]}`)
	return `{"schema":` + string(schema) + `}`
}

func TestCompatibility(t *testing.T) {
	const (
		a        = `{"name":"a","type":"int"}`
		b        = `{"name":"b","type":"int"}`
		bDefault = `{"name":"b","type":"int","default":0}`
		cDefault = `{"name":"c","type":"int","default":0}`
	)
	tests := map[string]struct {
		level    string
		versions []string // registered with NONE
		next     string
		ok       bool
	}{
		"backward, a field more with a default":        {"BACKWARD", []string{recordSchema(a)}, recordSchema(a, bDefault), true},
		"backward, a field more without":               {"BACKWARD", []string{recordSchema(a)}, recordSchema(a, b), false},
		"backward, a field less":                       {"BACKWARD", []string{recordSchema(a, b)}, recordSchema(a), true},
		"backward looks at the last one only":          {"BACKWARD", []string{recordSchema(a), recordSchema(a, b)}, recordSchema(a, b, cDefault), true},
		"backward transitive looks at all":             {"BACKWARD_TRANSITIVE", []string{recordSchema(a), recordSchema(a, b)}, recordSchema(a, b, cDefault), false},
		"forward, a field more":                        {"FORWARD", []string{recordSchema(a)}, recordSchema(a, b), true},
		"forward, a field less":                        {"FORWARD", []string{recordSchema(a, b)}, recordSchema(a), false},
		"forward transitive looks at all":              {"FORWARD_TRANSITIVE", []string{recordSchema(a, b), recordSchema(a)}, recordSchema(a, cDefault), false},
		"full, a field more with a default":            {"FULL", []string{recordSchema(a)}, recordSchema(a, bDefault), true},
		"full, a field more without":                   {"FULL", []string{recordSchema(a)}, recordSchema(a, b), false},
		"full transitive looks at all":                 {"FULL_TRANSITIVE", []string{recordSchema(a, b), recordSchema(a)}, recordSchema(a, cDefault), false},
		"none takes anything":                          {"NONE", []string{recordSchema(a)}, `{"schema":"\"int\""}`, true},
		"full, microseconds instead of milliseconds":   {"FULL", []string{`{"schema":"{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}"}`}, `{"schema":"{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}"}`, false},
		"a subject without a version stands in no way": {"FULL_TRANSITIVE", nil, recordSchema(a), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			n := startNode(t, newMemoryLog())
			n.do("PUT", "/config/s", `{"compatibility":"NONE"}`)
			for _, v := range test.versions {
				if got := n.do("POST", "/subjects/s/versions", v); !strings.HasPrefix(got, "200") {
					t.Fatal(got)
				}
			}
			n.do("PUT", "/config/s", `{"compatibility":"`+test.level+`"}`)
			want := fmt.Sprintf(`200 {"is_compatible":%v`, test.ok)
			if got := n.do("POST", "/compatibility/subjects/s/versions", test.next); got != want+"}" {
				t.Errorf("compatibility: %s", got)
			}
			if got := n.do("POST", "/compatibility/subjects/s/versions?verbose=true", test.next); !strings.HasPrefix(got, want) || strings.Contains(got, "messages") == test.ok {
				t.Errorf("compatibility, verbose: %s", got)
			}
			status := "200"
			if !test.ok {
				status = `409 {"error_code":409,"message":"Schema being registered is incompatible`
			}
			if got := n.do("POST", "/subjects/s/versions", test.next); !strings.HasPrefix(got, status) {
				t.Errorf("register: %s", got)
			}
		})
	}
}

func TestCompatibilityWithOneVersion(t *testing.T) {
	startNode(t, newMemoryLog()).play(t, `
		POST /compatibility/subjects/s/versions/latest {"schema":"\"int\""}
		200 {"is_compatible":true}
		POST /compatibility/subjects/s/versions/1 {"schema":"\"int\""}
		404 {"error_code":40402,"message":"Version 1 not found."}
		PUT /config/s {"compatibility":"NONE"}
		200 {"compatibility":"NONE"}
		POST /subjects/s/versions {"schema":"\"int\""}
		200 {"id":1}
		POST /subjects/s/versions {"schema":"\"string\""}
		200 {"id":2}
		PUT /config/s {"compatibility":"BACKWARD"}
		200 {"compatibility":"BACKWARD"}
		POST /compatibility/subjects/s/versions/1 {"schema":"\"long\""}
		200 {"is_compatible":true}
		POST /compatibility/subjects/s/versions/latest {"schema":"\"long\""}
		200 {"is_compatible":false}
		POST /compatibility/subjects/s/versions/nonsense {"schema":"\"long\""}
		422 {"error_code":42202,"message":"The specified version 'nonsense' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\""}
		POST /compatibility/subjects/s/versions/latest?verbose=true {"schema":"\"lang\""}
		200 {"is_compatible":false,"messages":["Invalid schema: not an Avro schema: the type \"lang\" is not defined"]}
		POST /compatibility/subjects/s/versions/latest {"schema":"\"lang\""}
		422 {"error_code":42201,"message":"Invalid schema: not an Avro schema: the type \"lang\" is not defined"}
	`)
}

// What makes a schema the same: names are resolved, the rest counts, and
// normalize sorts what has no order.
func TestIdentity(t *testing.T) {
	schema := func(text string) string {
		b, _ := json.Marshal(map[string]string{"schema": text})
		return string(b)
	}
	const plain = `{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"int","default":1,"x":1,"b":2}]}`
	tests := map[string]struct {
		schema, query string
		same          bool
	}{
		"spaces and the order of attributes": {`{ "fields":[{"type":"int","name":"a","default":1,"x":1,"b":2}],"namespace":"n","name":"R","type":"record"}`, "", true},
		"the full name":                      {`{"type":"record","name":"n.R","fields":[{"name":"a","type":"int","default":1,"x":1,"b":2}]}`, "", true},
		"a doc":                              {`{"type":"record","name":"n.R","doc":"d","fields":[{"name":"a","type":"int","default":1,"x":1,"b":2}]}`, "", false},
		"a default":                          {`{"type":"record","name":"n.R","fields":[{"name":"a","type":"int","default":2,"x":1,"b":2}]}`, "", false},
		"an alias":                           {`{"type":"record","name":"n.R","fields":[{"name":"a","type":"int","aliases":["z"],"default":1,"x":1,"b":2}]}`, "", false},
		"the order of other properties":      {`{"type":"record","name":"n.R","fields":[{"name":"a","type":"int","default":1,"b":2,"x":1}]}`, "", false},
		"the same order, normalized":         {`{"type":"record","name":"n.R","fields":[{"name":"a","type":"int","default":1,"b":2,"x":1}]}`, "?normalize=true", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			n := startNode(t, newMemoryLog())
			n.do("POST", "/subjects/s/versions", schema(plain))
			want := `200 {"id":1}`
			if !test.same {
				want = `200 {"id":2}`
			}
			if got := n.do("POST", "/subjects/s/versions"+test.query, schema(test.schema)); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// Who asked for which schema is counted, for whoever asks what a new version would
// touch.
func TestUsesAreTold(t *testing.T) {
	n := startNode(t, newMemoryLog())
	n.do("POST", "/subjects/a/versions", `{"schema":"\"string\""}`)
	n.do("GET", "/schemas/ids/1", "")
	n.do("GET", "/schemas/ids/1", "")
	n.do("GET", "/schemas/ids/9", "")
	if got := n.do("GET", "/v1/metadata/uses", ""); !strings.Contains(got, `"uses":[{"participant":"","channel":"registry","schema":1,"count":2,`) {
		t.Errorf("got %s", got)
	}
}

// A GUID is Confluent's: the MD5 of the schema's text. Only clients that say so get
// it, for older ones stumble over members that they do not know.
func TestGUIDs(t *testing.T) {
	n := startNode(t, newMemoryLog())
	n.do("POST", "/subjects/a/versions", `{"schema":"\"string\""}`)
	const guid = "095d71cf-1255-6b9d-5e33-0ad575b3df5d"
	request := httptest.NewRequest(http.MethodPost, "/subjects/a/versions", strings.NewReader(`{"schema":"\"string\""}`))
	request.Header.Set("Confluent-Accept-Unknown-Properties", "true")
	w := httptest.NewRecorder()
	n.mux.ServeHTTP(w, request)
	if got, want := w.Body.String(), `{"version":1,"id":1,"guid":"`+guid+`","schema":"\"string\""}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	n.play(t, `
		GET /schemas/guids/`+guid+`
		200 {"schema":"\"string\""}
		GET /schemas/guids/`+strings.ToUpper(guid)+`/ids
		200 [{"context":".","id":1}]
		GET /schemas/guids/00000000-0000-0000-0000-000000000000
		404 {"error_code":40403,"message":"Schema 00000000-0000-0000-0000-000000000000 not found"}
	`)
}

func TestHostileRequests(t *testing.T) {
	n := startNode(t, newMemoryLog())
	deep, _ := json.Marshal(strings.Repeat("[", 100_000))
	for name, test := range map[string]struct{ body, want string }{
		"a body without an end":  {`{"schema":"` + strings.Repeat("x", maxBody) + `"}`, `422 {"error_code":42209`},
		"a schema that is long":  {`{"schema":"\"` + strings.Repeat("x", 300<<10) + `\""}`, `422 {"error_code":42209`},
		"a schema that is deep":  {`{"schema":` + string(deep) + `}`, `422 {"error_code":42209`},
		"JSON that is deep":      {strings.Repeat("[", 100_000), `400 {"error_code":400`},
		"a schema that is a map": {`{"schema":{}}`, `400 {"error_code":400`},
	} {
		if got := n.do("POST", "/subjects/a/versions", test.body); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %.200s", name, got)
		}
	}
}

func TestHeadersOfAnswers(t *testing.T) {
	n := startNode(t, newMemoryLog())
	for _, path := range []string{"/subjects", "/schemas/ids/1", "/nowhere"} {
		w := httptest.NewRecorder()
		n.mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if got := w.Header().Get("Content-Type"); got != mediaType {
			t.Errorf("%s: content type %q", path, got)
		}
	}
}
