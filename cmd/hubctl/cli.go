package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/relais-fr/relais/cmd/hubctl/internal/door"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

const (
	defaultHub = "http://127.0.0.1:8080"
	// defaultAdminKey is where a hub started in this folder keeps it.
	defaultAdminKey = "relais-data/admin.key"
	// devToken begins the tokens that a hub on loopback knows: dev-cnaf, dev-admin.
	devToken = "dev-"
	admin    = "admin"
	feeder   = "feeder"
)

// environment is what the process gives a command.
type environment struct {
	in       io.Reader
	out, err *printer
	lookup   func(key string) (string, bool)
	// terminal says whether err is one, answers whether in is.
	terminal, answers bool
	// zone is the one in which times are shown.
	zone *time.Location
}

// command is one thing that hubctl does.
type command struct {
	name string // with its group's: `directory import`
	args string // what follows the flags
	// short is one line; long explains, with examples.
	short, long string
	// set defines the flags and gives what is to be done once they are read.
	set func(flags *flag.FlagSet) func(ctx context.Context, c *call) error
}

// commands are all there are, in the order of the help.
func commands() []command {
	return []command{
		submitCommand(), tailCommand(), importCommand(),
		directoryShowCommand(), directoryDiffCommand(), directoryImportCommand(), directorySettingsCommand(), directorySetCommand(),
		participantAddCommand(), participantRotateCommand(), participantSuspendCommand(), participantResumeCommand(),
		participantRemoveCommand(), participantListCommand(), participantShowCommand(), participantQuotaCommand(),
		rulesShowCommand(), rulesActivateCommand(), repairCommand(),
		caseShowCommand(), replayCommand(),
		auditCommand(), statementListCommand(), statementShowCommand(), statementKeysCommand(), statementVerifyCommand(),
		deadlettersListCommand(), deadlettersShowCommand(), deadlettersRedriveCommand(),
		quarantineListCommand(), quarantineShowCommand(), quarantineRedriveCommand(),
		keyNewCommand(), schemaCheckCommand(), schemaImpactCommand(),
		versionCommand(),
	}
}

// call is one call of a command.
type call struct {
	environment
	name       string
	args       []string
	hub, token string
	// adminKey is the file of the admin's key; one that is not there is of a hub that
	// asks nobody.
	adminKey string
	// ca is the file of who signs the doors' certificates, "" for whom this machine
	// trusts.
	ca string
}

// client is a client of the hub, as the participant unless a token is given. The
// admin of a hub that asks who calls is whoever can read its key.
func (c *call) client(participant string) (*door.Client, error) {
	token := c.token
	if token == "" && participant == admin {
		key, err := os.ReadFile(c.adminKey)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the admin's key: %w; give another with --admin-key, or a --token", err)
		}
		token = strings.TrimSpace(string(key))
	}
	if token == "" {
		token = devToken + participant
	}
	return c.dial(c.hub, token)
}

// dial is a client of the doors at an address.
func (c *call) dial(address, token string) (*door.Client, error) {
	client, err := door.New(address, token)
	if err != nil || c.ca == "" {
		return client, err
	}
	if err := client.Trust(c.ca); err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	return client, nil
}

// usageError is a call that cannot be understood.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usage(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// errSaid is a failure that was told already.
var errSaid = errors.New("it failed")

// run runs hubctl and returns its exit code.
func run(ctx context.Context, args []string, env environment) int {
	if len(args) == 0 {
		writeOverview(env.err, "")
		return exitUsage
	}
	if isHelp(args[0]) {
		return help(ctx, env, args[1:])
	}
	if args[0] == "--version" || args[0] == "-version" {
		args[0] = "version"
	}
	cmd, rest, ok := find(args)
	if !ok {
		if group := args[0]; isGroup(group) {
			if len(args) > 1 && isHelp(args[1]) {
				writeOverview(env.out, group)
				return exitOK
			}
			writeOverview(env.err, group)
			return exitUsage
		}
		env.err.printf("hubctl: there is no command %q; `hubctl help` lists them.\n", strings.Join(args[:1], " "))
		return exitUsage
	}
	return cmd.call(ctx, rest, env)
}

// call reads the arguments, does what is asked and tells what went wrong.
func (cmd command) call(ctx context.Context, args []string, env environment) int {
	c := &call{environment: env, name: cmd.name}
	flags := flag.NewFlagSet(cmd.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.hub, "hub", or(env, "RELAIS_HUB", defaultHub), "`address` of the hub, and after commas those of doors elsewhere, as /v1/directory=http://host:port; RELAIS_HUB in the environment")
	flags.StringVar(&c.token, "token", or(env, "RELAIS_TOKEN", ""), "bearer `token`; RELAIS_TOKEN in the environment; without one, that of a hub on loopback: dev-<participant>")
	flags.StringVar(&c.adminKey, "admin-key", or(env, "RELAIS_ADMIN_KEY", defaultAdminKey), "`file` with the key of the admin, for what is the admin's and without a token; RELAIS_ADMIN_KEY in the environment")
	flags.StringVar(&c.ca, "ca", or(env, "RELAIS_CA", ""), "`file` with the certificates, in PEM, of who signs those of the doors; RELAIS_CA in the environment; without it those whom this machine trusts")
	do := cmd.set(flags)
	var err error
	c.args, err = parse(flags, args)
	if errors.Is(err, flag.ErrHelp) {
		cmd.writeHelp(env.out, flags)
		return exitOK
	}
	if err != nil {
		err = usage("%v", err)
	} else {
		err = do(ctx, c)
	}
	return c.tell(errors.Join(err, c.out.err))
}

// parse reads flags that stand before, between or behind the other arguments.
func parse(flags *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		left := flags.Args()
		if len(left) == 0 {
			return rest, nil
		}
		if n := len(args) - len(left); n > 0 && args[n-1] == "--" {
			return append(rest, left...), nil
		}
		rest, args = append(rest, left[0]), left[1:]
	}
}

// tell says what went wrong, and gives the exit code.
func (c *call) tell(err error) int {
	var wrong *usageError
	var problem *door.Problem
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &wrong):
		c.err.printf("hubctl %s: %s\n`hubctl %s --help` explains it.\n", c.name, wrong.text, c.name)
		return exitUsage
	case errors.Is(err, errSaid):
	case errors.As(err, &problem):
		c.err.printf("hubctl %s: %s", c.name, problem.Lines())
	case errors.Is(err, context.Canceled):
		c.err.printf("hubctl %s: stopped\n", c.name)
	default:
		c.err.printf("hubctl %s: %v\n", c.name, err)
	}
	return exitFailed
}

func or(env environment, key, fallback string) string {
	if v, ok := env.lookup(key); ok && v != "" {
		return v
	}
	return fallback
}

// find is the command that the arguments begin with.
func find(args []string) (cmd command, rest []string, ok bool) {
	for _, cmd := range commands() {
		words := strings.Fields(cmd.name)
		if len(args) >= len(words) && slices.Equal(words, args[:len(words)]) {
			return cmd, args[len(words):], true
		}
	}
	return command{}, nil, false
}

func isGroup(name string) bool {
	return slices.ContainsFunc(commands(), func(cmd command) bool { return strings.HasPrefix(cmd.name, name+" ") })
}

func isHelp(arg string) bool {
	return arg == "help" || arg == "--help" || arg == "-help" || arg == "-h"
}
