// Package faults is the fault harness. It starts the services as processes of their
// own on real engines (or the hub on its own), drives a known load at a constant
// rate of arrival, pulls plugs by a seeded schedule, waits for quiet, and compares
// what clients wrote down with what is on the log.
//
// It is the order of these steps, and how they are told; the steps themselves are
// in packages cluster, load, plug and account.
package faults

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/relais-fr/relais/services/proof/account"
	"github.com/relais-fr/relais/services/proof/cluster"
	"github.com/relais-fr/relais/services/proof/defect"
	"github.com/relais-fr/relais/services/proof/plug"
)

// Options are the settings of the harness. Main reads them from flags.
type Options struct {
	// Seeds is how many seeds are run, from Seed on; 0 takes a random one.
	Seeds int
	Seed  uint64
	// Duration is how long plugs are pulled for each seed, Quiet how long the hub
	// may take to come to rest afterwards.
	Duration, Quiet time.Duration
	Rate            float64
	Plugs           []plug.Plug
	Embedded        bool
	// Defect is built into the services; "" for none.
	Defect string
	// Programs is a folder with built services; "" builds them.
	Programs string
	// Dir is where data and logs go; "" takes a temporary folder, which is removed
	// unless Keep, or something differed.
	Dir      string
	Keep     bool
	Loopback bool
	Port     int

	Out io.Writer
}

const about = `usage: proof faults [--flag value]…

Starts the services as processes of their own on three Kafka brokers (acks=all,
min.insync.replicas=2) and a Redis, or with --embedded the hub in one process; hands
events in at a constant rate of arrival, by HTTP and by Kafka topics; pulls plugs by
a seeded schedule; waits for quiet; and compares the clients' own book with the log
and with what every recipient can read. Exit code 1 says that something differed.

It needs Go, and for real engines Java 17, Maven (once, for Kafka's jars) and
redis-server; as root it also cuts the network and fills a disk. It takes some
2 GB of memory, and ends and removes what it has started.

`

// Main runs the harness with these arguments and returns the exit code.
func Main(ctx context.Context, args []string, out, problems io.Writer) int {
	o := Options{Out: out}
	fs := flag.NewFlagSet("proof faults", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.IntVar(&o.Seeds, "seeds", 1, "how many seeds to run, one after the other, on one cluster")
	fs.Uint64Var(&o.Seed, "seed", 0, "the first seed; 0 takes a random one. A seed's load and plugs are always the same, their timing not quite")
	fs.DurationVar(&o.Duration, "duration", time.Minute, "how long plugs are pulled for each seed")
	fs.DurationVar(&o.Quiet, "quiet", 3*time.Minute, "how long the hub may take after that to come to rest")
	fs.Float64Var(&o.Rate, "rate", 200, "events that come into being every second")
	names := fs.String("plugs", "", "plugs to pull, by name and with commas; without it all that can be pulled")
	list := fs.Bool("list-plugs", false, "list the plugs and exit")
	fs.BoolVar(&o.Embedded, "embedded", false, "the hub in one process, on its own engines")
	fs.StringVar(&o.Defect, "defect", "", "build the services with a defect put in on purpose: it should be caught ("+strings.Join(defectNames(), ", ")+")")
	fs.StringVar(&o.Programs, "programs", "", "folder with built programs to use; without it they are built here")
	fs.StringVar(&o.Dir, "dir", "", "folder for data and logs; without it a temporary one")
	fs.BoolVar(&o.Keep, "keep", false, "keep data and logs though nothing differed")
	fs.BoolVar(&o.Loopback, "loopback", false, "do without network namespaces: everything on 127.0.0.1")
	fs.IntVar(&o.Port, "port", 0, "the first of a hundred ports; 0 looks for free ones")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(out, about)
		fs.SetOutput(out)
		fs.PrintDefaults()
		return 0
	} else if err != nil {
		return misunderstood(problems, err)
	}
	if *list {
		for _, p := range plug.All() {
			fmt.Fprintf(out, "%-18s %s\n", p.Name, p.About)
		}
		return 0
	}
	var err error
	if o.Plugs, err = plug.ByName(words(*names)...); err == nil {
		err = o.validate(fs.Args())
	}
	if err != nil {
		return misunderstood(problems, err)
	}
	clean, err := Run(ctx, o)
	if err != nil {
		fmt.Fprintf(problems, "proof faults: %v\n", err)
	}
	if err != nil || !clean {
		return 1
	}
	return 0
}

func misunderstood(w io.Writer, err error) int {
	fmt.Fprintf(w, "proof faults: %v\n`proof faults --help` explains every flag.\n", err)
	return 2
}

func words(list string) (all []string) {
	for word := range strings.SplitSeq(list, ",") {
		if word = strings.TrimSpace(word); word != "" {
			all = append(all, word)
		}
	}
	return all
}

func defectNames() (names []string) {
	for _, d := range defect.All() {
		names = append(names, d.Name)
	}
	return names
}

func (o *Options) validate(rest []string) error {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if len(rest) > 0 {
		bad("%q is not understood: settings are given as --name value", rest[0])
	}
	if o.Seeds < 1 || o.Seeds > 1000 {
		bad("--seeds %d: use 1 to 1000", o.Seeds)
	}
	if o.Duration < time.Second || o.Duration > time.Hour {
		bad("--duration %v: use 1s to 1h", o.Duration)
	}
	if o.Quiet < time.Second || o.Quiet > time.Hour {
		bad("--quiet %v: use 1s to 1h", o.Quiet)
	}
	if o.Rate < 1 || o.Rate > 10_000 {
		bad("--rate %v: use 1 to 10000", o.Rate)
	}
	if o.Port < 0 || o.Port > 65_000 {
		bad("--port %d: use 1 to 65000, or 0", o.Port)
	}
	if o.Defect != "" && o.Programs != "" {
		bad("--defect needs a build: give no --programs")
	}
	if _, err := defect.ByName(words(o.Defect)...); err != nil {
		bad("%w: use one of %s", err, strings.Join(defectNames(), ", "))
	}
	return errors.Join(problems...)
}

