package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/relais-fr/relais/schemas"
)

func schemaImpactCommand() command {
	return command{
		name: "schema impact", args: "NAME", short: "show who uses which version of an event's schema",
		long: `
Shows the versions of an event's schema at the registry, who hands events in with
which, as the gateway saw, and who asked the registry for which, as consumers do for
what they read. It counts what can be counted, since those services began, and says
what nobody but the consumer knows. An admin sees everybody, a participant itself.

  hubctl schema impact VisitRecorded
  hubctl schema impact ReferralMade --json`,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			s := &schemaImpact{}
			flags.StringVar(&s.registry, "registry-url", "", "`address` of the schema registry; RELAIS_REGISTRY_URL in the environment, else "+defaultRegistry)
			flags.BoolVar(&s.json, "json", false, "print what was found as JSON")
			return s.run
		},
	}
}

// schemaImpact is one call of schema impact.
type schemaImpact struct {
	registry string
	json     bool
}

// schemaUse is one use, as gateway and registry count them.
type schemaUse struct {
	Participant string    `json:"participant"`
	Channel     string    `json:"channel"`
	Type        string    `json:"type,omitempty"`
	Schema      int       `json:"schema,omitempty"`
	Count       int64     `json:"count"`
	Last        time.Time `json:"last"`
}

// usesAnswer is what a door tells of uses.
type usesAnswer struct {
	Since  time.Time   `json:"since"`
	Uses   []schemaUse `json:"uses"`
	Untold int64       `json:"untold"`
}

// impact is what was found, for programs.
type impact struct {
	Event     string        `json:"event"`
	Versions  []liveVersion `json:"versions"`
	Producers usesAnswer    `json:"producers"`
	Readers   usesAnswer    `json:"readers"`
	Unknown   []string      `json:"unknown"`
}

// notKnown is what no counting here can tell.
var notKnown = []string{
	"with which schema a consumer reads: only its own build knows; hubctl schema check in that build tells whether it still can",
	"who reads with a schema that it asked for before the registry began, or got elsewhere: clients remember for ever",
	"which version a sender of JSON means: JSON carries none, and is read by the newest",
}

func (s *schemaImpact) run(ctx context.Context, c *call) error {
	if len(c.args) != 1 {
		return usage("give the name of one event, such as VisitRecorded")
	}
	entry, ok := eventOf(c.args[0])
	if !ok {
		return usage("%q is not in the catalogue; %s", c.args[0], similar(c.args[0]))
	}
	source, err := c.registryDoor(s.registry)
	if err != nil {
		return err
	}
	client, err := c.client(admin)
	if err != nil {
		return err
	}
	found := impact{Event: entry.Name, Unknown: notKnown}
	if found.Versions, err = source.versions(ctx, entry.Type); err != nil {
		return err
	}
	if err := client.Get(ctx, "/v1/schemas/uses", &found.Producers); err != nil {
		return err
	}
	if err := source.get(ctx, "/v1/metadata/uses", &found.Readers); err != nil {
		return fmt.Errorf("who asked the registry: %w", err)
	}
	found.Producers.Uses = slices.DeleteFunc(found.Producers.Uses, func(u schemaUse) bool { return u.Type != entry.Type })
	found.Readers.Uses = slices.DeleteFunc(found.Readers.Uses, func(u schemaUse) bool { return found.version(u.Schema) == 0 })
	if s.json {
		text, err := json.MarshalIndent(found, "", "  ")
		if err != nil {
			return err
		}
		c.out.printf("%s\n", text)
		return nil
	}
	found.print(c.out, entry, c.zone)
	return nil
}

// version is the number of the live version with that id, 0 for none.
func (i impact) version(id int) int {
	for _, v := range i.Versions {
		if v.ID == id {
			return v.Version
		}
	}
	return 0
}

func (i impact) print(out *printer, entry schemas.Entry, zone *time.Location) {
	ours, err := schemas.ParseAvro(entry.Schema)
	out.printf("%s, %s\n\nVersions at the registry:\n", entry.Name, entry.Type)
	out.table(func(row *printer) {
		for _, v := range i.Versions {
			word := ""
			if err == nil && v.parsed.Canonical == ours.Canonical {
				word = "what a hub of this hubctl's build writes"
			}
			row.printf("  %d\tid %d\t%s\n", v.Version, v.ID, word)
		}
	})
	i.printUses(out, zone, "Handed in, as the gateway saw", i.Producers)
	i.printUses(out, zone, "Asked for at the registry, as consumers do", i.Readers)
	out.printf("\nNot known:\n")
	for _, what := range i.Unknown {
		out.printf("  %s\n", what)
	}
}

func (i impact) printUses(out *printer, zone *time.Location, title string, a usesAnswer) {
	out.printf("\n%s since %s:\n", title, shown(a.Since, zone))
	if len(a.Uses) == 0 {
		out.printf("  nobody\n")
	}
	out.table(func(row *printer) {
		for _, u := range a.Uses {
			with := "JSON, without a version"
			switch version := i.version(u.Schema); {
			case version != 0:
				with = fmt.Sprintf("version %d, id %d", version, u.Schema)
			case u.Schema != 0:
				with = fmt.Sprintf("id %d, no live version", u.Schema)
			}
			who := u.Participant
			if who == "" {
				who = "somebody (nobody signs in there)"
			}
			row.printf("  %s\t%s\t%s\t%d times\tlast %s\n", strings.TrimSpace(who), with, u.Channel, u.Count, shown(u.Last, zone))
		}
	})
	if a.Untold > 0 {
		out.printf("  and %d times not kept apart\n", a.Untold)
	}
}
