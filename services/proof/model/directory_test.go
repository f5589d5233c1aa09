package model

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/directory/directorytest"
)

// directoryRecords is who takes part.
var directoryRecords = sync.OnceValue(func() (records []directory.Record) {
	for _, id := range operators {
		records = append(records, directorytest.Record(directory.Participant{ID: id, Name: id, Role: directory.RoleOperator}))
	}
	for _, id := range offices {
		records = append(records, directorytest.Record(directory.Office{ID: id, Name: id, Department: "56"}))
	}
	return append(records,
		directorytest.Record(directory.Service{Code: service, Operators: operators}),
		directorytest.Record(directory.Setting{Name: directory.SettingRules, Value: "1"}),
		directorytest.Record(directory.Setting{Name: directory.SettingPartitions, Value: strconv.Itoa(partitions)}))
})

// people is the directory as each process knows it: the same records in the same
// order, each process a while after they were written.
type people struct {
	mu    sync.Mutex
	known map[string]directory.Record // what has changed, by participant
	views []*view
}

// view is what one process knows.
type view struct {
	*directory.View
	behind time.Duration
}

// longestBehind is how much later than others a process may learn of a change.
const longestBehind = time.Second

func (w *world) newView(behind time.Duration) (*view, error) {
	w.people.mu.Lock()
	defer w.people.mu.Unlock()
	now, err := directory.NewViewOf(slices.AppendSeq(slices.Clone(directoryRecords()), maps.Values(w.people.known))...)
	if err != nil {
		return nil, err
	}
	v := &view{now, behind}
	w.people.views = append(w.people.views, v)
	return v, nil
}

// suspend shuts an operator out, or lets it in again.
func (w *world) suspend(id string, suspended bool) {
	p := directory.Participant{ID: id, Name: id, Role: directory.RoleOperator}
	if suspended {
		p.SuspendedSince = time.Now().UTC().Format(time.RFC3339Nano)
	}
	w.people.mu.Lock()
	defer w.people.mu.Unlock()
	if w.people.known == nil {
		w.people.known = map[string]directory.Record{}
	}
	r := directorytest.Record(p)
	w.people.known[id] = r
	for _, v := range w.people.views {
		w.later(v.behind, func() {
			if err := v.Apply(r); err != nil {
				panic(err)
			}
		})
	}
}

// shutWithin is how long a process that knows of a suspension may go on sending to
// whoever it suspends: what it has begun.
const shutWithin = time.Second

// shutOut tells of a process that sends to an operator of whose suspension it knows.
func (w *world) shutOut(a *actor, topic string) {
	id, isTo := strings.CutPrefix(topic, "relais.to.")
	if !isTo || a.view == nil {
		return
	}
	p, _ := a.view.Participant(id)
	since, err := time.Parse(time.RFC3339Nano, p.SuspendedSince)
	if err == nil && time.Since(since) > a.view.behind+shutWithin {
		w.problem("%s sends to %s, which it has known for %v to be suspended", a.name, topic, time.Since(since)-a.view.behind)
	}
}
