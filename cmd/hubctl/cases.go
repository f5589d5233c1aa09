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

	"github.com/relais-fr/relais/cmd/hubctl/internal/door"
)

func caseShowCommand() command {
	return command{
		name: "case show", args: "ID", short: "show a case: its state, its parties, what happened",
		long: `
Shows the dossier that a case stands in, as the log tells it: each case's state and
parties, and the timeline with refusals and repeats. Only parties and admins see a
case. What is sealed stays out. With --at it shows the dossier as it stood at a
time: what the hub had received by then, and nothing later.

  hubctl case show 018f7b1e-…
  hubctl case show 018f7b1e-… --at 2026-05-14T09:30
  hubctl case show --as cnaf 018f7b1e-… --json`,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			as := flags.String("as", admin, "`participant` who looks")
			asJSON := flags.Bool("json", false, "print the hub's answer as it is")
			at := flags.String("at", "", "as it stood at a `time`: 2026-05-14T09:30 in your zone, or with one of its own, 2026-05-14T07:30:00Z")
			return func(ctx context.Context, c *call) error {
				if len(c.args) != 1 {
					return usage("give the id of one case")
				}
				path := "/v1/cases/" + url.PathEscape(c.args[0])
				if *at != "" {
					moment, err := parseMoment(*at, c.zone)
					if err != nil {
						return usage("--at %v", err)
					}
					if moment.Nanosecond() == 0 {
						// The times that are shown end with the second: whoever copies one
						// means what happened within it too.
						moment = moment.Add(time.Second - time.Millisecond)
					}
					path += "?" + url.Values{"at": {moment.Format(time.RFC3339Nano)}}.Encode()
				}
				client, err := c.client(*as)
				if err != nil {
					return err
				}
				answer, err := client.Bytes(ctx, door.Request{Method: http.MethodGet, Path: path})
				if err != nil || *asJSON {
					_, werr := c.out.Write(answer)
					return firstError(err, werr)
				}
				return printCase(c.out, answer, c.zone)
			}
		},
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// history is what the hub tells of a dossier.
type history struct {
	Dossier string `json:"dossier"`
	At      string `json:"at"`
	Cases   []struct {
		Case    string   `json:"case"`
		Kind    string   `json:"kind"`
		State   string   `json:"state"`
		StateFR string   `json:"state_fr"`
		Since   string   `json:"since"`
		Parties []string `json:"parties"`
	} `json:"cases"`
	Timeline []struct {
		Place    string          `json:"place"`
		Outcome  string          `json:"outcome"`
		Type     string          `json:"type"`
		Case     string          `json:"case"`
		Sequence int64           `json:"sequence"`
		Source   string          `json:"source"`
		Received string          `json:"receivedtime"`
		Reason   string          `json:"reason"`
		Detail   string          `json:"detail"`
		First    string          `json:"first"`
		Data     json.RawMessage `json:"data"`
	} `json:"timeline"`
}

func printCase(w *printer, answer []byte, zone *time.Location) error {
	var h history
	if err := json.Unmarshal(answer, &h); err != nil {
		return fmt.Errorf("the hub's answer is not what was expected: %w", err)
	}
	w.printf("dossier %s", h.Dossier)
	if h.At != "" {
		w.printf(", as it stood at %s", shownTime(h.At, zone))
	}
	w.printf("\n\n")
	w.table(func(row *printer) {
		for _, c := range h.Cases {
			row.printf("  %s\t%s\t%s\t%s\tsince %s\t%s\n", c.Kind, c.State, c.StateFR, c.Case, shownTime(c.Since, zone), strings.Join(c.Parties, ", "))
		}
	})
	w.printf("\n")
	for _, s := range h.Timeline {
		mark := ""
		if s.Sequence > 0 {
			mark = fmt.Sprintf("#%d", s.Sequence)
		}
		what := fields(s.Data)
		switch s.Outcome {
		case "refusal":
			what = "refused: " + strings.TrimSpace(s.Reason+" "+s.Detail)
		case "repeat":
			what = "repeat of " + s.First
		}
		line := fmt.Sprintf("  %s  %-4s %-20s %s  %s", shownTime(s.Received, zone), mark, typeName(s.Type), strings.TrimPrefix(s.Source, "/participants/"), what)
		if s.Case != h.Dossier && s.Case != "" {
			line += "  (" + s.Case + ")"
		}
		w.printf("%s\n", strings.TrimRight(line, " "))
	}
	return nil
}
