package model

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/relais-fr/relais/schemas"
)

// actor is a process as the engines see it: what it sends, and what becomes of it.
type actor struct {
	world *world
	name  string
	// died is closed when it is killed: from then on nothing of it arrives that
	// has not.
	died chan struct{}
	// mortal is whether it may crash where it does most harm: a service, which is
	// started again.
	mortal bool
	// view is what it knows of the directory; nil for a client.
	view *view

	mu      sync.Mutex
	dead    bool
	random  *rand.Rand
	stalled time.Time // until when it is stopped
	conns   []net.Conn
}

func (w *world) newActor(name string) *actor {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return &actor{world: w, name: name, died: make(chan struct{}), random: rand.New(rand.NewPCG(w.seed, h.Sum64()))}
}

func (a *actor) chance(n int) bool { return a.draw(n) == 0 }

func (a *actor) draw(n int) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.random.IntN(n)
}

// happens says whether a fault of that probability happens now.
func (a *actor) happens(probability float64) bool {
	if !a.world.storm.Load() || probability == 0 {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.random.Float64() < probability
}

func (a *actor) between(least, most time.Duration) time.Duration {
	return least + time.Duration(a.draw(int(most-least)))
}

func (a *actor) tell(what, format string, args ...any) { a.world.tell(a.name, what, format, args...) }

// wait waits for d; false when the actor died first.
func (a *actor) wait(d time.Duration) bool {
	select {
	case <-a.died:
		return false
	case <-time.After(d):
		return true
	}
}

// reach is a request's way to an engine: it takes a while, longer when the actor
// is stopped. false: it never arrives.
func (a *actor) reach(engine, what string) bool {
	if !a.wait(a.between(200*time.Microsecond, 9*time.Millisecond)) {
		return false
	}
	for {
		a.mu.Lock()
		left := time.Until(a.stalled)
		a.mu.Unlock()
		if left <= 0 {
			break
		}
		if !a.wait(left) {
			return false
		}
	}
	if a.happens(a.world.weather.unreachable) {
		a.tell(engine, "%s does not arrive", what)
		return false
	}
	return true
}

func (a *actor) stall(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stalled = time.Now().Add(d)
}

// kill ends the process as SIGKILL would.
func (a *actor) kill() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.dead {
		return
	}
	a.dead = true
	close(a.died)
	for _, c := range a.conns {
		_ = c.Close()
	}
}

// crash may kill the process shortly after something of it went wrong, before it
// has made up for it.
func (a *actor) crash() {
	if !a.mortal || !a.happens(a.world.weather.crash) {
		return
	}
	d := a.between(0, 40*time.Millisecond)
	a.world.processes.Go(func() {
		if a.wait(d) {
			a.tell("crash", "")
			a.kill()
		}
	})
}

// dial connects to the broker.
func (a *actor) dial(context.Context, string, string) (net.Conn, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.dead {
		return nil, net.ErrClosed
	}
	client, server := net.Pipe()
	a.conns = append(a.conns, client, server)
	a.world.processes.Go(func() { a.world.kafka.serve(a, server) })
	return client, nil
}

// fate is what becomes of a produce.
type fate string

const (
	fateWritten fate = "written"
	fateLost    fate = "written, the answer gets lost"
	fateLate    fate = "under way, and arrives when nobody expects it"
	fateDropped fate = "lost under way"
	fateRefused fate = "refused for good"
	// fateForbidden is a refusal that is nobody's fault, and passes.
	fateForbidden fate = "refused for want of a right"
)

func (a *actor) produceFate(topic string, data []byte) fate {
	w := a.world
	if w.refuses != nil && w.refuses(topic, data) {
		return fateRefused
	}
	switch weather := w.weather; {
	case w.forbidden(a, topic):
		return fateForbidden
	case a.happens(weather.answerLost):
		return fateLost
	case a.happens(weather.late):
		// Perhaps limits change meanwhile: what comes again is refused.
		if topic == topicRecorded && a.happens(weather.refusedAgain) {
			w.doNotWant(a, topic, data)
		}
		return fateLate
	case a.happens(weather.dropped):
		return fateDropped
	case topic == topicSubmitted && a.happens(weather.submissionRefused), topic == topicRecorded && a.happens(weather.refused):
		w.doNotWant(a, topic, data)
	}
	return fateWritten
}

