package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/relais-fr/relais/services/directory/officelist"
	dir "github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/directory/territory"
)

// Plan is what an import would change, before it changes it. Applying it needs
// its ID, which is made of the directory that it was made for and of every
// record that it would write: whoever confirms it confirms exactly that.
type Plan struct {
	ID string `json:"id"`
	// MadeAt is when, AsOf the day since which the changes are to be valid.
	MadeAt time.Time        `json:"made_at"`
	AsOf   string           `json:"as_of"`
	List   *officelist.List `json:"list"`
	// Offices are in the list and were not rejected; Unchanged of them would
	// stay as they are.
	Offices   int `json:"offices"`
	Unchanged int `json:"unchanged"`
	// Counts are the offices by kind of change, Quirks those by what is odd in
	// their rows.
	Counts  map[ChangeKind]int `json:"counts"`
	Quirks  map[string]int     `json:"quirks"`
	Changes []Change           `json:"changes"`
	// AppliedAt is absent until it has been applied.
	AppliedAt *time.Time `json:"applied_at,omitempty"`

	base    string
	records []dir.Record
}

// Errors of imports.
var (
	// ErrUnknownPlan is for an id that was never given out, or long ago, or
	// before the service was started again.
	ErrUnknownPlan = errors.New("there is no such plan, or no more: hand the list in again")
	// ErrStalePlan is for a plan that another change has overtaken.
	ErrStalePlan = errors.New("the directory has changed since this plan was made: hand the list in again and look at the new plan")
)

// keptPlans is how many plans are remembered; the oldest is forgotten first.
const keptPlans = 4

// imports makes plans and applies them, one thing at a time.
type imports struct {
	view    *dir.View
	log     publisher
	metrics *metrics

	turn  chan struct{} // holds a token while nobody is at work; guards plans
	plans []*Plan
}

func newImports(view *dir.View, log publisher, m *metrics) *imports {
	im := &imports{view: view, log: log, metrics: m, turn: make(chan struct{}, 1)}
	im.turn <- struct{}{}
	return im
}

// take waits for its turn. Whoever has it gives it back with the function.
func (im *imports) take(ctx context.Context) (done func(), err error) {
	select {
	case <-im.turn:
		return func() { im.turn <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// plan reads a list and says what it would change from the day on. The error is
// an *officelist.Refusal when the list is refused whole. The turn is taken
// before the list is read, so that one list at a time is in memory.
func (im *imports) plan(ctx context.Context, list io.Reader, asOf string) (Plan, error) {
	done, err := im.take(ctx)
	if err != nil {
		return Plan{}, err
	}
	defer done()
	file, err := io.ReadAll(list)
	if err != nil {
		return Plan{}, fmt.Errorf("read the list: %w", err)
	}
	p, err := makePlan(im.view.Snapshot(), file, asOf)
	if err != nil {
		return Plan{}, err
	}
	if old := im.find(p.ID); old != nil {
		return *old, nil
	}
	if len(im.plans) == keptPlans {
		im.plans = im.plans[1:]
	}
	im.plans = append(im.plans, p)
	return *p, nil
}

func (im *imports) find(id string) *Plan {
	for _, p := range im.plans {
		if p.ID == id {
			return p
		}
	}
	return nil
}

// show is a plan as it was made.
func (im *imports) show(ctx context.Context, id string) (Plan, error) {
	done, err := im.take(ctx)
	if err != nil {
		return Plan{}, err
	}
	defer done()
	if p := im.find(id); p != nil {
		return *p, nil
	}
	return Plan{}, ErrUnknownPlan
}

// apply writes what the plan says, unless the directory has changed since it was
// made. A plan that has been applied is answered with again and not written
// twice. After an error some of it may have been written; a new plan then shows
// the rest.
func (im *imports) apply(ctx context.Context, id string) (Plan, error) {
	done, err := im.take(ctx)
	if err != nil {
		return Plan{}, err
	}
	defer done()
	p := im.find(id)
	if p == nil {
		return Plan{}, ErrUnknownPlan
	}
	if p.AppliedAt != nil {
		return *p, nil
	}
	base, err := baseOf(im.view.Snapshot())
	if err != nil {
		return Plan{}, err
	}
	if base != p.base {
		return Plan{}, ErrStalePlan
	}
	if err := im.log.publish(ctx, p.records); err != nil {
		return Plan{}, fmt.Errorf("apply plan %s: %w", id, err)
	}
	now := time.Now().UTC()
	p.AppliedAt, p.records = &now, nil
	return *p, nil
}

func makePlan(now *dir.Snapshot, file []byte, asOf string) (*Plan, error) {
	atlas, err := territory.Load()
	if err != nil {
		return nil, err
	}
	list, err := officelist.Read(file, atlas, officelist.Options{Prefix: dir.OfficialPrefix, Previous: openOffices(now)})
	if err != nil {
		return nil, err
	}
	list.RejectIf(officelist.RejectedIDReused, func(o dir.Office) bool {
		had, known := now.Office(o.ID)
		return known && reused(had, o)
	})
	p := &Plan{MadeAt: time.Now().UTC(), AsOf: asOf, List: list, Offices: len(list.Offices), Counts: map[ChangeKind]int{}, Quirks: map[string]int{}}
	if p.Changes, p.records, err = diff(now, list.Offices, asOf); err != nil {
		return nil, err
	}
	p.count()
	if p.base, err = baseOf(now); err != nil {
		return nil, err
	}
	p.ID = p.identify()
	p.List.Offices = nil // what the plan needs of them is in its records
	return p, nil
}

func (p *Plan) count() {
	p.Unchanged = p.Offices
	for _, c := range p.Changes {
		for _, kind := range c.Kinds {
			p.Counts[kind]++
		}
		if c.Kinds[0] != ChangeGone {
			p.Unchanged--
		}
	}
	for _, o := range p.List.Offices {
		found := map[string]bool{}
		for _, quirk := range o.Quirks {
			name, _, _ := strings.Cut(quirk, ":")
			found[name] = true
		}
		for name := range found {
			p.Quirks[name]++
		}
	}
	if p.Changes == nil {
		p.Changes = []Change{}
	}
}

func openOffices(now *dir.Snapshot) int {
	n := 0
	for _, o := range officialOffices(now) {
		if !o.Closed() {
			n++
		}
	}
	return n
}

// baseOf is a digest of the official offices as they stand.
func baseOf(now *dir.Snapshot) (string, error) {
	h := sha256.New()
	for _, o := range officialOffices(now) {
		r, err := o.Record()
		if err != nil {
			return "", err
		}
		writeRecord(h, r)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// identify is the plan's id: the same directory, list and day give the same one.
func (p *Plan) identify() string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", p.base, p.AsOf)
	for _, r := range p.records {
		writeRecord(h, r)
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

func writeRecord(w io.Writer, r dir.Record) {
	fmt.Fprintf(w, "%s %d\n%s\n", r.Key, len(r.Value), r.Value)
}
