package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/relais-fr/relais/cmd/hubctl/internal/bulk"
	"github.com/relais-fr/relais/cmd/hubctl/internal/door"
	"github.com/relais-fr/relais/cmd/hubctl/internal/feed"
)

func importCommand() command {
	return command{
		name: "import", args: "FILE", short: "hand in a whole file of events",
		long: `
Hands in a file of lines, NDJSON, gzipped or not: CloudEvents in JSON, or with
--feed neutral the feed in which an office's software tells its day. The hub
answers each line; a journal keeps the answers, so that after an interruption, of
hubctl or of the hub, the same command goes on where it was. Lines whose answer was
lost are handed in again, and the hub recognises them. Within a dossier the order
is kept, and a line that stands before the one that it depends on is handed in
after it.

  hubctl import --feed neutral --journal day.journal events-2024-05-14.ndjson.gz
  hubctl import --as cnaf backlog.ndjson --report report.json

At the end every line is accounted for: facts, repeats, and refusals with their
reason and line numbers. The exit code is 0 when all lines have an outcome and
none was refused. An import that came to its end begins anew when it is called
again: what the hub has is a repeat, and what was refused is tried once more.`,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			im := &importing{}
			flags.StringVar(&im.feed, "feed", "", "`name` of the feed that the lines are in: neutral; CloudEvents by default")
			flags.StringVar(&im.as, "as", feeder, "`participant` who hands in")
			flags.BoolVar(&im.history, "history", false, "mark every event as a record of the past, without deadlines and notifications; a feeder's right")
			flags.StringVar(&im.journal, "journal", "", "`file` that keeps which lines have their outcome; FILE.journal by default")
			flags.BoolVar(&im.restart, "restart", false, "forget what the journal says and hand in all lines; what the hub has comes back as repeats")
			flags.StringVar(&im.report, "report", "", "`file` for the report in JSON")
			flags.IntVar(&im.streams, "streams", 8, "how many requests are on their way at once")
			flags.DurationVar(&im.patience, "patience", 15*time.Minute, "how long the hub may be away before the import gives up")
			return im.run
		},
	}
}

// importing is one call of import.
type importing struct {
	feed, as, journal, report string
	history, restart          bool
	streams                   int
	patience                  time.Duration
}

const feedNeutral = "neutral"

func (im *importing) run(ctx context.Context, c *call) error {
	switch {
	case len(c.args) != 1:
		return usage("give one file")
	case c.args[0] == "-":
		return usage("give a file: an import that is to be gone on with reads it more than once")
	case im.feed != "" && im.feed != feedNeutral:
		return usage("--feed %q: the feed known is %s", im.feed, feedNeutral)
	case im.streams < 1 || im.streams > 64:
		return usage("--streams %d: 1 to 64", im.streams)
	}
	file := c.args[0]
	if _, err := os.Stat(file); err != nil {
		return err
	}
	if im.journal == "" {
		im.journal = file + ".journal"
	}
	client, err := c.client(im.as)
	if err != nil {
		return err
	}
	job := &bulk.Import{
		Client: client, File: file, Journal: im.journal, Streams: im.streams, Patience: im.patience,
		Progress: bulk.NewProgress(c.err, c.terminal),
	}
	if job.Format, job.FormatName, err = im.format(ctx, c); err != nil {
		return err
	}
	if im.restart {
		if err := os.Remove(im.journal); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	report, err := job.Run(ctx)
	if report.Lines > 0 || err == nil {
		c.out.printf("%s", report.Text())
		err = errors.Join(err, im.writeReport(report))
	}
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("stopped; the same command goes on: the journal is %s", im.journal)
	case err != nil:
		return err
	case report.Open > 0:
		return fmt.Errorf("%d lines have no outcome", report.Open)
	case report.Refusals > 0:
		return errSaid
	}
	return nil
}

// format is how lines are read, and its name in the journal.
func (im *importing) format(ctx context.Context, c *call) (feed.Format, string, error) {
	name := "cloudevents"
	if im.feed == feedNeutral {
		name = feedNeutral + " " + im.as
	}
	if im.history {
		name += " history"
	}
	if im.feed != feedNeutral {
		return feed.CloudEvents{History: im.history}, name, nil
	}
	client, err := c.client(im.as)
	if err != nil {
		return nil, "", err
	}
	zones, err := patiently(ctx, c, im.patience, func() (zones, error) { return loadZones(ctx, client) })
	if err != nil {
		return nil, "", err
	}
	return feed.Neutral{Feeder: im.as, Zone: zones.of, History: im.history}, name, nil
}

// patiently repeats ask while a later try may succeed, at most so long.
func patiently[T any](ctx context.Context, c *call, limit time.Duration, ask func() (T, error)) (T, error) {
	told, until := false, time.Now().Add(limit)
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, lastPause) {
		v, err := ask()
		if err == nil || !door.Passing(err) || time.Now().After(until) {
			return v, err
		}
		if !told {
			told = true
			c.err.printf("trying again: %v\n", err)
		}
		if !sleep(ctx, pause) {
			return v, ctx.Err()
		}
	}
}

func (im *importing) writeReport(report bulk.Report) error {
	if im.report == "" {
		return nil
	}
	f, err := os.Create(im.report)
	if err != nil {
		return err
	}
	return errors.Join(report.WriteJSON(f), f.Close())
}
