// Package plug is the list of what can go wrong: each plug breaks one thing of a
// running installation, and mends it.
//
// What it breaks, and for how long, follows from the random numbers that it is
// given. It leaves to the trial which plugs are pulled when.
package plug

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/relais-fr/relais/services/proof/cluster"
)

// Test builds that plugs need.
const (
	JumpingClock = "jumping-clock"
	DeafOwner    = "deaf-owner"
)

// World is what plugs are pulled on: services on real engines, or a hub with its
// own.
type World struct {
	Cluster      *cluster.Cluster
	Installation *cluster.Installation
	Hub          *cluster.Hub
	// Clock is the file that says how far the clock of a test build is off; "" where
	// there is no such build.
	Clock string
	// FullDisk is the folder whose disk can be full, "" where there is none.
	FullDisk string
	// OldOwner says that there are programs of a ledger that does not let go.
	OldOwner bool
}

// Mend undoes what was pulled. It is called once.
type Mend func(ctx context.Context) error

// Plug is one thing that can go wrong.
type Plug struct {
	Name, About string
	// Engines says that it breaks Kafka, Redis, the network or the disk, and not a
	// service. One of either is pulled at a time.
	Engines bool
	// Embedded says that it is one for a hub with engines of its own.
	Embedded bool
	// Tool is the test build that it needs, one of package defect's; "" for none.
	Tool string
	// for between and at most is how long it stays pulled.
	least, most time.Duration
	// why says why it cannot be pulled on this world; nil: always.
	why func(*World) error
	// pull breaks something, and says what.
	pull func(ctx context.Context, w *World, r *rand.Rand) (what string, mend Mend, err error)
}

// Why says why a plug cannot be pulled here; nil when it can.
func (p Plug) Why(w *World) error {
	switch {
	case p.Embedded != (w.Hub != nil):
		return errors.New("it is for other engines")
	case p.why != nil:
		return p.why(w)
	}
	return nil
}

// Pull breaks something, and says what, for how long it is to stay so, and how it
// is mended.
func (p Plug) Pull(ctx context.Context, w *World, r *rand.Rand) (what string, hold time.Duration, mend Mend, err error) {
	hold = p.least
	if p.most > p.least {
		hold += time.Duration(r.Int64N(int64(p.most - p.least)))
	}
	what, mend, err = p.pull(ctx, w, r)
	if mend == nil {
		mend = func(context.Context) error { return nil }
	}
	return what, hold, mend, err
}

// session is after how long a member of a consumer group that is silent loses its
// partitions; a pause has to be longer.
const session = 6 * time.Second

