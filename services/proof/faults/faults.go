// Package faults is the fault harness: it starts the services as processes on real
// engines, drives a known load, pulls plugs by a seeded schedule, waits for quiet
// and compares what clients wrote down with what is on the log.
package faults

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
)

// Main runs the harness and returns the exit code.
func Main(_ context.Context, args []string, out, problems io.Writer) int {
	fs := flag.NewFlagSet("proof faults", flag.ContinueOnError)
	fs.SetOutput(out)
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	fmt.Fprintln(problems, "proof faults: no plug is built in")
	return 1
}
