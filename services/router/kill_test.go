package router

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/pause"
)

// moment is one in the life of a copy at which its router can be killed.
type moment string

const (
	beforeProduce moment = "before the copy is produced"
	afterProduce  moment = "after the produce, before it hears so"
	beforeCommit  moment = "before the pair is committed"
	afterCommit   moment = "after the commit, before it hears so"
)

// TestKilledAtEachStepTheRouterCopiesTheSame kills the router at each step of
// several requests, and has another go on. What readers take who drop by number is,
// byte for byte and in order, what they take of a router that lived.
func TestKilledAtEachStepTheRouterCopiesTheSame(t *testing.T) {
	var want copiesBy
	synctest.Test(t, func(t *testing.T) { want = killed(t, "", "", 0) })
	if len(want.Taken) != 3*partitions || len(want.Taken["relais.to.cnaf of 1"]) != rounds || want.Again != 0 {
		t.Fatalf("the router that lived left %v, and %d twice", want.Taken, want.Again)
	}
	for _, step := range []struct {
		at    moment
		topic string
	}{
		{beforeProduce, "relais.to.cnaf"},
		{beforeProduce, "relais.to.offices"},
		{afterProduce, "relais.to.cnaf"},
		{afterProduce, "relais.to.offices"},
		{beforeCommit, ""},
		{afterCommit, ""},
	} {
		for _, nth := range []int{1, 2, 5} {
			t.Run(fmt.Sprintf("%s %s, %d", step.topic, step.at, nth), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					got := killed(t, step.at, step.topic, nth)
					if diff := cmp.Diff(want.Taken, got.Taken); diff != "" {
						t.Errorf("(-of a router that lived +taken):\n%s", diff)
					}
					t.Logf("%d copies were made twice", got.Again)
					if step.at == afterProduce && got.Again == 0 {
						t.Error("no copy was made twice: the router had heard of what it wrote")
					}
				})
			})
		}
	}
}

// copiesBy is what routers leave: what each topic's readers take of each partition
// of recorded, and how much they drop.
type copiesBy struct {
	Taken map[string][]broker.Record
	Again int
}

// rounds is how often an event is recorded on each partition.
const rounds = 6

// killed has a router copy what is recorded meanwhile, kills it at the nth step of
// that kind, and has another take over; nobody is killed at no step.
func killed(t *testing.T, at moment, topic string, nth int) copiesBy {
	w := newWorld(t)
	victim := &victim{w: w, at: at, topic: []byte(topic), left: nth, died: make(chan struct{})}
	_, stop := w.routerOn(victim.open())
	_ = pause.For(t.Context(), 5*time.Second)
	for range rounds {
		for p := range partitions {
			w.record(p, "cnaf", "offices/demo-1", "cpam")
		}
		_ = pause.For(t.Context(), 200*time.Millisecond)
	}
	if at != "" {
		select {
		case <-victim.died:
		case <-time.After(time.Minute):
			t.Fatal("the router was not killed")
		}
		stop()
		w.router()
	}
	_ = pause.For(t.Context(), time.Minute) // the group waits for the dead
	got := copiesBy{Taken: map[string][]broker.Record{}}
	for _, topic := range []string{"relais.to.cnaf", "relais.to.cpam", "relais.to.offices"} {
		numbers := broker.Numbers{}
		for _, r := range w.records(topic) {
			place, err := placeOf(r)
			if err != nil {
				t.Fatal(err)
			}
			if !numbers.Take(place.Partition, place.Offset) {
				got.Again++
				continue
			}
			r.Offset = 0 // repeats move it
			from := fmt.Sprintf("%s of %d", topic, place.Partition)
			got.Taken[from] = append(got.Taken[from], r)
		}
	}
	return got
}

// victim is the way to the broker of a router that dies at a step.
type victim struct {
	w     *world
	at    moment
	topic []byte // of the copy; "" for any
	died  chan struct{}

	mu    sync.Mutex
	left  int // requests until then
	dead  bool
	conns []net.Conn
}

func (v *victim) open() *broker.Broker {
	b, err := broker.New(broker.Config{Brokers: []string{v.w.kafka.Addr}, Dial: v.dial, DrainTimeout: time.Second})
	if err != nil {
		v.w.t.Fatal(err)
	}
	return b
}

func (v *victim) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := v.w.kafka.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.dead {
		_ = c.Close()
		return nil, net.ErrClosed
	}
	v.conns = append(v.conns, c)
	return &wire{Conn: c, victim: v}, nil
}

// reached says that the router has come to a step; false when it dies there.
func (v *victim) reached(m moment) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.dead {
		return false
	}
	if m != v.at {
		return true
	}
	if v.left--; v.left > 0 {
		return true
	}
	v.dead = true
	for _, c := range v.conns {
		_ = c.Close()
	}
	close(v.died)
	return false
}

// wire is a connection of the router's that knows a step when it sees one.
type wire struct {
	net.Conn
	victim *victim

	mu    sync.Mutex
	asked moment // whose answer is to be read
}

func (c *wire) Write(b []byte) (int, error) {
	const lengthAndKey = 6
	if len(b) < lengthAndKey {
		return c.Conn.Write(b)
	}
	var before, after moment
	switch kmsg.Key(binary.BigEndian.Uint16(b[4:])) {
	case kmsg.Produce:
		if bytes.Contains(b, c.victim.topic) {
			before, after = beforeProduce, afterProduce
		}
	case kmsg.OffsetCommit:
		before, after = beforeCommit, afterCommit
	default:
	}
	if before != "" && !c.victim.reached(before) {
		return 0, net.ErrClosed
	}
	c.mu.Lock()
	c.asked = after
	c.mu.Unlock()
	return c.Conn.Write(b)
}

func (c *wire) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	asked := c.asked
	c.asked = ""
	c.mu.Unlock()
	if err == nil && asked != "" && !c.victim.reached(asked) {
		return 0, net.ErrClosed
	}
	return n, err
}
