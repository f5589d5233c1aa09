package hub

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kfake"
)

func TestTheDoorsCloseWhenTheDiskIsNearlyFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t.TempDir(), 64<<20, slog.New(slog.DiscardHandler))
		for _, step := range []struct {
			free   uint64
			err    error
			closed string
		}{
			{free: 1 << 30},
			{free: 64 << 20},
			{free: 64<<20 - 1, closed: "nearly full (63 MiB left of the 64 MiB"},
			{free: 70 << 20, closed: "nearly full"}, // not yet: they would flap
			{free: 80 << 20},
			{err: errors.New("input/output error"), closed: "cannot be looked at (input/output error)"},
			{free: 1 << 30},
		} {
			d.free = func(string) (uint64, error) { return step.free, step.err }
			d.check()
			if got := d.closed(); got != step.closed && (step.closed == "" || !strings.Contains(got, step.closed)) {
				t.Errorf("with %d bytes free: %q", step.free, got)
			}
		}
	})
}

func TestTheDoorsCloseWhenAWriteHasFailed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	d := newDisk(dir, 1, slog.New(slog.DiscardHandler))
	log := &engineLog{d.log, d}
	log.Logf(kfake.LogLevelInfo, "persist batch %s-%d: %v", "t", 1, "nothing")
	log.Logf(kfake.LogLevelWarn, "a client asked for something odd")
	if got := d.closed(); got != "" {
		t.Errorf("closed for no reason: %s", got)
	}
	log.Logf(kfake.LogLevelWarn, "persist batch %s-%d: %v", "t", 1, "no space left on device")
	if got := d.closed(); !strings.Contains(got, "no space left on device") {
		t.Errorf("after a write has failed: %q", got)
	}
	// While a probe does not reach the disk, they stay closed.
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	d.free = func(string) (uint64, error) { return 1 << 30, nil }
	d.check()
	if d.closed() == "" {
		t.Error("they opened although nothing can be written")
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	d.check()
	if got := d.closed(); got != "" {
		t.Errorf("after a probe has reached the disk: %q", got)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("the probe left %v, %v", entries, err)
	}
}
