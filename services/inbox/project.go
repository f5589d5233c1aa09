package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/inbox/internal/desk"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/store"
)

// read makes an event of a record of `to.offices`. A *schemas.Refusal means that
// it will never be readable; any other error, try again.
func read(ctx context.Context, codec *schemas.Codec, r broker.Record) (*desk.Event, error) {
	malformed := func(detail string) error {
		return &schemas.Refusal{Reason: schemas.ReasonMalformed, Detail: detail}
	}
	if r.Unreadable != nil {
		return nil, malformed("the batch is damaged or too large")
	}
	e := &desk.Event{Office: string(r.Key), Offset: r.Offset}
	var err error
	if e.Event, err = schemas.FromRecord(r.Headers, r.Value); err != nil {
		return nil, err
	}
	if e.Extensions[schemas.AttrRecipient] != e.Office {
		return nil, malformed("the record's key is not its recipient")
	}
	if e.Place, err = schemas.ParsePlace(e.Extensions[schemas.AttrSubmittedPartition] + "-" + e.Extensions[schemas.AttrSubmittedOffset]); err != nil {
		return nil, malformed("the record has no place")
	}
	if e.Received, err = time.Parse(time.RFC3339Nano, e.Extensions[schemas.AttrReceivedTime]); err != nil {
		return nil, malformed("receivedtime is not a time")
	}
	e.Payload, err = codec.Decode(ctx, e.Type, e.Data)
	return e, err
}

// step is one batch of events on its way into the projection.
type step struct {
	offices  map[string]*desk.Office
	dossiers map[string]*desk.Dossier
	changed  map[string]bool // keys of dossiers to be written
	ops      []store.Op
	applied  []*desk.Event
	dropped  int
}

// visits and refusals touch no dossier.
func touchesDossier(e *desk.Event) bool {
	entry, ok := schemas.Lookup(e.Type)
	return ok && (entry.Kind == schemas.KindReferral || entry.Kind == schemas.KindAppointment)
}

// load fetches what the events need to be applied, as of a position.
func load(ctx context.Context, p *store.Projection, partition int, at store.Position, events []*desk.Event) (*step, error) {
	s := &step{offices: map[string]*desk.Office{}, dossiers: map[string]*desk.Dossier{}, changed: map[string]bool{}}
	var keys []string
	var targets []any
	for _, e := range events {
		if s.offices[e.Office] == nil {
			s.offices[e.Office] = new(desk.Office)
			keys, targets = append(keys, officeKey(e.Office)), append(targets, s.offices[e.Office])
		}
		key := dossierKey(e.Office, schemas.Dossier(e.Subject))
		if touchesDossier(e) && s.dossiers[key] == nil {
			s.dossiers[key] = new(desk.Dossier)
			keys, targets = append(keys, key), append(targets, s.dossiers[key])
		}
	}
	values, err := p.Get(ctx, partition, at, keys)
	if err != nil {
		return nil, err
	}
	for i, v := range values {
		if v == nil {
			continue
		}
		if err := json.Unmarshal(v, targets[i]); err != nil {
			return nil, fmt.Errorf("read what is stored of a desk: %w", err)
		}
	}
	return s, nil
}

// apply puts an event on the desk of its office.
func (s *step) apply(e *desk.Event) error {
	office := s.offices[e.Office]
	key := dossierKey(e.Office, schemas.Dossier(e.Subject))
	change, ok := desk.Apply(office, s.dossiers[key], e)
	if !ok {
		s.dropped++
		return nil
	}
	s.applied = append(s.applied, e)
	var problems []error
	push := func(key string, value any, keep int) {
		data, err := json.Marshal(value)
		problems = append(problems, err)
		s.ops = append(s.ops, store.RPush(key, data), store.LKeepLast(key, keep))
	}
	for _, c := range change.Cases {
		s.list(e.Office, c)
		s.changed[key] = true
	}
	if change.Entry != nil {
		push(timelineKey(e.Office, schemas.Dossier(e.Subject)), change.Entry, desk.MaxEntries)
	}
	if change.Visit != nil {
		s.visit(e.Office, change.Visit)
	}
	if change.Outcome != nil {
		push(outcomesKey(e.Office), change.Outcome, desk.MaxOutcomes)
	}
	if change.Refusal != nil {
		push(refusalsKey(e.Office), change.Refusal, desk.MaxRefusals)
	}
	if change.Notice != nil {
		data, err := json.Marshal(change.Notice)
		problems = append(problems, err)
		s.ops = append(s.ops, store.RPush(noticesKey(e.Office), data))
		// Trimming every time would double the cost of an event.
		if office.Notices%(desk.MaxNotices/4) == 0 {
			s.ops = append(s.ops, store.LKeepLast(noticesKey(e.Office), desk.MaxNotices))
		}
	}
	return errors.Join(problems...)
}

// list moves a case to the list in which it belongs now.
func (s *step) list(office string, c *desk.Case) {
	list := c.ListFor(office)
	if c.Listed != "" && c.Listed != list {
		s.ops = append(s.ops, store.ZRem(listKey(office, c.Listed), c.ID))
	}
	if c.Listed == "" && c.Reference != "" {
		s.ops = append(s.ops, store.HSet(referencesKey(office), c.Reference, []byte(c.ID)))
	}
	c.Listed = list
	if list == "" {
		return
	}
	score := c.Updated
	if list == desk.Agenda {
		score = c.Starts
	}
	s.ops = append(s.ops, store.ZAdd(listKey(office, list), float64(score), c.ID))
	if list == desk.Done {
		s.ops = append(s.ops, store.ZKeepHighest(listKey(office, list), desk.MaxDone))
	}
}

func (s *step) visit(office string, v *desk.VisitChange) {
	for _, day := range v.Forget {
		s.ops = append(s.ops, store.Del(visitsKey(office, day)))
	}
	for _, day := range v.Without {
		s.ops = append(s.ops, store.HDel(visitsKey(office, day), v.Case))
	}
	if v.Value != nil {
		s.ops = append(s.ops, store.HSet(visitsKey(office, v.Day), v.Case, v.Value))
	}
}

// finish writes the offices and dossiers that changed.
func (s *step) finish() ([]store.Op, error) {
	for office, state := range s.offices {
		data, err := json.Marshal(state)
		if err != nil {
			return nil, fmt.Errorf("write an office: %w", err)
		}
		s.ops = append(s.ops, store.Set(officeKey(office), data))
	}
	for key := range s.changed {
		data, err := json.Marshal(s.dossiers[key])
		if err != nil {
			return nil, fmt.Errorf("write a dossier: %w", err)
		}
		s.ops = append(s.ops, store.Set(key, data))
	}
	return s.ops, nil
}

func goalOp(goal int64) store.Op { return store.Set(goalKey, strconv.AppendInt(nil, goal, 10)) }
