package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/relais-fr/relais/services/proof/account"
	"github.com/relais-fr/relais/services/proof/cluster"
	"github.com/relais-fr/relais/services/proof/load"
	"github.com/relais-fr/relais/services/proof/plug"
)

// partitions are few, so that brokers which start again have little to look at.
const partitions = 4

// subject is what the plugs of one seed are pulled on.
type subject struct {
	plug.World
	prefix string
	target load.Target
}

// one runs one seed, from services that start to accounts that are made up.
func (h *harness) one(ctx context.Context, seed uint64) (result, error) {
	h.say("seed %d: starting", seed)
	s, err := h.start(ctx, seed)
	if err != nil {
		return result{}, err
	}
	defer h.end(ctx, s)
	begun := time.Now()
	l, err := load.Start(s.target, load.Config{Seed: seed, Rate: h.Rate})
	if err != nil {
		return result{}, err
	}
	defer l.Close()
	h.say("seed %d: %.0f events/s for %v", seed, h.Rate, h.Duration)
	watching, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { h.supervise(watching, s) })
	defer watch.Wait()
	defer stop()

	pulled := h.pull(ctx, s, seed)
	l.Stop()
	if err := ctx.Err(); err != nil {
		return result{}, context.Cause(ctx)
	}
	h.say("seed %d: waiting for quiet", seed)
	a, err := h.settle(ctx, s, l)
	if err != nil {
		return result{}, err
	}
	r := result{Account: a, seed: seed, plugs: pulled, took: time.Since(begun), held: l.Book.Held()}
	r.pause, _ = l.Book.Pause()
	h.tell(r)
	return r, nil
}

// start starts the services, or the hub, for one seed.
func (h *harness) start(ctx context.Context, seed uint64) (*subject, error) {
	prefix := fmt.Sprintf("s%d", seed)
	s := &subject{prefix: prefix, World: plug.World{Cluster: h.cluster, Clock: h.clock, FullDisk: h.fullDisk, OldOwner: h.old != ""}}
	env := []string{"RELAIS_PROOF_CLOCK=@" + h.clock}
	if h.Embedded {
		program := h.plain
		if h.jumping != "" {
			program = h.jumping
		}
		hub, err := h.cluster.StartHub(ctx, filepath.Join(program, "hub"), prefix, filepath.Join(h.Dir, "hub", prefix), env...)
		if err != nil {
			return nil, err
		}
		s.prefix, s.Hub = "relais", hub
		s.target = load.Target{Doors: []string{hub.Door}, Dial: hub.Dial, Kafka: hub.Client, Prefix: s.prefix}
		return s, nil
	}
	programs := cluster.Programs{"": h.plain, "gateway-2": h.jumping, plug.OldOwner: h.old}
	if h.jumping == "" {
		programs["gateway-2"] = h.plain
	}
	i, err := h.cluster.Install(ctx, prefix, partitions, programs, env...)
	if err != nil {
		return nil, err
	}
	s.Installation = i
	s.target = load.Target{Doors: i.Doors("gateway"), Dial: h.cluster.Clients.Dial, Kafka: h.cluster.Client, Prefix: prefix}
	return s, nil
}

// end ends what start has started. What is left on the brokers goes.
func (h *harness) end(ctx context.Context, s *subject) {
	if s.Hub != nil {
		s.Hub.Stop()
		if err := os.RemoveAll(s.Hub.Dir); err != nil {
			h.say("the data of %s stay: %v", s.Hub.Dir, err)
		}
		return
	}
	s.Installation.Stop()
	if ctx.Err() != nil {
		return // the brokers end too
	}
	if err := h.cluster.DeleteTopics(ctx, s.prefix); err != nil {
		h.say("the topics of %s stay: %v", s.prefix, err)
	}
}

// parts are all processes that should run.
func (s *subject) parts(c *cluster.Cluster) []*cluster.Process {
	if s.Hub != nil {
		return []*cluster.Process{s.Hub.Process}
	}
	return append(append(append([]*cluster.Process{}, s.Installation.Parts...), c.Kafka...), c.Redis)
}

// supervise starts again what has ended by itself, as an installation's supervisor
// would, and says so.
func (h *harness) supervise(ctx context.Context, s *subject) {
	for cluster.Sleep(ctx, time.Second) {
		for _, p := range s.parts(h.cluster) {
			if p.Ended() {
				h.say("  %s has ended by itself: %s", p.Name, p.LastWords(1))
				if err := p.Start(); err != nil {
					h.say("  %v", err)
				}
			}
		}
	}
}

// pull pulls plugs for the duration: one that breaks a service, and at the same
// time one that breaks what they stand on. It returns the names of those that were
// pulled, once all are mended.
func (h *harness) pull(ctx context.Context, s *subject, seed uint64) (pulled []string) {
	random := rand.New(rand.NewPCG(seed, 2))
	lanes := h.lanes(s, seed)
	pulling, cancel := context.WithTimeout(ctx, h.Duration)
	defer cancel()
	var mu sync.Mutex
	var both sync.WaitGroup
	for _, engines := range []bool{false, true} {
		own := rand.New(rand.NewPCG(seed, random.Uint64()))
		both.Go(func() {
			for n := 0; len(lanes[engines]) > 0 && cluster.Sleep(pulling, time.Second+time.Duration(own.IntN(3000))*time.Millisecond); n++ {
				p := lanes[engines][n%len(lanes[engines])]
				if h.pullOne(ctx, s, p, own) {
					mu.Lock()
					pulled = append(pulled, p.Name)
					mu.Unlock()
				}
			}
		})
	}
	<-pulling.Done()
	both.Wait()
	return pulled
}

