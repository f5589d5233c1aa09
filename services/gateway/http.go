package gateway

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/problem"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

const eventsPath = "/v1/events"

func (g *Gateway) routes(mux services.Routes) {
	mux.HandleFunc("POST "+eventsPath, g.postEvents)
	mux.HandleFunc("GET "+eventsPath+"/{place}", g.getEvent)
	mux.HandleFunc("GET "+usesPath, g.listUses)
	mux.HandleFunc("GET /v1/quarantine", g.listQuarantine)
	mux.HandleFunc("GET /v1/quarantine/{place}", g.getQuarantined)
	mux.HandleFunc("POST /v1/quarantine/{place}/redrive", g.redrive)
}

// ndjsonContentType is one structured event a line.
const ndjsonContentType = "application/x-ndjson"

// Time limits of the HTTP door.
const (
	// bodyLimit is how long a body may take to arrive.
	bodyLimit = 30 * time.Second
	// answerLimit is how long an answer may take to be fetched.
	answerLimit = 30 * time.Second
	// ackLimit is how long a caller waits for the log; then the fate of what was
	// handed in is not known to it.
	ackLimit = 15 * time.Second
	// maxWait bounds `Prefer: wait=`.
	maxWait = 60 * time.Second
)

// request is one POST to /v1/events.
type request struct {
	*Gateway
	w       http.ResponseWriter
	r       *http.Request
	by      auth.Principal
	wait    time.Duration
	started time.Time
	sum     tally
}

// postEvents takes events in: one, a batch or a stream, by content type.
func (g *Gateway) postEvents(w http.ResponseWriter, r *http.Request) {
	// Before the directory is read nobody is known: that is no reason to send
	// anybody away for good.
	if why := g.closed(); why != "" {
		problem.Write(w, problem.New(schemas.ReasonNotReady, why))
		return
	}
	by, err := g.host.Auth.Authenticate(r)
	if err != nil {
		problem.Write(w, problem.From(err))
		return
	}
	q := &request{Gateway: g, w: w, r: r, by: by, wait: preferredWait(r.Header), started: time.Now(), sum: tally{log: g.log}}
	if q.wait > 0 {
		w.Header().Set("Preference-Applied", "wait="+strconv.Itoa(int(q.wait/time.Second)))
	}
	kind := mediaType(r.Header.Get("Content-Type"))
	switch kind {
	case schemas.StructuredContentType, schemas.JSONContentType, schemas.AvroContentType:
		q.single(r.Context(), kind == schemas.StructuredContentType)
	case schemas.BatchContentType:
		q.batch(r.Context())
	case ndjsonContentType:
		q.stream(r.Context())
	default:
		problem.Write(w, problem.New(problem.CodeUnsupported, strings.Join([]string{
			schemas.StructuredContentType, schemas.BatchContentType, ndjsonContentType,
			schemas.JSONContentType + " or " + schemas.AvroContentType + " with ce- headers",
		}, ", ")))
	}
	g.log.Info("events handed in", telemetry.KeyParticipant, by.ID, "content_type", kind, "accepted", q.sum.accepted,
		"refused", q.sum.refused, "wait", q.wait, telemetry.KeyDuration, time.Since(q.started))
}

// preferredWait reads `Prefer: wait=N`, seconds.
func preferredWait(header http.Header) time.Duration {
	for _, line := range header.Values("Prefer") {
		for preference := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(preference), "=")
			if !strings.EqualFold(strings.TrimSpace(name), "wait") {
				continue
			}
			if n, err := strconv.Atoi(strings.Trim(strings.TrimSpace(value), `"`)); err == nil && n > 0 {
				return min(time.Duration(n), maxWait/time.Second) * time.Second
			}
		}
	}
	return 0
}

// body reads the request's body, within its time and size.
func (q *request) body(limit int64) ([]byte, error) {
	control := http.NewResponseController(q.w)
	// Where deadlines are not supported, the server's own hold.
	_ = control.SetReadDeadline(time.Now().Add(bodyLimit))
	data, err := readBody(q.w, q.r, limit)
	_ = control.SetReadDeadline(time.Time{})
	_ = control.SetWriteDeadline(time.Now().Add(2*ackLimit + q.wait + answerLimit))
	return data, err
}

// allow takes n events out of the caller's allowance, or answers 429.
func (q *request) allow(n int) bool {
	wait := q.limiter.take(q.by, n)
	if wait == 0 {
		return true
	}
	q.w.Header().Set("Retry-After", strconv.Itoa(retryAfter(wait)))
	q.refuseAll(refuse(schemas.ReasonRateExceeded, "wait %d seconds", retryAfter(wait)))
	return false
}

// refuseAll answers the whole request with one error.
func (q *request) refuseAll(err error) {
	document := problem.From(err)
	switch {
	case errors.Is(err, errEncoding):
		document = problem.New(problem.CodeUnsupported, err.Error())
	case errors.Is(err, errBodyLost):
		document = problem.New(schemas.ReasonMalformed, errBodyLost.Error())
	}
	q.metrics.refused(q.by, document.Code)
	q.sum.refusal(q.by, "", document.Code, document.Detail)
	problem.Write(q.w, document)
}

