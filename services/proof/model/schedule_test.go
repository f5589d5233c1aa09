package model

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/relais-fr/relais/services/internal/broker"
)

const (
	// stormLasts is how long things go wrong, in virtual time.
	stormLasts = 20 * time.Second
	// quietWithin is how long the hub may take to come to rest afterwards.
	quietWithin = 3 * time.Minute
)

// run is one schedule in one world: the storm, the quiet, and the checks. It
// returns what was wrong, and the story of it.
func run(seed uint64) (wrong []string, told *story) {
	r := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(seed)
	w.weather = newWeather(r)
	load := append(drawLoad(r, stormLasts*3/4), last()...)
	acts := w.draw(r)
	w.storm.Store(true)
	slots := map[string][]*slot{}
	for kind, n := range map[string]int{"gateway": 1 + r.IntN(2), "ledger": 2, "router": 1 + r.IntN(2), "inbox": 1 + r.IntN(2)} {
		for i := range n {
			slots[kind] = append(slots[kind], w.start(kind, i+1))
		}
	}
	acknowledged := w.handIn(load)
	for _, a := range acts {
		pause(w.ctx, time.Until(w.story.begun.Add(a.at)))
		a.do(slots)
	}
	pause(w.ctx, time.Until(w.story.begun.Add(stormLasts)))
	w.storm.Store(false)
	w.tell("", "quiet", "from now on nothing goes wrong")
	acked := <-acknowledged
	if !w.rest() {
		w.problem("it does not come to rest within %v: %s", quietWithin, w.standing())
	} else {
		w.check(load, acked)
	}
	w.end()
	return w.problems, &w.story
}

// act is something that happens at a time of the schedule.
type act struct {
	at time.Duration
	do func(slots map[string][]*slot)
}

// draw decides what happens when.
func (w *world) draw(r *rand.Rand) []act {
	var acts []act
	kinds := []string{"gateway", "ledger", "ledger", "ledger", "router", "router", "inbox"}
	for range 4 + r.IntN(14) {
		kind, which, d := kinds[r.IntN(len(kinds))], r.IntN(8), time.Duration(r.Int64N(int64(8*time.Second)))
		pick := func(slots map[string][]*slot) *slot { return slots[kind][which%len(slots[kind])] }
		a := act{at: time.Duration(r.Int64N(int64(stormLasts)))}
		switch r.IntN(9) {
		case 0, 1:
			a.do = func(slots map[string][]*slot) {
				s := pick(slots)
				w.tell(s.actor().name, "kill", "")
				s.actor().kill()
			}
		case 2, 3, 4:
			a.do = func(slots map[string][]*slot) {
				s := pick(slots)
				w.tell(s.actor().name, "usurp", "gets what is another's, who hears of it after %v", d)
				w.kafka.usurp("relais."+kind, s.actor(), d)
			}
		case 5:
			a.do = func(slots map[string][]*slot) {
				s := pick(slots)
				w.tell(s.actor().name, "stall", "for %v, and its partitions go to another", d)
				s.actor().stall(d)
				if heir := slots[kind][(which+1)%len(slots[kind])]; heir != s {
					w.kafka.usurp("relais."+kind, heir.actor(), d+time.Second)
				}
			}
		case 6:
			a.do = func(map[string][]*slot) { w.tell("store", "flush", ""); w.memory.flush() }
		case 7:
			a.do = func(map[string][]*slot) {
				if w.memory.putBack(func(n int) int { return which % n }) {
					w.tell("store", "older", "a copy from before is put back")
				}
			}
		case 8:
			a.do = func(map[string][]*slot) { w.tell("store", "copy", "is taken"); w.memory.keepCopy() }
		}
		acts = append(acts, a)
	}
	acts = append(acts, w.drawSuspensions(r)...)
	for i := range 4 {
		acts = append(acts, act{time.Duration(i+1) * stormLasts / 6, func(map[string][]*slot) { w.memory.keepCopy() }})
	}
	slices.SortStableFunc(acts, func(a, b act) int { return int(a.at - b.at) })
	return acts
}

