package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/relais-fr/relais/cmd/hubctl/internal/door"
	"github.com/relais-fr/relais/schemas"
)

func tailCommand() command {
	return command{
		name: "tail", short: "follow a participant's events",
		long: `
Prints the events that the hub has for a participant, decoded, one a line, and goes
on with those that come: facts of its cases, its own included, and refusals of
what it handed in. It reads the participant's mailbox and takes nothing away from
anybody: two may tail the same.

  hubctl tail --as cnaf
  hubctl tail --office fs-563 --from now --json
  hubctl tail --as cnaf --cursor cnaf.cursor --json >> events.ndjson

With --cursor the place is kept in a file after each page, and the next call goes
on there. Events may then come again after a crash: drop by place what you have.`,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			t := &tail{}
			flags.StringVar(&t.as, "as", "", "`participant` whose events to read, such as cnaf")
			flags.StringVar(&t.office, "office", "", "the same for an office, by its `id`, such as fs-563")
			flags.StringVar(&t.from, "from", "start", "where to begin: `start` or now")
			flags.StringVar(&t.file, "cursor", "", "`file` that keeps the place from call to call")
			flags.BoolVar(&t.once, "once", false, "end when there is nothing more, instead of following")
			flags.BoolVar(&t.json, "json", false, "print each event as a CloudEvent in JSON")
			return t.run
		},
	}
}

// tail is one call of tail.
type tail struct {
	as, office, from, file string
	once, json             bool

	client *door.Client
	cursor string
	zone   *time.Location
}

// How the mailbox is asked.
const (
	mailboxPath  = "/v1/mailbox"
	cursorHeader = "Relais-Cursor"
	moreHeader   = "Relais-More"
	pageEvents   = 500
	// pageWait is how long the hub is asked to wait for an event; silence is how
	// long it may say nothing at all.
	pageWait  = 30 * time.Second
	silence   = pageWait + 30*time.Second
	lastPause = 5 * time.Second
)

func (t *tail) run(ctx context.Context, c *call) error {
	participant := t.as
	switch {
	case len(c.args) > 0:
		return usage("%q is not understood", c.args[0])
	case t.from != "start" && t.from != "now":
		return usage("--from %q: start or now", t.from)
	case t.as != "" && t.office != "":
		return usage("--as or --office, not both")
	case t.office != "":
		participant = t.office
	case t.as == "" && c.token == "":
		return usage("--as or --office is missing: whose events?")
	}
	if t.from == "now" {
		t.cursor = "now"
	}
	t.zone = c.zone
	var err error
	if t.client, err = c.client(participant); err != nil {
		return err
	}
	if err := t.load(); err != nil {
		return err
	}
	if err := t.follow(ctx, c); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// follow reads page after page. A hub that is away is tried again.
func (t *tail) follow(ctx context.Context, c *call) error {
	pause, away := 100*time.Millisecond, false
	for {
		more, err := t.page(ctx, c.out)
		switch {
		case err == nil:
			if away {
				c.err.printf("hubctl tail: the hub answers again\n")
			}
			pause, away = 100*time.Millisecond, false
			if t.once && !more {
				return nil
			}
			continue
		case ctx.Err() != nil:
			return ctx.Err()
		case !door.Passing(err) || t.once:
			return err
		}
		if !away {
			c.err.printf("hubctl tail: trying again: %v\n", err)
			away = true
		}
		if !sleep(ctx, pause) {
			return ctx.Err()
		}
		pause = min(2*pause, lastPause)
	}
}

// page reads and prints one page, and then keeps the place.
func (t *tail) page(ctx context.Context, out *printer) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	query := url.Values{"limit": {strconv.Itoa(pageEvents)}}
	if t.cursor != "" {
		query.Set("cursor", t.cursor)
	}
	q := door.Request{Method: http.MethodGet, Path: mailboxPath + "?" + query.Encode(), Header: http.Header{}}
	if !t.once {
		q.Header.Set("Prefer", "wait="+strconv.Itoa(int(pageWait/time.Second)))
	}
	res, err := t.client.Do(ctx, q)
	if err != nil {
		return false, err
	}
	defer func() { _ = res.Body.Close() }()
	var events []json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&events); err != nil {
		return false, fmt.Errorf("read the mailbox's answer: %w", err)
	}
	next := res.Header.Get(cursorHeader)
	if next == "" {
		return false, errors.New("the mailbox's answer has no " + cursorHeader)
	}
	for _, event := range events {
		if err := t.print(out, event); err != nil {
			return false, err
		}
	}
	if next != t.cursor {
		t.cursor = next
		if err := t.keep(); err != nil {
			return false, err
		}
	}
	return res.Header.Get(moreHeader) == "true", nil
}

// load takes up the place that an earlier call kept.
func (t *tail) load() error {
	if t.file == "" {
		return nil
	}
	text, err := os.ReadFile(t.file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if text := strings.TrimSpace(string(text)); text != "" {
		t.cursor = text
	}
	return nil
}

// keep writes the place, so that the file is always a whole one.
func (t *tail) keep() error {
	if t.file == "" {
		return nil
	}
	temporary := filepath.Join(filepath.Dir(t.file), "."+filepath.Base(t.file)+".new")
	if err := os.WriteFile(temporary, []byte(t.cursor+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, t.file)
}

func (t *tail) print(w *printer, text json.RawMessage) error {
	if t.json {
		w.printf("%s\n", text)
		return w.err
	}
	e, err := schemas.ParseStructured(text)
	if err != nil {
		return fmt.Errorf("an event of the mailbox: %w", err)
	}
	w.printf("%s\n", door.Printable(eventLine(e, t.zone)))
	return w.err
}

// sleep waits; false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