// Run runs the seeds, and says whether nothing differed.
func Run(ctx context.Context, o Options) (clean bool, err error) {
	h := &harness{Options: o, begun: time.Now()}
	if h.Seed == 0 {
		h.Seed = rand.Uint64N(1_000_000)
	}
	if h.root, err = defect.Root(); err != nil {
		return false, err
	}
	if h.Dir == "" {
		if h.Dir, err = os.MkdirTemp("", "relais-proof-"); err != nil {
			return false, err
		}
	}
	if h.Dir, err = filepath.Abs(h.Dir); err != nil {
		return false, err
	}
	defer func() {
		if clean && !o.Keep && o.Dir == "" {
			err = errors.Join(err, os.RemoveAll(h.Dir))
		} else {
			h.say("data and logs are kept in %s", h.Dir)
		}
	}()
	h.say("building")
	if err := h.build(ctx); err != nil {
		return false, err
	}
	if h.cluster, err = cluster.New(ctx, cluster.Config{Root: h.root, Dir: h.Dir, Port: h.Port, Loopback: h.Loopback || h.Embedded}); err != nil {
		return false, err
	}
	// It is ended before its folder is removed.
	defer func() { err = errors.Join(err, h.cluster.Close()) }()
	if err := h.prepare(ctx); err != nil {
		return false, err
	}
	return h.seeds(ctx)
}

// harness is one run.
type harness struct {
	Options
	root    string
	begun   time.Time
	cluster *cluster.Cluster
	// plain are the programs as they are, jumping and old those of test builds; ""
	// where there are none.
	plain, jumping, old string
	clock, fullDisk     string
	results             []result
}

// say prints a line, with the time since the beginning.
func (h *harness) say(format string, args ...any) {
	fmt.Fprintf(h.Out, "%7.1fs  %s\n", time.Since(h.begun).Seconds(), fmt.Sprintf(format, args...))
}

// build builds the services as they are, or with a defect; and what only a trial
// needs: a gateway whose clock jumps, a ledger that does not let go.
func (h *harness) build(ctx context.Context) error {
	if h.Programs != "" {
		h.plain = h.Programs
		return nil
	}
	commands, timed := cluster.Commands(h.root), "gateway"
	if h.Embedded {
		commands, timed = []string{"hub"}, "hub"
	}
	var err error
	if h.plain, err = h.buildWith(ctx, "plain", commands); err != nil {
		return err
	}
	tools := plug.Tools(h.Plugs)
	if slices.Contains(tools, plug.JumpingClock) {
		if h.jumping, err = h.buildWith(ctx, "jumping", []string{timed}, plug.JumpingClock); err != nil {
			return err
		}
	}
	if slices.Contains(tools, plug.DeafOwner) && !h.Embedded {
		h.old, err = h.buildWith(ctx, "old", []string{"ledger"}, "release-before", plug.DeafOwner)
	}
	return err
}

// buildWith builds commands with tools and the defect, into a folder of that name.
func (h *harness) buildWith(ctx context.Context, name string, commands []string, tools ...string) (into string, err error) {
	into = filepath.Join(h.Dir, "programs", name)
	with, err := defect.ByName(append(words(h.Defect), tools...)...)
	if err != nil {
		return "", err
	}
	overlay := ""
	if len(with) > 0 {
		if overlay, err = defect.Overlay(h.root, filepath.Join(h.Dir, "overlays", name), with...); err != nil {
			return "", err
		}
	}
	return into, cluster.Build(ctx, h.root, into, overlay, commands...)
}

// Sizes of the disks that can be full: a broker's holds a run's logs, the hub's has
// to have room for its doors to be open.
const (
	brokerDisk = 768 << 20
	hubDisk    = 256 << 20
)

// prepare starts the engines and says what cannot be broken here.
func (h *harness) prepare(ctx context.Context) error {
	disk := h.cluster.KafkaDir(plug.DiskBroker)
	size := int64(brokerDisk)
	if h.Embedded {
		disk, size = filepath.Join(h.Dir, "hub"), hubDisk
	}
	if err := h.cluster.MountSmallDisk(disk, size); err == nil {
		h.fullDisk = disk
	}
	if h.jumping != "" {
		h.clock = filepath.Join(h.Dir, "clock")
		if err := os.WriteFile(h.clock, []byte("0s"), 0o600); err != nil {
			return err
		}
	}
	if h.Embedded {
		return nil
	}
	if h.cluster.NoNetwork != nil {
		h.say("no line is cut: %v", h.cluster.NoNetwork)
	}
	h.say("starting %d brokers and Redis", cluster.Brokers)
	return h.cluster.StartEngines(ctx)
}

// seeds runs one seed after the other, and says in the end how it went.
func (h *harness) seeds(ctx context.Context) (clean bool, err error) {
	clean = true
	for n := range uint64(h.Seeds) {
		var r result
		if r, err = h.one(ctx, h.Seed+n); err != nil {
			clean, err = false, fmt.Errorf("seed %d: %w", h.Seed+n, err)
			break
		}
		h.results = append(h.results, r)
		clean = clean && r.Clean()
	}
	if len(h.results) > 0 {
		h.table()
	}
	return clean, err
}

// result is what came of a seed.
type result struct {
	*account.Account
	seed  uint64
	plugs []string
	pause time.Duration
	took  time.Duration
	held  int
}
