package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/relais-fr/relais/cmd/hubctl/internal/door"
)

const auditPath = "/v1/audit"

// auditLine is a line of the hub's answer.
type auditLine struct {
	Progress string         `json:"progress"`
	Receipt  *auditReceipt  `json:"receipt"`
	Found    *auditFinding  `json:"found"`
	Sums     map[string]any `json:"sums"`
	Problem  *door.Problem  `json:"problem"`
}

// auditReceipt is a submission by HTTP, in the hub's answer and in the client's own
// book.
type auditReceipt struct {
	Place  string `json:"place"`
	Source string `json:"source"`
	ID     string `json:"id"`
}

// auditFinding is a difference.
type auditFinding struct {
	Difference  string `json:"difference"`
	Participant string `json:"participant"`
	Place       string `json:"place"`
	Topic       string `json:"topic"`
	Partition   int    `json:"partition"`
	Offset      int64  `json:"offset"`
	Source      string `json:"source"`
	ID          string `json:"id"`
	Detail      string `json:"detail"`
}

func auditCommand() command {
	return command{
		name: "audit", short: "compare what was handed in with outcomes and effects",
		long: `
Has the hub compare, over a span, everything that was handed in (each record of the
from topics, each submission by HTTP) with its outcome, exactly one each, and each
outcome with its effects: one copy for every party that it names, unchanged and in
order. Every difference is named. An admin audits all or one participant, a
participant itself. Where the span ends just now it waits some seconds, so that what
was handed in a moment ago counts too; the span that was looked at is printed.

  hubctl audit --from 2026-05-14T00:00:00Z --to 2026-05-15T00:00:00Z
  hubctl audit --from 2026-05-14T00:00:00Z --participant cnaf --receipts receipts.ndjson

With --receipts the client's own book is compared too: a line of JSON for each
event that the hub acknowledged by HTTP, {"place":…,"source":…,"id":…}; one that the
hub does not have at that place is a difference. Exit code 1 if there is any.`,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			a := &auditing{}
			flags.StringVar(&a.from, "from", "", "`time` from which on, such as 2026-05-14T00:00:00Z")
			flags.StringVar(&a.to, "to", "", "`time` up to which; by default now")
			flags.StringVar(&a.participant, "participant", "", "`participant` alone, such as cnaf; by default all")
			flags.StringVar(&a.receipts, "receipts", "", "`file` with the client's own book of what was acknowledged")
			flags.BoolVar(&a.json, "json", false, "print the hub's lines as they are")
			return a.run
		},
	}
}

// auditing is one call of audit.
type auditing struct {
	from, to, participant, receipts string
	json                            bool
	differences                     int
	// had are the submissions by HTTP that the hub has, by place.
	had map[string]auditReceipt
}

func (a *auditing) run(ctx context.Context, c *call) error {
	if len(c.args) > 0 {
		return usage("%q is not understood", c.args[0])
	}
	if _, err := time.Parse(time.RFC3339, a.from); err != nil {
		return usage("--from %q: a time such as 2026-05-14T00:00:00Z", a.from)
	}
	if _, err := time.Parse(time.RFC3339, a.to); a.to != "" && err != nil {
		return usage("--to %q: a time such as 2026-05-14T00:00:00Z", a.to)
	}
	client, err := c.client(admin)
	if err != nil {
		return err
	}
	query := url.Values{"from": {a.from}}
	if a.to != "" {
		query.Set("to", a.to)
	}
	if a.participant != "" {
		query.Set("participant", a.participant)
	}
	if a.receipts != "" {
		query.Set("receipts", "true")
		a.had = map[string]auditReceipt{}
	}
	res, err := client.Do(ctx, door.Request{Method: http.MethodGet, Path: auditPath + "?" + query.Encode()})
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if err := a.read(c, res); err != nil {
		return err
	}
	if a.receipts != "" {
		if err := a.book(c); err != nil {
			return err
		}
	}
	if a.differences > 0 {
		c.out.printf("NOT OK: %d differences\n", a.differences)
		return errSaid
	}
	c.out.printf("OK: no difference\n")
	return nil
}

