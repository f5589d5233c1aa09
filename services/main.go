package services

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/store"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// Main runs one service as a process: settings from flags and environment, its
// door at httpAddr by default, real engines. It returns the exit code.
func Main[S Service](name, about, httpAddr string, make func(Host) (S, error)) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	settings, code, done := ParseArgs(config.Default(httpAddr), name, about)
	if done {
		return code
	}
	if err := runOne(ctx, settings, name, make); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}

// ParseArgs reads the process's arguments over the defaults. When done, the
// process ends with the code: help or version was asked for, or something is
// wrong, and it has been said.
func ParseArgs(defaults config.Settings, name, about string) (settings config.Settings, code int, done bool) {
	settings, err := defaults.Parse(name, about, os.Args[1:], config.Env, os.Stdout)
	switch {
	case errors.Is(err, config.ErrHelp):
		return settings, 0, true
	case errors.Is(err, config.ErrVersion):
		fmt.Println(name, telemetry.Version())
		return settings, 0, true
	case err != nil:
		fmt.Fprintf(os.Stderr, "%s: %v\n`%s --help` explains every setting.\n", name, err, name)
		return settings, 2, true
	}
	return settings, 0, false
}

func runOne[S Service](ctx context.Context, settings config.Settings, name string, make func(Host) (S, error)) error {
	if _, set := os.LookupEnv("GOGC"); !set {
		// A service of its own holds some tens of megabytes, and thousands of records a
		// second pass through it: collecting less often spares a seventh of its time.
		debug.SetGCPercent(300)
	}
	log := telemetry.NewLogger(os.Stderr, settings.LogLevel)
	client, err := store.Connect(settings.Redis)
	if err != nil {
		return err
	}
	p, err := NewProcess(settings, log, Engines{Brokers: settings.Brokers, Redis: client})
	if err != nil {
		return err
	}
	listener, err := Listen(ctx, "http", settings.HTTP)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	if err := p.Prepare(ctx); err != nil {
		return err
	}
	s, err := make(p.Host(name))
	if err != nil {
		return err
	}
	log.InfoContext(ctx, "started", telemetry.KeyService, name, "version", telemetry.Version(), "settings", settings)
	fmt.Printf("http %s://%s\n", settings.HTTPScheme(), listener.Addr())
	return p.Run(ctx, []Door{{Listener: listener, Handler: p.Doors, Label: "http door", TLS: p.Guard("http")}}, s)
}
