package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/relais-fr/relais/cmd/hubctl/internal/door"
)

const participantsPath = "/v1/participants"

// participantAnswer is what the hub tells of a participant. Kafka, HTTP and the
// secrets in them it tells once.
type participantAnswer struct {
	Participant struct {
		ID             string   `json:"id"`
		Name           string   `json:"name"`
		Role           string   `json:"role"`
		Feeds          []string `json:"feeds"`
		SuspendedSince string   `json:"suspended_since"`
		ClosedOn       string   `json:"closed_on"`
		DoorsSince     string   `json:"doors_since"`
	} `json:"participant"`
	Topics *struct {
		Write string `json:"write"`
		Read  string `json:"read"`
	} `json:"topics"`
	Groups      []string `json:"groups"`
	Credentials []struct {
		ID      string    `json:"id"`
		Kind    string    `json:"kind"`
		Created time.Time `json:"created"`
		Expires time.Time `json:"expires"`
		Issuer  string    `json:"issuer"`
		Client  string    `json:"client"`
		By      string    `json:"by"`
	} `json:"credentials"`
	Kafka *struct {
		Bootstrap  []string `json:"bootstrap"`
		Protocol   string   `json:"protocol"`
		Mechanism  string   `json:"mechanism"`
		User       string   `json:"user"`
		Password   string   `json:"password"`
		CommonName string   `json:"common_name"`
	} `json:"kafka"`
	HTTP *struct {
		APIKey   string `json:"api_key"`
		Issuer   string `json:"issuer"`
		Client   string `json:"client"`
		Audience string `json:"audience"`
	} `json:"http"`
	Registry     string    `json:"registry"`
	OldKeysUntil time.Time `json:"old_keys_until"`
}

// state is in a word what the doors do.
func (a *participantAnswer) state() string {
	p := a.Participant
	switch {
	case p.ClosedOn != "":
		return "closed on " + p.ClosedOn
	case p.SuspendedSince != "":
		return "suspended since " + p.SuspendedSince
	case p.DoorsSince == "":
		return "not let in yet"
	}
	return "let in"
}

// askParticipant asks one of the participants' doors. Where asJSON is set it prints
// the hub's answer as it is, and said is true.
func (c *call) askParticipant(ctx context.Context, method, path string, body any, asJSON bool) (a participantAnswer, said bool, err error) {
	client, err := c.client(admin)
	if err != nil {
		return a, false, err
	}
	q := door.Request{Method: method, Path: participantsPath + path}
	if body != nil {
		if q.Body, err = json.Marshal(body); err != nil {
			return a, false, err
		}
		q.Header = http.Header{"Content-Type": {"application/json"}}
	}
	data, err := client.Bytes(ctx, q)
	if err != nil {
		return a, false, err
	}
	if asJSON {
		_, err = c.out.Write(data)
		return a, true, err
	}
	if err := json.Unmarshal(data, &a); err != nil {
		return a, false, fmt.Errorf("the hub's answer is not what was expected: %w", err)
	}
	return a, false, nil
}

// waysFlags are how a participant proves who it is.
type waysFlags struct {
	Kafka     string `json:"kafka,omitempty"`
	HTTP      string `json:"http,omitempty"`
	Issuer    string `json:"issuer,omitempty"`
	Client    string `json:"client,omitempty"`
	ExpiresIn int    `json:"expires_in,omitempty"`

	// How the participant reaches what the hub knows by another address.
	bootstrap, registry string
	asJSON              bool
}

func (w *waysFlags) define(flags *flag.FlagSet, usual string) {
	flags.StringVar(&w.Kafka, "kafka", "", "how it signs in to Kafka: scram (a password), mtls (a certificate of its own with its id as common name) or none"+usual)
	flags.StringVar(&w.HTTP, "http", "", "how it signs in by HTTP: api_key, oauth (a client of an issuer that the hub believes) or none"+usual)
	flags.StringVar(&w.Issuer, "issuer", "", "issuer of its OAuth `client`, as its tokens name it")
	flags.StringVar(&w.Client, "client", "", "`id` of its OAuth client there")
	flags.IntVar(&w.ExpiresIn, "expires", 0, "`days` after which the credentials end; 365 where none are given")
	flags.StringVar(&w.bootstrap, "bootstrap", "", "`address` at which the participant reaches Kafka, to be printed in place of the hub's own")
	flags.StringVar(&w.registry, "registry", "", "`address` at which it reaches the schema registry, likewise")
	flags.BoolVar(&w.asJSON, "json", false, "print the hub's answer as it is, secrets included")
}

