package router

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/pause"
	"github.com/relais-fr/relais/services/internal/problem"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

const redrivesPath = "/v1/redrives"

// redriveAsk is the body of POST /v1/redrives: which dead letters are to be brought
// once more. What is left out does not narrow them down.
type redriveAsk struct {
	choice
	// DryRun counts and writes nothing; it is the default.
	DryRun *bool `json:"dry_run"`
	// Rate is in events a second; 500 when it is left out.
	Rate *int `json:"rate"`
}

// redriven is one line of the answer.
type redriven struct {
	Redrive string `json:"redrive"`
	DryRun  bool   `json:"dry_run"`
	// Letters fit; of them so many were redriven, and so many refused again.
	Letters  int `json:"letters"`
	Redriven int `json:"redriven"`
	Refused  int `json:"refused"`
	// Waiting are delivered by themselves, once their topic is back; OnPages are
	// copies for offices' pages, which take none out of their order.
	Waiting int `json:"waiting"`
	OnPages int `json:"on_pages"`
	// Shut are for recipients who are suspended, or closed: nothing is brought to them.
	Shut int `json:"shut"`
	// Missing are those whose event is not on the log any more.
	Missing int `json:"missing"`
	// Unknown are places of the choice where there is no dead letter.
	Unknown []string          `json:"unknown,omitempty"`
	Done    bool              `json:"done"`
	Problem *problem.Document `json:"problem,omitempty"`
}

