package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/relais-fr/relais/cmd/hubctl/internal/door"
	"github.com/relais-fr/relais/schemas"
)

const (
	deliveriesPath = "/v1/deliveries"
	redrivesPath   = "/v1/redrives"
)

// letterChoice narrows dead letters down.
type letterChoice struct {
	reason, recipient, sender, before string
	beforeTime                        *time.Time
}

func (l *letterChoice) flags(flags *flag.FlagSet) {
	flags.StringVar(&l.reason, "reason", "", "only those with this `code`: topic_gone, refused, not_collected, deleted_uncollected, recipient_closed")
	flags.StringVar(&l.recipient, "to", "", "only those for this `participant`, such as cnaf")
	flags.StringVar(&l.sender, "from", "", "only events of this `participant`")
	flags.StringVar(&l.before, "before", "", "only those that have waited since before this `time`: 2026-05-14, 2026-05-14T09:30")
}

func (l *letterChoice) read(c *call) error {
	if l.before == "" {
		return nil
	}
	t, err := parseMoment(l.before, c.zone)
	if err != nil {
		return usage("--before %v", err)
	}
	l.beforeTime = &t
	return nil
}

func (l *letterChoice) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"reason": l.reason, "recipient": l.recipient, "sender": l.sender} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if l.beforeTime != nil {
		q.Set("before", l.beforeTime.Format(time.RFC3339))
	}
	return q
}

// letterGroup are dead letters of one cause and one recipient.
type letterGroup struct {
	Reason    string    `json:"reason"`
	State     string    `json:"state"`
	Recipient string    `json:"recipient"`
	Senders   int       `json:"senders"`
	Count     int       `json:"count"`
	Oldest    time.Time `json:"oldest"`
}

func deadlettersListCommand() command {
	return command{
		name: "deadletters list", short: "list what could not be delivered, or is not collected",
		long: `
Lists the deliveries that wait for somebody to look at them, in groups by cause and
recipient: those that are dead, and those that their recipient has not collected and
that are soon deleted. With --all each of them, in the order of its place. An admin
sees all, a participant those that it is to get or has sent.

  hubctl deadletters list
  hubctl deadletters list --to cnaf --all
  hubctl deadletters list --as fs-563`,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			var choice letterChoice
			choice.flags(flags)
			as := flags.String("as", admin, "`participant` who asks")
			all := flags.Bool("all", false, "print each of them")
			asJSON := flags.Bool("json", false, "print one JSON object a line")
			return func(ctx context.Context, c *call) error {
				if len(c.args) > 0 {
					return usage("%q is not understood", c.args[0])
				}
				if err := choice.read(c); err != nil {
					return err
				}
				return listLetters(ctx, c, *as, choice.query(), *all, *asJSON)
			}
		},
	}
}

func listLetters(ctx context.Context, c *call, as string, query url.Values, all, asJSON bool) error {
	client, err := c.client(as)
	if err != nil {
		return err
	}
	query.Set("limit", "500")
	var groups []letterGroup
	var letters []schemas.DeliveryChanged
	for {
		var page struct {
			Groups []letterGroup             `json:"groups"`
			Items  []schemas.DeliveryChanged `json:"items"`
			Next   string                    `json:"next"`
		}
		if err := client.Get(ctx, deliveriesPath+"?"+query.Encode(), &page); err != nil {
			return err
		}
		groups, letters = page.Groups, append(letters, page.Items...)
		if !all || page.Next == "" {
			break
		}
		query.Set("cursor", page.Next)
	}
	switch {
	case asJSON && all:
		return printLines(c.out, letters)
	case asJSON:
		return printLines(c.out, groups)
	case len(groups) == 0:
		c.out.printf("Everything is delivered.\n")
	case all:
		c.out.table(func(row *printer) {
			for _, d := range letters {
				row.printf("%s\t%s\t%s\t%s\t%s\t%s\tfrom %s\n", d.Place, d.Recipient, reasonOf(&d), shown(d.Since, c.zone), typeName(d.EventType), d.Subject, d.EventSource)
			}
		})
	default:
		c.out.table(func(row *printer) {
			for _, g := range groups {
				row.printf("%d\tfor %s\t%s\tfrom %s\tsince %s\t%s\n", g.Count, g.Recipient, g.Reason, senders(g.Senders), shown(g.Oldest, c.zone), sentenceOf(g.Reason))
			}
		})
	}
	return nil
}

