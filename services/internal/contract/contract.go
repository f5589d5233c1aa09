// Package contract describes the hub to whoever integrates with it: an AsyncAPI 3
// document of the topics, an OpenAPI 3.1 document of the HTTP doors, and a page for
// people. All three are made of the catalogue, the code tables and the problem codes,
// so that they say what the code does; only what a door is for is written here, in
// doors.go, and who may come in is the table of package auth.
//
// It serves them, to anybody: they hold nothing but what is published. The gateway
// registers them, as the door that integrators come to first.
package contract

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// Paths of the documents.
const (
	OpenAPIPath  = "/v1/openapi.json"
	AsyncAPIPath = "/v1/asyncapi.json"
	PagePath     = "/docs"
)

// Register registers the documents' routes. The prefix is that of the topics.
func Register(routes interface{ Handle(string, http.Handler) }, prefix string) {
	page := sync.OnceValue(func() []byte { return Page() })
	for path, d := range map[string]document{
		OpenAPIPath:  {"application/openapi+json", sync.OnceValue(func() []byte { return encode(OpenAPI()) }), "default-src 'none'"},
		AsyncAPIPath: {"application/vnd.aai.asyncapi+json", sync.OnceValue(func() []byte { return encode(AsyncAPI(prefix)) }), "default-src 'none'"},
		PagePath:     {"text/html; charset=utf-8", page, pagePolicy},
	} {
		routes.Handle("GET "+path, d)
	}
}

// object is a JSON object.
type object = map[string]any

func encode(document object) []byte {
	body, err := json.MarshalIndent(document, "", " ")
	if err != nil {
		panic(fmt.Sprintf("contract: %v", err))
	}
	return append(body, '\n')
}

// document is one document, made when it is first asked for.
type document struct {
	contentType string
	body        func() []byte
	policy      string
}

// ServeHTTP answers with the document, or says that the caller has it.
func (d document) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := d.body()
	sum := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	h := w.Header()
	h.Set("Content-Type", d.contentType)
	h.Set("Content-Security-Policy", d.policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", tag)
	if strings.Contains(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(body)
}