// drawSuspensions shuts operators out for a while, some once more, in two of three
// schedules. The storm goes on meanwhile.
func (w *world) drawSuspensions(r *rand.Rand) []act {
	var acts []act
	for _, id := range operators {
		at := time.Duration(r.Int64N(int64(stormLasts / 2)))
		for n := r.IntN(3); n > 0 && at < stormLasts; n-- {
			until := min(at+time.Duration(r.Int64N(int64(stormLasts/2))), stormLasts)
			acts = append(acts, act{at, func(map[string][]*slot) {
				w.tell(id, "suspend", "")
				w.suspend(id, true)
			}}, act{until, func(map[string][]*slot) {
				w.tell(id, "resume", "")
				w.suspend(id, false)
			}})
			at = until + time.Duration(r.Int64N(int64(2*time.Second)))
		}
	}
	return acts
}

// handIn lets participants hand in what they have, each dossier in order. It
// answers with what was acknowledged to them, once all was.
func (w *world) handIn(load []submission) <-chan map[string]bool {
	done := make(chan map[string]bool, 1)
	acked := map[string]bool{}
	var mu sync.Mutex
	byDoor := map[string][]submission{}
	for _, s := range load {
		byDoor[s.by] = append(byDoor[s.by], s)
	}
	var clients sync.WaitGroup
	for by, all := range byDoor {
		slices.SortStableFunc(all, func(a, b submission) int { return int(a.at - b.at) })
		clients.Go(func() {
			a := w.newActor("at " + by)
			defer a.kill()
			b, err := broker.New(broker.Config{Brokers: []string{"127.0.0.1:9092"}, Dial: a.dial})
			if err != nil {
				panic(err)
			}
			defer b.Close() //nolint:errcheck // it never fails
			for len(all) > 0 {
				pause(w.ctx, time.Until(w.story.begun.Add(all[0].at)))
				var acks []*broker.Ack
				for _, s := range all {
					if s.at == all[0].at {
						acks = append(acks, b.Enqueue(s.record))
					}
				}
				for i, ack := range acks {
					if _, err := ack.Wait(w.ctx); err == nil {
						s := all[i]
						a.tell("acked", "%s of %s", s.id, s.dossier)
						mu.Lock()
						acked[s.key()] = true
						mu.Unlock()
					}
				}
				all = all[len(acks):]
			}
		})
	}
	w.processes.Go(func() {
		clients.Wait()
		done <- acked
	})
	return done
}

// rest waits until everything has gone all its way; false when it does not.
func (w *world) rest() bool {
	for until := time.Now().Add(quietWithin); time.Now().Before(until); {
		if w.underWay.Load() == 0 && w.atRest() {
			return true
		}
		pause(w.ctx, 100*time.Millisecond)
	}
	return false
}

func (w *world) ending(topic string, part int) int64 {
	w.kafka.mu.Lock()
	defer w.kafka.mu.Unlock()
	return w.kafka.topics[topic][part].next
}

// atRest says whether every reader is at the end of what it reads. The ledger's
// place is that of its projection.
func (w *world) atRest() bool {
	for topic, n := range topics() {
		for p := range n {
			end := w.ending(topic, p)
			switch {
			case end == 0:
			case topic == topicSubmitted:
				if w.stored("ledger", p).highest != end-1 {
					return false
				}
			case topic == topicRecorded:
				if w.kafka.committed("relais.router", topic, p) != end {
					return false
				}
			case topic == topicToOffices:
				if w.stored("inbox", p).next != end {
					return false
				}
			case len(topic) > len("relais.from.") && topic[:len("relais.from.")] == "relais.from.":
				if w.kafka.committed("relais.gateway", topic, p) != end {
					return false
				}
			}
		}
	}
	return true
}

type position struct{ next, highest int64 }

// stored is the position of a projection.
func (w *world) stored(owner string, part int) position {
	text, err := w.memory.server.Get(fmt.Sprintf("relais:{%s:%d}:position", owner, part))
	p := position{0, -1}
	if err != nil {
		return p
	}
	var format, generation string
	_, _ = fmt.Sscan(text, &format, &generation, &p.next, &p.highest)
	return p
}

// standing tells where everybody is.
func (w *world) standing() string {
	var out []byte
	for p := range partitions {
		out = fmt.Appendf(out, "\n  partition %d: submitted %d, ledger %+v, recorded %d, router %d, to.offices %d, inbox %+v", p, w.ending(topicSubmitted, p), w.stored("ledger", p),
			w.ending(topicRecorded, p), w.kafka.committed("relais.router", topicRecorded, p), w.ending(topicToOffices, p), w.stored("inbox", p))
	}
	return string(out)
}