func senders(n int) string {
	if n == 1 {
		return "1 sender"
	}
	return fmt.Sprintf("%d senders", n)
}

func printLines[T any](out *printer, all []T) error {
	for _, v := range all {
		line, err := json.Marshal(v)
		if err != nil {
			return err
		}
		out.printf("%s\n", line)
	}
	return nil
}

func reasonOf(d *schemas.DeliveryChanged) string {
	if d.Reason == nil {
		return d.State
	}
	return *d.Reason
}

// sentenceOf is a reason for a person; "" for a code of a newer hub.
func sentenceOf(reason string) string {
	code, _ := schemas.LookupCode(schemas.TableDeliveryReason, reason)
	return code.English
}

func shown(t time.Time, zone *time.Location) string { return t.In(zone).Format(time.DateTime) }

func deadlettersShowCommand() command {
	return command{
		name: "deadletters show", args: "PLACE/RECIPIENT", short: "show how far one delivery is",
		long: `
Shows how far an event is on its way to one recipient, whether something is wrong
with it or not: on its way, delivered, acknowledged (collected), or dead and why. An
admin sees all, a participant what it is to get or has sent.

  hubctl deadletters show 3-1042/cnaf
  hubctl deadletters show 3-1042/cnaf --as fs-563`,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			as := flags.String("as", admin, "`participant` who asks")
			asJSON := flags.Bool("json", false, "print the hub's answer as it is")
			return func(ctx context.Context, c *call) error {
				place, recipient, ok := strings.Cut(strings.Join(c.args, "/"), "/")
				if _, err := schemas.ParsePlace(place); err != nil || !ok || recipient == "" {
					return usage("give a place and a recipient, as deadletters list shows them: 3-1042/cnaf")
				}
				client, err := c.client(*as)
				if err != nil {
					return err
				}
				answer, err := client.Bytes(ctx, door.Request{Method: http.MethodGet, Path: deliveriesPath + "/" + url.PathEscape(place) + "/" + url.PathEscape(recipient)})
				if err != nil {
					return err
				}
				if *asJSON {
					_, err = c.out.Write(answer)
					return err
				}
				var d schemas.DeliveryChanged
				if err := json.Unmarshal(answer, &d); err != nil {
					return fmt.Errorf("the hub's answer is not what was expected: %w", err)
				}
				printDelivery(c.out, &d, c.zone)
				return nil
			}
		},
	}
}

func printDelivery(w *printer, d *schemas.DeliveryChanged, zone *time.Location) {
	row := func(name, value string) {
		if value != "" {
			w.printf("%-12s %s\n", name, door.Printable(value))
		}
	}
	state, _ := schemas.LookupCode(schemas.TableDeliveryState, d.State)
	row("event", d.Place+"  "+typeName(d.EventType)+" "+d.EventID+" from "+d.EventSource)
	row("case", d.Subject)
	row("recipient", d.Recipient+" ("+d.Channel+")")
	row("state", d.State+": "+state.English)
	if d.Reason != nil {
		code, _ := schemas.LookupCode(schemas.TableDeliveryReason, *d.Reason)
		row("reason", *d.Reason+": "+code.English)
		row("what to do", code.RemedyEN)
	}
	if d.ErrorCode != nil {
		row("error", *d.ErrorCode)
	}
	row("since", shown(d.Since, zone))
	if d.Deleted != nil {
		row("deleted", shown(*d.Deleted, zone))
	}
	if d.Attempt > 0 {
		row("attempts", fmt.Sprint(d.Attempt))
	}
}

func deadlettersRedriveCommand() command {
	return command{
		name: "deadletters redrive", args: "[PLACE…]", short: "bring dead letters once more",
		long: `
Brings dead letters once more: those of the places given, or those that the flags
choose; all with --all. They keep their key, headers and order, and carry the
attribute replay, so that whoever keeps numbers leaves them out. With --dry-run they
are counted only. What is redriven is no dead letter any more: the same call goes on
where an earlier one ended. Needs an admin's token.

Deliveries that are dead because a topic is gone are not redriven: they are delivered
in order by themselves once the topic is back.

  hubctl deadletters redrive --to cnaf --reason deleted_uncollected --dry-run
  hubctl deadletters redrive --to cnaf --reason deleted_uncollected --rate 50
  hubctl deadletters redrive 3-1042 3-1057`,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			var choice letterChoice
			choice.flags(flags)
			all := flags.Bool("all", false, "all dead letters")
			dry := flags.Bool("dry-run", false, "count them only")
			rate := flags.Int("rate", 500, "at most so many `events` a second")
			return func(ctx context.Context, c *call) error {
				if err := choice.read(c); err != nil {
					return err
				}
				if *rate < 1 {
					return usage("--rate %d brings nothing: give at least 1", *rate)
				}
				chosen := len(c.args) > 0 || len(choice.query()) > 0
				if chosen == *all {
					return usage("which ones? Give places, or flags that choose, or --all and neither")
				}
				body, err := json.Marshal(map[string]any{
					"reason": choice.reason, "recipient": choice.recipient, "sender": choice.sender, "before": choice.beforeTime,
					"places": c.args, "dry_run": *dry, "rate": *rate,
				})
				if err != nil {
					return err
				}
				return redriveLetters(ctx, c, body)
			}
		},
	}
}

