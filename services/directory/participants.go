package directory

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/relais-fr/relais/schemas"
	dir "github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/problem"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// pathPeople is where participants are let in, and shut out.
const pathPeople = "/v1/participants"

// maxPeopleBody bounds the body of a request about a participant.
const maxPeopleBody = 256 << 10

func (d *Directory) peopleRoutes() {
	d.host.HTTP.Handle("GET "+pathPeople, d.adminOnly(d.getPeople))
	d.host.HTTP.Handle("POST "+pathPeople, d.adminOnly(d.postParticipant))
	d.host.HTTP.Handle("GET "+pathPeople+"/{id}", d.adminOnly(d.getParticipant))
	d.host.HTTP.Handle("DELETE "+pathPeople+"/{id}", d.adminOnly(d.deleteParticipant))
	d.host.HTTP.Handle("POST "+pathPeople+"/{id}/rotate", d.adminOnly(d.postRotate))
	d.host.HTTP.Handle("POST "+pathPeople+"/{id}/suspend", d.adminOnly(d.postSuspend))
	d.host.HTTP.Handle("POST "+pathPeople+"/{id}/resume", d.adminOnly(d.postResume))
}

// admitted is what a participant's IT team needs. The secrets in it are told once.
type admitted struct {
	participantView
	Kafka    *kafkaAccess `json:"kafka,omitempty"`
	HTTP     *httpAccess  `json:"http,omitempty"`
	Registry string       `json:"registry"`
	// OldKeysUntil is how long the API keys of before still open the doors.
	OldKeysUntil time.Time `json:"old_keys_until,omitzero"`
}

// kafkaAccess is how to sign in to Kafka.
type kafkaAccess struct {
	Bootstrap []string `json:"bootstrap"`
	// Protocol is Kafka's security.protocol, Mechanism its sasl.mechanism.
	Protocol  string `json:"protocol"`
	Mechanism string `json:"mechanism,omitempty"`
	User      string `json:"user,omitempty"`
	Password  string `json:"password,omitempty"`
	// CommonName is what the certificate must say that it is.
	CommonName string `json:"common_name,omitempty"`
}

// httpAccess is how to sign in by HTTP.
type httpAccess struct {
	APIKey   string `json:"api_key,omitempty"`
	Issuer   string `json:"issuer,omitempty"`
	Client   string `json:"client,omitempty"`
	Audience string `json:"audience,omitempty"`
}

// access says how to sign in by the ways that were made.
func (d *Directory) access(id string, w ways, told secrets) (a admitted) {
	settings := d.host.Settings
	a.participantView, _ = d.describe(id)
	a.Registry = settings.RegistryURL
	encrypted := settings.TLSCert != ""
	if len(settings.Brokers) > 0 {
		encrypted = settings.KafkaCA != "" || settings.KafkaCert != ""
	}
	kafka := kafkaAccess{Bootstrap: d.host.Broker.Addresses(), Protocol: "PLAINTEXT"}
	switch w.Kafka {
	case wantSCRAM:
		kafka.Protocol, kafka.Mechanism, kafka.User, kafka.Password = "SASL_PLAINTEXT", "SCRAM-SHA-512", id, told.Password
		if encrypted {
			kafka.Protocol = "SASL_SSL"
		}
	case wantMTLS:
		kafka.Protocol, kafka.CommonName = "SSL", id
	}
	if w.Kafka != wantNone || !d.asksAtKafka() {
		a.Kafka = &kafka
	}
	switch w.HTTP {
	case wantKey:
		a.HTTP = &httpAccess{APIKey: told.APIKey}
	case wantOAuth:
		a.HTTP = &httpAccess{Issuer: w.Issuer, Client: w.Client, Audience: settings.OIDCAudience}
	}
	return a
}

