package contract

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/enginetest"
	"github.com/relais-fr/relais/services/internal/problem"
)

// Every example is data that the published language takes.
func TestEveryExampleIsGoodData(t *testing.T) {
	for _, e := range schemas.Catalogue() {
		text, err := json.Marshal(Example(e))
		if err != nil {
			t.Fatal(err)
		}
		event, err := schemas.ParseStructured(text)
		if err != nil {
			t.Errorf("%s: %v", e.Name, err)
			continue
		}
		payload, err := schemas.ParseJSON(event.Type, event.Data)
		if err == nil {
			err = schemas.Validate(payload)
		}
		if err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
	}
}

// The examples for readers of the Avro schema are what Avro itself makes of the data.
func TestExamplesInAvroAreTheSameData(t *testing.T) {
	for _, e := range schemas.Catalogue() {
		record := recordOf(e.Schema)
		got := record.avroJSON(exampleData(e))
		for _, f := range record.Fields {
			if _, ok := got[f.Name]; !ok {
				t.Errorf("%s: the field %s is missing", e.Name, f.Name)
			}
		}
		if len(got) != len(record.Fields) {
			t.Errorf("%s: %d fields, the schema has %d", e.Name, len(got), len(record.Fields))
		}
	}
}

// What a document says of an event's fields is what the Go types take: a required
// field left out is refused, any other is not missed.
func TestRequiredFieldsAreThoseThatAreMissed(t *testing.T) {
	for _, e := range schemas.Catalogue() {
		whole := exampleData(e)
		required, _ := recordOf(e.Schema).jsonSchema()["required"].([]string)
		for _, f := range recordOf(e.Schema).Fields {
			less := maps.Clone(whole)
			delete(less, f.Name)
			text, err := json.Marshal(less)
			if err != nil {
				t.Fatal(err)
			}
			_, err = schemas.ParseJSON(e.Type, text)
			isRequired := false
			for _, name := range required {
				isRequired = isRequired || name == f.Name
			}
			if (err != nil) != isRequired {
				t.Errorf("%s without %s: %v; the document says required: %v", e.Name, f.Name, err, isRequired)
			}
		}
	}
}

// Every event, every code with both labels and every problem code stand in the
// documents and on the page.
func TestNothingIsLeftOut(t *testing.T) {
	documents := map[string]string{"OpenAPI": string(encode(OpenAPI())), "AsyncAPI": string(encode(AsyncAPI("relais"))), "page": unescaped(Page())}
	expect := func(name, text string) {
		t.Helper()
		quoted, _ := json.Marshal(text)
		if name != "page" {
			text = string(quoted)
		}
		if !strings.Contains(documents[name], text) {
			t.Errorf("%s: %s is missing", name, text)
		}
	}
	for _, e := range schemas.Catalogue() {
		for _, name := range []string{"OpenAPI", "page"} {
			expect(name, e.Type)
		}
		if sendable(e) || len(e.Recipients) > 0 {
			expect("AsyncAPI", e.Type)
		}
	}
	for _, table := range schemas.CodeTables() {
		for _, c := range table.Codes {
			for name := range documents {
				for _, text := range []string{c.Name, c.French, c.English} {
					expect(name, text)
				}
			}
		}
	}
	for _, d := range problem.Documents() {
		for _, text := range []string{d.Code, d.Title, d.TitleFR} {
			expect("OpenAPI", text)
			expect("page", text)
		}
	}
}

func unescaped(page []byte) string {
	return strings.NewReplacer("&#39;", "'", "&#34;", `"`, "&lt;", "<", "&gt;", ">", "&amp;", "&", "&#43;", "+").Replace(string(page))
}

