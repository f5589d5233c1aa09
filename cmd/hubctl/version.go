package main

import (
	"context"
	"flag"
	"runtime/debug"
)

func versionCommand() command {
	return command{
		name: "version", short: "print the version",
		long: "Prints hubctl's own version. It asks no hub.",
		set: func(*flag.FlagSet) func(context.Context, *call) error {
			return func(_ context.Context, c *call) error {
				c.out.printf("hubctl %s\n", version())
				return nil
			}
		},
	}
}

// version is the module's version, or the revision it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	v, modified := "devel", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			v = s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "+modified"
		}
	}
	return v + modified
}