func (d *Directory) getPeople(w http.ResponseWriter, _ *http.Request) *problem.Document {
	all := []participantView{}
	for _, p := range d.host.Directory.Snapshot().Participants() {
		if view, ok := d.describe(p.ID); ok && p.Role != dir.RoleHub {
			all = append(all, view)
		}
	}
	return answer(w, http.StatusOK, map[string]any{"participants": all})
}

func (d *Directory) getParticipant(w http.ResponseWriter, r *http.Request) *problem.Document {
	view, ok := d.describe(r.PathValue("id"))
	if !ok {
		return noParticipant(r)
	}
	return answer(w, http.StatusOK, view)
}

func noParticipant(r *http.Request) *problem.Document {
	return trouble(problem.CodeNotFound, "the directory has no participant %.80q", r.PathValue("id"))
}

// readJSON reads a body of one JSON object; one that may be left out may be empty.
func readJSON(w http.ResponseWriter, r *http.Request, into any, mayLack bool) *problem.Document {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxPeopleBody))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if errors.Is(err, io.EOF) && mayLack {
		return nil
	}
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is more behind the object")
		}
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return trouble(schemas.ReasonTooLarge, "the body has more than %d bytes", maxPeopleBody)
	case err != nil:
		return trouble(schemas.ReasonMalformed, "the body is not the JSON that was expected: %.200s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// postParticipant lets a participant in.
func (d *Directory) postParticipant(w http.ResponseWriter, r *http.Request) *problem.Document {
	var n newcomer
	if p := readJSON(w, r, &n, false); p != nil {
		return p
	}
	return d.change(r, "let in", func(ctx context.Context, by string, now time.Time) (*problem.Document, error) {
		r.SetPathValue("id", n.ID)
		if p := d.check(&n); p != nil {
			return p, nil
		}
		told, err := d.admit(ctx, n, by, now)
		if err != nil {
			return nil, err
		}
		w.Header().Set("Location", pathPeople+"/"+n.ID)
		return answer(w, http.StatusCreated, d.access(n.ID, n.ways, told)), nil
	})
}

// postRotate gives a participant new secrets.
func (d *Directory) postRotate(w http.ResponseWriter, r *http.Request) *problem.Document {
	asked := struct {
		ways
		Overlap string `json:"overlap"`
	}{}
	if p := readJSON(w, r, &asked, true); p != nil {
		return p
	}
	overlap := usualOverlap
	if asked.Overlap != "" {
		var err error
		if overlap, err = time.ParseDuration(asked.Overlap); err != nil || overlap < 0 || overlap > mostOverlap {
			return trouble(schemas.ReasonMalformed, "overlap: how long the old API key lives on, such as 24h; 0s to end it at once, at most %s", mostOverlap)
		}
	}
	return d.changeOf(r, "rotated", func(ctx context.Context, p dir.Participant, by string, now time.Time) (*problem.Document, error) {
		switch {
		case p.Closed():
			return trouble(problem.CodeParticipantClosed, "%s was closed on %s", p.ID, p.ClosedOn), nil
		case p.DoorsSince == "":
			return trouble(problem.CodeConflict, "%s has not been let in yet: add it first", p.ID), nil
		}
		want := asked.orOf(waysOf(d.host.Directory.Credentials(p.ID)))
		if want.Kafka == wantNone && want.HTTP == wantNone {
			return trouble(problem.CodeConflict, "%s has no credentials: name those that it is to get", p.ID), nil
		}
		if wrong := d.checkWays(p.ID, &want); wrong != nil {
			return wrong, nil
		}
		told, err := d.rotate(ctx, p, want, overlap, by, now)
		if err != nil {
			return nil, err
		}
		a := d.access(p.ID, want, told)
		for _, c := range a.Credentials {
			if c.Kind == dir.CredentialAPIKey && c.Created.Before(now) && c.Expires.After(a.OldKeysUntil) {
				a.OldKeysUntil = c.Expires
			}
		}
		return answer(w, http.StatusOK, a), nil
	})
}

// orOf is w, and what a participant has where nothing is asked for.
func (w ways) orOf(had ways) ways {
	if w.Kafka == "" {
		w.Kafka = had.Kafka
	}
	if w.HTTP == "" {
		w.HTTP = had.HTTP
	}
	if w.HTTP == wantOAuth {
		if w.Issuer == "" {
			w.Issuer = had.Issuer
		}
		if w.Client == "" {
			w.Client = had.Client
		}
	}
	return w
}

func (d *Directory) postSuspend(w http.ResponseWriter, r *http.Request) *problem.Document {
	return d.changeOf(r, "suspended", func(ctx context.Context, p dir.Participant, _ string, now time.Time) (*problem.Document, error) {
		if p.Closed() {
			return trouble(problem.CodeParticipantClosed, "%s was closed on %s", p.ID, p.ClosedOn), nil
		}
		if err := d.suspend(ctx, p, now); err != nil {
			return nil, err
		}
		return d.answerWith(w, p.ID), nil
	})
}

func (d *Directory) postResume(w http.ResponseWriter, r *http.Request) *problem.Document {
	return d.changeOf(r, "resumed", func(ctx context.Context, p dir.Participant, _ string, _ time.Time) (*problem.Document, error) {
		if p.Closed() {
			return trouble(problem.CodeParticipantClosed, "%s was closed on %s", p.ID, p.ClosedOn), nil
		}
		if err := d.resume(ctx, p); err != nil {
			return nil, err
		}
		return d.answerWith(w, p.ID), nil
	})
}

func (d *Directory) deleteParticipant(w http.ResponseWriter, r *http.Request) *problem.Document {
	return d.changeOf(r, "closed", func(ctx context.Context, p dir.Participant, _ string, now time.Time) (*problem.Document, error) {
		if err := d.close(ctx, p, now); err != nil {
			return nil, err
		}
		return d.answerWith(w, p.ID), nil
	})
}

func (d *Directory) answerWith(w http.ResponseWriter, id string) *problem.Document {
	view, _ := d.describe(id)
	return answer(w, http.StatusOK, view)
}

// changeOf changes a participant that is there and is no office.
func (d *Directory) changeOf(r *http.Request, what string, do func(ctx context.Context, p dir.Participant, by string, now time.Time) (*problem.Document, error)) *problem.Document {
	return d.change(r, what, func(ctx context.Context, by string, now time.Time) (*problem.Document, error) {
		p, ok := d.host.Directory.Participant(r.PathValue("id"))
		switch {
		case !ok || p.Role == dir.RoleOffice:
			return noParticipant(r), nil
		case p.Role == dir.RoleHub || p.Role == dir.RoleAdmin:
			return trouble(problem.CodeReservedID, "%s is the hub's own", p.ID), nil
		}
		return do(ctx, p, by, now)
	})
}

// change does one change at a time, to its end even if the caller goes away: half
// of it would be done again anyhow.
func (d *Directory) change(r *http.Request, what string, do func(ctx context.Context, by string, now time.Time) (*problem.Document, error)) *problem.Document {
	if why := d.host.DoorsClosed(); why != "" {
		return trouble(schemas.ReasonNotReady, "%s", why)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), applyLimit)
	defer cancel()
	d.people.Lock()
	defer d.people.Unlock()
	caller, err := d.host.Auth.Authenticate(r)
	if err != nil {
		p := problem.From(err)
		return &p
	}
	by := caller.ID
	wrong, err := do(ctx, by, time.Now().UTC())
	switch {
	case err != nil:
		d.host.Log.ErrorContext(ctx, "a participant could not be changed to the end", "change", what, "participant", r.PathValue("id"), "by", by, telemetry.KeyError, err)
		return trouble(schemas.ReasonNotReady, "the log does not answer at present, and some of it may be done: call again, nothing is done twice")
	case wrong == nil:
		d.host.Log.InfoContext(ctx, "participant changed", "change", what, "participant", r.PathValue("id"), "by", by)
	}
	return wrong
}
