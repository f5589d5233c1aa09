package gateway

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/problem"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

const (
	// lookupLimit bounds one look for an outcome.
	lookupLimit = 5 * time.Second
	// maxLookupFetches bounds how much of the log is read for it.
	maxLookupFetches = 64
)

// getEvent answers what became of a submission, to those whose it is. Anything
// else is not found: that it exists is nobody else's business.
func (g *Gateway) getEvent(w http.ResponseWriter, r *http.Request) {
	if !g.host.Directory.IsReady() {
		problem.Write(w, problem.New(schemas.ReasonNotReady, "The directory is being read; try again in a moment."))
		return
	}
	by, err := g.host.Auth.Authenticate(r)
	if err != nil {
		problem.Write(w, problem.From(err))
		return
	}
	place, err := schemas.ParsePlace(r.PathValue("place"))
	if err != nil || place.Partition >= g.partitions {
		problem.Write(w, problem.New(problem.CodeNotFound, ""))
		return
	}
	if wait := g.limiter.take(by, 1); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter(wait)))
		problem.Write(w, problem.New(schemas.ReasonRateExceeded, ""))
		return
	}
	started := time.Now()
	ctx, cancel := context.WithTimeout(r.Context(), lookupLimit)
	defer cancel()
	a, document := g.lookUp(ctx, by, place)
	if document != nil {
		problem.Write(w, *document)
	} else {
		// The question is answered, whatever became of the event.
		a.Status = http.StatusOK
		status := a.Status
		a.Status = 0
		writeJSON(w, status, a)
	}
	g.log.Info("event looked up", telemetry.KeyParticipant, by.ID, telemetry.KeyPlace, place, "outcome", a.Outcome, telemetry.KeyDuration, time.Since(started))
}

// lookUp finds a submission and its outcome.
func (g *Gateway) lookUp(ctx context.Context, by auth.Principal, place schemas.Place) (answer, *problem.Document) {
	var a answer
	trouble := func(err error) *problem.Document {
		g.log.Warn("an outcome could not be looked up", telemetry.KeyPlace, place, telemetry.KeyError, err)
		d := problem.New(schemas.ReasonNotReady, "The log does not answer at present.")
		return &d
	}
	rec, ok, err := g.submissionAt(ctx, g.submitted, place)
	if err != nil {
		return a, trouble(err)
	}
	if !ok || !mayRead(by, &rec) {
		d := problem.New(problem.CodeNotFound, "")
		return a, &d
	}
	a.at(place)
	a.ID = string(rec.Header(headerPrefix + "id"))
	o, ok, err := g.outcomeOf(ctx, place)
	switch {
	case err != nil:
		return a, trouble(err)
	case !ok:
		a.Outcome = outcomePending
	default:
		a.is(o)
	}
	return a, nil
}

// mayRead says whether the submission is the caller's: its sender's, that of
// whoever handed it in, or an admin's to see.
func mayRead(by auth.Principal, submission *broker.Record) bool {
	if by.IsAdmin() {
		return true
	}
	if string(submission.Header(headerPrefix+schemas.AttrSubmitter)) == by.ID {
		return true
	}
	// Whom a refused event claims to be from has not sent it.
	if string(submission.Header(headerPrefix+schemas.AttrVerdict)) == string(schemas.ReasonNotYourParticipant) {
		return false
	}
	participant, _, err := schemas.ParseSource(string(submission.Header(headerPrefix + "source")))
	return err == nil && participant == by.ID
}

// submissionAt reads the record at a place of a topic; ok is false when there is
// none.
func (g *Gateway) submissionAt(ctx context.Context, topic string, place schemas.Place) (rec broker.Record, ok bool, err error) {
	r, err := g.broker.RangeOf(ctx, topic, place.Partition)
	if err != nil || place.Offset < r.First || place.Offset >= r.Next {
		return rec, false, err
	}
	rec, err = g.recordAt(ctx, topic, place.Partition, place.Offset)
	return rec, err == nil && rec.Offset == place.Offset, err
}

var errLongLookup = errors.New("the outcome is further on than one look reaches")

// outcomeOf finds the outcome of a submission; ok is false while there is none.
// Outcomes stand in the order of their submissions, one each at least, so that
// the outcome of submission n is at offset n or after. Each that turns out to be
// m lower than its offset shows m that were appended twice, and as many to skip.
func (g *Gateway) outcomeOf(ctx context.Context, place schemas.Place) (o outcome, ok bool, err error) {
	r, err := g.broker.RangeOf(ctx, g.recorded, place.Partition)
	if err != nil {
		return o, false, err
	}
	at := max(place.Offset, r.First)
	cursor := g.broker.Cursor(g.recorded, place.Partition, at)
	for range maxLookupFetches {
		if at >= r.Next {
			return o, false, nil
		}
		batch, err := cursor.Fetch(ctx)
		if err != nil {
			return o, false, err
		}
		highest := int64(-1)
		for i := range batch.Records {
			o, err = g.outcomes.read(ctx, &batch.Records[i])
			if err != nil {
				return o, false, err
			}
			if highest = max(highest, o.offset); o.offset == place.Offset {
				return o, true, nil
			}
		}
		at = batch.Next
		if n := len(batch.Records); n > 0 {
			at = max(at, batch.Records[n-1].Offset+place.Offset-highest)
		}
		cursor.SeekTo(at)
	}
	return o, false, errLongLookup
}
