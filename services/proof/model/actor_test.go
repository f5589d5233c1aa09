package model

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// actor is a process as the engines see it: what it sends, and what becomes of it.
type actor struct {
	world *world
	name  string
	// died is closed when it is killed: from then on nothing of it arrives that
	// has not.
	died chan struct{}

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
)

func (a *actor) produceFate(topic string, data []byte) fate {
	w := a.world
	if w.refuses != nil && w.refuses(topic, data) {
		return fateRefused
	}
	switch weather := w.weather; {
	case a.happens(weather.answerLost):
		return fateLost
	case a.happens(weather.late):
		return fateLate
	case a.happens(weather.dropped):
		return fateDropped
	case topic == topicRecorded && a.happens(weather.refused):
		w.markRefused(data)
		return fateRefused
	case topic == topicSubmitted && a.happens(weather.refused):
		return fateRefused
	}
	return fateWritten
}

func (a *actor) commitLost() bool { return a.happens(a.world.weather.commitLost) }

// weather is how often what goes wrong, in one schedule.
type weather struct {
	unreachable, answerLost, late, dropped, refused, commitLost float64
	storeFails, storeAnswerLost, storeFlushed, storeOlder       float64
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
		unreachable: some(0.02), answerLost: some(0.2), late: some(0.2), dropped: some(0.1), refused: some(0.08), commitLost: some(0.2),
		storeFails: some(0.05), storeAnswerLost: some(0.1), storeFlushed: some(0.06), storeOlder: some(0.1),
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