// All are all plugs.
func All() []Plug {
	var all []Plug
	for _, kind := range []string{"gateway", "ledger", "router", "inbox", "courier", "clock", "observatory", "registry", "directory"} {
		all = append(all, Plug{
			Name: "kill-" + kind, About: "SIGKILL of a " + kind + ", which is started again", least: 0, most: 8 * time.Second,
			why: runs(kind), pull: killService(kind),
		})
	}
	for _, kind := range []string{"gateway", "ledger", "router", "inbox", "courier", "clock"} {
		all = append(all, Plug{
			Name: "pause-" + kind, About: "SIGSTOP of a " + kind + " for longer than its session: the zombie",
			least: session + 2*time.Second, most: session + 8*time.Second, why: runs(kind), pull: pauseService(kind),
		})
	}
	return append(all,
		Plug{
			Name: "old-owner", About: "a ledger of the release before, which goes on writing after others took its partitions over",
			Tool: DeafOwner, least: 14 * time.Second, most: 20 * time.Second, why: needsOldOwner, pull: oldOwner,
		},
		Plug{Name: "rebalance-storm", About: "members of the consumer groups that come and go", least: 12 * time.Second, most: 16 * time.Second, pull: storm},
		Plug{
			Name: "clock-jump", About: "the clock of a gateway jumps, by seconds or hours, forwards or backwards",
			Tool: JumpingClock, least: 4 * time.Second, most: 10 * time.Second, why: needsClock, pull: clockJump,
		},
		Plug{Name: "kill-broker", About: "SIGKILL of a Kafka broker", Engines: true, least: 0, most: 10 * time.Second, pull: killBroker},
		Plug{Name: "kill-leader", About: "SIGKILL of the broker that leads a partition of submitted or recorded", Engines: true, least: 0, most: 10 * time.Second, pull: killLeader},
		Plug{Name: "pause-broker", About: "SIGSTOP of a Kafka broker for longer than its session", Engines: true, least: 8 * time.Second, most: 14 * time.Second, pull: pauseBroker},
		Plug{Name: "kill-redis", About: "SIGKILL of Redis", Engines: true, least: 0, most: 8 * time.Second, pull: killRedis},
		Plug{Name: "flush-redis", About: "FLUSHALL", Engines: true, pull: flushRedis},
		Plug{Name: "older-redis", About: "a Redis that comes back as it was some seconds ago", Engines: true, pull: olderRedis},
		Plug{Name: "cut", About: "the line between any two parts is cut, both ways or one way", Engines: true, least: 5 * time.Second, most: 15 * time.Second, why: needsNetwork, pull: cut},
		Plug{Name: "full-disk", About: "the disk under a broker's log is full", Engines: true, least: 4 * time.Second, most: 10 * time.Second, why: needsDisk, pull: fullDisk},

		Plug{Name: "kill-hub", About: "SIGKILL of the hub in one process, at any moment", Embedded: true, least: 0, most: time.Second, pull: killHub},
		Plug{Name: "kill-hub-starting", About: "SIGKILL of the hub again and again while it starts", Embedded: true, pull: killStarting},
		Plug{Name: "pause-hub", About: "SIGSTOP of the hub", Embedded: true, least: session + 2*time.Second, most: session + 4*time.Second, pull: pauseHub},
		Plug{Name: "hub-full-disk", About: "the disk under the hub's data is full, or nearly", Embedded: true, least: 3 * time.Second, most: 6 * time.Second, why: needsDisk, pull: hubDisk},
		Plug{Name: "hub-clock-jump", About: "the clock of the hub's gateway jumps", Embedded: true, Tool: JumpingClock, least: 2 * time.Second, most: 6 * time.Second, why: needsClock, pull: clockJump},
	)
}

// ByName are the plugs of these names; of no names, all.
func ByName(names ...string) ([]Plug, error) {
	if len(names) == 0 {
		return All(), nil
	}
	var found []Plug
	var problems []error
	for _, name := range names {
		i := slices.IndexFunc(All(), func(p Plug) bool { return p.Name == name })
		if i < 0 {
			problems = append(problems, fmt.Errorf("no plug is called %q: see --list-plugs", name))
			continue
		}
		found = append(found, All()[i])
	}
	return found, errors.Join(problems...)
}

// Tools are the test builds that plugs need, each once.
func Tools(plugs []Plug) (tools []string) {
	for _, p := range plugs {
		if p.Tool != "" && !slices.Contains(tools, p.Tool) {
			tools = append(tools, p.Tool)
		}
	}
	return tools
}

func runs(kind string) func(*World) error {
	return func(w *World) error {
		if len(w.Installation.Of(kind)) == 0 {
			return errors.New("there is no " + kind)
		}
		return nil
	}
}

func needsClock(w *World) error {
	if w.Clock == "" {
		return errors.New("it needs a test build, and the programs were given with --programs")
	}
	return nil
}

func needsOldOwner(w *World) error {
	if !w.OldOwner {
		return errors.New("it needs a test build, and the programs were given with --programs")
	}
	return nil
}

func needsNetwork(w *World) error { return w.Cluster.NoNetwork }

func needsDisk(w *World) error {
	if w.FullDisk == "" {
		return errors.New("a disk that can be full needs root, to mount one")
	}
	return nil
}
