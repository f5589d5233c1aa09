package registry

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// handler answers one kind of call. What it returns is the JSON of a 200; raw is
// the text itself.
type handler func(call) (any, error)

// raw is an answer that is JSON already.
type raw string

// routes registers every call of contract.md. Subjects in paths may hold %2F: the
// mux matches the escaped path, segment by segment.
func (r *Registry) routes(mux services.Routes) {
	get := map[string]handler{
		"/{$}":                                   func(call) (any, error) { return struct{}{}, nil },
		"/subjects":                              r.listSubjects,
		"/subjects/{subject}/versions":           r.listVersions,
		"/subjects/{subject}/versions/{version}": r.getVersion,
		"/subjects/{subject}/metadata":           r.getByMetadata,
		"/schemas":                               r.listSchemas,
		"/schemas/types":                         func(call) (any, error) { return []string{typeAvro}, nil },
		"/schemas/ids/{id}":                      r.getByID,
		"/schemas/ids/{id}/schema":               r.getTextByID,
		"/schemas/ids/{id}/subjects":             r.listSubjectsOfID,
		"/schemas/ids/{id}/versions":             r.listVersionsOfID,
		"/schemas/guids/{guid}":                  r.getByGUID,
		"/schemas/guids/{guid}/ids":              r.listIDsOfGUID,
		"/config":                                r.getLevel,
		"/config/{subject}":                      r.getLevel,
		"/mode":                                  r.getMode,
		"/mode/{subject}":                        r.getMode,
		"/contexts":                              r.listContexts,
		"/v1/metadata/id":                        func(call) (any, error) { return serverID, nil },
		"/v1/metadata/uses":                      r.listUses,
		"/v1/metadata/version":                   func(call) (any, error) { return serverVersion(), nil },

		"/associations/resources/{namespace}/{name}":          func(call) (any, error) { return []string{}, nil },
		"/subjects/{subject}/versions/{version}/schema":       r.getVersionText,
		"/subjects/{subject}/versions/{version}/referencedby": r.listReferrers,
	}
	for path, h := range get {
		r.handle(mux, "GET "+path, false, h)
	}
	changes := map[string]handler{
		"POST /subjects/{subject}/versions":             r.postVersion,
		"DELETE /subjects/{subject}":                    r.deleteSubject,
		"DELETE /subjects/{subject}/versions/{version}": r.deleteVersion,
		"PUT /config":              r.putLevel,
		"PUT /config/{subject}":    r.putLevel,
		"DELETE /config":           r.deleteLevel,
		"DELETE /config/{subject}": r.deleteLevel,
		"PUT /mode":                r.putMode,
		"PUT /mode/{subject}":      r.putMode,
		"DELETE /mode":             r.deleteMode,
		"DELETE /mode/{subject}":   r.deleteMode,
	}
	for pattern, h := range changes {
		r.handle(mux, pattern, true, h)
	}
	for pattern, h := range map[string]handler{
		"POST /subjects/{subject}":                                  r.lookUp,
		"POST /compatibility/subjects/{subject}/versions":           r.checkAll,
		"POST /compatibility/subjects/{subject}/versions/{version}": r.checkOne,
	} {
		r.handle(mux, pattern, false, h)
	}
	// What is not offered is not found: clients try a 5xx again and again.
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		answerFault(w, faultf(codeNotFound, "HTTP 404 Not Found"))
	})
}

// handle puts one call on the mux, with all that is the same for each.
func (r *Registry) handle(mux services.Routes, pattern string, isChange bool, h handler) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, request *http.Request) {
		started := time.Now()
		status, f := r.serve(w, request, pattern, isChange, h)
		r.metrics.requests.WithLabelValues(pattern, strconv.Itoa(status)).Inc()
		if isChange || status >= http.StatusInternalServerError {
			r.logCall(request.Context(), pattern, request.PathValue("subject"), status, f, time.Since(started))
		}
	})
}

func (r *Registry) serve(w http.ResponseWriter, request *http.Request, pattern string, isChange bool, h handler) (status int, f *fault) {
	v, err := r.call(request, pattern, isChange, h)
	if err != nil {
		f = faultOf(err)
		if f.code == codeStore {
			r.log.ErrorContext(request.Context(), "schema log at fault", telemetry.KeyError, err)
		}
		answerFault(w, f)
		return f.status(), f
	}
	if text, ok := v.(raw); ok {
		writeBody(w, http.StatusOK, []byte(text))
	} else {
		answer(w, http.StatusOK, v)
	}
	return http.StatusOK, nil
}

func (r *Registry) call(request *http.Request, pattern string, isChange bool, h handler) (any, error) {
	by, err := r.host.Auth.Admit(request, pattern)
	if err != nil {
		return nil, err
	}
	if !r.store.isReady() {
		return nil, faultf(codeNotReady, "The registry is reading its log; try again in a moment.")
	}
	if isChange {
		if why := r.host.DoorsClosed(); why != "" {
			return nil, faultf(codeNotReady, "%s", why)
		}
	}
	return h(call{Request: request, by: by, acceptsUnknown: request.Header.Get("Confluent-Accept-Unknown-Properties") == "true"})
}

func (r *Registry) logCall(ctx context.Context, pattern, subject string, status int, f *fault, took time.Duration) {
	code := status
	if f != nil {
		code = f.code
	}
	r.log.InfoContext(ctx, "schema registry call", "call", pattern, "subject", subject, "code", code, telemetry.KeyDuration, took)
}

// serverID and serverVersion are for tools that show which registry they talk to.
var serverID = json.RawMessage(`{"scope":{"path":[],"clusters":{"kafka-cluster":"relais","schema-registry-cluster":"schema-registry"}},"id":""}`)

func serverVersion() any {
	return map[string]string{"version": "relais-" + telemetry.Version(), "commitId": ""}
}