// single takes one event and answers for it.
func (q *request) single(ctx context.Context, structured bool) {
	if !q.allow(1) {
		return
	}
	data, err := q.body(maxSingleBody)
	if err != nil {
		q.refuseAll(err)
		return
	}
	var event schemas.Event
	if structured {
		event, err = structuredEvent(data, q.by, channelHTTP)
	} else {
		event, err = binaryEvent(q.r.Header, data, q.by)
	}
	s := q.submit(ctx, q.newLane(false), event, err)
	s.acknowledge(ctx)
	s.await(ctx)
	s.answer.write(q.w)
}

// submission is one event on its way through the HTTP door.
type submission struct {
	q       *request
	ruling  ruling
	sent    sent
	place   schemas.Place
	outcome <-chan outcome
	since   time.Time
	// answer is what the caller will be told, as far as it is known.
	answer answer
}

// submit judges an event and sends it. What goes wrong stands in the answer.
func (q *request) submit(ctx context.Context, l *lane, event schemas.Event, err error) *submission {
	s := &submission{q: q, since: time.Now(), answer: answer{ID: event.ID}}
	if q.wait > 0 {
		q.followFirst(ctx)
	}
	if err == nil {
		s.ruling, _, err = q.judge.judge(ctx, claim{event: event, by: q.by, channel: channelHTTP})
		q.metrics.form.Observe(time.Since(s.since).Seconds())
		s.answer.Ignored = s.ruling.ignored
	}
	if err == nil {
		s.sent, err = l.send(ctx, s.ruling.event)
	}
	if err != nil {
		s.fail(event.Type, err)
	}
	return s
}

// followFirst waits until outcomes are followed, so that the one of an event
// handed in after is not missed.
func (q *request) followFirst(ctx context.Context) {
	limit, cancel := context.WithTimeout(ctx, q.wait)
	defer cancel()
	select {
	case <-q.outcomes.following:
	case <-limit.Done():
	}
}

// fail makes the answer of what went wrong before the event was written.
func (s *submission) fail(eventType string, err error) {
	var (
		notReady *notReadyError
		refused  *broker.RefusedError
		document problem.Document
	)
	switch {
	case errors.As(err, &notReady):
		document = problem.New(schemas.ReasonNotReady, notReady.sentence)
	case errors.Is(err, broker.ErrBufferFull):
		document = problem.New(schemas.ReasonNotReady, "Too many events wait to be written.")
	case errors.Is(err, errEarlier):
		document = problem.New(schemas.ReasonNotReady, "An earlier event of the same dossier was not taken; this one was not sent.")
	case errors.As(err, &refused) && refused.TooLarge():
		document = problem.New(schemas.ReasonTooLarge, "event: larger than the hub's topics take")
	case errors.As(err, &refused):
		s.q.log.Error("the broker does not take submissions", telemetry.KeyTopic, s.q.submitted, telemetry.KeyError, err)
		document = problem.New(schemas.ReasonNotReady, "The log does not take events at present.")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, broker.ErrClosed):
		document = unknownFate()
	default:
		document = problem.From(err)
	}
	s.answer.refuse(document)
	s.q.metrics.refused(s.q.by, document.Code)
	s.q.sum.refusal(s.q.by, eventType, document.Code, document.Detail)
}

// unknownFate is the answer when nobody can say whether the event was written.
func unknownFate() problem.Document {
	d := problem.New(schemas.ReasonNotReady, "It is not known whether the event was taken.")
	d.Remedy = "Repeat it with the same id: the hub recognises what it has."
	d.RemedyFR = "Répétez-le avec le même identifiant : le hub reconnaît ce qu'il a déjà."
	return d
}

// acknowledge waits until the event is written, and asks for its outcome where
// the caller waits.
func (s *submission) acknowledge(ctx context.Context) {
	if s.answer.Problem != nil {
		return
	}
	limit, cancel := context.WithDeadline(ctx, s.sent.at.Add(ackLimit))
	defer cancel()
	offset, err := s.sent.ack.Wait(limit)
	if s.q.isCut(s.sent.partition, err) {
		err = broker.ErrClosed // as far as the caller is concerned
	}
	if err != nil {
		s.fail(s.ruling.event.Type, err)
		return
	}
	s.place = schemas.Place{Partition: s.sent.partition, Offset: offset}
	s.answer.at(s.place)
	s.answer.Status = http.StatusAccepted
	s.q.sum.acceptedOne()
	s.q.metrics.accepted(s.q.by, s.ruling, channelHTTP, s.since)
	s.q.pending.add(s.place, operatorLabel(s.q.by), s.since)
	if s.q.wait > 0 {
		s.outcome = s.q.outcomes.expect(s.place)
	}
}

// await waits for the outcome, as long as the caller asked for.
func (s *submission) await(ctx context.Context) {
	if s.outcome == nil {
		return
	}
	select {
	case o := <-s.outcome:
		s.answer.is(o)
		return
	default:
	}
	limit := time.NewTimer(time.Until(s.since.Add(s.q.wait)))
	defer limit.Stop()
	select {
	case o := <-s.outcome:
		s.answer.is(o)
		return
	case <-limit.C:
	case <-ctx.Done():
	}
	s.q.outcomes.forget(s.place, s.outcome)
}
