// Command hubctl is the command line of Relais, for the IT teams of operators and
// for the people who run the hub: hand events in, one or a whole file of them,
// follow a participant's events, keep the directory, look at cases and at what
// could not be read.
//
// It is a client like any other: it uses the hub's public and admin doors over
// HTTP, reads a participant's topic as the participant may, and shares nothing with
// the hub but the published language.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
	_ "time/tzdata" // the offices' time zones, where the system has none
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], environment{
		in: os.Stdin, out: &printer{w: os.Stdout}, err: &printer{w: os.Stderr}, lookup: os.LookupEnv, terminal: isTerminal(os.Stderr), answers: isTerminal(os.Stdin),
		zone: time.Local,
	})
	stop()
	os.Exit(code)
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
