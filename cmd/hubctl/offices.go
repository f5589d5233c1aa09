package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/relais-fr/relais/cmd/hubctl/internal/door"
)

func directoryShowCommand() command {
	return command{
		name: "directory show", args: "[QUERY|ID]", short: "find offices and participants in the directory",
		long: `
Shows an office or a participant by its id, or finds offices by what people type:
a name, a commune, a department. Without a query it lists those who take part.

  hubctl directory show fs-563
  hubctl directory show cnaf
  hubctl directory show saint-denis 974`,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			as := flags.String("as", admin, "`participant` who looks")
			limit := flags.Int("limit", 20, "how `many` offices to list at most")
			asJSON := flags.Bool("json", false, "print the hub's answer as it is")
			return func(ctx context.Context, c *call) error {
				if *limit < 1 || *limit > allOffices {
					return usage("--limit %d: 1 to %d", *limit, allOffices)
				}
				client, err := c.client(*as)
				if err != nil {
					return err
				}
				l := &looking{client: client, out: c.out, limit: *limit, json: *asJSON}
				return l.look(ctx, strings.Join(c.args, " "))
			}
		},
	}
}

// looking is one call of directory show.
type looking struct {
	client *door.Client
	out    *printer
	limit  int
	json   bool
}

// participant is one of those who take part and are no office.
type participant struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	Role          string `json:"role"`
	InBasketSince string `json:"in_basket_since"`
	ClosedOn      string `json:"closed_on"`
}

func (l *looking) look(ctx context.Context, query string) error {
	if query == "" {
		return l.participants(ctx)
	}
	for _, try := range []func(context.Context, string) (bool, error){l.office, l.participant, l.offices} {
		if done, err := try(ctx, query); done || err != nil {
			return err
		}
	}
	return fmt.Errorf("the directory has nothing for %q", query)
}

// office shows the office with the id; false when there is none.
func (l *looking) office(ctx context.Context, id string) (bool, error) {
	answer, err := l.get(ctx, officesPath+"/"+url.PathEscape(id))
	var p *door.Problem
	if errors.As(err, &p) && p.Status == http.StatusNotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, l.show(answer)
}

// show prints a record's fields, in the hub's order; empty ones are left out.
func (l *looking) show(record []byte) error {
	if l.json {
		_, err := l.out.Write(append(record, '\n'))
		return err
	}
	var err error
	l.out.table(func(row *printer) {
		err = members(record, func(name string, value json.RawMessage) {
			switch text := string(value); text {
			case `""`, "null", "[]", "{}":
			default:
				var s string
				if json.Unmarshal(value, &s) == nil {
					text = s
				}
				row.printf("%s\t%s\n", name, strings.ReplaceAll(text, "\n", " "))
			}
		})
	})
	return err
}

func (l *looking) participants(ctx context.Context) error {
	answer, err := l.get(ctx, "/v1/directory/participants")
	if err != nil {
		return err
	}
	if l.json {
		_, err := l.out.Write(answer)
		return err
	}
	var all struct {
		Participants []participant `json:"participants"`
	}
	var offices struct {
		Known int `json:"known"`
	}
	if err := json.Unmarshal(answer, &all); err != nil {
		return fmt.Errorf("the directory's answer is not what was expected: %w", err)
	}
	if err := l.client.Get(ctx, officesPath+"?limit=1", &offices); err != nil {
		return err
	}
	l.out.table(func(row *printer) {
		for _, p := range all.Participants {
			row.printf("%s\t%s\t%s%s\n", p.ID, p.Role, p.Name, closed(p.ClosedOn))
		}
	})
	l.out.printf("and %d offices: `hubctl directory show QUERY` finds them\n", offices.Known)
	return nil
}

func closed(on string) string {
	if on == "" {
		return ""
	}
	return "  (closed since " + on + ")"
}

// participant shows the participant with the id; false when there is none.
func (l *looking) participant(ctx context.Context, id string) (bool, error) {
	var all struct {
		Participants []json.RawMessage `json:"participants"`
	}
	if err := l.client.Get(ctx, "/v1/directory/participants", &all); err != nil {
		return false, err
	}
	for _, record := range all.Participants {
		var p participant
		if json.Unmarshal(record, &p) == nil && p.ID == id {
			return true, l.show(record)
		}
	}
	return false, nil
}

// offices lists those that a query finds; false when there are none.
func (l *looking) offices(ctx context.Context, query string) (bool, error) {
	answer, err := l.get(ctx, fmt.Sprintf("%s?limit=%d&q=%s", officesPath, l.limit, url.QueryEscape(query)))
	if err != nil {
		return false, err
	}
	var found struct {
		Offices []struct {
			ID         string `json:"id"`
			Name       string `json:"name"`
			Kind       string `json:"kind"`
			Commune    string `json:"commune"`
			Department string `json:"department"`
			ClosedOn   string `json:"closed_on"`
		} `json:"offices"`
	}
	if err := json.Unmarshal(answer, &found); err != nil {
		return false, fmt.Errorf("the directory's answer is not what was expected: %w", err)
	}
	if len(found.Offices) == 0 {
		return false, nil
	}
	if l.json {
		_, err := l.out.Write(answer)
		return true, err
	}
	l.out.table(func(row *printer) {
		for _, o := range found.Offices {
			row.printf("%s\t%s\t%s\t%s (%s)%s\n", o.ID, o.Kind, o.Name, o.Commune, o.Department, closed(o.ClosedOn))
		}
	})
	return true, nil
}

func (l *looking) get(ctx context.Context, path string) ([]byte, error) {
	return l.client.Bytes(ctx, door.Request{Method: http.MethodGet, Path: path})
}