// here puts the addresses by which the participant goes in place of the hub's.
func (w *waysFlags) here(a *participantAnswer) {
	if w.bootstrap != "" && a.Kafka != nil {
		a.Kafka.Bootstrap = strings.Split(w.bootstrap, ",")
	}
	if w.registry != "" {
		a.Registry = w.registry
	}
}

// oneParticipant is the id that a call names.
func (c *call) oneParticipant() (string, error) {
	if len(c.args) != 1 || c.args[0] == "" {
		return "", usage("give one participant's id")
	}
	return c.args[0], nil
}

func participantAddCommand() command {
	return command{
		name: "participant add", args: "ID", short: "let a participant in, and print what its IT team needs",
		long: `
Makes a participant's topics, its rights at Kafka and its credentials, and prints what
its IT team needs. The secrets are shown this once and are kept nowhere: the hub has
hashes of them. Whatever broke off is done again by the same call. An operator of the
national basket needs no more than its id. Needs an admin's token.

  hubctl participant add cnaf
  hubctl participant add mairie-lyon --role partner --name 'Mairie de Lyon' --kafka none
  hubctl participant add editeur --role feeder --name 'Logiciel' --feeds fs-12,fs-13`,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			var asked struct {
				ID    string   `json:"id"`
				Name  string   `json:"name,omitempty"`
				Role  string   `json:"role,omitempty"`
				Feeds []string `json:"feeds,omitempty"`
				waysFlags
			}
			flags.StringVar(&asked.Name, "name", "", "what people call it")
			flags.StringVar(&asked.Role, "role", "", "operator, partner or feeder")
			feeds := flags.String("feeds", "", "`ids` of the offices that a feeder hands in for, with commas, or *")
			asked.define(flags, "; empty for the usual, which is the first of them where the hub asks who calls")
			return func(ctx context.Context, c *call) (err error) {
				if asked.ID, err = c.oneParticipant(); err != nil {
					return err
				}
				if *feeds != "" {
					asked.Feeds = strings.Split(*feeds, ",")
				}
				a, said, err := c.askParticipant(ctx, http.MethodPost, "", asked, asked.asJSON)
				if err != nil || said {
					return err
				}
				asked.here(&a)
				c.out.printf("%s is let in. Its secrets are shown this once: hand them over now.\n\n", a.Participant.ID)
				return c.printAccess(&a)
			}
		},
	}
}

func participantRotateCommand() command {
	return command{
		name: "participant rotate", args: "ID", short: "give a participant new secrets",
		long: `
Makes new credentials of the kinds that the participant has, or of those that are
given, and prints the secrets this once. The old API key lives on for the overlap. A
password at Kafka cannot: it is the new one from now on for whoever connects. Where a
secret has leaked, suspend the participant first: what is connected stays connected
otherwise. Needs an admin's token.

  hubctl participant rotate cnaf
  hubctl participant rotate cnaf --overlap 0s
  hubctl participant rotate cnaf --kafka none --http api_key`,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			var asked struct {
				waysFlags
				Overlap string `json:"overlap,omitempty"`
			}
			flags.StringVar(&asked.Overlap, "overlap", "24h", "`duration` for which the old API key lives on; 0s ends it at once")
			asked.define(flags, "; empty for what it has")
			return func(ctx context.Context, c *call) error {
				id, err := c.oneParticipant()
				if err != nil {
					return err
				}
				a, said, err := c.askParticipant(ctx, http.MethodPost, "/"+url.PathEscape(id)+"/rotate", asked, asked.asJSON)
				if err != nil || said {
					return err
				}
				asked.here(&a)
				c.out.printf("%s has new secrets. They are shown this once: hand them over now.\n", id)
				if !a.OldKeysUntil.IsZero() {
					c.out.printf("Its old API key opens the doors until %s.\n", a.OldKeysUntil.In(c.zone).Format("2006-01-02 15:04 MST"))
				}
				c.out.printf("\n")
				return c.printAccess(&a)
			}
		},
	}
}

