package enginetest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Lacking ends a test that needs something which is not here: the test is skipped
// and says why. It fails instead where RELAIS_REQUIRE, a comma-separated list, has
// that name, so that a machine that should have everything shows everything.
func Lacking(t testing.TB, name, why string) {
	t.Helper()
	if Required(name) {
		t.Fatalf("RELAIS_REQUIRE names %s, but %s", name, why)
	}
	t.Skip("NOT SHOWN: " + why)
}

// Required says whether RELAIS_REQUIRE names what a test would need: what takes
// long runs only then.
func Required(name string) bool {
	return slices.Contains(strings.Split(os.Getenv("RELAIS_REQUIRE"), ","), name)
}

// Program is the path of a tool's program, by the first of its names that is
// there; the tool's own name by default.
func Program(t testing.TB, tool string, names ...string) string {
	t.Helper()
	if len(names) == 0 {
		names = []string{tool}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	Lacking(t, tool, tool+" is not installed")
	return ""
}

// Root is the project's folder.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the test's folder")
		}
		dir = parent
	}
}

// Python is an interpreter that has the modules: RELAIS_PYTHON, or python3.
func Python(t testing.TB, modules ...string) string {
	t.Helper()
	path := os.Getenv("RELAIS_PYTHON")
	if path == "" {
		path = Program(t, "python", "python3")
	}
	imports := "import " + strings.Join(modules, ", ")
	if err := exec.CommandContext(t.Context(), path, "-c", imports).Run(); err != nil {
		Lacking(t, "python", path+" cannot "+imports)
	}
	return path
}
