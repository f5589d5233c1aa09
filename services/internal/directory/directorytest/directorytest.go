// Package directorytest helps tests that need a directory or the shared data
// folder. Only tests import it.
package directorytest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/relais-fr/relais/services/internal/directory"
)

// SharedData is the path of a file in the data folder that stands beside the
// project's, `../shared/data`. Where it is missing the test is skipped and says
// so; with `data` in the environment variable RELAIS_REQUIRE it fails instead.
func SharedData(t testing.TB, elem ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{root(t), "..", "shared", "data"}, elem...)...)
	_, err := os.Stat(path)
	if err == nil {
		return path
	}
	if slices.Contains(strings.Split(os.Getenv("RELAIS_REQUIRE"), ","), "data") {
		t.Fatalf("RELAIS_REQUIRE asks for the shared data: %v", err)
	}
	t.Skipf("NOT CHECKED, the shared data is missing: ../shared/data/%s", filepath.Join(elem...))
	return ""
}

// root is the module's folder.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = parent
	}
}

// Recorder is a directory record before it is encoded.
type Recorder interface {
	Record() (directory.Record, error)
}

// View is a ready view that holds the participants, offices, services and
// settings.
func View(t testing.TB, all ...Recorder) *directory.View {
	t.Helper()
	records := make([]directory.Record, len(all))
	for i, r := range all {
		var err error
		if records[i], err = r.Record(); err != nil {
			t.Fatal(err)
		}
	}
	v, err := directory.NewViewOf(records...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
