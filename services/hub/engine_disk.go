package hub

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"
)

// disk watches the data folder's file system. When it is nearly full, or a
// write has failed, the doors close while there is still room for what was
// accepted to travel on, and open again when writing works again.
type disk struct {
	dir   string
	least uint64
	log   *slog.Logger
	free  func(dir string) (uint64, error)

	mu     sync.Mutex
	failed error  // of the last write that is known to have failed
	reason string // why the doors are closed; "" when open
}

func newDisk(dir string, least uint64, log *slog.Logger) *disk {
	return &disk{dir: dir, least: least, log: log, free: freeSpace}
}

func (d *disk) closed() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.reason
}

// writeFailed closes the doors until a check finds that writing works.
func (d *disk) writeFailed(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failed = err
	d.set(fmt.Sprintf("the data folder could not be written (%v): nothing is accepted until it can be, nothing acknowledged is lost", err))
}

// check is made every second.
func (d *disk) check() {
	free, err := d.free(d.dir)
	d.mu.Lock()
	defer d.mu.Unlock()
	need := d.least
	if d.reason != "" {
		need += d.least / 4 // so that the doors do not flap
	}
	switch {
	case err != nil:
		d.set(fmt.Sprintf("the data folder cannot be looked at (%v): nothing is accepted until it can be", err))
	case free < need:
		d.set(fmt.Sprintf("the disk of the data folder is nearly full (%d MiB left of the %d MiB that are needed): nothing is accepted until there is room, nothing acknowledged is lost",
			free>>20, need>>20))
	case d.failed != nil && d.probe() != nil:
		// Still failing; the reason stays.
	default:
		d.failed = nil
		d.set("")
	}
}

// probe writes a little and sees whether it reaches the disk.
func (d *disk) probe() error {
	path := filepath.Join(d.dir, "probe")
	defer func() { _ = os.Remove(path) }()
	return writeDurably(path, make([]byte, 64<<10))
}

// set is called with d.mu held.
func (d *disk) set(reason string) {
	switch {
	case d.reason == "" && reason != "":
		d.log.Error("doors closed", "reason", reason)
	case d.reason != "" && reason == "":
		d.log.Info("doors open again")
	}
	d.reason = reason
}

// engineLog passes the embedded broker's words on, and hears of writes that
// failed: the broker tells its client "unknown error" and nobody else.
type engineLog struct {
	log  *slog.Logger
	disk *disk
}

var _ kfake.Logger = (*engineLog)(nil)

// Logf implements kfake.Logger.
func (l *engineLog) Logf(level kfake.LogLevel, format string, args ...any) {
	if level > kfake.LogLevelWarn {
		return
	}
	detail := fmt.Sprintf(format, args...)
	if strings.HasPrefix(format, "persist") || strings.HasPrefix(format, "rebuildSegments") || strings.HasPrefix(format, "save session") {
		l.disk.writeFailed(fmt.Errorf("%s", detail))
	}
	to := slog.LevelWarn
	if level == kfake.LogLevelError {
		to = slog.LevelError
	}
	l.log.Log(context.Background(), to, "embedded broker", "detail", detail)
}
