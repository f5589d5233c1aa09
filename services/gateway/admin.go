package gateway

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/problem"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// Bounds of one page of the quarantine's list.
const (
	defaultPage = 50
	maxPage     = 500
	// markTimeout bounds the noting of a redrive.
	markTimeout = 5 * time.Second
)

// admin lets an admin pass and answers everybody else.
func (g *Gateway) admin(w http.ResponseWriter, r *http.Request) bool {
	by, err := g.host.Auth.Authenticate(r)
	switch {
	case err != nil:
		problem.Write(w, problem.From(err))
		return false
	case !by.IsAdmin():
		problem.Write(w, problem.New(problem.CodeForbidden, "The quarantine is open to admins."))
		return false
	}
	return true
}

// page is one page of the list, oldest first. Next is where the following one
// begins; it is there even when nothing follows yet.
type page struct {
	Items []quarantined `json:"items"`
	Next  string        `json:"next"`
}

// listQuarantine lists what could not be read, from ?cursor= on, ?limit= at most.
func (g *Gateway) listQuarantine(w http.ResponseWriter, r *http.Request) {
	if !g.admin(w, r) {
		return
	}
	limit := defaultPage
	if s := r.URL.Query().Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxPage {
			problem.Write(w, problem.New(problem.CodeUnprocessable, "limit: 1 to "+strconv.Itoa(maxPage)))
			return
		}
		limit = n
	}
	from := schemas.Place{}
	if s := r.URL.Query().Get("cursor"); s != "" {
		var err error
		if from, err = schemas.ParsePlace(s); err != nil || from.Partition != 0 {
			problem.Write(w, problem.New(problem.CodeUnprocessable, "cursor: what `next` said, such as 0-12"))
			return
		}
	}
	list, err := g.quarantinePage(r, from, limit)
	if err != nil {
		g.log.Warn("the quarantine could not be listed", telemetry.KeyError, err)
		problem.Write(w, problem.New(schemas.ReasonNotReady, "The log does not answer at present."))
		return
	}
	writeJSON(w, http.StatusOK, list)
}

func (g *Gateway) quarantinePage(r *http.Request, from schemas.Place, limit int) (page, error) {
	ctx := r.Context()
	list := page{Items: []quarantined{}}
	held, err := g.broker.RangeOf(ctx, g.quarantine, 0)
	if err != nil {
		return list, err
	}
	at := min(max(from.Offset, held.First), held.Next)
	cursor := g.broker.Cursor(g.quarantine, 0, at)
	for at < held.Next && len(list.Items) < limit {
		batch, err := cursor.Fetch(ctx)
		if err != nil {
			return list, err
		}
		at = batch.Next
		for i := range batch.Records {
			if len(list.Items) == limit {
				at = batch.Records[i].Offset
				break
			}
			if q, ok := readQuarantined(&batch.Records[i]); ok {
				list.Items = append(list.Items, q)
			}
		}
	}
	list.Next = schemas.Place{Offset: at}.String()
	return list, nil
}

// getQuarantined shows one record whole.
func (g *Gateway) getQuarantined(w http.ResponseWriter, r *http.Request) {
	rec, q, ok := g.findQuarantined(w, r)
	if !ok {
		return
	}
	q.Key, q.Value = rec.Key, rec.Value
	for _, h := range rec.Headers[:len(rec.Headers)-ownQuarantineHeaders] {
		q.Headers = append(q.Headers, quarantineHeader{Key: h.Key, Value: h.Value})
	}
	writeJSON(w, http.StatusOK, q)
}

func (g *Gateway) findQuarantined(w http.ResponseWriter, r *http.Request) (rec broker.Record, q quarantined, ok bool) {
	if !g.admin(w, r) {
		return rec, q, false
	}
	place, err := schemas.ParsePlace(r.PathValue("place"))
	if err != nil || place.Partition != 0 {
		problem.Write(w, problem.New(problem.CodeNotFound, ""))
		return rec, q, false
	}
	rec, q, ok, err = g.quarantinedAt(r.Context(), place)
	switch {
	case err != nil:
		g.log.Warn("the quarantine could not be read", telemetry.KeyError, err)
		problem.Write(w, problem.New(schemas.ReasonNotReady, "The log does not answer at present."))
	case !ok:
		problem.Write(w, problem.New(problem.CodeNotFound, ""))
	}
	return rec, q, ok
}

// redrive judges a quarantined record again, by the rules and the directory of
// today, as its participant's. A record redriven twice is recognised by the
// ledger.
func (g *Gateway) redrive(w http.ResponseWriter, r *http.Request) {
	rec, q, ok := g.findQuarantined(w, r)
	if !ok {
		return
	}
	if why := g.closed(); why != "" {
		problem.Write(w, problem.New(schemas.ReasonNotReady, why))
		return
	}
	origin, ok := originOf(&rec, q)
	if !ok || q.Cut {
		problem.Write(w, problem.New(problem.CodeUnprocessable, "Only the beginning of the record was kept: have its sender hand it in again."))
		return
	}
	started := time.Now()
	a, document := g.redriveRecord(r, &origin)
	outcome := "accepted"
	if document != nil {
		outcome = document.Code
		problem.Write(w, *document)
	} else {
		g.markRedriven(r.Context(), &rec, q)
		a.write(w)
	}
	g.log.Info("quarantined record redriven", telemetry.KeyPlace, q.Place, telemetry.KeyParticipant, q.Participant, "outcome", outcome,
		"submitted", a.Place, telemetry.KeyDuration, time.Since(started))
}

// markRedriven lets the record count no more. Without the mark it would be counted
// and could be redriven again, which the ledger recognises.
func (g *Gateway) markRedriven(ctx context.Context, rec *broker.Record, q quarantined) {
	ctx, cancel := context.WithTimeout(ctx, markTimeout)
	defer cancel()
	if _, err := g.broker.Produce(ctx, g.redrivenRecord(rec)); err != nil {
		g.log.Warn("a redriven record is still counted", telemetry.KeyPlace, q.Place, telemetry.KeyError, err)
	}
}

func (g *Gateway) redriveRecord(r *http.Request, origin *broker.Record) (answer, *problem.Document) {
	by := g.principal(origin.Topic)
	h, err := g.ruleOnce(r.Context(), by, origin)
	switch {
	case err != nil:
		d := problem.New(schemas.ReasonNotReady, "It cannot be judged now.")
		return answer{}, &d
	case by.Role == "" || h.quarantined:
		d := problem.New(problem.CodeUnprocessable, "It still cannot be read: "+h.verdict.Error())
		return answer{}, &d
	}
	s := &submission{
		q: &request{Gateway: g, by: by, sum: tally{log: g.log}}, ruling: ruling{event: h.event, entry: h.ruling.entry},
		since: time.Now(), answer: answer{ID: h.event.ID},
	}
	if s.sent, err = g.newLane(false).send(r.Context(), h.event); err != nil {
		s.fail(h.event.Type, err)
	}
	s.acknowledge(r.Context())
	if h.verdict != nil && s.answer.Problem == nil {
		s.answer.Outcome = outcomeRefusal
		s.answer.refuse(problem.New(h.verdict.Reason, h.verdict.Detail))
	}
	return s.answer, nil
}
