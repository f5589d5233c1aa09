package observatory

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
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
	err := a.settle(r.Context())
	if err == nil {
		err = a.run(r.Context())
	}
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
	q, now := r.URL.Query(), time.Now()
	if s.from, err = time.Parse(time.RFC3339, q.Get("from")); err != nil {
		problem.Write(w, problem.New(schemas.ReasonMalformed, "from: a time such as 2026-05-14T09:30:00Z (RFC 3339)"))
		return s, false
	}
	s.to = now
	if text := q.Get("to"); text != "" {
		if s.to, err = time.Parse(time.RFC3339, text); err != nil {
			problem.Write(w, problem.New(schemas.ReasonMalformed, "to: a time such as 2026-05-14T09:30:00Z (RFC 3339), or nothing for now"))
			return s, false
		}
	}
	switch text := q.Get("receipts"); text {
	case "", "false":
	case "true":
		s.receipts = true
	default:
		problem.Write(w, problem.New(schemas.ReasonMalformed, "receipts: true or false"))
		return s, false
	}
	s.participant = q.Get("participant")
	switch {
	case !by.IsAdmin() && s.participant == "":
		s.participant = by.ID
	case !by.IsAdmin() && s.participant != by.ID:
		problem.Write(w, problem.New(problem.CodeForbidden, anothers))
		return s, false
	}
	if _, known := o.host.Directory.Participant(s.participant); s.participant != "" && !known {
		problem.Write(w, problem.New(problem.CodeNotFound, "participant: it is not in the directory; name one that is, or none for all"))
		return s, false
	}
	switch {
	case !s.from.Before(now):
		problem.Write(w, problem.New(schemas.ReasonMalformed, "from: it is still to come; give a time before now"))
		return s, false
	case !s.from.Before(s.to):
		problem.Write(w, problem.New(schemas.ReasonMalformed, "from: it is not before to; give an earlier from or a later to"))
		return s, false
	case s.to.After(now):
		s.to = now
	}
	return s, true
}

// settle waits for what was handed in a moment ago, so that all of the span that was
// asked for is looked at and nothing under way counts as lost.
func (a *audit) settle(ctx context.Context) error {
	wait := time.Until(a.to.Add(settledAfter))
	if wait <= 0 {
		return nil
	}
	if err := a.tell(told{Progress: fmt.Sprintf("%.0f seconds for what was handed in a moment ago", math.Ceil(wait.Seconds()))}); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait):
		return nil
	}
}
