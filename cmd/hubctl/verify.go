package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/relais-fr/relais/cmd/hubctl/internal/ownlog"
	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/statement"
)

func statementVerifyCommand() command {
	return command{
		name: "statement verify", args: "[STATEMENT-OR-FOLDER…]", short: "check statements against one's own log, offline",
		long: `
Checks statements on files alone, without the hub: their signatures, that each
follows the one before, and that they agree with the participant's own log, event by
event. Says OK with counts, or names the first difference: what is missing, extra,
changed or in another order, with topic, partition, offset and id.

A log is what the participant itself has kept: its topics as kcat prints them, its
mailbox as hubctl tail prints it, the receipts of HTTP a line each.

  kcat -C -J -b HOST:9092 -t relais.from.cnaf -e > from.ndjson
  kcat -C -J -b HOST:9092 -t relais.to.cnaf   -e > to.ndjson
  hubctl tail --as feeder --once --json > mailbox.ndjson
  {"place":"3-1042","source":"/participants/fs-1/feeder","id":"evt-17"}

  hubctl statement verify --keys relais-keys.json --log from.ndjson --log to.ndjson statements/

Without a statement those are checked that stand in the log itself. A book of which
no log is given is not checked, and that is said.`,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			v := &verification{}
			flags.StringVar(&v.keys, "keys", "", "`file` with the hub's public keys, as statement keys prints them")
			flags.Int64Var(&v.from, "from", 0, "compare with the log from this `number` on: where the log was begun later, or deleted before")
			flags.Func("log", "`file` of the participant's own log; may be given several times", func(path string) error {
				v.logs = append(v.logs, path)
				return nil
			})
			return v.run
		},
	}
}

// verification is one call of statement verify.
type verification struct {
	keys string
	logs []string
	from int64

	public     []statement.PublicKey
	log        *ownlog.Log
	statements []statement.Issued
	agree      map[string]int64
}

func (v *verification) run(_ context.Context, c *call) error {
	if v.keys == "" {
		return usage("--keys is missing: the hub's public keys, which `hubctl statement keys` prints")
	}
	if len(v.logs) == 0 && len(c.args) == 0 {
		return usage("give the log with --log, or statements, or both")
	}
	if err := v.read(c.args); err != nil { //nolint:contextcheck // files are read, and schemas that are at hand
		return err
	}
	if len(v.statements) == 0 {
		return errors.New("there is no statement in what was given")
	}
	v.agree = map[string]int64{}
	for i, s := range v.statements {
		if err := v.check(i); err != nil {
			c.out.printf("NOT OK: %s, statement %d, %s to %s:\n  %v\n", s.Participant, s.Number, instant(s.SpanStart), instant(s.SpanEnd), err)
			return errSaid
		}
	}
	v.report(c.out)
	return nil
}

// read reads the keys, the logs and the statements.
func (v *verification) read(args []string) error {
	var document statement.KeyDocument
	text, err := os.ReadFile(v.keys)
	if err != nil {
		return err
	}
	if json.Unmarshal(text, &document) != nil || len(document.Keys) == 0 {
		return fmt.Errorf("%s: it has no keys as `hubctl statement keys` prints them", v.keys)
	}
	v.public, v.log = document.Keys, ownlog.New()
	for _, path := range v.logs {
		f, err := os.Open(path) //nolint:gosec // the file is the one that was asked for
		if err != nil {
			return err
		}
		err = v.log.Read(f)
		_ = f.Close()
		if err != nil {
			return fmt.Errorf("%s, %w", path, err)
		}
	}
	for _, arg := range args {
		if err := v.readStatements(arg); err != nil {
			return err
		}
	}
	if len(args) == 0 {
		v.statements = v.log.Statements
	}
	slices.SortStableFunc(v.statements, func(a, b statement.Issued) int {
		return cmp.Or(strings.Compare(a.Participant, b.Participant), cmp.Compare(a.Number, b.Number))
	})
	// The same one given twice, or written twice by the router, is one.
	v.statements = slices.CompactFunc(v.statements, func(a, b statement.Issued) bool {
		return a.ID == b.ID && string(statement.Canonical(a.StatementIssued)) == string(statement.Canonical(b.StatementIssued)) && string(a.Signature) == string(b.Signature)
	})
	return nil
}

// readStatements reads a file with one statement, or all such files of a folder.
func (v *verification) readStatements(path string) error {
	return filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || file != path && filepath.Ext(file) != ".json" {
			return err
		}
		text, err := os.ReadFile(file) //nolint:gosec // the file is the one that was asked for
		if err != nil {
			return err
		}
		var s stated
		if json.Unmarshal(text, &s) != nil || s.Data == nil || s.ID == "" {
			return fmt.Errorf("%s: it is no statement as `hubctl statement show` prints it", file)
		}
		v.statements = append(v.statements, statement.Issued{ID: s.ID, StatementIssued: s.Data})
		return nil
	})
}

// check checks one statement, against the one before and against the log.
func (v *verification) check(i int) error {
	s := v.statements[i]
	if err := statement.CheckSignature(s.StatementIssued, v.public); err != nil {
		return err
	}
	if found := statement.CheckSelf(s.StatementIssued); found != "" {
		return errors.New(found)
	}
	if i > 0 {
		if found := statement.CheckChain(v.statements[i-1], s); found != "" {
			return fmt.Errorf("the chain is broken: %s", found)
		}
	}
	if s.Number < v.from {
		return nil
	}
	for n := range s.Ranges {
		r := &s.Ranges[n]
		if !v.log.Books[r.Book] {
			continue
		}
		events, err := statement.Compare(r, v.log.Of(r.Book, r.Topic, r.Partition))
		if err != nil {
			return err
		}
		v.agree[r.Book] += events
	}
	return nil
}

func (v *verification) report(out *printer) {
	first, last := v.statements[0], v.statements[len(v.statements)-1]
	out.printf("OK: %s, statements %d to %d, %s to %s, signatures and chain are right\n", first.Participant, first.Number, last.Number,
		instant(first.SpanStart), instant(last.SpanEnd))
	out.table(func(row *printer) {
		for _, book := range []string{schemas.BookFrom, schemas.BookReceipts, schemas.BookTo} {
			if v.log.Books[book] {
				row.printf("  %s\t%d events agree\n", book, v.agree[book])
			} else {
				row.printf("  %s\tnot checked: no log of it was given\n", book)
			}
		}
	})
}
