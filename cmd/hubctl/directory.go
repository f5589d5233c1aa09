package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/relais-fr/relais/cmd/hubctl/internal/door"
	"github.com/relais-fr/relais/schemas"
)

const importsPath = "/v1/directory/imports"

func directoryDiffCommand() command {
	return command{
		name: "directory diff", args: "FILE", short: "show what a list of offices would change",
		long: `
Reads the official list of offices (CSV, as it is published) and shows what it
would change in the directory: new offices, offices that are gone, and those that
moved or whose name, hours or details differ. Nothing is changed. Needs an admin's
token.

  hubctl directory diff liste-fs.csv --as-of 2024-08-01`,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			d := planFlags(flags)
			return func(ctx context.Context, c *call) error {
				_, err := d.plan(ctx, c)
				return err
			}
		},
	}
}

func directoryImportCommand() command {
	return command{
		name: "directory import", args: "FILE", short: "import the official list of offices",
		long: `
Reads the official list of offices (CSV, as it is published), shows what it would
change, and changes it once you have said yes. What is confirmed is exactly what
was shown: if the directory has changed in between, nothing is done. A list that
looks wrong as a whole is refused, with a report by line. Needs an admin's token.

  hubctl directory import liste-fs.csv --as-of 2024-08-01
  hubctl directory import liste-fs.csv --yes`,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			d := planFlags(flags)
			yes := flags.Bool("yes", false, "apply without asking")
			return func(ctx context.Context, c *call) error { return d.apply(ctx, c, *yes) }
		},
	}
}

// planning is one call of directory diff or import.
type planning struct {
	asOf      string
	all, json bool
}

func planFlags(flags *flag.FlagSet) *planning {
	d := &planning{}
	flags.StringVar(&d.asOf, "as-of", "", "`day` since which the list is valid, such as 2024-08-01; today by default")
	flags.BoolVar(&d.all, "all", false, "list every change, not only the first of each kind")
	flags.BoolVar(&d.json, "json", false, "print the hub's plan as it is")
	return d
}

// plan is what the list would change, as the hub says.
type plan struct {
	ID   string `json:"id"`
	AsOf string `json:"as_of"`
	List struct {
		Rows     int         `json:"rows"`
		Rejected []rejection `json:"rejected"`
	} `json:"list"`
	Offices   int            `json:"offices"`
	Unchanged int            `json:"unchanged"`
	Counts    map[string]int `json:"counts"`
	Quirks    map[string]int `json:"quirks"`
	Changes   []change       `json:"changes"`
}

type rejection struct {
	Line   int    `json:"line"`
	Code   string `json:"code"`
	Reason string `json:"reason"`
	Detail string `json:"detail"`
}

type change struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	Kinds  []string `json:"kinds"`
	Fields []struct {
		Field  string          `json:"field"`
		Before json.RawMessage `json:"before"`
		After  json.RawMessage `json:"after"`
	} `json:"fields"`
}

// plan hands the list in and shows the plan.
func (d *planning) plan(ctx context.Context, c *call) (plan, error) {
	if len(c.args) != 1 {
		return plan{}, usage("give one file")
	}
	if d.asOf != "" {
		if _, err := schemas.ParseDay(d.asOf); err != nil {
			return plan{}, usage("--as-of: %v", err)
		}
	}
	list, err := os.ReadFile(c.args[0])
	if err != nil {
		return plan{}, err
	}
	client, err := c.client(admin)
	if err != nil {
		return plan{}, err
	}
	path := importsPath
	if d.asOf != "" {
		path += "?as_of=" + url.QueryEscape(d.asOf)
	}
	answer, err := client.Bytes(ctx, door.Request{Method: http.MethodPost, Path: path, Body: list, Header: http.Header{"Content-Type": {"text/csv"}}})
	if err != nil {
		return plan{}, d.refused(c, err)
	}
	var p plan
	if err := json.Unmarshal(answer, &p); err != nil {
		return plan{}, fmt.Errorf("the hub's plan is not what was expected: %w", err)
	}
	if d.json {
		_, err = c.out.Write(answer)
		return p, err
	}
	d.print(c, p)
	return p, nil
}

