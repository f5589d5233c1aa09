package router

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/pause"
	"github.com/relais-fr/relais/services/internal/problem"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

const replaysPath = "/v1/replays"

// replays is the door where a participant asks for its own events again. They are
// written into its own topic once more, each with the attribute `replay`, so that
// whoever keeps numbers leaves them out of those. The work lives as long as the
// request: who hangs up stops it, and goes on with the cursor that it was given.
type replays struct {
	*Router

	mu      sync.Mutex
	running map[string]bool // by party
}

// progress is one line of the answer.
type progress struct {
	Replay      string `json:"replay"`
	Participant string `json:"participant"`
	DryRun      bool   `json:"dry_run"`
	// Scanned outcomes of all that stand on relais.recorded.
	Scanned int64 `json:"scanned"`
	Of      int64 `json:"of"`
	// Events are those that fit so far; all of them are written where it is no dry
	// run.
	Events int64 `json:"events"`
	// Cursor is where to go on should the answer end here.
	Cursor string `json:"cursor,omitempty"`
	Done   bool   `json:"done"`
	// Problem says why it ended early.
	Problem *problem.Document `json:"problem,omitempty"`
}

// progressEvery is how often a line tells how far it is.
const progressEvery = time.Second

func (h *replays) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	o, refusal := h.read(r)
	if refusal != nil {
		problem.Write(w, *refusal)
		return
	}
	if !o.dry {
		if why := h.host.DoorsClosed(); why != "" {
			problem.Write(w, problem.New(schemas.ReasonNotReady, why))
			return
		}
		if !h.enter(o.party) {
			problem.Write(w, problem.New(problem.CodeConflict, "a replay for "+o.Participant+" is under way; wait for its end, or end it"))
			return
		}
		defer h.leave(o.party)
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	run := &replay{replays: h, order: o, out: json.NewEncoder(w), flush: http.NewResponseController(w).Flush}
	err := run.all(r.Context())
	if err == nil {
		run.told.Done, run.told.Cursor = true, ""
	} else {
		d := endedEarly(r.Context(), err)
		run.told.Problem = &d
	}
	run.tell()
	h.host.Log.InfoContext(r.Context(), "events replayed", telemetry.KeyParticipant, o.Participant, "replay", o.id, "dry_run", o.dry,
		telemetry.KeyCount, run.told.Events, "scanned", run.told.Scanned, telemetry.KeyDuration, time.Since(started), telemetry.KeyError, err)
}

// endedEarly says why a replay ended before its end, and what to do.
func endedEarly(ctx context.Context, err error) problem.Document {
	var refused *broker.RefusedError
	switch {
	case errors.Is(context.Cause(ctx), auth.ErrRevoked):
		return problem.From(auth.ErrRevoked)
	case ctx.Err() != nil:
		return problem.New(schemas.ReasonNotReady, "the hub is stopping, or the connection ended: go on with the cursor")
	case errors.Is(err, errSuspended):
		return problem.New(problem.CodeConflict, "the participant is suspended, or closed, since a moment ago: go on with the cursor when it is resumed")
	case errors.As(err, &refused):
		return problem.New(problem.CodeUnprocessable, "the topic does not take the copies: "+refused.Error())
	}
	return problem.New(schemas.ReasonNotReady, "the log does not answer: go on with the cursor in a moment")
}

// read reads the request and tells what is wrong with it.
func (h *replays) read(r *http.Request) (*order, *problem.Document) {
	refuse := func(d problem.Document) (*order, *problem.Document) { return nil, &d }
	if !h.host.Directory.IsReady() {
		return refuse(problem.New(schemas.ReasonNotReady, "the directory is still being read"))
	}
	by, err := h.host.Auth.Authenticate(r)
	if err != nil {
		return refuse(problem.From(err))
	}
	a, err := readAsk(r)
	if err != nil {
		return refuse(problem.New(schemas.ReasonMalformed, err.Error()))
	}
	o, err := h.orderOf(a, by)
	var denied *deniedError
	switch {
	case errors.As(err, &denied):
		return refuse(problem.New(problem.CodeForbidden, denied.why))
	case errors.Is(err, errSuspended):
		return refuse(problem.New(problem.CodeConflict, a.Participant+" is suspended, and nothing is written for it meanwhile; resume it first"))
	case err != nil:
		return refuse(problem.New(schemas.ReasonMalformed, err.Error()))
	}
	return o, nil
}

// deniedError is an ask that its sender has no right to.
type deniedError struct{ why string }

func (e *deniedError) Error() string { return e.why }

// address finds whose topic the copies go to.
func (h *replays) address(o *order, by auth.Principal) error {
	switch {
	case o.Participant == "" && by.IsAdmin():
		return errors.New("participant: whose events?")
	case o.Participant == "":
		o.Participant = by.ID
	case o.Participant != by.ID && !by.IsAdmin():
		return &deniedError{"a participant may have its own events again, and nobody else's"}
	}
	p, ok := h.host.Directory.Participant(o.Participant)
	switch {
	case !ok || p.Closed():
		return fmt.Errorf("participant: %.80q is not in the directory", o.Participant)
	case p.Role == schemas.RoleOffice:
		o.party = schemas.OfficesParticipant + "/" + o.Participant
	case !o.dry && h.standing(o.Participant) == suspended:
		return errSuspended
	case p.HasTopics():
		o.party = o.Participant
	default:
		return fmt.Errorf("participant: %s has no topic and no mailbox", o.Participant)
	}
	return nil
}

