package clock

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/lifecycle"
	"github.com/relais-fr/relais/services/clock/internal/timetable"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/follow"
	"github.com/relais-fr/relais/services/internal/store"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// owner keeps the timers of one partition while it is ours, and hands in those
// that are due.
type owner struct {
	*Clock
	partition int
	part      string
	log       *slog.Logger
	claim     *broker.Claim
	// whole says that the timers are as of what stood on the log when it was last
	// taken up: until then some have run out long ago.
	whole atomic.Bool
	hands hands
}

func newOwner(c *Clock, claim *broker.Claim) *owner {
	return &owner{
		Clock: c, partition: claim.Partition, part: fmt.Sprintf("partition %d", claim.Partition), claim: claim,
		log:   c.host.Log.With(telemetry.KeyPartition, claim.Partition),
		hands: hands{until: map[string]time.Time{}},
	}
}

// run owns the partition until ctx, the generation's, ends.
func (o *owner) run(ctx context.Context) error {
	o.host.Ready.Assigned(o.part, "watching")
	defer o.host.Ready.Forget(o.part)
	o.probes.own(o.partition, true)
	defer o.probes.own(o.partition, false)
	defer o.metrics.forget(o.partition)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { o.watch(ctx) })
	reader := &follow.Partition{
		Broker: o.host.Broker, Projection: o.projection, Claim: o.claim, Log: o.log,
		Apply: o.apply, Stored: o.stored, Progress: o.progress,
	}
	return reader.Run(ctx)
}

func (o *owner) progress(done, goal int64) {
	o.host.Ready.Progress(o.part, done, goal)
	o.whole.Store(done >= goal)
}

func (o *owner) stored(ctx context.Context, _ store.Position, fresh []broker.Record, dropped int) {
	o.metrics.dropped.Add(float64(dropped))
	o.log.DebugContext(ctx, "outcomes followed", telemetry.KeyCount, len(fresh), "repeated", dropped)
}

// Keys of the projection: a dossier, and all timers by when they are due.
const timersKey = "timers"

func dossierKey(dossier string) string { return "dossier/" + dossier }

// happening is what an outcome means to the clock: a fact of a case, or a refusal
// of what the clock itself handed in.
type happening struct {
	dossier  string
	fact     lifecycle.Fact
	history  bool
	priority string
	refused  *schemas.SubmissionRefused
}

// read makes a happening of an outcome; ok is false for what no clock minds.
func (o *owner) read(ctx context.Context, r broker.Record) (h happening, ok bool, err error) {
	e, err := schemas.FromRecord(r.Headers, r.Value)
	if err != nil {
		return h, false, err
	}
	entry, _ := schemas.Lookup(e.Type)
	own := e.Type == schemas.TypeSubmissionRefused && e.Extensions[schemas.AttrSubmitter] == schemas.HubParticipant
	if entry.Kind != schemas.KindReferral && entry.Kind != schemas.KindAppointment && !own {
		return h, false, nil
	}
	payload, err := o.codec.Decode(ctx, e.Type, e.Data)
	if err != nil {
		return h, false, err
	}
	h = happening{dossier: string(r.Key), history: e.Extensions[schemas.AttrHistory] == "true", priority: e.Extensions[schemas.AttrPriority]}
	if own {
		h.refused, _ = payload.(*schemas.SubmissionRefused)
		return h, h.refused != nil && h.refused.SubmissionSource == source, nil
	}
	received, err := time.Parse(time.RFC3339Nano, e.Extensions[schemas.AttrReceivedTime])
	if err != nil {
		return h, false, fmt.Errorf("receivedtime: %w", err)
	}
	offset, err := strconv.ParseInt(e.Extensions[schemas.AttrSubmittedOffset], 10, 64)
	if err != nil {
		return h, false, fmt.Errorf("place: %w", err)
	}
	h.fact = lifecycle.Fact{
		Type: e.Type, Subject: e.Subject, Place: schemas.Place{Partition: r.Partition, Offset: offset}.String(),
		Received: received.UnixMilli(), Payload: payload,
		SenderOffice:    e.Extensions[schemas.AttrSenderRole] == string(schemas.RoleOffice),
		RecipientOffice: e.Extensions[schemas.AttrRecipientRole] == string(schemas.RoleOffice),
	}
	return h, true, nil
}

// apply makes of outcomes what they change among the timers.
func (o *owner) apply(ctx context.Context, at store.Position, fresh []broker.Record) ([]store.Op, error) {
	world, err := o.worlds.current()
	if err != nil {
		return nil, err
	}
	var happened []happening
	var keys, names []string
	dossiers := map[string]*timetable.Dossier{}
	for _, r := range fresh {
		h, ok, err := o.read(ctx, r)
		if err != nil {
			return nil, fmt.Errorf("outcome at %d/%d: %w", r.Partition, r.Offset, err)
		}
		if !ok {
			continue
		}
		happened = append(happened, h)
		if dossiers[h.dossier] == nil {
			dossiers[h.dossier] = new(timetable.Dossier)
			keys, names = append(keys, dossierKey(h.dossier)), append(names, h.dossier)
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	values, err := o.projection.Get(ctx, o.partition, at, keys)
	if err != nil {
		return nil, err
	}
	before := make([][]timetable.Timer, len(names))
	for i, v := range values {
		d, err := decode(v)
		if err != nil {
			return nil, err
		}
		dossiers[names[i]], before[i] = d, append(before[i], d.Timers...)
	}
	for _, h := range happened {
		o.happen(ctx, world, dossiers[h.dossier], h)
	}
	var ops []store.Op
	for i, name := range names {
		d := dossiers[name]
		data, err := json.Marshal(d)
		if err != nil {
			return nil, fmt.Errorf("store a dossier: %w", err)
		}
		ops = append(ops, store.Set(keys[i], data))
		ops = append(ops, timerOps(before[i], d.Timers)...)
	}
	return ops, nil
}

func decode(data []byte) (*timetable.Dossier, error) {
	d := new(timetable.Dossier)
	if len(data) == 0 {
		return d, nil
	}
	if err := json.Unmarshal(data, d); err != nil {
		return nil, fmt.Errorf("read a stored dossier: %w", err)
	}
	return d, nil
}

// happen applies one happening to its dossier.
func (o *owner) happen(ctx context.Context, world timetable.World, d *timetable.Dossier, h happening) {
	if h.refused == nil {
		d.Apply(world, h.fact, h.history, h.priority)
		return
	}
	for _, t := range d.Timers {
		if t.ID() != h.refused.SubmissionID {
			continue
		}
		if schemas.Reason(h.refused.Reason) == schemas.ReasonNotYetDue {
			// The gateway's clock is behind ours; the refusal is not remembered.
			o.hands.hold(t.ID(), time.Now().Add(earlyRetry))
			return
		}
		o.metrics.refused.WithLabelValues(t.Clock, h.refused.Reason).Inc()
		o.log.InfoContext(ctx, "deadline refused", "clock", t.Clock, telemetry.KeyReason, h.refused.Reason, "detail", h.refused.Detail)
		d.Refused(world, t)
		return
	}
}

// timerOps move a dossier's timers among all.
func timerOps(before, after []timetable.Timer) []store.Op {
	gone := map[string]int64{}
	for _, t := range before {
		gone[member(t)] = t.At
	}
	var ops []store.Op
	for _, t := range after {
		if at, ok := gone[member(t)]; !ok || at != t.At {
			ops = append(ops, store.ZAdd(timersKey, float64(t.At), member(t)))
		}
		delete(gone, member(t))
	}
	for m := range gone {
		ops = append(ops, store.ZRem(timersKey, m))
	}
	return ops
}
