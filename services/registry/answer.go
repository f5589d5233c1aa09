package registry

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/auth"
)

const (
	mediaType = "application/vnd.schemaregistry.v1+json"
	// maxBody bounds a request: a schema, escaped once and then again.
	maxBody = 4 * schemas.MaxSchemaBytes
)

// call is one request as the handlers see it.
type call struct {
	*http.Request
	// by is who calls, nobody where nobody is asked.
	by auth.Principal
	// acceptsUnknown is true for clients that do not stumble over members that
	// they do not know; older ones of Confluent's do.
	acceptsUnknown bool
}

// subject is the one in the path, its escapes undone and without the default
// context.
func (c call) subject() string { return normalSubject(c.PathValue("subject")) }

// flag reads a boolean of the query. Python's clients send True and False.
func (c call) flag(name string) bool {
	return strings.EqualFold(c.URL.Query().Get(name), "true")
}

// filter reads deleted and deletedOnly.
func (c call) filter() filter {
	switch {
	case c.flag("deletedOnly"):
		return onlyDeleted
	case c.flag("deleted"):
		return liveAndDeleted
	default:
		return live
	}
}

// body reads a request's JSON, whatever its media type says.
func (c call) body(into any) error {
	data, err := io.ReadAll(http.MaxBytesReader(nil, c.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return faultf(codeSchemaTooLarge, "The request has more than %d bytes.", maxBody)
	case err != nil:
		return faultf(codeBadRequest, "The request was cut short.")
	}
	// What is no UTF-8 would be read as something else than what was sent.
	if !utf8.Valid(data) {
		return faultf(codeInvalidSchema, "Invalid schema: the request is not valid UTF-8.")
	}
	if err := json.Unmarshal(data, into); err != nil {
		return faultf(codeBadRequest, "The request is not the JSON that belongs here: %v", err)
	}
	return nil
}

// page cuts a list by the query's offset and limit.
func page[T any](c call, all []T) []T {
	number := func(name string, otherwise int) int {
		n, err := strconv.Atoi(c.URL.Query().Get(name))
		if err != nil || n < 0 {
			return otherwise
		}
		return n
	}
	all = all[min(number("offset", 0), len(all)):]
	return all[:min(number("limit", len(all)), len(all))]
}

// schemaObject is a schema as answers have it.
type schemaObject struct {
	Subject    string          `json:"subject,omitempty"`
	Version    int             `json:"version,omitempty"`
	ID         int             `json:"id,omitempty"`
	GUID       string          `json:"guid,omitempty"`
	MaxID      int             `json:"maxId,omitempty"`
	SchemaType string          `json:"schemaType,omitempty"`
	References json.RawMessage `json:"references,omitempty"`
	Metadata   json.RawMessage `json:"metadata,omitempty"`
	RuleSet    json.RawMessage `json:"ruleSet,omitempty"`
	Schema     string          `json:"schema"`
}

// object is the content alone, as asked for by id.
func (c call) object(of *content) schemaObject {
	o := schemaObject{
		SchemaType: of.schemaType, Schema: of.text,
		References: of.value.References, Metadata: of.value.Metadata, RuleSet: of.value.RuleSet,
	}
	if c.acceptsUnknown {
		o.GUID = of.guid()
	}
	return o
}

// versionObject is a version of a subject.
func (c call) versionObject(v *version) schemaObject {
	o := c.object(v.content)
	o.Subject, o.Version, o.ID = v.subject, v.number, v.id
	return o
}

// answer writes JSON.
func answer(w http.ResponseWriter, status int, v any) {
	body, err := encodeJSON(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error_code":500,"message":"internal error"}`)
	}
	writeBody(w, status, body)
}

func writeBody(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // It is JSON, and no browser is let guess otherwise.
}

// answerFault writes an error as every client of a registry expects it.
func answerFault(w http.ResponseWriter, f *fault) {
	if f.code == codeNotSignedIn {
		w.Header().Set("WWW-Authenticate", `Basic realm="relais", Bearer realm="relais"`)
	}
	answer(w, f.status(), struct {
		Code    int    `json:"error_code"`
		Message string `json:"message"`
	}{f.code, f.message})
}