// forbidden says whether the broker lets nobody write to the topic now.
func (w *world) forbidden(a *actor, topic string) bool {
	begins := topic == topicRecorded && a.happens(w.weather.forbidden)
	until := time.Now().Add(a.between(0, 2*time.Second))
	w.mu.Lock()
	defer w.mu.Unlock()
	if begins {
		w.forbiddenUntil = until
	}
	return topic == topicRecorded && time.Now().Before(w.forbiddenUntil)
}

// doNotWant lets the broker refuse one of the records: a submission for a while, an
// outcome for ever, unless it is the hub's own fault: that is small.
func (w *world) doNotWant(a *actor, topic string, data []byte) {
	records := read(data)
	culprit := records[a.draw(len(records))]
	if strings.Contains(culprit.value, string(schemas.ReasonHubError)) {
		return
	}
	until := time.Now().Add(a.between(0, 2*time.Second))
	if topic == topicRecorded {
		until = time.Now().Add(time.Hour)
	}
	w.kafka.mu.Lock()
	defer w.kafka.mu.Unlock()
	w.kafka.unwanted[topic+" "+culprit.name()] = until
}

// refuses says whether the broker does not want one of the records, and so none of
// them; k.mu is held. A ledger whose outcome is refused alone records the hub's own
// fault in its place.
func (k *kafka) refuses(topic string, data []byte) bool {
	if len(k.unwanted) == 0 {
		return false
	}
	records := read(data)
	if !slices.ContainsFunc(records, func(r record) bool { return time.Now().Before(k.unwanted[topic+" "+r.name()]) }) {
		return false
	}
	if topic == topicRecorded && len(records) == 1 {
		k.refused[records[0].place()] = true
	}
	return true
}

func (a *actor) commitLost() bool { return a.happens(a.world.weather.commitLost) }

// weather is how often what goes wrong, in one schedule.
type weather struct {
	unreachable, answerLost, late, dropped, refused, submissionRefused, refusedAgain, forbidden, commitLost float64
	storeFails, storeAnswerLost, storeFlushed, storeOlder                                                   float64
	// crash is how often a process dies whose produce went wrong.
	crash float64
}

// newWeather draws some faults, and leaves others out: what hides behind another
// is seen in other schedules.
func newWeather(r *rand.Rand) weather {
	some := func(most float64) float64 {
		if r.IntN(3) == 0 {
			return 0
		}
		return most * r.Float64()
	}
	return weather{
		unreachable: some(0.02), answerLost: some(0.2), late: some(0.2), dropped: some(0.1), refused: some(0.08), submissionRefused: some(0.3), refusedAgain: some(0.4), forbidden: some(0.03), commitLost: some(0.2),
		storeFails: some(0.05), storeAnswerLost: some(0.1), storeFlushed: some(0.06), storeOlder: some(0.1),
		crash: some(0.5),
	}
}

// story is what happened, told when it went wrong.
type story struct {
	mu    sync.Mutex
	begun time.Time
	lines []storyLine
}

type storyLine struct {
	after      time.Duration
	name, what string
	format     string
	args       []any
}

func (w *world) tell(name, what, format string, args ...any) {
	w.story.mu.Lock()
	defer w.story.mu.Unlock()
	w.story.lines = append(w.story.lines, storyLine{time.Since(w.story.begun), name, what, format, args})
}

func (s *story) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []byte
	for _, l := range s.lines {
		out = fmt.Appendf(out, "%9.3f s  %-12s %-8s %s\n", l.after.Seconds(), l.name, l.what, fmt.Sprintf(l.format, l.args...))
	}
	return string(out)
}