// redrives is the door where dead letters are brought once more: the same key, the
// same headers, in the order of their places, each marked with the attribute
// `replay` so that whoever keeps numbers leaves it out of them. The work lives as
// long as the request; what is redriven is no dead letter any more, so that asking
// again goes on.
func (r *Router) redrives(w http.ResponseWriter, req *http.Request) {
	started := time.Now()
	by, refusal := r.enter(req)
	if refusal != nil {
		problem.Write(w, *refusal)
		return
	}
	if !by.IsAdmin() {
		problem.Write(w, problem.New(problem.CodeForbidden, "dead letters are redriven by admins; a participant asks for a replay of its own events"))
		return
	}
	a, err := readRedrive(req)
	if err != nil {
		problem.Write(w, problem.New(schemas.ReasonMalformed, err.Error()))
		return
	}
	dry := a.DryRun == nil || *a.DryRun
	if why := r.host.DoorsClosed(); why != "" && !dry {
		problem.Write(w, problem.New(schemas.ReasonNotReady, why))
		return
	}
	if !dry && !r.redriving.CompareAndSwap(false, true) {
		problem.Write(w, problem.New(problem.CodeConflict, "dead letters are being redriven; wait for the end, or end it"))
		return
	}
	if !dry {
		defer r.redriving.Store(false)
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	run := &redriveRun{Router: r, ask: a, out: json.NewEncoder(w), flush: http.NewResponseController(w).Flush}
	run.told.Redrive, run.told.DryRun = "redrive-"+uuid.NewString(), dry
	err = run.all(req.Context())
	if err == nil {
		run.told.Done = true
	} else {
		d := problem.New(schemas.ReasonNotReady, "it ended early: "+err.Error()+"; ask again, and it goes on")
		run.told.Problem = &d
	}
	run.tell()
	r.host.Log.InfoContext(req.Context(), "dead letters redriven", "redrive", run.told.Redrive, "dry_run", dry, telemetry.KeyCount, run.told.Redriven,
		"letters", run.told.Letters, telemetry.KeyDuration, time.Since(started), telemetry.KeyError, err)
}

func readRedrive(req *http.Request) (redriveAsk, error) {
	var a redriveAsk
	body := json.NewDecoder(http.MaxBytesReader(nil, req.Body, maxAsk))
	body.DisallowUnknownFields()
	if err := body.Decode(&a); err != nil && !errors.Is(err, io.EOF) {
		return a, fmt.Errorf("the body is not what is expected: %w; send {\"reason\": …, \"recipient\": …, \"sender\": …, \"before\": …, \"places\": […], \"dry_run\": true, \"rate\": 500}", err)
	}
	if _, err := body.Token(); !errors.Is(err, io.EOF) {
		return a, errors.New("the body has something after the JSON object")
	}
	switch {
	case a.Rate == nil:
		a.Rate = new(defaultRate)
	case *a.Rate < 1 || *a.Rate > maxRate:
		return a, fmt.Errorf("rate: %d events a second; use 1 to %d", *a.Rate, maxRate)
	}
	return a, a.check()
}

// redriveRun is one run.
type redriveRun struct {
	*Router
	ask    redriveAsk
	out    *json.Encoder
	flush  func() error
	told   redriven
	toldAt time.Time
}

// all redrives the letters, in the order of their places.
func (r *redriveRun) all(ctx context.Context) error {
	chosen := r.letters.choose(func(l *letter) bool { return l.State == schemas.DeliveryDead && r.ask.fits(l) })
	r.told.Letters, r.told.Unknown = len(chosen), without(r.ask.Places, chosen)
	due := time.Now()
	for _, l := range chosen {
		switch {
		case l.reason() == schemas.DeliveryTopicGone:
			r.told.Waiting++
			continue
		case l.Channel == schemas.ChannelPage:
			r.told.OnPages++
			continue
		case r.standing(l.Recipient) != open:
			r.told.Shut++
			continue
		case r.told.DryRun:
			r.told.Redriven++
			continue
		}
		if err := pause.For(ctx, time.Until(due)); err != nil {
			return err
		}
		due = due.Add(time.Second / time.Duration(*r.ask.Rate))
		if err := r.one(ctx, l); err != nil {
			return err
		}
		if time.Since(r.toldAt) >= progressEvery {
			r.tell()
		}
	}
	return nil
}

// without are the places at which there is none of the letters.
func without(places []string, letters []*letter) []string {
	var unknown []string
	for _, place := range places {
		if !slices.ContainsFunc(letters, func(l *letter) bool { return l.Place == place }) {
			unknown = append(unknown, place)
		}
	}
	return unknown
}

// one writes one copy and tells of it. Another router may have redriven it: then
// its readers drop it by place.
func (r *redriveRun) one(ctx context.Context, l *letter) error {
	record, ok, err := r.outcomeOf(ctx, l)
	if err != nil {
		return err
	}
	if !ok {
		r.told.Missing++
		return nil
	}
	c := r.copyFor(l.Recipient, record)
	c.place = l.at
	c.record.Headers = append(c.record.Headers, schemas.Header{Key: "ce_" + schemas.AttrReplay, Value: []byte(r.told.Redrive)})
	if err := r.enqueue(ctx, nil, c); err != nil {
		return err
	}
	d := c.change(schemas.DeliveryRedriven, l.reason())
	d.Attempt = l.Attempt + 1
	offset, err := c.ack.Wait(ctx)
	var refused *broker.RefusedError
	switch {
	case errors.As(err, &refused):
		r.told.Refused++
		d.State, d.ErrorCode, d.Since, d.LatencyMillis = schemas.DeliveryDead, new(refused.Code()), l.Since, l.LatencyMillis
		return r.publish(ctx, []*schemas.DeliveryChanged{d})
	case err != nil:
		return err
	}
	r.told.Redriven++
	d.CopyOffset = &offset
	r.metrics.replayed.WithLabelValues(c.label()).Inc()
	return r.publish(ctx, []*schemas.DeliveryChanged{d})
}

func (r *redriveRun) outcomeOf(ctx context.Context, l *letter) (broker.Record, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	if l.RecordedOffset != nil {
		return r.search(ctx, r.recorded, l.at.Partition, *l.RecordedOffset, *l.RecordedOffset+1, l.at)
	}
	return r.outcome(ctx, l.at)
}

// tell writes a line of the answer. Who has hung up ends the request's context.
func (r *redriveRun) tell() {
	r.toldAt = time.Now()
	if r.out.Encode(r.told) == nil {
		_ = r.flush()
	}
}
