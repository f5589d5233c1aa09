// Package bench measures the hub beside its peers: the ledger's hop beside Kafka
// Streams and beside a bare loop, the HTTP door beside a bare handler, a hub that
// asks who calls beside one that does not, the whole road at a constant rate, a day
// ten times over, and rebuilding.
//
// It knows how to start the hub and its peers as processes, on the embedded engines
// and on the real ones of deploy/local, how to drive them, and how to count. What is
// compared is measured in the same run, in turn, and told as a ratio: the machine's
// mood is in both. cmd/proof is its only user.
package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/relais-fr/relais/services/internal/ports"
)

// Options are what a run of the bench is made from.
type Options struct {
	// Rows are the rows to measure, by name; all by default.
	Rows string
	// Engines are embedded, real or both.
	Engines string
	// Rounds is how often each figure is taken; the median is told.
	Rounds int
	// Records is how many submissions the hop drains, HopRate how many come a
	// second when its latency is measured, for HopTime.
	Records int
	HopRate int
	HopTime time.Duration
	// DoorTime is how long the door is under load in a round, by DoorConns
	// connections.
	DoorTime  time.Duration
	DoorConns int
	// RoadRate is how many events a second go down the whole road, for RoadTime.
	RoadRate int
	RoadTime time.Duration
	// Copies is how often the day is handed in, Lines how much of it (0 for all).
	Copies, Lines int
	// still is how long a count has to stand still to be taken for the last.
	still time.Duration
	// Events are what a rebuild reads.
	Events int
	// Brokers is 1 or 3; Port the first of 500 ports that are taken, 0 for any that
	// are free.
	Brokers, Port int
	// Folder keeps data and logs while the bench runs; Root is the project's.
	Folder, Root string
	// Results is the file that the table is written to; "" for none.
	Results string
	// Profile is a folder for processor profiles of our own processes; "" for none.
	Profile string
}

func defaults() Options {
	return Options{
		Rows: "hop,door,security,road,day,rebuild", Engines: "both", Rounds: 3,
		Records: 300_000, HopRate: 2000, HopTime: 20 * time.Second,
		DoorTime: 10 * time.Second, DoorConns: 256,
		RoadRate: 200, RoadTime: 30 * time.Second,
		Copies: 10, Events: 1_000_000, Brokers: 3, Root: ".",
		still: 2 * time.Second,
	}
}

// quick are sizes for a test: every part runs, no figure means anything.
func (o *Options) quick() {
	o.Rounds, o.Records, o.HopRate, o.HopTime = 1, 2000, 200, time.Second
	o.DoorTime, o.DoorConns = 300*time.Millisecond, 16
	o.RoadRate, o.RoadTime = 100, time.Second
	o.Copies, o.Lines, o.Events = 2, 300, 2000
	o.still = 300 * time.Millisecond
}

func (o *Options) flags(fs *flag.FlagSet) {
	fs.StringVar(&o.Rows, "rows", o.Rows, "`rows` to measure, comma-separated")
	fs.StringVar(&o.Engines, "engines", o.Engines, "embedded, real or both")
	fs.IntVar(&o.Rounds, "rounds", o.Rounds, "how often each figure is taken; the median is told")
	fs.IntVar(&o.Records, "records", o.Records, "hop: submissions that are drained")
	fs.IntVar(&o.HopRate, "hop-rate", o.HopRate, "hop: submissions a second while latency is measured")
	fs.DurationVar(&o.HopTime, "hop-time", o.HopTime, "hop: how long that lasts")
	fs.DurationVar(&o.DoorTime, "door-time", o.DoorTime, "door, security: how long a round lasts")
	fs.IntVar(&o.DoorConns, "door-conns", o.DoorConns, "door, security: connections")
	fs.IntVar(&o.RoadRate, "road-rate", o.RoadRate, "road: events a second")
	fs.DurationVar(&o.RoadTime, "road-time", o.RoadTime, "road: how long that lasts")
	fs.IntVar(&o.Copies, "copies", o.Copies, "day: how often it is handed in")
	fs.IntVar(&o.Lines, "lines", o.Lines, "day: only so many of its lines; 0 for all")
	fs.IntVar(&o.Events, "events", o.Events, "rebuild: events on the log")
	o.sharedFlags(fs)
}

func (o *Options) sharedFlags(fs *flag.FlagSet) {
	fs.IntVar(&o.Brokers, "brokers", o.Brokers, "brokers of the real cluster, 1 or 3")
	fs.IntVar(&o.Port, "port", o.Port, "the first of five hundred ports; 0 looks for free ones")
	fs.StringVar(&o.Folder, "folder", o.Folder, "`folder` for data and logs; a new one under the system's for temporary files by default, removed at the end")
	fs.StringVar(&o.Root, "root", o.Root, "the project's `folder`")
	fs.StringVar(&o.Profile, "profile", o.Profile, "`folder` for processor profiles of our own processes")
}

