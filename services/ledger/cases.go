package ledger

import (
	"context"
	"encoding/json"
	"errors"
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
// the log tells it. What is sealed stays out.
type history struct {
	Case     string       `json:"case"`
	Dossier  string       `json:"dossier"`
	Rules    int          `json:"rules"`
	Sequence int64        `json:"sequence"`
	Cases    []caseStatus `json:"cases"`
	Timeline []step       `json:"timeline"`
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
	ctx, cancel := context.WithTimeout(r.Context(), caseTimeout)
	defer cancel()
	h, d, err := l.history(ctx, r.PathValue("case"))
	switch {
	case err != nil && ctx.Err() != nil:
		problem.Write(w, problem.New(schemas.ReasonNotReady, "reading the log took too long"))
	case err != nil:
		l.host.Log.ErrorContext(ctx, "case is not read", telemetry.KeyError, err)
		problem.Write(w, problem.New(problem.CodeInternal, ""))
	case d == nil || !maySee(principal, d):
		problem.Write(w, problem.New(problem.CodeNotFound, "no such case, or not one of yours"))
	default:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(h)
	}
	l.host.Log.InfoContext(ctx, "case read", telemetry.KeyParticipant, principal.ID, telemetry.KeyDuration, time.Since(started))
}

func maySee(p auth.Principal, d *dossier) bool { return p.IsAdmin() || d.hasParty(p.ID) }

// history folds one dossier from the log: the state is what the outcomes made it.
func (l *Ledger) history(ctx context.Context, id string) (*history, *dossier, error) {
	name := schemas.Dossier(id)
	partition := broker.PartitionOf([]byte(name), l.host.Settings.Partitions)
	ranges, err := l.host.Broker.Ranges(ctx, l.recorded)
	if err != nil {
		return nil, nil, err
	}
	h := &history{Case: id, Dossier: name, Cases: []caseStatus{}, Timeline: []step{}}
	d, highest := new(dossier), int64(-1)
	cursor := l.host.Broker.Cursor(l.recorded, partition, 0)
	for next := int64(0); next < ranges[partition].Next; {
		batch, err := cursor.Fetch(ctx)
		if err != nil {
			return nil, nil, err
		}
		next = batch.Next
		for _, r := range batch.Records {
			if string(r.Key) != name {
				continue
			}
			out, err := l.outcomes.read(ctx, r)
			if err != nil {
				return nil, nil, err
			}
			if out.Place.Offset <= highest {
				continue
			}
			highest = out.Place.Offset
			apply(d, out)
			h.Timeline = append(h.Timeline, out.step())
		}
	}
	if d.find(id) == nil {
		return h, nil, nil
	}
	h.Rules, h.Sequence = d.Rules, d.Sequence
	for _, c := range d.Cases {
		h.Cases = append(h.Cases, statusOf(c))
	}
	return h, d, nil
}

func statusOf(c kase) caseStatus {
	s := caseStatus{Case: c.ID, Kind: string(c.Kind), State: string(c.State), Since: formatMillis(c.Since), Parties: c.parties()}
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