// printAccess prints what an IT team needs.
func (c *call) printAccess(a *participantAnswer) error {
	client, err := c.client(admin)
	if err != nil {
		return err
	}
	hub := client.Base("/v1/events")
	c.out.table(func(row *printer) {
		if a.Topics != nil {
			row.printf("  writes to\t%s\n  reads from\t%s\n  groups\t%s, and whatever begins with %s.\n", a.Topics.Write, a.Topics.Read, a.Participant.ID, a.Participant.ID)
		}
		if k := a.Kafka; k != nil {
			row.printf("  Kafka\t%s\n  protocol\t%s\n", strings.Join(k.Bootstrap, ","), k.Protocol)
			printNonEmpty(row, "mechanism", k.Mechanism)
			printNonEmpty(row, "user", k.User)
			printNonEmpty(row, "password", k.Password)
			printNonEmpty(row, "common name", k.CommonName)
		}
		row.printf("  HTTP\t%s\n", hub)
		if h := a.HTTP; h != nil {
			printNonEmpty(row, "API key", h.APIKey)
			printNonEmpty(row, "issuer", h.Issuer)
			printNonEmpty(row, "client", h.Client)
			printNonEmpty(row, "audience", h.Audience)
		}
		printNonEmpty(row, "registry", a.Registry)
		for _, cr := range a.Credentials {
			row.printf("  ends\t%s  %s\n", cr.Expires.In(c.zone).Format(time.DateOnly), cr.Kind)
		}
	})
	c.printTrials(a, hub)
	return nil
}

func printNonEmpty(row *printer, name, value string) {
	if value != "" {
		row.printf("  %s\t%s\n", name, value)
	}
}

// printTrials prints lines to try it with.
func (c *call) printTrials(a *participantAnswer, hub string) {
	if h := a.HTTP; h != nil {
		token := h.APIKey
		if token == "" {
			token = "$TOKEN"
			c.out.printf("\nWith a token of the issuer in TOKEN, what waits for it by HTTP:\n")
		} else {
			c.out.printf("\nWhat waits for it, by HTTP:\n")
		}
		c.out.printf("  curl -H \"Authorization: Bearer %s\" %s/v1/mailbox\n", token, hub)
	}
	k := a.Kafka
	if k == nil || a.Topics == nil {
		return
	}
	line := "kcat -C -b " + strings.Join(k.Bootstrap, ",")
	if k.Protocol != "PLAINTEXT" {
		line += " -X security.protocol=" + k.Protocol
	}
	if k.Mechanism != "" {
		line += fmt.Sprintf(" -X sasl.mechanism=%s -X sasl.username=%s -X sasl.password=%s", k.Mechanism, k.User, k.Password)
	}
	if strings.HasSuffix(k.Protocol, "SSL") {
		line += " -X ssl.ca.location=ca.pem"
	}
	if k.CommonName != "" {
		line += fmt.Sprintf(" -X ssl.certificate.location=%[1]s.pem -X ssl.key.location=%[1]s.key", k.CommonName)
	}
	c.out.printf("\nAnd by Kafka:\n  %s -t %s -e -q -f '%%k  %%h\\n'\n", line, a.Topics.Read)
}

// participantChange is a command that changes a participant and asks for no more
// than its id.
func participantChange(name, short, long, method, path, done string) command {
	return command{
		name: "participant " + name, args: "ID", short: short, long: long,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			asJSON := flags.Bool("json", false, "print the hub's answer as it is")
			return func(ctx context.Context, c *call) error {
				id, err := c.oneParticipant()
				if err != nil {
					return err
				}
				a, said, err := c.askParticipant(ctx, method, "/"+url.PathEscape(id)+path, nil, *asJSON)
				if err != nil || said {
					return err
				}
				c.out.printf("%s is %s"+done+"\n", a.Participant.ID, a.state())
				return nil
			}
		},
	}
}

func participantSuspendCommand() command {
	return participantChange("suspend", "shut every door to a participant", `
Shuts every door to a participant within seconds, to connections and streams too that
are open. Nothing is deleted: what comes for it waits on its topic, and
`+"`hubctl participant resume`"+` opens the doors again. Needs an admin's token.

  hubctl participant suspend cnaf`, http.MethodPost, "/suspend", ": every door is shut to it.")
}

func participantResumeCommand() command {
	return participantChange("resume", "open the doors to a suspended participant again", `
Opens the doors to a suspended participant again, with the credentials that it had.
Needs an admin's token.

  hubctl participant resume cnaf`, http.MethodPost, "/resume", " again, with the credentials that it had.")
}

func participantRemoveCommand() command {
	return participantChange("remove", "close a participant for ever", `
Closes a participant: its rights go, then its credentials. Its id is never used again,
for past events point to it, and what is on its topics stays there for its time.
`+"`hubctl participant suspend`"+` is what can be taken back. Needs an admin's token.

  hubctl participant remove mairie-lyon`, http.MethodDelete, "", ": it has no rights and no credentials any more.")
}

