package hub

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// gcPercent trades a little time for memory: the embedded store lives on the
// same heap as what comes and goes, and Go's default would let the process grow to
// twice of both. Measured on the simulated day: 325 MB instead of 522 MB.
const gcPercent = 50

// Main runs the hub with the process's arguments and returns the exit code.
func Main() int {
	settings, code, done := services.ParseArgs(config.DefaultHub(), "hub", "runs the whole hub in one process")
	if done {
		return code
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	log := telemetry.NewLogger(os.Stderr, settings.LogLevel)
	if err := New(settings, log, os.Stdout, Network{}).Run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "hub: %v\n", err)
		return 1
	}
	return 0
}