// redrivenLine is a line of the hub's answer.
type redrivenLine struct {
	DryRun   bool          `json:"dry_run"`
	Letters  int           `json:"letters"`
	Redriven int           `json:"redriven"`
	Refused  int           `json:"refused"`
	Waiting  int           `json:"waiting"`
	OnPages  int           `json:"on_pages"`
	Shut     int           `json:"shut"`
	Missing  int           `json:"missing"`
	Unknown  []string      `json:"unknown"`
	Done     bool          `json:"done"`
	Problem  *door.Problem `json:"problem"`
}

// redriveLetters asks, and asks again where the hub goes away in between.
func redriveLetters(ctx context.Context, c *call, body []byte) error {
	client, err := c.client(admin)
	if err != nil {
		return err
	}
	redriven, tries := 0, 0
	var unknown []string
	for pause := 200 * time.Millisecond; ; pause = min(2*pause, lastPause) {
		last, begun, err := redriveOnce(ctx, c, client, body)
		redriven += last.Redriven
		if tries++; tries == 1 {
			unknown = last.Unknown // later, also those that were redriven
		}
		if last.Unknown = unknown; err == nil {
			return tellRedriven(c, last, redriven)
		}
		if ctx.Err() != nil || !begun || !door.Passing(err) {
			if redriven > 0 {
				c.err.printf("hubctl deadletters redrive: %d were redriven; the same call goes on\n", redriven)
			}
			return err
		}
		c.err.printf("hubctl deadletters redrive: going on after %d events: %v\n", redriven, err)
		if !sleep(ctx, pause) {
			return ctx.Err()
		}
	}
}

// redriveOnce reads one answer to its end; begun says that there was a line.
func redriveOnce(ctx context.Context, c *call, client *door.Client, body []byte) (last redrivenLine, begun bool, err error) {
	res, err := client.Do(ctx, door.Request{Method: http.MethodPost, Path: redrivesPath, Header: http.Header{"Content-Type": {"application/json"}}, Body: body})
	if err != nil {
		return last, false, err
	}
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if err := json.Unmarshal(lines.Bytes(), &last); err != nil {
			return last, begun, fmt.Errorf("the hub's answer is not what was expected: %w", err)
		}
		begun = true
		switch {
		case last.Done:
			return last, true, nil
		case last.Problem != nil:
			return last, true, last.Problem
		}
		c.err.printf("%d of %d redriven\n", last.Redriven, last.Letters)
	}
	if ctx.Err() != nil {
		return last, begun, ctx.Err()
	}
	return last, begun, &door.AwayError{Hub: client.Base(redrivesPath), Err: firstError(lines.Err(), errors.New("the answer broke off"))}
}

func tellRedriven(c *call, last redrivenLine, redriven int) error {
	verb := "were redriven"
	if last.DryRun {
		verb = "would be redriven"
	}
	c.out.printf("%d %s\n", redriven, verb)
	for _, rest := range []struct {
		n    int
		what string
	}{
		{last.Refused, "were refused again"},
		{last.Waiting, "wait for their recipient's topic, and are delivered by themselves once it is back"},
		{last.OnPages, "are for offices' pages and are not redriven"},
		{last.Shut, "are for participants that are suspended or closed, to whom nothing is brought"},
		{last.Missing, "are not on the log any more"},
	} {
		if rest.n > 0 {
			c.out.printf("%d %s\n", rest.n, rest.what)
		}
	}
	for _, place := range last.Unknown {
		c.out.printf("at %s there is no dead letter\n", place)
	}
	if last.Refused+last.Missing+len(last.Unknown) > 0 {
		return errSaid
	}
	return nil
}