func participantShowCommand() command {
	return command{
		name: "participant show", args: "ID", short: "show a participant and when its credentials end",
		long: `
Shows a participant, its topics and groups, and its credentials without their secrets,
which nobody has but the participant. Needs an admin's token.

  hubctl participant show cnaf`,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			asJSON := flags.Bool("json", false, "print the hub's answer as it is")
			return func(ctx context.Context, c *call) error {
				id, err := c.oneParticipant()
				if err != nil {
					return err
				}
				a, said, err := c.askParticipant(ctx, http.MethodGet, "/"+url.PathEscape(id), nil, *asJSON)
				if err != nil || said {
					return err
				}
				c.printParticipant(&a)
				return nil
			}
		},
	}
}

func (c *call) printParticipant(a *participantAnswer) {
	c.out.table(func(row *printer) {
		row.printf("id\t%s\nname\t%s\nrole\t%s\nstate\t%s\n", a.Participant.ID, a.Participant.Name, a.Participant.Role, a.state())
		if len(a.Participant.Feeds) > 0 {
			row.printf("feeds\t%s\n", strings.Join(a.Participant.Feeds, ", "))
		}
		if a.Topics != nil {
			row.printf("writes to\t%s\nreads from\t%s\ngroups\t%s\n", a.Topics.Write, a.Topics.Read, strings.Join(a.Groups, ", "))
		}
	})
	if len(a.Credentials) == 0 {
		c.out.printf("\nIt has no credentials.\n")
		return
	}
	c.out.printf("\n")
	c.out.table(func(row *printer) {
		row.printf("credential\tkind\tmade\tby\tends\n")
		for _, cr := range a.Credentials {
			row.printf("%s\t%s\t%s\t%s\t%s\n", cr.ID, strings.TrimSpace(cr.Kind+" "+cr.Client), c.day(cr.Created), cr.By, c.day(cr.Expires))
		}
	})
}

func (c *call) day(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.In(c.zone).Format(time.DateOnly)
}

func participantListCommand() command {
	return command{
		name: "participant list", short: "list the participants and when their credentials end",
		long: `
Lists the participants that are no offices: what each is, whether the doors are open to
it, and when the first of its credentials ends. Needs an admin's token.`,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			asJSON := flags.Bool("json", false, "print the hub's answer as it is")
			return func(ctx context.Context, c *call) error {
				if len(c.args) > 0 {
					return usage("%q is not understood", c.args[0])
				}
				return listParticipants(ctx, c, *asJSON)
			}
		},
	}
}

func listParticipants(ctx context.Context, c *call, asJSON bool) error {
	client, err := c.client(admin)
	if err != nil {
		return err
	}
	data, err := client.Bytes(ctx, door.Request{Method: http.MethodGet, Path: participantsPath})
	if err != nil {
		return err
	}
	if asJSON {
		_, err = c.out.Write(data)
		return err
	}
	var all struct {
		Participants []participantAnswer `json:"participants"`
	}
	if err := json.Unmarshal(data, &all); err != nil {
		return fmt.Errorf("the hub's answer is not what was expected: %w", err)
	}
	c.out.table(func(row *printer) {
		row.printf("id\trole\tcredentials\tfirst ends\tstate\n")
		for _, a := range all.Participants {
			var kinds []string
			ends := "-"
			for _, cr := range a.Credentials {
				kinds = append(kinds, cr.Kind)
				if day := c.day(cr.Expires); !cr.Expires.IsZero() && (ends == "-" || day < ends) {
					ends = day
				}
			}
			slices.Sort(kinds)
			shown := strings.Join(slices.Compact(kinds), ", ")
			if shown == "" {
				shown = "-"
			}
			row.printf("%s\t%s\t%s\t%s\t%s\n", a.Participant.ID, a.Participant.Role, shown, ends, a.state())
		}
	})
	return nil
}

func participantQuotaCommand() command {
	return command{
		name: "participant quota", args: "ID EVENTS", short: "set how many events a participant may hand in per second",
		long: `
Sets how many events a participant may hand in per second: one allowance, whatever
door it comes by. Above it HTTP answers 429 with Retry-After, and its topic is read
more slowly; nothing is lost. It is in force at once, and is the setting rate.<id> of
` + "`hubctl directory settings`" + `. Needs an admin's token.

  hubctl participant quota cnaf 500`,
		set: func(*flag.FlagSet) func(context.Context, *call) error {
			return func(ctx context.Context, c *call) error {
				if len(c.args) != 2 {
					return usage("give the participant's id and a number of events per second")
				}
				if n, err := strconv.Atoi(c.args[1]); err != nil || n < 1 {
					return usage("%q is no number of events per second", c.args[1])
				}
				s, err := c.putSetting(ctx, "rate."+c.args[0], c.args[1])
				if err == nil {
					c.out.printf("%s may hand in %s events per second.\n", c.args[0], s.Value)
				}
				return err
			}
		},
	}
}
