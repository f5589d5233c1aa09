package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/relais-fr/relais/services/internal/registry"
)

// Rebuild is the trial that loses the whole store under load, by itself: it returns
// the exit code.
func Rebuild(ctx context.Context, args []string, out, problems io.Writer) int {
	o := defaults()
	o.Rows, o.Engines, o.Rounds = "rebuild", embedded, 1
	fs := flag.NewFlagSet("proof rebuild", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.IntVar(&o.Events, "events", o.Events, "events on the log when the store is lost")
	fs.IntVar(&o.RoadRate, "rate", o.RoadRate, "events a second that are posted meanwhile")
	onReal := fs.Bool("real", false, "on three Kafka brokers and Redis, started by deploy/local, instead of the embedded engines")
	o.sharedFlags(fs)
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if *onReal {
		o.Engines = realOnes
	}
	if err := o.validate(fs.Args()); err != nil {
		_, _ = fmt.Fprintf(problems, "proof rebuild: %v\n", err)
		return 2
	}
	table, err := Run(ctx, o, problems)
	_, _ = fmt.Fprint(out, table)
	if err != nil {
		_, _ = fmt.Fprintf(problems, "proof rebuild: %v\n", err)
		return 1
	}
	return 0
}

// rebuild loads events, loses the whole store while others are posted, and watches
// the projections come back.
func (b *bench) rebuild(ctx context.Context) error {
	return b.worlds(ctx, "rebuild", true, func(w *world) error {
		if err := b.fillWorld(ctx, w); err != nil {
			return err
		}
		return b.loseStore(ctx, w)
	})
}

// fillWorld writes events straight to relais.submitted, with the stamps that the
// gateway would have made, and waits until the last has been judged, copied and
// shown.
func (b *bench) fillWorld(ctx context.Context, w *world) error {
	pen, err := newWriter(ctx, registry.New(w.registry, http.DefaultClient), w.registry, w.prefix)
	if err != nil {
		return err
	}
	b.say("%s engines: writing %d submissions", w.engines, b.Events)
	started := time.Now()
	if err := pen.fill(ctx, w.client, b.Events); err != nil {
		return err
	}
	written := time.Since(started)
	for _, count := range []func(context.Context) (int64, error){
		func(ctx context.Context) (int64, error) { return w.ends(ctx, "recorded") },
		w.delivered,
	} {
		if _, _, err := b.settled(ctx, int64(b.Events), 20*time.Minute, count); err != nil {
			return err
		}
	}
	shown, last, err := b.settled(ctx, 1, 20*time.Minute, func(ctx context.Context) (int64, error) { return int64(w.metric(ctx, inboxEvents)), nil })
	if err != nil {
		return err
	}
	b.say("%s engines: written in %s, judged, copied and shown (%d) in %s", w.engines, written.Round(time.Millisecond), shown, last.Sub(started).Round(time.Millisecond))
	b.table.note(fmt.Sprintf("Losing the store, %s engines: %s events were written straight to `relais.submitted` with the gateway's own stamps (%s/s), judged, copied and shown within %s (%s/s).",
		w.engines, thousands(float64(b.Events)), thousands(float64(b.Events)/written.Seconds()), last.Sub(started).Round(time.Second), thousands(float64(b.Events)/last.Sub(started).Seconds())))
	return nil
}

// What ledger and inbox count while they rebuild.
const (
	ledgerFolded = "relais_ledger_folded_total"
	inboxEvents  = "relais_inbox_events_total"
)

// loseStore empties the store while events are posted.
func (b *bench) loseStore(ctx context.Context, w *world) error {
	s := newStream(b.RoadRate, b.RoadRate*3600)
	load, stop := context.WithCancel(ctx)
	var posting sync.WaitGroup
	s.pace.begin()
	posting.Go(func() { s.run(load, w.http, "lost", 0) })
	defer func() { stop(); posting.Wait() }()
	if _, _, err := b.settled(ctx, int64(b.RoadRate), time.Minute, func(context.Context) (int64, error) { return int64(min(s.answered.count(), b.RoadRate)), nil }); err != nil {
		return err
	}
	log, errLog := w.ends(ctx, "recorded")
	desk, errDesk := w.ends(ctx, "to.offices")
	if err := errors.Join(errLog, errDesk); err != nil {
		return err
	}
	folded, shown := w.metric(ctx, ledgerFolded), w.metric(ctx, inboxEvents)
	b.say("%s engines: FLUSHALL with %d outcomes on the log", w.engines, log)
	lost := time.Now()
	if err := w.flush(ctx); err != nil {
		return err
	}
	var ledgerTook, inboxTook time.Duration
	paused := map[string]bool{}
	const limit = 20 * time.Minute
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for busy := true; busy || ledgerTook == 0 || inboxTook == 0; {
		busy = false
		for _, name := range w.rebuilding(ctx) {
			paused[name], busy = true, true
		}
		if ledgerTook == 0 && w.metric(ctx, ledgerFolded)-folded >= float64(log) {
			ledgerTook = time.Since(lost)
		}
		if inboxTook == 0 && w.metric(ctx, inboxEvents)-shown >= float64(desk) {
			inboxTook = time.Since(lost)
		}
		if time.Since(lost) > limit {
			return fmt.Errorf("not rebuilt within %s", limit)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	// What was posted meanwhile has its outcome: only then is all fresh.
	stop()
	posting.Wait()
	submitted, err := w.ends(ctx, "submitted")
	if err != nil {
		return err
	}
	if _, _, err := b.settled(ctx, submitted, 5*time.Minute, func(ctx context.Context) (int64, error) { return w.ends(ctx, "recorded") }); err != nil {
		return err
	}
	if len(s.faults) > 0 || len(s.statuses) != 1 {
		b.table.note(fmt.Sprintf("**The doors did not stay open** on %s engines: %s", w.engines, s.told()))
	}
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range paused {
			if !yield(name) {
				return
			}
		}
	})
	b.table.add(fmt.Sprintf("rebuilding the ledger from %s outcomes, %s engines, store lost under %d/s", thousands(float64(log)), w.engines, b.RoadRate),
		fmt.Sprintf("%s events/s; fresh after %s", thousands(float64(log)/ledgerTook.Seconds()), ledgerTook.Round(10*time.Millisecond)), "", "", "")
	b.table.add(fmt.Sprintf("rebuilding the inbox from %s events, the same moment", thousands(float64(desk))),
		fmt.Sprintf("%s events/s; fresh after %s", thousands(float64(desk)/inboxTook.Seconds()), inboxTook.Round(10*time.Millisecond)), "", "", "")
	b.table.note(fmt.Sprintf("Meanwhile, on %s engines, the doors answered %s, the slowest after %s ms; said that they rebuild: %s.", w.engines, s.told(), ms(s.slowest), strings.Join(names, ", ")))
	return nil
}
