package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/lifecycle"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/problem"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// caseTimeout bounds the reading of a case's history.
const caseTimeout = 30 * time.Second

// history is the answer of GET /v1/cases/{case}: the dossier's whole story, as
// the log tells it, or its story up to a time. What is sealed stays out.
type history struct {
	Case    string `json:"case"`
	Dossier string `json:"dossier"`
	// At is the time asked for; nothing received later is told.
	At       string       `json:"at,omitempty"`
	Rules    int          `json:"rules"`
	Sequence int64        `json:"sequence"`
	Cases    []caseStatus `json:"cases"`
	Timeline []step       `json:"timeline"`

	// begun is when the dossier's first outcome was received.
	begun string
}

type caseStatus struct {
	Case    string   `json:"case"`
	Kind    string   `json:"kind"`
	State   string   `json:"state"`
	French  string   `json:"state_fr"`
	English string   `json:"state_en"`
	Since   string   `json:"since"`
	Parties []string `json:"parties"`
}

type step struct {
	Place    string          `json:"place"`
	Outcome  string          `json:"outcome"`
	Type     string          `json:"type"`
	Case     string          `json:"case"`
	Sequence int64           `json:"sequence,omitempty"`
	Source   string          `json:"source"`
	ID       string          `json:"id"`
	Time     string          `json:"time,omitempty"`
	Received string          `json:"receivedtime"`
	Reason   string          `json:"reason,omitempty"`
	Detail   string          `json:"detail,omitempty"`
	First    string          `json:"first,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`
}

// serveCase tells a case's story to those whose case it is, and to an admin. To
// anybody else it does not exist.
func (l *Ledger) serveCase(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	if !l.host.Directory.IsReady() {
		problem.Write(w, problem.New(schemas.ReasonNotReady, "the directory is still being read"))
		return
	}
	principal, err := l.host.Auth.Authenticate(r)
	if err != nil {
		problem.Write(w, problem.From(err))
		return
	}
	at, err := momentOf(r)
	if err != nil {
		problem.Write(w, problem.New(schemas.ReasonMalformed, err.Error()))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), caseTimeout)
	defer cancel()
	h, d, err := l.history(ctx, r.PathValue("case"), at)
	switch {
	case err != nil && ctx.Err() != nil:
		problem.Write(w, problem.New(schemas.ReasonNotReady, "reading the log took too long"))
	case err != nil:
		l.host.Log.ErrorContext(ctx, "case is not read", telemetry.KeyError, err)
		problem.Write(w, problem.New(problem.CodeInternal, ""))
	case d == nil || !maySee(principal, d):
		problem.Write(w, problem.New(problem.CodeNotFound, "no such case, or not one of yours"))
	case len(h.Cases) == 0:
		problem.Write(w, problem.New(problem.CodeNotFound, "at "+h.At+" there was no such case yet: the dossier's first outcome was received at "+h.begun))
	default:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(h)
	}
	l.host.Log.InfoContext(ctx, "case read", telemetry.KeyParticipant, principal.ID, telemetry.KeyDuration, time.Since(started))
}

func maySee(p auth.Principal, d *dossier) bool { return p.IsAdmin() || d.HasParty(p.ID) }

// momentOf reads the parameter at: a time as of which to tell, none for now.
func momentOf(r *http.Request) (time.Time, error) {
	text := r.URL.Query().Get("at")
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("at: %q is no time such as 2026-05-14T09:30:00Z or 2026-05-14T11:30:00+02:00", text)
	}
	return at, nil
}

