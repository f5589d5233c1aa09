package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/relais-fr/relais/cmd/hubctl/internal/door"
)

const replaysPath = "/v1/replays"

func replayCommand() command {
	return command{
		name: "replay", short: "have a participant's own events written again",
		long: `
Has a participant's events written again into its own topic (an office's: into its
mailbox), by time, kind or case, as after the loss of a log of its own. Without
--yes it says how many there are and writes nothing. What is replayed carries the
attribute replay; whoever keeps numbers leaves it out of them and drops by place
what it has.

  hubctl replay --as cnaf --since 2026-05-14 --until 2026-05-15
  hubctl replay --as cnaf --since 2026-05-14 --until 2026-05-15 --yes
  hubctl replay --as cnaf --case 018f7b1e-… --yes
  hubctl replay --office fs-563 --type ReferralMade,ReferralCancelled --yes --rate 50

Times are those of receipt (receivedtime). A hub that goes away is asked again, and
the replay goes on where it was.`,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			p := &replay{}
			flags.StringVar(&p.as, "as", "", "`participant` whose events, such as cnaf")
			flags.StringVar(&p.office, "office", "", "the same for an office, by its `id`, such as fs-563")
			flags.StringVar(&p.since, "since", "", "only what was received at this `time` or later: 2026-05-14, 2026-05-14T09:30")
			flags.StringVar(&p.until, "until", "", "only what was received before this `time`")
			flags.StringVar(&p.types, "type", "", "only events of these `names`, after commas: ReferralMade,ReferralAccepted")
			flags.StringVar(&p.body.Case, "case", "", "only events of the case with this `id`")
			flags.IntVar(&p.body.Rate, "rate", 500, "at most so many `events` a second")
			flags.BoolVar(&p.yes, "yes", false, "write them; without it they are counted only")
			flags.StringVar(&p.body.Cursor, "cursor", "", "go on with an earlier replay, at the `place` that it told")
			return p.run
		},
	}
}

// replay is one call of replay.
type replay struct {
	as, office, since, until, types string
	yes                             bool
	body                            replayAsk
}

// replayAsk is what the hub is asked for.
type replayAsk struct {
	Participant string     `json:"participant,omitempty"`
	From        *time.Time `json:"from,omitempty"`
	To          *time.Time `json:"to,omitempty"`
	Types       []string   `json:"types,omitempty"`
	Case        string     `json:"case,omitempty"`
	DryRun      bool       `json:"dry_run"`
	Rate        int        `json:"rate,omitempty"`
	Cursor      string     `json:"cursor,omitempty"`
}

// replayed is a line of the hub's answer.
type replayed struct {
	Participant string        `json:"participant"`
	Scanned     int64         `json:"scanned"`
	Of          int64         `json:"of"`
	Events      int64         `json:"events"`
	Cursor      string        `json:"cursor"`
	Done        bool          `json:"done"`
	Problem     *door.Problem `json:"problem"`
}

func (p *replay) run(ctx context.Context, c *call) error {
	participant := firstOf(p.as, p.office)
	switch {
	case len(c.args) > 0:
		return usage("%q is not understood", c.args[0])
	case p.as != "" && p.office != "":
		return usage("--as or --office, not both")
	case participant == "" && c.token == "":
		return usage("--as or --office is missing: whose events?")
	case p.body.Rate < 1:
		return usage("--rate %d brings nothing: give at least 1", p.body.Rate)
	}
	for _, bound := range []struct {
		flag, text string
		to         **time.Time
	}{{"since", p.since, &p.body.From}, {"until", p.until, &p.body.To}} {
		if bound.text == "" {
			continue
		}
		t, err := parseMoment(bound.text, c.zone)
		if err != nil {
			return usage("--%s %v", bound.flag, err)
		}
		*bound.to = &t
	}
	for name := range strings.SplitSeq(p.types, ",") {
		if name = strings.TrimSpace(name); name != "" {
			p.body.Types = append(p.body.Types, name)
		}
	}
	p.body.Participant, p.body.DryRun = participant, !p.yes
	client, err := c.client(participant)
	if err != nil {
		return err
	}
	last, err := p.follow(ctx, c, client)
	if err != nil {
		if last.Cursor != "" && p.yes {
			c.err.printf("hubctl replay: %d events are written again; go on with --cursor %s\n", last.Events, last.Cursor)
		}
		return err
	}
	if p.yes {
		c.out.printf("%d events were written again for %s\n", last.Events, last.Participant)
		return nil
	}
	c.out.printf("%d events would be written again for %s; do it with --yes\n", last.Events, last.Participant)
	return nil
}

func firstOf(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}

// follow asks, and asks again where the hub goes away, until the replay is done.
func (p *replay) follow(ctx context.Context, c *call, client *door.Client) (last replayed, err error) {
	for pause := 200 * time.Millisecond; ; pause = min(2*pause, lastPause) {
		before := p.body.Cursor
		err = p.ask(ctx, c, client, &last)
		if err == nil {
			return last, nil
		}
		if ctx.Err() != nil || last.Cursor == "" || !door.Passing(err) {
			return last, err
		}
		if p.body.Cursor = last.Cursor; p.body.Cursor != before {
			pause = 200 * time.Millisecond
		}
		c.err.printf("hubctl replay: going on after %d events: %v\n", last.Events, err)
		if !sleep(ctx, pause) {
			return last, ctx.Err()
		}
	}
}

// ask asks once and reads the answer to its end.
func (p *replay) ask(ctx context.Context, c *call, client *door.Client, last *replayed) error {
	body, err := json.Marshal(p.body)
	if err != nil {
		return err
	}
	res, err := client.Do(ctx, door.Request{Method: http.MethodPost, Path: replaysPath, Header: http.Header{"Content-Type": {"application/json"}}, Body: body})
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		var told replayed
		if err := json.Unmarshal(lines.Bytes(), &told); err != nil {
			return fmt.Errorf("the hub's answer is not what was expected: %w", err)
		}
		*last = told
		switch {
		case told.Done:
			return nil
		case told.Problem != nil:
			return told.Problem
		}
		c.err.printf("%d events, %d of %d outcomes looked at\n", told.Events, told.Scanned, told.Of)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &door.AwayError{Hub: client.Base(replaysPath), Err: firstError(lines.Err(), errors.New("the answer broke off"))}
}
