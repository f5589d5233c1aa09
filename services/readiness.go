package services

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Readiness is what one service says of itself at /readyz. It starts as
// "starting" and is safe for concurrent use.
type Readiness struct {
	mu    sync.Mutex
	ready bool
	state string
	parts map[string]progress
	// halted says of a part why it is at a stand until somebody mends it.
	halted map[string]string
}

type progress struct{ done, total int64 }

// NewReadiness is the readiness of a service that has just been made.
func NewReadiness() *Readiness {
	return &Readiness{state: "starting", parts: map[string]progress{}, halted: map[string]string{}}
}

// Set says whether the service is ready, and in a word or two why not.
func (r *Readiness) Set(ready bool, state string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ready, r.state = ready, state
}

// assignmentLimit is how long a member of a consumer group without any partition
// waits before it counts as ready: with more members than partitions some have none.
const assignmentLimit = 15 * time.Second

// AwaitPartitions says that the service waits for its partitions, until Assigned is
// called or, for a member that gets none, some seconds are over; state is what it
// then says. The caller calls stop when it stops consuming.
func (r *Readiness) AwaitPartitions(state string) (stop func()) {
	r.Set(false, "waiting for its partitions")
	late := time.AfterFunc(assignmentLimit, func() { r.Set(true, state) })
	return func() { late.Stop() }
}

// Assigned says that a partition has become this service's, to be rebuilt before it
// is of use: the part counts as not done until Progress says so. The service then
// says state.
func (r *Readiness) Assigned(part, state string) {
	r.Progress(part, 0, 1)
	r.Set(true, state)
}

// Progress says how far the rebuilding of one part (a partition, say) has come.
// While any part is not done, the service is not ready and says "rebuilding".
func (r *Readiness) Progress(part string, done, total int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.parts[part] = progress{done, total}
	delete(r.halted, part)
}

// Halted says that one part is at a stand until somebody mends it, and why; Progress
// and Forget take it back. The service is not ready meanwhile.
func (r *Readiness) Halted(part, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.parts, part)
	r.halted[part] = why
}

// Forget drops a part that is no longer this service's.
func (r *Readiness) Forget(part string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.parts, part)
	delete(r.halted, part)
}

// State is whether the service is ready, and the words for it.
func (r *Readiness) State() (ready bool, words string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.halted) > 0 {
		var all []string
		for _, part := range slices.Sorted(maps.Keys(r.halted)) {
			all = append(all, r.halted[part])
		}
		return false, strings.Join(all, "; ")
	}
	var done, total int64
	rebuilding := false
	for _, p := range r.parts {
		done += min(p.done, p.total)
		total += p.total
		rebuilding = rebuilding || p.done < p.total
	}
	if rebuilding {
		return false, fmt.Sprintf("rebuilding: %d of %d events, %d %%", done, total, done*100/max(total, 1))
	}
	return r.ready, r.state
}

// ReadyHandler answers /readyz: 200 when every service is ready, else 503; one
// line per service either way.
func ReadyHandler(all map[string]*Readiness) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var lines strings.Builder
		status := http.StatusOK
		for _, name := range slices.Sorted(maps.Keys(all)) {
			ready, words := all[name].State()
			if !ready {
				status = http.StatusServiceUnavailable
			}
			fmt.Fprintf(&lines, "%s: %s\n", name, words)
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(lines.String()))
	})
}