// history folds one dossier from the log: the state is what the outcomes made it,
// those received up to at where a time is given. The dossier returned is the one
// of now, by which it is known who may look; nil where there is no such case.
func (l *Ledger) history(ctx context.Context, id string, at time.Time) (*history, *dossier, error) {
	name := schemas.Dossier(id)
	h := &history{Case: id, Dossier: name, Cases: []caseStatus{}, Timeline: []step{}}
	limit := int64(math.MaxInt64)
	if !at.IsZero() {
		limit, h.At = at.UnixMilli(), at.UTC().Format(time.RFC3339Nano)
	}
	now, then := new(dossier), new(dossier)
	err := l.eachOutcome(ctx, name, func(out *outcome) {
		apply(now, out)
		if h.begun == "" {
			h.begun = formatMillis(out.Received)
		}
		// Within a dossier these times never go back, so that what is told is what
		// stood then.
		if out.Received <= limit {
			apply(then, out)
			h.Timeline = append(h.Timeline, out.step())
		}
	})
	if err != nil {
		return nil, nil, err
	}
	if now.Find(id) == nil {
		return h, nil, nil
	}
	h.Rules, h.Sequence = then.Rules, then.Sequence
	if then.Find(id) != nil {
		for _, c := range then.Cases {
			h.Cases = append(h.Cases, statusOf(c))
		}
	}
	return h, now, nil
}

// eachOutcome reads a dossier's outcomes from the beginning of its partition,
// each once.
func (l *Ledger) eachOutcome(ctx context.Context, dossier string, tell func(*outcome)) error {
	partition := broker.PartitionOf([]byte(dossier), l.host.Settings.Partitions)
	end, err := l.host.Broker.RangeOf(ctx, l.recorded, partition)
	if err != nil {
		return err
	}
	highest := int64(-1)
	cursor := l.host.Broker.Cursor(l.recorded, partition, 0)
	for next := int64(0); next < end.Next; {
		batch, err := cursor.Fetch(ctx)
		if err != nil {
			return err
		}
		next = batch.Next
		for _, r := range batch.Records {
			if string(r.Key) != dossier {
				continue
			}
			out, err := l.outcomes.read(ctx, r)
			if err != nil {
				return err
			}
			if out.Place.Offset > highest {
				highest = out.Place.Offset
				tell(out)
			}
		}
	}
	return nil
}

func statusOf(c kase) caseStatus {
	s := caseStatus{Case: c.ID, Kind: string(c.Kind), State: string(c.State), Since: formatMillis(c.Since), Parties: c.Parties()}
	if m, ok := lifecycle.ByKind(c.Kind); ok {
		s.French, s.English = m.Words(c.State).FrenchSender, m.Words(c.State).English
	}
	return s
}

func (o *outcome) step() step {
	s := step{Place: o.Place.String(), Received: formatMillis(o.Received)}
	switch {
	case o.Fact != nil:
		s.Outcome, s.Type, s.Case, s.Sequence = "fact", o.Fact.Type, o.Fact.Subject, o.Sequence
		s.Source, s.ID = o.Fact.Source, o.Fact.ID
		if !o.Fact.Time.IsZero() {
			s.Time = o.Fact.Time.UTC().Format(time.RFC3339)
		}
		s.Data = unsealed(o.Fact.Payload)
	case o.Refusal != nil:
		s.Outcome, s.Type, s.Source, s.ID = "refusal", o.Refusal.SubmissionType, o.Refusal.SubmissionSource, o.Refusal.SubmissionID
		s.Reason, s.Detail, s.Case = o.Refusal.Reason, o.Refusal.Detail, o.Dossier
	case o.Repeat != nil:
		s.Outcome, s.Type, s.Source, s.ID = "repeat", o.Repeat.SubmissionType, o.Repeat.SubmissionSource, o.Repeat.SubmissionID
		s.First, s.Case = strconv.Itoa(o.Repeat.FirstPartition)+"-"+strconv.FormatInt(o.Repeat.FirstOffset, 10), o.Dossier
	}
	return s
}

// unsealed is the payload as JSON without what is sealed.
func unsealed(payload any) json.RawMessage {
	var fields map[string]json.RawMessage
	data, err := json.Marshal(payload)
	if errors.Join(err, json.Unmarshal(data, &fields)) != nil {
		return nil
	}
	if _, ok := fields["sealed"]; ok {
		fields["sealed"] = json.RawMessage(`"(sealed)"`)
	}
	data, _ = json.Marshal(fields)
	return data
}
