// Package datatest finds the shared data folder for hubctl's tests. Only tests
// import it.
package datatest

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Path is the path of a file in the data folder that stands beside the project's,
// `../shared/data`. Where it is missing the test is skipped and says so; with
// `data` in the environment variable RELAIS_REQUIRE it fails instead.
func Path(t testing.TB, elem ...string) string {
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

// Day is the file of the simulated day.
func Day(t testing.TB) string { return Path(t, "load", "events-2024-05-14.ndjson.gz") }

// Zones are the time zones of the offices in the official list.
func Zones(t testing.TB) map[string]*time.Location {
	t.Helper()
	f, err := os.Open(Path(t, "offices", "liste-fs-20240801.expected.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	zones := map[string]*time.Location{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var office struct{ ID, TimeZone string }
		if err := json.Unmarshal(lines.Bytes(), &office); err != nil {
			t.Fatal(err)
		}
		if zones[office.ID], err = time.LoadLocation(office.TimeZone); err != nil {
			t.Fatal(err)
		}
	}
	return zones
}