// refused tells, of a list that was refused whole, the rows at fault.
func (d *planning) refused(c *call, err error) error {
	var p *door.Problem
	if !errors.As(err, &p) {
		return err
	}
	var report struct {
		Rows     int         `json:"rows"`
		Rejected []rejection `json:"rejected"`
	}
	if json.Unmarshal(p.Raw, &report) == nil && len(report.Rejected) > 0 {
		c.out.printf("%d rows, %d rejected:\n", report.Rows, len(report.Rejected))
		d.printRejected(c, report.Rejected)
	}
	return err
}

// shownPerKind is how many changes of a kind are listed, unless all are asked for.
const shownPerKind = 10

func (d *planning) print(c *call, p plan) {
	c.out.printf("%s: %d rows, %d offices, %d rejected; valid from %s\n\n", c.args[0], p.List.Rows, p.Offices, len(p.List.Rejected), p.AsOf)
	for _, kind := range kindsOf(p.Counts) {
		c.out.printf("  %-12s %6d\n", kind, p.Counts[kind])
	}
	c.out.printf("  %-12s %6d\n", "unchanged", p.Unchanged)
	if len(p.Quirks) > 0 {
		c.out.printf("\nodd in the list, and how many rows:\n")
		for _, quirk := range slices.Sorted(maps.Keys(p.Quirks)) {
			c.out.printf("  %-28s %6d\n", quirk, p.Quirks[quirk])
		}
	}
	if len(p.List.Rejected) > 0 {
		c.out.printf("\nrejected rows:\n")
		d.printRejected(c, p.List.Rejected)
	}
	d.printChanges(c, p)
}

// kindsOf are the kinds of change, new and gone first.
func kindsOf(counts map[string]int) []string {
	order := map[string]int{"new": -3, "gone": -2, "back": -1}
	kinds := slices.Sorted(maps.Keys(counts))
	slices.SortStableFunc(kinds, func(a, b string) int { return order[a] - order[b] })
	return kinds
}

func (d *planning) printRejected(c *call, rejected []rejection) {
	for i, r := range rejected {
		if i == shownPerKind && !d.all {
			c.out.printf("  … and %d more (--all lists them)\n", len(rejected)-i)
			return
		}
		c.out.printf("%s\n", strings.TrimRight(fmt.Sprintf("  line %-6d %-18s %s %s", r.Line, r.Code, r.Reason, r.Detail), " "))
	}
}

func (d *planning) printChanges(c *call, p plan) {
	shown, left := map[string]int{}, 0
	for i, ch := range p.Changes {
		if i == 0 {
			c.out.printf("\nchanges:\n")
		}
		kind := strings.Join(ch.Kinds, "+")
		if shown[kind]++; shown[kind] > shownPerKind && !d.all {
			left++
			continue
		}
		c.out.printf("  %-10s %-14s %s\n", ch.ID, kind, ch.Name)
		for _, f := range ch.Fields {
			c.out.printf("  %-10s   %s: %s → %s\n", "", f.Field, clip(string(f.Before)), clip(string(f.After)))
		}
	}
	if left > 0 {
		c.out.printf("  … and %d more (--all lists them)\n", left)
	}
}

// apply carries the plan out once it is confirmed.
func (d *planning) apply(ctx context.Context, c *call, yes bool) error {
	p, err := d.plan(ctx, c)
	if err != nil {
		return err
	}
	if len(p.Changes) == 0 {
		c.out.printf("\nNothing to change.\n")
		return nil
	}
	if !yes {
		if err := c.confirm(ctx, fmt.Sprintf("\nApply these %d changes? [y/N] ", len(p.Changes))); err != nil {
			return err
		}
	}
	client, err := c.client(admin)
	if err != nil {
		return err
	}
	if _, err := client.Bytes(ctx, door.Request{Method: http.MethodPost, Path: importsPath + "/" + url.PathEscape(p.ID) + "/apply"}); err != nil {
		return err
	}
	c.out.printf("\n%d changes applied.\n", len(p.Changes))
	return nil
}

// confirm asks, and is nil for a yes. Where nobody can answer it is a no.
func (c *call) confirm(ctx context.Context, question string) error {
	if !c.answers {
		return errors.New("nothing was changed: say --yes to apply without being asked")
	}
	c.out.printf("%s", question)
	answer := make(chan string, 1)
	// The goroutine ends with the process: a read of a terminal cannot be broken off.
	go func() {
		line, _ := bufio.NewReader(c.in).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case a := <-answer:
		if a == "y" || a == "yes" || a == "o" || a == "oui" {
			return nil
		}
		return errors.New("nothing was changed")
	}
}
