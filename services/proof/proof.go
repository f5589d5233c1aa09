// Package proof is what cmd/proof runs: trials that hold the hub to what it
// promises, from outside, on engines that the trial starts itself.
//
// It knows the list of the trials; what each does is in a package of its own below
// this one. cmd/proof is its only user.
package proof

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/relais-fr/relais/services/proof/bench"
	"github.com/relais-fr/relais/services/proof/faults"
)

// trial is one subcommand. run returns the exit code: 0 when the promise held, 1
// when it did not or nothing could be said, 2 when it was not understood.
type trial struct {
	name, about string
	run         func(ctx context.Context, args []string, out, problems io.Writer) int
}

var trials = []trial{
	{"faults", "pulls plugs under load, then compares what clients were told with what is on the log", faults.Main},
	{"bench", "measures the hub beside its peers and writes a table of ratios", bench.Main},
	{"rebuild", "loses the whole store under load and watches it come back", bench.Rebuild},
}

// Main runs the trial that the arguments name, until it ends or is interrupted,
// and returns the exit code.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, os.Args[1:], os.Stdout, os.Stderr)
}

func run(ctx context.Context, args []string, out, problems io.Writer) int {
	if len(args) == 0 {
		usage(problems)
		return 2
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		usage(out)
		return 0
	}
	for _, t := range trials {
		if t.name == args[0] {
			return t.run(ctx, args[1:], out, problems)
		}
	}
	fmt.Fprintf(problems, "proof: there is no trial %q\n\n", args[0])
	usage(problems)
	return 2
}

func usage(w io.Writer) {
	fmt.Fprint(w, "usage: proof TRIAL [--flag value]…\n\n")
	for _, t := range trials {
		fmt.Fprintf(w, "  %-10s %s\n", t.name, t.about)
	}
	fmt.Fprint(w, "\n`proof TRIAL --help` explains a trial and its flags.\n")
}
