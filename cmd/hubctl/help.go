package main

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// help explains a command, a group or all.
func help(env environment, args []string) int {
	if len(args) == 0 || isGroup(args[0]) && len(args) == 1 {
		writeOverview(env.out, strings.Join(args, " "))
		return exitOK
	}
	cmd, _, ok := find(args)
	if !ok {
		fmt.Fprintf(env.err, "hubctl: there is no command %q; `hubctl help` lists them.\n", strings.Join(args, " "))
		return exitUsage
	}
	return cmd.call(nil, []string{"--help"}, env) //nolint:staticcheck // --help does nothing that could wait
}

// writeOverview lists the commands, those of one group or all.
func writeOverview(w io.Writer, group string) {
	if group == "" {
		fmt.Fprint(w, "hubctl talks to a Relais hub: events, directory, cases, quarantine.\n\n")
	}
	fmt.Fprintln(w, "Commands:")
	for _, cmd := range commands() {
		if group == "" || strings.HasPrefix(cmd.name, group+" ") {
			fmt.Fprintf(w, "  %-20s %s\n", cmd.name, cmd.short)
		}
	}
	fmt.Fprint(w, "\n`hubctl <command> --help` explains a command.\n"+
		"Exit code: 0 done, 1 failed or refused, 2 not understood.\n")
}

// writeHelp explains the command.
func (cmd command) writeHelp(w io.Writer, flags *flag.FlagSet) {
	fmt.Fprintf(w, "hubctl %s: %s\n\n", cmd.name, cmd.short)
	fmt.Fprintf(w, "  hubctl %s [flags] %s\n\n", cmd.name, cmd.args)
	fmt.Fprintf(w, "%s\n\nFlags:\n", strings.TrimSpace(cmd.long))
	flags.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		fmt.Fprintf(w, "  %s\n", strings.TrimRight("--"+f.Name+" "+value, " "))
		fmt.Fprintf(w, "        %s", text)
		switch f.DefValue {
		case "", "false", "0", "0s":
		default:
			fmt.Fprintf(w, " (%s)", f.DefValue)
		}
		fmt.Fprintln(w)
	})
}
