package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/relais-fr/relais/cmd/hubctl/internal/door"
)

const (
	settingsPath = "/v1/directory/settings"
	rulesPath    = "/v1/directory/rules"
)

// setting is one setting as it stands.
type setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func directorySettingsCommand() command {
	return command{
		name: "directory settings", short: "show the hub's settings",
		long: `
Shows what is set on the hub, and every setting that there is with what it is for.
Needs an admin's token.`,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			asJSON := flags.Bool("json", false, "print the hub's answer as it is")
			return func(ctx context.Context, c *call) error {
				if len(c.args) > 0 {
					return usage("%q is not understood", c.args[0])
				}
				return showSettings(ctx, c, *asJSON)
			}
		},
	}
}

func showSettings(ctx context.Context, c *call, asJSON bool) error {
	client, err := c.client(admin)
	if err != nil {
		return err
	}
	data, err := client.Bytes(ctx, door.Request{Method: http.MethodGet, Path: settingsPath})
	if err != nil {
		return err
	}
	if asJSON {
		_, err = c.out.Write(data)
		return err
	}
	var all struct {
		Settings []setting `json:"settings"`
		Known    []struct {
			Name, About, Fixed string
		} `json:"known"`
	}
	if err := json.Unmarshal(data, &all); err != nil {
		return fmt.Errorf("the hub's answer is not what was expected: %w", err)
	}
	c.out.table(func(row *printer) {
		for _, s := range all.Settings {
			row.printf("%s\t%s\n", s.Name, s.Value)
		}
	})
	c.out.printf("\nthere are:\n")
	for _, k := range all.Known {
		c.out.printf("  %s\n      %s\n", k.Name, k.About)
	}
	return nil
}

func directorySetCommand() command {
	return command{
		name: "directory set", args: "NAME VALUE", short: "change one of the hub's settings",
		long: `
Changes a setting for the whole hub, at once. ` + "`hubctl directory settings`" + ` lists
what there is. Needs an admin's token.

  hubctl directory set rate.cnaf 500`,
		set: func(*flag.FlagSet) func(context.Context, *call) error {
			return func(ctx context.Context, c *call) error {
				if len(c.args) != 2 {
					return usage("give the setting's name and its value")
				}
				s, err := c.putSetting(ctx, c.args[0], c.args[1])
				if err == nil {
					c.out.printf("%s is %s.\n", s.Name, s.Value)
				}
				return err
			}
		},
	}
}

func (c *call) putSetting(ctx context.Context, name, value string) (s setting, err error) {
	client, err := c.client(admin)
	if err != nil {
		return s, err
	}
	body, err := json.Marshal(map[string]string{"value": value})
	if err != nil {
		return s, err
	}
	err = client.JSON(ctx, door.Request{
		Method: http.MethodPut, Path: settingsPath + "/" + url.PathEscape(name), Body: body, Header: http.Header{"Content-Type": {"application/json"}},
	}, &s)
	return s, err
}

func rulesShowCommand() command {
	return command{
		name: "rules show", short: "show the rules version in force and what each ledger knows",
		long: `
Shows by which version of the rules events are judged, and the newest version that
each ledger at work knows. Needs an admin's token.`,
		set: func(*flag.FlagSet) func(context.Context, *call) error {
			return func(ctx context.Context, c *call) error {
				if len(c.args) > 0 {
					return usage("%q is not understood", c.args[0])
				}
				return showRules(ctx, c)
			}
		},
	}
}

func showRules(ctx context.Context, c *call) error {
	client, err := c.client(admin)
	if err != nil {
		return err
	}
	var rules struct {
		InForce int `json:"in_force"`
		Known   int `json:"known_by_all"`
		Ledgers []struct {
			Member, Host string
			Knows        int
		} `json:"ledgers"`
	}
	if err := client.Get(ctx, rulesPath, &rules); err != nil {
		return err
	}
	c.out.printf("Rules version %d is in force.\n", rules.InForce)
	for _, l := range rules.Ledgers {
		c.out.printf("  ledger %s at %s knows %d\n", l.Member, l.Host, l.Knows)
	}
	switch {
	case len(rules.Ledgers) == 0:
		c.out.printf("No ledger is at work.\n")
	case rules.Known > rules.InForce:
		c.out.printf("Every ledger knows %d: `hubctl rules activate %d` brings it into force.\n", rules.Known, rules.Known)
	}
	return nil
}

func rulesActivateCommand() command {
	return command{
		name: "rules activate", args: "VERSION", short: "bring newer rules into force",
		long: `
Has events judged by a newer version of the rules from now on. It is refused while a
ledger at work does not know that version, and there is no way back: what was judged
by newer rules is never judged by older ones. The program hub does it by itself when
it starts. Needs an admin's token.

  hubctl rules activate 2`,
		set: func(*flag.FlagSet) func(context.Context, *call) error {
			return func(ctx context.Context, c *call) error {
				if len(c.args) != 1 {
					return usage("give one version")
				}
				if _, err := strconv.Atoi(c.args[0]); err != nil {
					return usage("%q is not a version: it is a number such as 2", c.args[0])
				}
				s, err := c.putSetting(ctx, "rules", c.args[0])
				if err == nil {
					c.out.printf("Rules version %s is in force.\n", s.Value)
				}
				return err
			}
		},
	}
}