// Main runs the bench and returns the exit code.
func Main(ctx context.Context, args []string, out, problems io.Writer) int {
	if len(args) > 0 && args[0] == peerCommand {
		return peerMain(ctx, args[1:], problems)
	}
	o := defaults()
	o.Results = "deploy/bench/RESULTS.md"
	fs := flag.NewFlagSet("proof bench", flag.ContinueOnError)
	fs.SetOutput(out)
	quick := fs.Bool("quick", false, "sizes for a test: every part runs, no figure means anything, nothing is written")
	o.flags(fs)
	fs.StringVar(&o.Results, "results", o.Results, "`file` for the table; empty for none")
	// Sizes that are given win over --quick, wherever they stand.
	if slices.Contains(args, "--quick") || slices.Contains(args, "-quick") {
		o.quick()
		o.Results = ""
	}
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	_ = quick
	if err := o.validate(fs.Args()); err != nil {
		_, _ = fmt.Fprintf(problems, "proof bench: %v\n", err)
		return 2
	}
	table, err := Run(ctx, o, problems)
	_, _ = fmt.Fprint(out, table)
	if o.Results != "" {
		err = errors.Join(err, os.WriteFile(o.Results, []byte(table), 0o644))
	}
	if err != nil {
		_, _ = fmt.Fprintf(problems, "proof bench: %v\n", err)
		return 1
	}
	return 0
}

// rows are what is measured, in the order of the table.
var rows = []struct {
	name string
	run  func(*bench, context.Context) error
}{
	{"hop", (*bench).hop},
	{"door", (*bench).door},
	{"security", (*bench).security},
	{"road", (*bench).road},
	{"day", (*bench).day},
	{"rebuild", (*bench).rebuild},
}

func (o *Options) validate(rest []string) error {
	known := []string{}
	for _, r := range rows {
		known = append(known, r.name)
	}
	for name := range strings.SplitSeq(o.Rows, ",") {
		if !slices.Contains(known, name) {
			return fmt.Errorf("--rows %q: there are %s", name, strings.Join(known, ", "))
		}
	}
	switch {
	case len(rest) > 0:
		return fmt.Errorf("%q is not understood", rest[0])
	case !slices.Contains([]string{"embedded", "real", "both"}, o.Engines):
		return fmt.Errorf("--engines %q: embedded, real or both", o.Engines)
	case o.Brokers != 1 && o.Brokers != 3:
		return fmt.Errorf("--brokers %d: 1 or 3", o.Brokers)
	case o.Port != 0 && (o.Port < 1024 || o.Port > 60000):
		return fmt.Errorf("--port %d: 1024 to 60000, or 0", o.Port)
	case min(o.Rounds, o.Records, o.HopRate, o.DoorConns, o.RoadRate, o.Copies, o.Events) < 1 || min(o.HopTime, o.DoorTime, o.RoadTime) <= 0:
		return errors.New("sizes, rates and times are above 0")
	}
	return nil
}

// bench is one run.
type bench struct {
	Options
	problems io.Writer
	table    table
	// programs has what is built, by name.
	programs map[string]string
	cluster  *cluster
}

// Run measures the rows and returns the table. A row that could not be measured
// says why in the table, and the others go on; the error then says so too.
func Run(ctx context.Context, o Options, problems io.Writer) (string, error) {
	b := &bench{Options: o, problems: problems, programs: map[string]string{}}
	if err := b.makeFolder(); err != nil {
		return "", err
	}
	defer b.close()
	if b.Port == 0 {
		first, release, err := ports.Take(ctx, portBlocks)
		if err != nil {
			return "", err
		}
		defer release()
		b.Port = first
	}
	b.table.begin(b)
	var failed []error
	for _, row := range rows {
		if !slices.Contains(strings.Split(o.Rows, ","), row.name) || ctx.Err() != nil {
			continue
		}
		b.say("%s", row.name)
		if err := row.run(b, ctx); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", row.name, err))
			b.table.note(fmt.Sprintf("**%s** was not measured to its end: %s", row.name, firstLine(err)))
		}
	}
	return b.table.String(), errors.Join(failed...)
}

func (b *bench) wants(engines string) bool { return b.Engines == engines || b.Engines == "both" }

// say tells how far the run is.
func (b *bench) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.problems, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