// The page asks nobody else for anything, runs no script, and can be used without eyes
// or mouse: language, landmarks, one first heading, headers of rows and columns, and
// links that lead somewhere.
func TestThePageIsWholeAndAccessible(t *testing.T) {
	page := string(Page())
	for _, not := range []string{"<script", "src=", "@import", "url(", "http-equiv", "style=\""} {
		if strings.Contains(page, not) {
			t.Errorf("the page has %q", not)
		}
	}
	for _, once := range []string{`<html lang="en">`, "<h1>", "<main ", "<title>", `class="skip"`} {
		if n := strings.Count(page, once); n != 1 {
			t.Errorf("the page has %s %d times", once, n)
		}
	}
	if tables, captions := strings.Count(page, "<table"), strings.Count(page, "<caption>"); tables != captions || tables < 50 {
		t.Errorf("%d tables, %d captions", tables, captions)
	}
	if strings.Contains(page, "<th>") {
		t.Error("a header does not say whose it is")
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(`id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] {
			t.Errorf("the id %s stands twice", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if !ids[m[1]] {
			t.Errorf("#%s leads nowhere", m[1])
		}
	}
}

func TestWhoHasADocumentIsNotSentItAgain(t *testing.T) {
	mux := http.NewServeMux()
	Register(mux, "relais")
	for _, path := range []string{OpenAPIPath, AsyncAPIPath, PagePath} {
		get := func(tag string) *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
			r.Header.Set("If-None-Match", tag)
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r)
			return w
		}
		first := get("")
		if again := get(first.Header().Get("ETag")); first.Code != http.StatusOK || again.Code != http.StatusNotModified || again.Body.Len() != 0 {
			t.Errorf("%s: %d, then %d with %d bytes", path, first.Code, again.Code, again.Body.Len())
		}
	}
}

// The same build always makes the same documents.
func TestDocumentsDoNotChange(t *testing.T) {
	if !reflect.DeepEqual(OpenAPI(), OpenAPI()) || !bytes.Equal(Page(), Page()) || !bytes.Equal(encode(AsyncAPI("a")), encode(AsyncAPI("a"))) {
		t.Error("a document differs from itself")
	}
}

// validator runs an outside program on a document and returns what it finds.
type validator struct {
	name string
	run  func(t *testing.T, document []byte) (said string, ok bool)
	good func() object
	// bad is a document with a fault that the program must find.
	bad func() object
}

var validators = []validator{
	{
		name: "AsyncAPI's own parser", run: asyncapiParser, good: func() object { return AsyncAPI("relais") },
		bad: func() object {
			document := AsyncAPI("relais")
			document["operations"].(object)["handIn"].(object)["action"] = "shout"
			return document
		},
	},
	{
		name: "the OpenAPI validator", run: openapiValidator, good: OpenAPI,
		bad: func() object {
			document := OpenAPI()
			document["paths"].(object)["/v1/events/{place}"].(object)["get"].(object)["parameters"] = []any{object{"in": "nowhere", "name": "place"}}
			return document
		},
	},
}

// Programs that others wrote find no fault with the documents, and do find one that
// was put there.
func TestOutsideValidatorsFindNoFault(t *testing.T) {
	for _, v := range validators {
		t.Run(v.name, func(t *testing.T) {
			if said, ok := v.run(t, encode(v.good())); !ok {
				t.Errorf("it says\n%s", said)
			}
			if said, ok := v.run(t, encode(v.bad())); ok {
				t.Errorf("it finds no fault where there is one: %s", said)
			}
		})
	}
}

// asyncapiParser is @asyncapi/parser with its own plug-in for Avro, in the folder of
// Node's modules that RELAIS_NODE names.
func asyncapiParser(t *testing.T, document []byte) (said string, ok bool) {
	node := enginetest.Program(t, "node", "node")
	modules := os.Getenv("RELAIS_NODE")
	if modules == "" {
		enginetest.Lacking(t, "asyncapi", "RELAIS_NODE names no folder of Node's modules with @asyncapi/parser")
	}
	cmd := exec.CommandContext(t.Context(), node, "testdata/asyncapi.cjs")
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	cmd.Stdin = bytes.NewReader(document)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if strings.Contains(errs.String(), "Cannot find module") {
			enginetest.Lacking(t, "asyncapi", modules+" has no @asyncapi/parser with @asyncapi/avro-schema-parser")
		}
		t.Fatalf("%v\n%s", err, errs.String())
	}
	return out.String(), out.Len() == 0
}

// openapiValidator is openapi-spec-validator, of the Python that RELAIS_PYTHON names.
func openapiValidator(t *testing.T, document []byte) (said string, ok bool) {
	python := os.Getenv("RELAIS_PYTHON")
	if python == "" {
		python = enginetest.Program(t, "python", "python3")
	}
	if exec.CommandContext(t.Context(), python, "-c", "import openapi_spec_validator").Run() != nil {
		enginetest.Lacking(t, "openapi", python+" has no openapi_spec_validator")
	}
	file := t.TempDir() + "/openapi.json"
	if err := os.WriteFile(file, document, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), python, "-m", "openapi_spec_validator", file).CombinedOutput()
	return string(out), err == nil
}
