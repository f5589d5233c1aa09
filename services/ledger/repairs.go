package ledger

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/problem"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// serveRepairs mends the partitions that are halted in this process, or says what it
// would do: {"yes": true} does it.
func (l *Ledger) serveRepairs(w http.ResponseWriter, r *http.Request) {
	if !l.host.Directory.IsReady() {
		problem.Write(w, problem.New(schemas.ReasonNotReady, "The directory is still being read; try again in a moment."))
		return
	}
	principal, err := l.host.Auth.Authenticate(r)
	switch {
	case err != nil:
		problem.Write(w, problem.From(err))
		return
	case !principal.IsAdmin():
		problem.Write(w, problem.New(problem.CodeForbidden, "Repairs are the admin's."))
		return
	}
	var asked struct {
		Yes       bool `json:"yes"`
		Partition *int `json:"partition"`
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil && err != io.EOF {
		problem.Write(w, problem.New(schemas.ReasonMalformed, `The body is JSON such as {"partition": 3, "yes": true}; both may be left out.`))
		return
	}
	started := time.Now()
	all := l.halted.all()
	if asked.Partition != nil {
		if _, ok := all[*asked.Partition]; !ok {
			problem.Write(w, problem.New(problem.CodeNotFound, "That partition is not halted in this ledger: /readyz of each ledger names its own."))
			return
		}
		maps.DeleteFunc(all, func(n int, _ *haltedPartition) bool { return n != *asked.Partition })
	}
	repairs := []*repair{}
	for _, n := range slices.Sorted(maps.Keys(all)) {
		answer := repairAsk{ctx: r.Context(), do: asked.Yes, answer: make(chan repairAnswer, 1)}
		select {
		case all[n].asks <- answer:
		case <-all[n].over:
			continue
		case <-r.Context().Done():
			return
		}
		got := <-answer.answer
		if got.err != nil {
			l.host.Log.Error("repair failed", telemetry.KeyPartition, n, telemetry.KeyError, got.err)
			problem.Write(w, problem.New(schemas.ReasonNotReady, "The repair was broken off ("+got.err.Error()+"): run it again, it begins anew where the logs stand."))
			return
		}
		repairs = append(repairs, got.repair)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(map[string]any{"partitions": repairs})
	l.host.Log.InfoContext(r.Context(), "repair answered", telemetry.KeyParticipant, principal.ID, "yes", asked.Yes, telemetry.KeyCount, len(repairs), telemetry.KeyDuration, time.Since(started))
}
