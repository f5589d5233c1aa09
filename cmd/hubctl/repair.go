package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"strings"

	"github.com/relais-fr/relais/cmd/hubctl/internal/door"
)

const repairsPath = "/v1/repairs"

func repairCommand() command {
	return command{
		name: "repair", short: "make the logs of a halted partition go on",
		long: `
After a power cut or a restore the two logs of a partition may no longer belong
together: relais.submitted ends before what was judged, or has other submissions at
offsets that were judged before. The ledger then halts that partition, and the
gateways close their doors.

repair says what it would do about it; with --yes it does it. No offset is used twice:
what is missing below the highest judged submission is filled with events without
effect, and every submission that has no outcome of its own is handed in again behind
them, in order. Outcomes that relais.recorded has stand. It can be run again whenever
it was broken off, and does nothing where nothing is wrong. Outcomes that were lost
from relais.recorded need no repair: the ledger makes them again, byte for byte.

It is asked of the ledger that owns the partition; where there are several, give each:
--hub http://host:8080,/v1/repairs=http://ledger-1:8085. Needs an admin's token.

  hubctl repair
  hubctl repair --partition 3 --yes`,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			yes := flags.Bool("yes", false, "do it")
			partition := flags.Int("partition", -1, "only this `partition`; all that are halted by default")
			asJSON := flags.Bool("json", false, "print the hub's answer as it is")
			return func(ctx context.Context, c *call) error {
				if len(c.args) > 0 {
					return usage("%q is not understood", c.args[0])
				}
				return repairLogs(ctx, c, *partition, *yes, *asJSON)
			}
		},
	}
}

// logRepair is what is to be done on one partition, or was done.
type logRepair struct {
	Partition     int      `json:"partition"`
	Fault         string   `json:"fault"`
	Judged        int64    `json:"judged"`
	Ends          int64    `json:"ends"`
	Fillers       int64    `json:"fillers"`
	Mark          string   `json:"mark"`
	HandedIn      []string `json:"handed_in"`
	HandedInCount int      `json:"handed_in_count"`
	Overwritten   int      `json:"overwritten"`
	Done          bool     `json:"done"`
	Cannot        string   `json:"cannot"`
}

func repairLogs(ctx context.Context, c *call, partition int, yes, asJSON bool) error {
	client, err := c.client(admin)
	if err != nil {
		return err
	}
	ask := map[string]any{"yes": yes}
	if partition >= 0 {
		ask["partition"] = partition
	}
	body, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	data, err := client.Bytes(ctx, door.Request{Method: http.MethodPost, Path: repairsPath, Body: body, Header: http.Header{"Content-Type": {"application/json"}}})
	if err != nil {
		return err
	}
	if asJSON {
		_, err = c.out.Write(data)
		return err
	}
	var answer struct {
		Partitions []logRepair `json:"partitions"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return fmt.Errorf("the hub's answer is not what was expected: %w", err)
	}
	if len(answer.Partitions) == 0 {
		c.out.printf("No partition is halted at this ledger.\n")
		return nil
	}
	todo := false
	for _, r := range answer.Partitions {
		r.print(c.out)
		todo = todo || !r.Done && r.Cannot == "" && r.Fault != ""
	}
	if todo {
		c.out.printf("Nothing was changed: --yes does it.\n")
	}
	return nil
}

func (r logRepair) print(w *printer) {
	switch {
	case r.Fault == "":
		w.printf("partition %d: its logs belong together again.\n", r.Partition)
		return
	case r.Cannot != "":
		w.printf("partition %d: %s\n  it cannot be mended here: %s.\n", r.Partition, r.Fault, r.Cannot)
		return
	}
	w.printf("partition %d: %s\n", r.Partition, r.Fault)
	if r.Fillers > 0 {
		w.printf("  offsets %d to %d are filled with events without effect: their outcomes stand, no offset is used twice\n", r.Ends, r.Ends+r.Fillers-1)
	}
	w.printf("  a mark at %s: from there on the logs belong together again\n", r.Mark)
	if r.HandedInCount > 0 {
		w.printf("  %d submissions are handed in again behind it, in order, %d of which stand at offsets that were used before: %s", r.HandedInCount, r.Overwritten, strings.Join(r.HandedIn, " "))
		if r.HandedInCount > len(r.HandedIn) {
			w.printf(" …")
		}
		w.printf("\n")
	}
	if r.Done {
		w.printf("  done.\n")
	}
}
