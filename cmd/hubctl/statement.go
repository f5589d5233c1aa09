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
	"os"
	"path/filepath"
	"time"

	"github.com/relais-fr/relais/cmd/hubctl/internal/door"
	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/statement"
)

const statementsPath = "/v1/statements"

// stated is a statement as the hub lists it and as a file has it.
type stated struct {
	ID   string                   `json:"id"`
	Data *schemas.StatementIssued `json:"data"`
}

// statementAsk is whose statements, and since when.
type statementAsk struct{ as, since string }

func (a *statementAsk) flags(flags *flag.FlagSet) {
	flags.StringVar(&a.as, "as", "", "`participant` whose statements, such as cnaf")
	flags.StringVar(&a.since, "since", "", "`time` since when, such as 2026-05-14T00:00:00Z; by default the last two days")
}

// each calls f for every statement, in their order.
func (a *statementAsk) each(ctx context.Context, c *call, f func(stated) error) error {
	if a.as == "" && c.token == "" {
		return usage("--as is missing: whose statements?")
	}
	query := url.Values{}
	if a.as != "" {
		query.Set("participant", a.as)
	}
	if a.since != "" {
		if _, err := time.Parse(time.RFC3339, a.since); err != nil {
			return usage("--since %q: a time such as 2026-05-14T00:00:00Z", a.since)
		}
		query.Set("since", a.since)
	}
	client, err := c.client(a.as)
	if err != nil {
		return err
	}
	res, err := client.Do(ctx, door.Request{Method: http.MethodGet, Path: statementsPath + "?" + query.Encode()})
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var s stated
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil || s.Data == nil {
			return errors.New("the hub's answer is not a list of statements")
		}
		if err := f(s); err != nil {
			return err
		}
	}
	return lines.Err()
}

func statementListCommand() command {
	return command{
		name: "statement list", short: "list the signed statements of a participant",
		long: `
Lists the statements that the hub has issued to a participant: number, span, events
in each book, key. With --save each is written to a file of a folder, to keep and to
check offline.

  hubctl statement list --as cnaf
  hubctl statement list --as cnaf --since 2026-05-01T00:00:00Z --save statements/`,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			ask := &statementAsk{}
			ask.flags(flags)
			folder := flags.String("save", "", "`folder` to write them to, a file each")
			return func(ctx context.Context, c *call) error {
				if len(c.args) > 0 {
					return usage("%q is not understood", c.args[0])
				}
				var all []stated
				if err := ask.each(ctx, c, func(s stated) error {
					all = append(all, s)
					if *folder == "" {
						return nil
					}
					return saveStatement(*folder, s)
				}); err != nil {
					return err
				}
				if len(all) == 0 {
					c.out.printf("No statement has been issued in that time.\n")
					return nil
				}
				c.out.table(func(row *printer) {
					for _, s := range all {
						row.printf("%d\t%s to %s\t%s\tkey %s\n", s.Data.Number, s.Data.SpanStart.In(c.zone).Format(time.DateTime),
							s.Data.SpanEnd.In(c.zone).Format(time.TimeOnly), booksLine(s.Data), s.Data.KeyID)
					}
				})
				return nil
			}
		},
	}
}

func saveStatement(folder string, s stated) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%06d.json", s.Data.Participant, s.Data.Number)), append(text, '\n'), 0o600)
}

// booksLine is how many events each book of a statement has.
func booksLine(s *schemas.StatementIssued) string {
	counts := map[string]int64{}
	for _, r := range s.Ranges {
		counts[r.Book] += r.Events
	}
	line := fmt.Sprintf("from %d, receipts %d, to %d", counts[schemas.BookFrom], counts[schemas.BookReceipts], counts[schemas.BookTo])
	if !s.Complete {
		line += ", to be continued"
	}
	return line
}

func statementShowCommand() command {
	return command{
		name: "statement show", args: "NUMBER", short: "show one statement, as a file to keep",
		long: `
Prints a statement of a participant as JSON, as ` + "`hubctl statement verify`" + ` takes it.

  hubctl statement show --as cnaf 17 > cnaf-17.json`,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			ask := &statementAsk{}
			ask.flags(flags)
			return func(ctx context.Context, c *call) error {
				if len(c.args) != 1 {
					return usage("give the number, as statement list shows it")
				}
				shown := false
				err := ask.each(ctx, c, func(s stated) error {
					if fmt.Sprint(s.Data.Number) != c.args[0] {
						return nil
					}
					text, err := json.MarshalIndent(s, "", "  ")
					c.out.printf("%s\n", text)
					shown = true
					return err
				})
				if err == nil && !shown {
					err = fmt.Errorf("there is no statement %.20q in that time: go further back with --since", c.args[0])
				}
				return err
			}
		},
	}
}

func statementKeysCommand() command {
	return command{
		name: "statement keys", args: "[NEW-FILE]", short: "print the public keys, or make a private one",
		long: `
Prints every public key with which the hub has signed statements, as a file for
` + "`hubctl statement verify --keys`" + `. Keep it where nobody changes it: what it says
cannot be checked otherwise.

  hubctl statement keys > relais-keys.json

With a file that does not exist yet, makes a private key instead, for the setting
--statement-key of services that run on their own.

  hubctl statement keys statement.key`,
		set: func(*flag.FlagSet) func(context.Context, *call) error {
			return func(ctx context.Context, c *call) error {
				switch len(c.args) {
				case 0:
				case 1:
					return newStatementKey(c, c.args[0])
				default:
					return usage("%q is not understood", c.args[1])
				}
				client, err := c.client(admin)
				if err != nil {
					return err
				}
				answer, err := client.Bytes(ctx, door.Request{Method: http.MethodGet, Path: statementsPath + "/keys"})
				if err != nil {
					return err
				}
				_, err = c.out.Write(answer)
				return err
			}
		},
	}
}

func newStatementKey(c *call, path string) error {
	key, err := statement.NewKey()
	if err != nil {
		return err
	}
	text, err := key.PEM()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the file is the one that was asked for
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	c.out.printf("key %s\n", key.Public.ID)
	return nil
}

// instant is a time as statements tell it.
func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }
