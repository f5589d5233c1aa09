package observatory

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/problem"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

const auditPath = "/v1/audit"

// serveAudit compares a span and streams what it finds, one line each: progress,
// differences, and at the end the sums. An answer without sums was cut off.
func (o *Observatory) serveAudit(w http.ResponseWriter, r *http.Request) {
	s, ok := o.auditSpan(w, r)
	if !ok {
		return
	}
	select {
	case o.audits <- struct{}{}:
		defer func() { <-o.audits }()
	default:
		problem.Write(w, problem.New(schemas.ReasonNotReady, "other audits are running; try again when they are done"))
		return
	}
	started := time.Now()
	w.Header().Set("Content-Type", ndjsonType)
	w.Header().Set("Cache-Control", "no-store")
	lines, flush := json.NewEncoder(w), http.NewResponseController(w)
	a := &audit{Observatory: o, span: s, tell: func(t told) error {
		if err := lines.Encode(t); err != nil {
			return err
		}
		return flush.Flush()
	}}
	err := a.run(r.Context())
	if err != nil && r.Context().Err() == nil {
		o.host.Log.ErrorContext(r.Context(), "audit broke off", telemetry.KeyParticipant, s.participant, telemetry.KeyError, err)
		_ = lines.Encode(map[string]problem.Document{"problem": problem.New(problem.CodeInternal, "the audit broke off")})
		return
	}
	o.metrics.audited(s.participant, a.sums.Differences)
	o.host.Log.InfoContext(r.Context(), "audit done", telemetry.KeyParticipant, s.participant, telemetry.KeyCount, a.sums.HandedIn,
		"differences", a.sums.Differences, telemetry.KeyDuration, time.Since(started))
}

// auditSpan reads the request, and answers one that is wrong.
func (o *Observatory) auditSpan(w http.ResponseWriter, r *http.Request) (s span, ok bool) {
	if !o.host.Directory.IsReady() {
		problem.Write(w, problem.New(schemas.ReasonNotReady, "the directory is still being read"))
		return s, false
	}
	by, err := o.host.Auth.Authenticate(r)
	if err != nil {
		problem.Write(w, problem.From(err))
		return s, false
	}
	q := r.URL.Query()
	for _, field := range []struct {
		name string
		into *time.Time
	}{{"from", &s.from}, {"to", &s.to}} {
		if *field.into, err = time.Parse(time.RFC3339, q.Get(field.name)); err != nil {
			problem.Write(w, problem.New(schemas.ReasonMalformed, field.name+": a time such as 2026-05-14T09:30:00Z (RFC 3339)"))
			return s, false
		}
	}
	s.participant, s.receipts = q.Get("participant"), q.Get("receipts") == "true"
	switch {
	case !by.IsAdmin() && s.participant == "":
		s.participant = by.ID
	case !by.IsAdmin() && s.participant != by.ID:
		problem.Write(w, problem.New(problem.CodeForbidden, "participant: another's is for an admin"))
		return s, false
	}
	if _, known := o.host.Directory.Participant(s.participant); s.participant != "" && !known {
		problem.Write(w, problem.New(problem.CodeNotFound, "participant: not in the directory"))
		return s, false
	}
	if !s.from.Before(s.to) {
		problem.Write(w, problem.New(schemas.ReasonMalformed, "from: it is not before to"))
		return s, false
	}
	// What was handed in a moment ago is on its way.
	if settled := time.Now().Add(-settledAfter); s.to.After(settled) {
		s.to = settled
	}
	return s, true
}
