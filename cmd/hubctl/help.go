package main

import (
	"context"
	"flag"
	"strings"
)

// help explains a command, a group or all.
func help(ctx context.Context, env environment, args []string) int {
	if len(args) == 0 || isGroup(args[0]) && len(args) == 1 {
		writeOverview(env.out, strings.Join(args, " "))
		return exitOK
	}
	cmd, _, ok := find(args)
	if !ok {
		env.err.printf("hubctl: there is no command %q; `hubctl help` lists them.\n", strings.Join(args, " "))
		return exitUsage
	}
	return cmd.call(ctx, []string{"--help"}, env)
}

// writeOverview lists the commands, those of one group or all.
func writeOverview(w *printer, group string) {
	if group == "" {
		w.printf("hubctl talks to a Relais hub: events, directory, cases, quarantine.\n\n")
	}
	w.printf("Commands:\n")
	for _, cmd := range commands() {
		if group == "" || strings.HasPrefix(cmd.name, group+" ") {
			w.printf("  %-20s %s\n", cmd.name, cmd.short)
		}
	}
	w.printf("\n`hubctl <command> --help` explains a command.\n" +
		"Exit code: 0 done, 1 failed or refused, 2 not understood.\n")
}

// writeHelp explains the command.
func (cmd command) writeHelp(w *printer, flags *flag.FlagSet) {
	w.printf("hubctl %s: %s\n\n", cmd.name, cmd.short)
	w.printf("  hubctl %s [flags] %s\n\n", cmd.name, cmd.args)
	w.printf("%s\n\nFlags:\n", strings.TrimSpace(cmd.long))
	flags.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		w.printf("  %s\n", strings.TrimRight("--"+f.Name+" "+value, " "))
		w.printf("        %s", text)
		switch f.DefValue {
		case "", "false", "0", "0s":
		default:
			w.printf(" (%s)", f.DefValue)
		}
		w.printf("\n")
	})
}