// turns is how many seeds in a row share one order of plugs, and stride how many
// plugs further on each begins than the one before: so that some seeds together
// pull all.
const (
	turns  = 50
	stride = 5
)

// lanes are the plugs that can be pulled here, in the order of a seed, apart by
// whether they break engines.
func (h *harness) lanes(s *subject, seed uint64) map[bool][]plug.Plug {
	order := rand.New(rand.NewPCG(seed/turns, 3))
	lanes := map[bool][]plug.Plug{}
	for _, i := range order.Perm(len(h.Plugs)) {
		if p := h.Plugs[i]; p.Why(&s.World) == nil {
			lanes[p.Engines] = append(lanes[p.Engines], p)
		}
	}
	for engines, list := range lanes {
		if n := int(seed%turns) * stride % len(list); n > 0 {
			lanes[engines] = append(slices.Clone(list[n:]), list[:n]...)
		}
	}
	return lanes
}

// pullOne pulls a plug for as long as it should be, and mends it though the trial
// was interrupted.
func (h *harness) pullOne(ctx context.Context, s *subject, p plug.Plug, r *rand.Rand) bool {
	what, hold, mend, err := p.Pull(ctx, &s.World, r)
	switch {
	case err != nil && ctx.Err() == nil:
		h.say("  %s %s could not be pulled: %v", p.Name, what, err)
	case err == nil:
		h.say("  %s: %s", p.Name, what)
		cluster.Sleep(ctx, hold)
	}
	mending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	if mendErr := mend(mending); mendErr != nil {
		h.say("  %s %s is not mended: %v", p.Name, what, mendErr)
	} else if err == nil && hold > 0 {
		h.say("  %s: mended", p.Name)
	}
	return err == nil
}

// settle waits until everything is acknowledged, has become something and has gone
// where it should, or the time for that is over; and makes up the accounts.
func (h *harness) settle(ctx context.Context, s *subject, l *load.Load) (*account.Account, error) {
	limit, cancel := context.WithTimeout(ctx, h.Quiet)
	defer cancel()
	_ = l.Drain(limit)
	var last *account.Account
	for {
		a, err := h.compare(ctx, s, l.Book)
		if err != nil && limit.Err() != nil {
			return nil, err
		}
		// Twice clean: nothing came too much after it was.
		if err == nil && a.Clean() && last != nil && last.Clean() {
			return a, nil
		}
		if err == nil {
			last = a
		}
		if !cluster.Sleep(limit, 2*time.Second) && last != nil {
			return last, context.Cause(ctx)
		}
	}
}

func (h *harness) compare(ctx context.Context, s *subject, book *load.Book) (*account.Account, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	logs, err := account.Read(ctx, s.target.Kafka, s.prefix)
	if err != nil {
		return nil, err
	}
	return account.Compare(book, logs), nil
}

// tell tells how a seed went.
func (h *harness) tell(r result) {
	h.say("seed %d: %d attempted, %d acknowledged; %d submitted (%d the hub's own), %d outcomes: %d facts, %d refusals, %d repeats; "+
		"%d copies; again on the log %d and %d; longest pause %.1f s; %d held back", r.seed, r.Attempted, r.Acknowledged, r.Submissions, r.Own,
		r.Outcomes, r.Facts, r.Refusals, r.Repeats, r.Copies, r.Again, r.CopiesAgain, r.pause.Seconds(), r.held)
	if r.Clean() {
		h.say("seed %d: 0 lost, 0 doubled, 0 out of order", r.seed)
		return
	}
	h.say("seed %d: IT DIFFERS; `--seed %d` pulls the same plugs again", r.seed, r.seed)
	for _, difference := range r.Differences() {
		h.say("  %s", difference)
	}
}

// table tells how all seeds went.
func (h *harness) table() {
	fmt.Fprintf(h.Out, "\n%8s %9s %9s %9s %8s %8s %7s %7s %7s %7s %5s %5s %5s  %s\n", "seed", "attempted", "acked", "outcomes", "facts", "refused", "repeats",
		"again", "copies+", "pause s", "lost", "twice", "order", "plugs")
	total := result{Account: &account.Account{Counts: map[string]int{}}}
	for _, r := range h.results {
		h.row(fmt.Sprint(r.seed), r)
		total.Attempted += r.Attempted
		total.Acknowledged += r.Acknowledged
		total.Outcomes += r.Outcomes
		total.Facts += r.Facts
		total.Refusals += r.Refusals
		total.Repeats += r.Repeats
		total.Again += r.Again
		total.CopiesAgain += r.CopiesAgain
		total.pause = max(total.pause, r.pause)
		total.took += r.took
		for kind, n := range r.Counts {
			total.Counts[kind] += n
		}
	}
	h.row("all", total)
	verdict := "acknowledged ⊆ outcomes ⊆ attempted, one outcome each, effects = facts, in order"
	if !total.Clean() {
		verdict = "SOMETHING DIFFERS"
	}
	fmt.Fprintf(h.Out, "\n%d seeds in %v under load: %s\n", len(h.results), total.took.Round(time.Second), verdict)
}

func (h *harness) row(name string, r result) {
	fmt.Fprintf(h.Out, "%8s %9d %9d %9d %8d %8d %7d %7d %7d %7.1f %5d %5d %5d  %s\n", name, r.Attempted, r.Acknowledged, r.Outcomes, r.Facts, r.Refusals, r.Repeats,
		r.Again, r.CopiesAgain, r.pause.Seconds(), r.Counts[account.Lost], r.Counts[account.Doubled], r.Counts[account.OutOfOrder], strings.Join(r.plugs, " "))
}