// read reads the hub's answer, which ends with the sums.
func (a *auditing) read(c *call, res *http.Response) error {
	lines := bufio.NewScanner(res.Body)
	whole := false
	for lines.Scan() {
		var line auditLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return errors.New("the hub's answer is not that of an audit")
		}
		if line.Found != nil {
			a.differences++
		}
		if line.Receipt != nil {
			a.had[line.Receipt.Place] = *line.Receipt
			continue
		}
		switch {
		case a.json:
			c.out.printf("%s\n", lines.Bytes())
		case line.Problem != nil:
			return line.Problem
		case line.Found != nil:
			c.out.printf("%s\n", door.Printable(line.Found.String()))
		case line.Progress != "" && c.terminal:
			c.err.printf("%s\n", door.Printable(line.Progress))
		case line.Sums != nil:
			a.sayOf(c, line.Sums)
			c.out.printf("handed in %v (Kafka %v, HTTP %v), quarantined %v, outcomes %v, copies %v, written again and dropped by number %v\n", line.Sums["handed_in"],
				line.Sums["by_kafka"], line.Sums["by_http"], line.Sums["quarantined"], line.Sums["outcomes"], line.Sums["copies"], line.Sums["written_again"])
		}
		whole = whole || line.Sums != nil
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if !whole {
		return errors.New("the hub's answer was cut off: audit again")
	}
	return nil
}

// sayOf says which span was looked at, where that is not all that was asked for, and
// what is out of the ordinary in it.
func (a *auditing) sayOf(c *call, sums map[string]any) {
	c.out.printf("from %v to %v\n", sums["from"], sums["to"])
	text, _ := sums["to"].(string)
	looked, err := time.Parse(time.RFC3339, text)
	if asked, wrong := time.Parse(time.RFC3339, a.to); err == nil && wrong == nil && asked.After(looked) {
		c.out.printf("what was asked for goes on to %s, which is still to come\n", a.to)
	}
	if sums["handed_in"] == 0.0 {
		c.out.printf("nothing was handed in over this span\n")
	}
	for name, what := range map[string]string{"held": "held back for participants that are suspended", "shut_out": "not copied to participants that are closed"} {
		if n, _ := sums[name].(float64); n > 0 {
			c.out.printf("%s %v\n", what, n)
		}
	}
	if sums["repaired"] != 0.0 {
		c.out.printf("written by a repair of the log %v\n", sums["repaired"])
	}
}

func (f *auditFinding) String() string {
	text := fmt.Sprintf("%s: %s", f.Difference, f.Participant)
	if f.Place != "" {
		text += ", event " + f.Place
	}
	text += fmt.Sprintf(", %s/%d", f.Topic, f.Partition)
	if f.Offset >= 0 {
		text += fmt.Sprintf(", offset %d", f.Offset)
	}
	if f.ID != "" {
		text += fmt.Sprintf(", id %s of %s", f.ID, f.Source)
	}
	if f.Detail != "" {
		text += ": " + f.Detail
	}
	return text
}

// book compares the client's own book of receipts with what the hub has.
func (a *auditing) book(c *call) error {
	text, err := os.ReadFile(a.receipts)
	if err != nil {
		return err
	}
	n, checked := 0, 0
	for line := range bytes.Lines(text) {
		if n++; len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var own auditReceipt
		if json.Unmarshal(line, &own) != nil || own.Place == "" || own.ID == "" {
			return fmt.Errorf("%s, line %d: it is no receipt with place, source and id", a.receipts, n)
		}
		checked++
		had, ok := a.had[own.Place]
		switch {
		case !ok:
			a.differences++
			c.out.printf("receipt_lost: event %s, id %s of %s: the hub has no submission by HTTP there in this span\n", door.Printable(own.Place), door.Printable(own.ID), door.Printable(own.Source))
		case had.ID != own.ID || own.Source != "" && had.Source != own.Source:
			a.differences++
			c.out.printf("receipt_of_another: event %s, id %s of %s: the hub has id %s of %s there\n", own.Place, door.Printable(own.ID), door.Printable(own.Source), had.ID, had.Source)
		}
	}
	c.out.printf("receipts %d of the client's own book\n", checked)
	return nil
}
