// Package directorytest helps tests that need a directory or the shared data
// folder. Only tests import it.
package directorytest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

// SharedData is the path of a file in the data folder that stands beside the
// project's, `../shared/data`. Where it is missing the test is skipped and says
// so; with `data` in the environment variable RELAIS_REQUIRE it fails instead.
func SharedData(t testing.TB, elem ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{enginetest.Root(t), "..", "shared", "data"}, elem...)...)
	_, err := os.Stat(path)
	if err == nil {
		return path
	}
	enginetest.Lacking(t, "data", "the shared data has no "+filepath.Join(elem...))
	return ""
}

// Recorder is a directory record before it is encoded.
type Recorder interface {
	Record() (directory.Record, error)
}

// Record is what the directory's topic says of something that can be encoded; it
// panics where it cannot.
func Record(r Recorder) directory.Record {
	record, err := r.Record()
	if err != nil {
		panic(err)
	}
	return record
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
