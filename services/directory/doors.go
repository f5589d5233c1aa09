package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/directory/officelist"
	"github.com/relais-fr/relais/services/internal/auth"
	dir "github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/problem"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// Paths of the doors. Imports and settings are the admin's, the rest may be read by any
// participant.
const (
	pathImports      = "/v1/directory/imports"
	pathOffices      = "/v1/directory/offices"
	pathParticipants = "/v1/directory/participants"
	pathServices     = "/v1/directory/services"
	pathSettings     = "/v1/directory/settings"
	pathRules        = "/v1/directory/rules"
)

// Bounds of a page of offices.
const (
	defaultOffices = 20
	maxOffices     = 5000
)

// applyLimit is how long a confirmed plan may take to be written. It is written
// to its end even if the caller goes away: half a list is worse than either.
const applyLimit = time.Minute

func (d *Directory) routes() {
	admin, reader := d.adminOnly, d.signedIn
	d.host.HTTP.Handle("POST "+pathImports, admin(d.postImport))
	d.host.HTTP.Handle("GET "+pathImports+"/{plan}", admin(d.getImport))
	d.host.HTTP.Handle("POST "+pathImports+"/{plan}/apply", admin(d.applyImport))
	d.host.HTTP.Handle("GET "+pathOffices, reader(d.getOffices))
	d.host.HTTP.Handle("GET "+pathOffices+"/{id}", reader(d.getOffice))
	d.host.HTTP.Handle("GET "+pathParticipants, reader(d.getParticipants))
	d.host.HTTP.Handle("GET "+pathServices, reader(d.getServices))
	d.host.HTTP.Handle("GET "+pathSettings, admin(d.getSettings))
	d.host.HTTP.Handle("PUT "+pathSettings+"/{name}", admin(d.putSetting))
	d.host.HTTP.Handle("GET "+pathRules, admin(d.getRules))
	d.peopleRoutes()
}

// handler answers a request by a known principal, or returns the problem.
type handler func(w http.ResponseWriter, r *http.Request) *problem.Document

func (d *Directory) adminOnly(h handler) http.Handler {
	return d.door(h, func(p auth.Principal) bool { return p.IsAdmin() })
}

func (d *Directory) signedIn(h handler) http.Handler {
	return d.door(h, func(auth.Principal) bool { return true })
}

// door lets a request in when the directory is known and the principal allowed.
func (d *Directory) door(h handler, allowed func(auth.Principal) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !d.host.Directory.IsReady() {
			problem.Write(w, problem.New(schemas.ReasonNotReady, "The directory is still being read; try again in a moment."))
			return
		}
		principal, err := d.host.Auth.Authenticate(r)
		if err != nil {
			problem.Write(w, problem.From(err))
			return
		}
		if !allowed(principal) {
			problem.Write(w, problem.New(problem.CodeForbidden, "Participants, imports and settings are the admin's."))
			return
		}
		if p := h(w, r); p != nil {
			problem.Write(w, *p)
		}
	})
}

func trouble(code schemas.Reason, format string, args ...any) *problem.Document {
	p := problem.New(code, fmt.Sprintf(format, args...))
	return &p
}

func answer(w http.ResponseWriter, status int, value any) *problem.Document {
	return answerAs(w, "application/json", status, value)
}

