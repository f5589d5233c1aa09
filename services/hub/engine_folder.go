package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// folder is the data folder while this process holds it.
type folder struct {
	dir      string
	lock     *os.File
	restored bool // a compaction had not come to its end
}

// The files of a data folder beside the broker's own. The format grows by one
// whenever a hub would misread what another version wrote.
const (
	lockName   = "LOCK"
	formatName = "FORMAT"
	dataFormat = "relais-data 1\n"
)

// openFolder makes the data folder if it is missing, takes its lock and checks
// its format. Passwords lie in it, so it is closed to others.
func openFolder(dir string) (*folder, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the data folder cannot be made: %w; give another with --data", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the data folder cannot be closed to others: %w; give another with --data", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the data folder cannot be written: %w; give another with --data", err)
	}
	f := &folder{dir: dir, lock: lock}
	if err := f.take(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return f, nil
}

func (f *folder) take() error {
	if err := lockFile(f.lock); err != nil {
		if errors.Is(err, errLocked) {
			return fmt.Errorf("the data folder %s is in use by another hub: stop it, or give another folder with --data", f.dir)
		}
		return fmt.Errorf("the data folder %s cannot be locked: %w", f.dir, err)
	}
	if err := f.checkFormat(); err != nil {
		return err
	}
	return f.restore()
}

func (f *folder) checkFormat() error {
	path := filepath.Join(f.dir, formatName)
	format, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		entries, err := os.ReadDir(f.dir)
		if err != nil {
			return fmt.Errorf("the data folder cannot be read: %w", err)
		}
		for _, e := range entries {
			if e.Name() != lockName && e.Name() != formatName+".tmp" && !strings.HasPrefix(e.Name(), keyName) {
				return fmt.Errorf("the folder %s holds something else (%s): give a new one with --data", f.dir, e.Name())
			}
		}
		return writeDurably(path, []byte(dataFormat))
	}
	if err != nil {
		return fmt.Errorf("the data folder cannot be read: %w", err)
	}
	if string(format) != dataFormat {
		return fmt.Errorf("the data folder %s has the format %q and this hub knows %q: use the hub version that wrote it, or a newer one",
			f.dir, strings.TrimSpace(string(format[:min(len(format), 40)])), strings.TrimSpace(dataFormat))
	}
	return nil
}

// writeDurably writes a whole file or nothing, and returns once it is on disk.
func writeDurably(path string, data []byte) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// close gives the folder back.
func (f *folder) close() error { return f.lock.Close() }