func (h *replays) enter(party string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running[party] {
		return false
	}
	h.running[party] = true
	return true
}

func (h *replays) leave(party string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.running, party)
}

// replay is one run of an order.
type replay struct {
	*replays
	order  *order
	out    *json.Encoder
	flush  func() error
	told   progress
	toldAt time.Time
	// due is when the next event may be written, by the rate.
	due time.Time
}

// all goes through the partitions, one after the other: what belongs to one
// dossier stands on one of them, in its order.
func (r *replay) all(ctx context.Context) error {
	ranges, err := r.host.Broker.Ranges(ctx, r.recorded)
	if err != nil {
		return err
	}
	o := r.order
	r.told = progress{Replay: o.id, Participant: o.Participant, DryRun: o.dry, Events: o.copied, Cursor: r.order.cursor(o.partition, o.start)}
	for _, p := range o.partitions {
		r.told.Of += ranges[p].Next
	}
	for _, p := range o.partitions {
		switch {
		case p < o.partition:
			r.told.Scanned += ranges[p].Next
			continue
		case p > o.partition:
			o.start = 0
		}
		if err := r.partition(ctx, p, ranges[p].Next); err != nil {
			return err
		}
	}
	return nil
}

// partition goes through one partition up to an end, so that what comes meanwhile
// is not awaited.
func (r *replay) partition(ctx context.Context, partition int, end int64) error {
	highest, err := r.before(ctx, partition)
	if err != nil {
		return err
	}
	r.told.Scanned += min(r.order.start, end)
	cursor := r.host.Broker.Cursor(r.recorded, partition, r.order.start)
	for next := r.order.start; next < end; {
		batch, err := cursor.Fetch(ctx)
		if err != nil {
			return err
		}
		var wanted []again
		for _, record := range batch.Records {
			if record.Offset >= end {
				break
			}
			number, err := strconv.ParseInt(header(record, schemas.AttrSubmittedOffset), 10, 64)
			if err != nil {
				return fmt.Errorf("outcome at %d/%d has no number: %w", partition, record.Offset, err)
			}
			if number <= highest {
				continue // a repeated write of the same outcome
			}
			highest = number
			if r.order.wants(record) {
				wanted = append(wanted, r.again(record))
			}
		}
		if err := r.write(ctx, partition, wanted); err != nil {
			return err
		}
		r.told.Scanned += min(batch.Next, end) - next
		next = batch.Next
		r.told.Cursor = r.order.cursor(partition, next)
		if time.Since(r.toldAt) >= progressEvery {
			r.tell()
		}
	}
	return nil
}

// before is the number of the outcome just before where a partition is begun.
func (r *replay) before(ctx context.Context, partition int) (int64, error) {
	if r.order.start == 0 {
		return -1, nil
	}
	batch, err := r.host.Broker.Cursor(r.recorded, partition, r.order.start-1).Fetch(ctx)
	if err != nil {
		return 0, err
	}
	if len(batch.Records) == 0 {
		return 0, fmt.Errorf("nothing stands at %s/%d-%d", r.recorded, partition, r.order.start-1)
	}
	return strconv.ParseInt(header(batch.Records[0], schemas.AttrSubmittedOffset), 10, 64)
}

// again is the copy of an outcome, marked as replayed, and the offset after that
// outcome.
type again struct {
	*copied
	next int64
}

func (r *replay) again(record broker.Record) again {
	c := r.copyFor(r.order.party, record)
	c.record.Headers = append(c.record.Headers, schemas.Header{Key: "ce_" + schemas.AttrReplay, Value: []byte(r.order.id)})
	return again{c, record.Offset + 1}
}

// write writes copies at the rate, in order, and waits until all are acknowledged.
func (r *replay) write(ctx context.Context, partition int, copies []again) error {
	for len(copies) > 0 {
		// A tenth of a second's worth at a time.
		step := copies[:min(len(copies), max(1, r.order.rate/10))]
		copies = copies[len(step):]
		if !r.order.dry {
			if err := r.writeStep(ctx, step); err != nil {
				return err
			}
		}
		r.order.copied += int64(len(step))
		r.told.Events = r.order.copied
		r.told.Cursor = r.order.cursor(partition, step[len(step)-1].next)
		if time.Since(r.toldAt) >= progressEvery {
			r.tell()
		}
	}
	return nil
}

func (r *replay) writeStep(ctx context.Context, step []again) error {
	if err := pause.For(ctx, time.Until(r.due)); err != nil {
		return err
	}
	if r.standing(r.order.party) != open {
		return errSuspended
	}
	r.due = time.Now().Add(time.Duration(len(step)) * time.Second / time.Duration(r.order.rate))
	before := make([]*copied, 0, len(step))
	for _, c := range step {
		if err := r.enqueue(ctx, before, c.copied); err != nil {
			return err
		}
		before = append(before, c.copied)
	}
	for _, c := range step {
		if _, err := c.ack.Wait(ctx); err != nil {
			return fmt.Errorf("replay to %s: %w", c.record.Topic, err)
		}
		r.metrics.replayed.WithLabelValues(c.label()).Inc()
	}
	return nil
}

// tell writes a line of the answer. Who has hung up ends the request's context.
func (r *replay) tell() {
	r.toldAt = time.Now()
	if r.out.Encode(r.told) == nil {
		_ = r.flush()
	}
}
