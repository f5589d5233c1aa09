package observatory

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/statement"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/problem"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

const (
	statementsPath = "/v1/statements"
	keysPath       = statementsPath + "/keys"

	ndjsonType = "application/x-ndjson"
	// anothers is the detail for who asks for what is another participant's.
	anothers = "participant: another's is for an admin; leave it out for your own"

	// defaultBack is how far back a list goes that does not say.
	defaultBack = 48 * time.Hour
)

// serveKeys gives the public keys to anybody: they are public.
func (o *Observatory) serveKeys(w http.ResponseWriter, _ *http.Request) {
	if !o.host.Directory.IsReady() {
		problem.Write(w, problem.New(schemas.ReasonNotReady, "the directory is still being read"))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	keys := o.publicKeys()
	if keys == nil {
		keys = []statement.PublicKey{}
	}
	_ = json.NewEncoder(w).Encode(statement.KeyDocument{Keys: keys})
}

// listed is a statement as the list has it: one a line.
type listed struct {
	ID   string                   `json:"id"`
	Data *schemas.StatementIssued `json:"data"`
}

// serveStatements lists a participant's statements since a time, one a line.
func (o *Observatory) serveStatements(w http.ResponseWriter, r *http.Request) {
	participant, by, ok := o.whose(w, r)
	if !ok {
		return
	}
	since := time.Now().Add(-defaultBack)
	if text := r.URL.Query().Get("since"); text != "" {
		var err error
		if since, err = time.Parse(time.RFC3339, text); err != nil {
			problem.Write(w, problem.New(schemas.ReasonMalformed, "since: a time such as 2026-05-14T09:30:00Z (RFC 3339)"))
			return
		}
	}
	started := time.Now()
	if since.After(started) {
		problem.Write(w, problem.New(schemas.ReasonMalformed, "since: it is still to come; give a time before now, or nothing for two days back"))
		return
	}
	all, _, err := o.since(r.Context(), participant, since)
	switch {
	case err != nil && r.Context().Err() != nil:
		return
	case err != nil:
		o.host.Log.ErrorContext(r.Context(), "statements are not read", telemetry.KeyParticipant, participant, telemetry.KeyError, err)
		problem.Write(w, problem.New(schemas.ReasonNotReady, "the log does not answer; try again in a moment"))
		return
	}
	w.Header().Set("Content-Type", ndjsonType)
	w.Header().Set("Cache-Control", "no-store")
	lines := json.NewEncoder(w)
	for _, s := range all {
		if lines.Encode(listed{s.ID, s.StatementIssued}) != nil {
			return // the reader is gone
		}
	}
	o.host.Log.InfoContext(r.Context(), "statements listed", telemetry.KeyParticipant, participant, "by", by.ID, telemetry.KeyCount, len(all), telemetry.KeyDuration, time.Since(started))
}

// serveNone answers who asks for one statement: they are listed, and an id alone
// does not tell whose it is.
func (o *Observatory) serveNone(w http.ResponseWriter, _ *http.Request) {
	problem.Write(w, problem.New(problem.CodeNotFound, "no statement has an address of its own: list them with GET "+statementsPath+"?since=<time>, each line has its id"))
}

// whose is the participant that a request is about: the caller itself, or for an
// admin the one that it names. It answers where there is none.
func (o *Observatory) whose(w http.ResponseWriter, r *http.Request) (participant string, by auth.Principal, ok bool) {
	if !o.host.Directory.IsReady() {
		problem.Write(w, problem.New(schemas.ReasonNotReady, "the directory is still being read"))
		return "", by, false
	}
	by, err := o.host.Auth.Authenticate(r)
	if err != nil {
		problem.Write(w, problem.From(err))
		return "", by, false
	}
	participant = r.URL.Query().Get("participant")
	switch {
	case participant == "" && !by.IsAdmin():
		participant = by.ID
	case participant == "":
		problem.Write(w, problem.New(schemas.ReasonMalformed, "participant: whose? an admin has none of its own; name one, as in ?participant=cnaf"))
		return "", by, false
	case !by.IsAdmin() && participant != by.ID:
		problem.Write(w, problem.New(problem.CodeForbidden, anothers))
		return "", by, false
	}
	p, known := o.host.Directory.Participant(participant)
	if !known || !p.HasTopics() {
		problem.Write(w, problem.New(problem.CodeNotFound, "participant: only an operator, a partner or a feeder has an account here"))
		return "", by, false
	}
	return participant, by, true
}