func answerAs(w http.ResponseWriter, contentType string, status int, value any) *problem.Document {
	body, err := json.Marshal(value)
	if err != nil {
		return trouble(problem.CodeInternal, "")
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
	return nil
}

// postImport makes a plan of the list in the body.
func (d *Directory) postImport(w http.ResponseWriter, r *http.Request) *problem.Document {
	began := time.Now()
	asOf := r.URL.Query().Get("as_of")
	if asOf == "" {
		asOf = began.UTC().Format(time.DateOnly)
	}
	if _, err := schemas.ParseDay(asOf); err != nil {
		return trouble(schemas.ReasonMalformed, "as_of: %v", err)
	}
	p, err := d.imports.plan(r.Context(), http.MaxBytesReader(w, r.Body, officelist.MaxBytes), asOf)
	if err != nil {
		return d.importFailed(w, r, err)
	}
	d.metrics.count(outcomePlanned)
	d.host.Log.InfoContext(r.Context(), "import planned", "plan", p.ID, "rows", p.List.Rows, "rejected", len(p.List.Rejected),
		"offices", p.Offices, "changes", len(p.Changes), telemetry.KeyDuration, time.Since(began))
	w.Header().Set("Location", pathImports+"/"+p.ID)
	return answer(w, http.StatusCreated, p)
}

// refused is the problem document of a list that was refused whole.
type refused struct {
	problem.Document
	Refused  officelist.RefusedCode `json:"refused"`
	Rows     int                    `json:"rows"`
	Rejected []officelist.Rejection `json:"rejected"`
}

// importFailed answers for a plan that could not be made.
func (d *Directory) importFailed(w http.ResponseWriter, r *http.Request, err error) *problem.Document {
	var refusal *officelist.Refusal
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		d.metrics.count(outcomeRefused)
		return trouble(schemas.ReasonTooLarge, "the list has more than %d bytes", officelist.MaxBytes)
	case errors.As(err, &refusal):
		d.metrics.count(outcomeRefused)
		d.host.Log.InfoContext(r.Context(), "import refused", telemetry.KeyReason, refusal.Code, "rows", refusal.Rows, "rejected", len(refusal.Rejected))
		body := refused{
			Document: problem.New(problem.CodeUnprocessable, refusal.Detail),
			Refused:  refusal.Code, Rows: refusal.Rows, Rejected: refusal.Rejected,
		}
		return answerAs(w, problem.ContentType, body.Status, body)
	case r.Context().Err() != nil:
		return trouble(schemas.ReasonNotReady, "the request was given up")
	}
	d.metrics.count(outcomeFailed)
	d.host.Log.ErrorContext(r.Context(), "import failed", telemetry.KeyError, err)
	return trouble(problem.CodeInternal, "")
}

func (d *Directory) getImport(w http.ResponseWriter, r *http.Request) *problem.Document {
	p, err := d.imports.show(r.Context(), r.PathValue("plan"))
	if err != nil {
		return trouble(problem.CodeNotFound, "%v", err)
	}
	return answer(w, http.StatusOK, p)
}

// applyImport carries a plan out.
func (d *Directory) applyImport(w http.ResponseWriter, r *http.Request) *problem.Document {
	if why := d.host.DoorsClosed(); why != "" {
		return trouble(schemas.ReasonNotReady, "%s", why)
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), applyLimit)
	defer cancel()
	p, err := d.imports.apply(ctx, r.PathValue("plan"))
	switch {
	case errors.Is(err, ErrUnknownPlan):
		return trouble(problem.CodeNotFound, "%v", err)
	case errors.Is(err, ErrStalePlan):
		d.metrics.count(outcomeStale)
		return trouble(problem.CodeConflict, "%v", err)
	case err != nil:
		d.metrics.count(outcomeFailed)
		d.host.Log.ErrorContext(ctx, "import failed", "plan", r.PathValue("plan"), telemetry.KeyError, err)
		return trouble(schemas.ReasonNotReady, "some of the plan may have been written: hand the list in again, the new plan shows the rest")
	}
	d.metrics.count(outcomeApplied)
	d.host.Log.InfoContext(ctx, "import applied", "plan", p.ID, "changes", len(p.Changes), telemetry.KeyDuration, time.Since(began))
	return answer(w, http.StatusOK, p)
}

// getOffices finds offices by what people type (q), or lists them all in order.
func (d *Directory) getOffices(w http.ResponseWriter, r *http.Request) *problem.Document {
	limit := defaultOffices
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxOffices {
			return trouble(schemas.ReasonMalformed, "limit: a number from 1 to %d", maxOffices)
		}
		limit = n
	}
	now := d.host.Directory.Snapshot()
	var found []dir.Office
	if r.URL.Query().Has("q") {
		found = now.Search(r.URL.Query().Get("q"), limit)
	} else {
		found = now.Offices()
		found = found[:min(limit, len(found))]
	}
	if found == nil {
		found = []dir.Office{}
	}
	return answer(w, http.StatusOK, map[string]any{"offices": found, "known": now.OfficeCount()})
}

func (d *Directory) getOffice(w http.ResponseWriter, r *http.Request) *problem.Document {
	o, ok := d.host.Directory.Office(r.PathValue("id"))
	if !ok {
		return trouble(problem.CodeNotFound, "the directory has no office %q", r.PathValue("id"))
	}
	return answer(w, http.StatusOK, o)
}

func (d *Directory) getParticipants(w http.ResponseWriter, _ *http.Request) *problem.Document {
	return answer(w, http.StatusOK, map[string]any{"participants": d.host.Directory.Snapshot().Participants()})
}

func (d *Directory) getServices(w http.ResponseWriter, _ *http.Request) *problem.Document {
	return answer(w, http.StatusOK, map[string]any{"services": d.host.Directory.Services()})
}
