package clock

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/clock/internal/timetable"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/store"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

const (
	// lookEvery is how often timers that are due are looked for.
	lookEvery = time.Second
	// lookLimit bounds what one look hands in.
	lookLimit = 500
	// outcomeLimit is how long an outcome may be under way before the same is
	// handed in again: a repeat at worst.
	outcomeLimit = 30 * time.Second
	// earlyRetry is the pause after a not_yet_due.
	earlyRetry = 5 * time.Second
	// ackLimit is how long the log may take to acknowledge.
	ackLimit = 10 * time.Second
)

// hands remembers what was handed in and whose outcome is not seen yet, until when
// it is not handed in again. It is a courtesy: what a restart has forgotten the
// ledger recognises by its id. Safe for concurrent use.
type hands struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (h *hands) hold(id string, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.until[id] = until
}

func (h *hands) held(id string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return now.Before(h.until[id])
}

// count drops what is over and counts the rest.
func (h *hands) count(now time.Time) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, until := range h.until {
		if !now.Before(until) {
			delete(h.until, id)
		}
	}
	return len(h.until)
}

// watch looks for timers that are due, each second, until ctx ends.
func (o *owner) watch(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !o.whole.Load() {
			continue
		}
		if err := o.look(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrAbsent) {
			o.log.WarnContext(ctx, "deadlines are not handed in", telemetry.KeyError, err)
		}
	}
}

// look hands in what is due and not under way. Only what the log acknowledged is
// under way: anything else is handed in again at the next look.
func (o *owner) look(ctx context.Context) error {
	now := time.Now()
	// Those under way are still among the timers, and among the first.
	limit := lookLimit + o.hands.count(now)
	answers, _, err := o.projection.Read(ctx, o.partition, store.ZCard(timersKey), store.ZRangeByScore(timersKey, 0, float64(now.UnixMilli()), limit))
	if err != nil {
		return err
	}
	o.metrics.pending(o.partition, answers[0].Count)
	var queries []store.Query
	asked := map[string]bool{}
	for _, m := range answers[1].Values {
		name, err := dossierOf(string(m))
		if err != nil {
			return err
		}
		if !asked[name] {
			asked[name] = true
			queries = append(queries, store.Get(dossierKey(name)))
		}
	}
	if len(queries) == 0 {
		return nil
	}
	values, _, err := o.projection.Read(ctx, o.partition, queries...)
	if err != nil {
		return err
	}
	var sent []*sending
	for _, v := range values {
		d, err := decode(v.Value)
		if err != nil {
			return err
		}
		for _, t := range d.Timers {
			if time.UnixMilli(t.At).After(now) || o.hands.held(t.ID(), now) {
				continue
			}
			ack, err := o.pen.write(ctx, t.ID(), t.Case, time.UnixMilli(t.At), d.Payload(t))
			if _, refused := errors.AsType[*schemas.Refusal](err); refused {
				// It will never be an event, and holds up no other.
				o.log.ErrorContext(ctx, "deadline is no event", "clock", t.Clock, telemetry.KeyPlace, t.StartedBy, telemetry.KeyError, err)
				o.hands.hold(t.ID(), now.Add(time.Hour))
				continue
			}
			if err != nil {
				return errors.Join(err, o.settle(ctx, sent, now))
			}
			sent = append(sent, &sending{t, ack})
		}
	}
	return o.settle(ctx, sent, now)
}

// sending is a timer's event on its way to the log.
type sending struct {
	timer timetable.Timer
	ack   *broker.Ack
}

// settle waits for the log's word on each.
func (o *owner) settle(ctx context.Context, sent []*sending, started time.Time) error {
	if len(sent) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, ackLimit)
	defer cancel()
	var problems []error
	taken := 0
	for _, s := range sent {
		if _, err := s.ack.Wait(ctx); err != nil {
			problems = append(problems, err)
			continue
		}
		now := time.Now()
		taken++
		o.hands.hold(s.timer.ID(), now.Add(outcomeLimit))
		o.metrics.handedIn.WithLabelValues(s.timer.Clock).Inc()
		o.metrics.lateness.Observe(now.Sub(time.UnixMilli(s.timer.At)).Seconds())
	}
	o.log.InfoContext(ctx, "deadlines handed in", telemetry.KeyCount, taken, "failed", len(problems), telemetry.KeyDuration, time.Since(started))
	return errors.Join(problems...)
}

// member is a timer among all: what it needs to be found again, case last.
func member(t timetable.Timer) string {
	return fmt.Sprintf("%s %d %s %s", t.Clock, t.Occurrence, t.StartedBy, t.Case)
}

// dossierOf is the dossier of the timer that a member is.
func dossierOf(member string) (string, error) {
	words := strings.SplitN(member, " ", 4)
	if len(words) != 4 {
		return "", fmt.Errorf("%q is no timer", member)
	}
	return schemas.Dossier(words[3]), nil
}

// pen writes what the hub hands in.
type pen struct {
	host  services.Host
	codec *schemas.Codec
	topic string
	// partitions of the topic; known once the clock runs.
	partitions int
}

// write puts an event of the hub in line for relais.from.hub.
func (p *pen) write(ctx context.Context, id, subject string, happened time.Time, payload any) (*broker.Ack, error) {
	data, err := p.codec.Encode(ctx, payload)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", schemas.TypeOf(payload), err)
	}
	schema, _ := schemas.SchemaID(data)
	e := schemas.Event{
		ID: id, Source: source, Type: schemas.TypeOf(payload), Subject: subject, Time: happened.UTC().Truncate(time.Millisecond),
		DataContentType: schemas.AvroContentType, DataSchema: fmt.Sprintf("%s/schemas/ids/%d", p.host.Settings.RegistryURL, schema),
		Data: data,
	}
	key := []byte(schemas.Dossier(subject))
	return p.host.Broker.Enqueue(broker.Record{
		Topic: p.topic, Partition: broker.PartitionOf(key, p.partitions),
		Key: key, Value: data, Headers: schemas.Headers(e), Time: time.Now(),
	}), nil
}
