package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/relais-fr/relais/cmd/hubctl/internal/door"
)

const quarantinePath = "/v1/quarantine"

// quarantined is a record that could not be read, as the hub shows it.
type quarantined struct {
	Place       string `json:"place"`
	Time        string `json:"time"`
	Origin      string `json:"origin"`
	Participant string `json:"participant"`
	Reason      string `json:"reason"`
	Detail      string `json:"detail"`
	SizeBytes   int64  `json:"size_bytes"`
	SHA256      string `json:"sha256"`
	Cut         bool   `json:"cut"`

	Key     []byte `json:"key"`
	Headers []struct {
		Key   string `json:"key"`
		Value []byte `json:"value"`
	} `json:"headers"`
	Value []byte `json:"value"`
}

func quarantineListCommand() command {
	return command{
		name: "quarantine list", short: "list the records that could not be read",
		long: `
Lists what came by a participant's topic and could not be read at all, oldest
first, with the reason and where it came from. Needs an admin's token.`,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			participant := flags.String("from", "", "only those of this `participant`")
			asJSON := flags.Bool("json", false, "print one JSON object a line")
			return func(ctx context.Context, c *call) error {
				if len(c.args) > 0 {
					return usage("%q is not understood", c.args[0])
				}
				return listQuarantine(ctx, c, *participant, *asJSON)
			}
		},
	}
}

func listQuarantine(ctx context.Context, c *call, participant string, asJSON bool) error {
	client, err := c.client(admin)
	if err != nil {
		return err
	}
	var all []quarantined
	for cursor := ""; ; {
		var page struct {
			Items []quarantined `json:"items"`
			Next  string        `json:"next"`
		}
		if err := client.Get(ctx, quarantinePath+"?limit=500&cursor="+url.QueryEscape(cursor), &page); err != nil {
			return err
		}
		for _, q := range page.Items {
			if participant == "" || q.Participant == participant {
				all = append(all, q)
			}
		}
		if len(page.Items) == 0 || page.Next == cursor {
			break
		}
		cursor = page.Next
	}
	switch {
	case asJSON:
		for _, q := range all {
			line, err := json.Marshal(q)
			if err != nil {
				return err
			}
			c.out.printf("%s\n", line)
		}
	case len(all) == 0:
		c.out.printf("The quarantine is empty.\n")
	default:
		c.out.table(func(row *printer) {
			for _, q := range all {
				row.printf("%s\t%s\t%s\t%s\t%d bytes\t%s\n", q.Place, shownTime(q.Time, c.zone), q.Origin, q.Reason, q.SizeBytes, q.Detail)
			}
		})
	}
	return nil
}

func quarantineShowCommand() command {
	return command{
		name: "quarantine show", args: "PLACE", short: "show one record that could not be read",
		long: `
Shows a record of the quarantine whole: its headers and its value, as text where
it is text. It may hold personal data. Needs an admin's token.

  hubctl quarantine show 0-12
  hubctl quarantine show 0-12 --value > record.bin`,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			value := flags.Bool("value", false, "print the value alone, byte for byte")
			asJSON := flags.Bool("json", false, "print the hub's answer as it is")
			return func(ctx context.Context, c *call) error {
				path, err := quarantinePlace(c)
				if err != nil {
					return err
				}
				client, err := c.client(admin)
				if err != nil {
					return err
				}
				answer, err := client.Bytes(ctx, door.Request{Method: http.MethodGet, Path: path})
				if err != nil {
					return err
				}
				var q quarantined
				if err := json.Unmarshal(answer, &q); err != nil {
					return fmt.Errorf("the hub's answer is not what was expected: %w", err)
				}
				switch {
				case *asJSON:
					_, err = c.out.Write(answer)
				case *value:
					_, err = c.out.Write(q.Value)
				default:
					q.print(c.out, c.zone)
				}
				return err
			}
		},
	}
}

func (q quarantined) print(w *printer, zone *time.Location) {
	row := func(name, value string) { w.printf("%-12s %s\n", name, value) }
	row("place", q.Place)
	row("time", shownTime(q.Time, zone))
	row("origin", q.Origin)
	row("participant", q.Participant)
	row("reason", strings.TrimRight(q.Reason+": "+q.Detail, ": "))
	size := fmt.Sprintf("%d bytes, SHA-256 %s", q.SizeBytes, q.SHA256)
	if q.Cut {
		size += "; only the beginning was kept, so that it cannot be redriven"
	}
	row("size", size)
	row("key", printable(q.Key))
	for _, h := range q.Headers {
		row("header", h.Key+": "+printable(h.Value))
	}
	w.printf("\n%s\n", printable(q.Value))
}

// printable is text as it is, and anything else quoted: what could not be read
// must not drive the terminal.
func printable(b []byte) string {
	if utf8.Valid(b) && strings.IndexFunc(string(b), func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }) < 0 {
		return string(b)
	}
	return fmt.Sprintf("%q", b)
}

func quarantineRedriveCommand() command {
	return command{
		name: "quarantine redrive", args: "PLACE…", short: "judge records of the quarantine again",
		long: `
Has records of the quarantine judged again, by the rules and the directory of
today, as if they had come now. One that was redriven before comes out as a repeat.
Needs an admin's token.`,
		set: func(*flag.FlagSet) func(context.Context, *call) error {
			return redrive
		},
	}
}

func redrive(ctx context.Context, c *call) error {
	if len(c.args) == 0 {
		return usage("give the places, as quarantine list shows them")
	}
	client, err := c.client(admin)
	if err != nil {
		return err
	}
	failed := false
	for _, place := range c.args {
		var answer struct {
			Place string `json:"place"`
		}
		err := client.JSON(ctx, door.Request{Method: http.MethodPost, Path: quarantinePath + "/" + url.PathEscape(place) + "/redrive"}, &answer)
		if err == nil {
			c.out.printf("%s handed in as %s\n", place, answer.Place)
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failed = true
		c.err.printf("%s: %v\n", place, err)
	}
	if failed {
		return errSaid
	}
	return nil
}

func quarantinePlace(c *call) (path string, err error) {
	if len(c.args) != 1 {
		return "", usage("give one place, as quarantine list shows it")
	}
	return quarantinePath + "/" + url.PathEscape(c.args[0]), nil
}
