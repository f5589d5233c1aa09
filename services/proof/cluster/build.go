package cluster

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// Build builds commands of the project into a folder, with an overlay where one is
// given.
func Build(ctx context.Context, root, into, overlay string, commands ...string) error {
	goTool, err := program("go", "to build the services")
	if err != nil {
		return fmt.Errorf("%w; %w", err, errNoRoot)
	}
	if _, err := makeFolder(into); err != nil {
		return err
	}
	args := []string{"build", "-o", into + string(filepath.Separator)}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	for _, name := range commands {
		args = append(args, "./cmd/"+name)
	}
	cmd := exec.CommandContext(ctx, goTool, args...)
	cmd.Dir = root
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %v: %w\n%s", commands, err, said)
	}
	return nil
}

// Commands are the services that the project has commands of.
func Commands(root string) []string { return Kinds(filepath.Join(root, "cmd")) }
