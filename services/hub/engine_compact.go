package hub

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Compaction is done when the hub starts, before the doors open. The embedded
// broker removes a partition's files before it writes the compacted ones, so
// the old ones are kept aside, as hard links, until the new ones are on disk;
// a hub that finds them there at its start puts them back.
const (
	asideName   = "compacting"       // old partitions, being linked or complete
	asideReady  = "compacting.ready" // there when they are complete
	compactFrom = 4 << 20            // bytes in a compacted topic below which it is not worth it
)

func (e *Embedded) compact(ctx context.Context) error {
	if e.folder.restored {
		// It did not come to an end last time; not twice in a row.
		return nil
	}
	partitions, size, err := e.compacted(ctx)
	if err != nil || size < compactFrom {
		return err
	}
	if free, err := freeSpace(e.folder.dir); err != nil || free < e.cfg.LeastFree+2*uint64(size) {
		e.log.Warn("not enough room on the disk to compact the data folder", "need", size, "free", free, "error", err)
		return nil
	}
	started := time.Now()
	if err := e.folder.setAside(partitions); err != nil {
		return err
	}
	e.kafka.Compact()
	if reason := e.disk.closed(); reason != "" {
		return fmt.Errorf("%s; start the hub again once there is room, the data is safe", reason)
	}
	if err := e.folder.forget(partitions); err != nil {
		return err
	}
	_, after, err := e.compacted(ctx)
	e.log.Info("data folder compacted", "before", size, "after", after, "duration", time.Since(started))
	return err
}

// compacted lists the folders of the compacted topics' partitions, and how many
// bytes they hold.
func (e *Embedded) compacted(ctx context.Context) (partitions []string, size int64, err error) {
	topics, err := e.client.Topics(ctx)
	if err != nil {
		return nil, 0, err
	}
	for _, topic := range topics {
		info := e.kafka.TopicInfo(topic)
		if info == nil || info.Configs["cleanup.policy"] == nil || !strings.Contains(*info.Configs["cleanup.policy"], "compact") {
			continue
		}
		for _, p := range e.kafka.PartitionInfos(topic) {
			size += p.NumBytes
			partitions = append(partitions, fmt.Sprintf("%s-%d", url.PathEscape(topic), p.Partition))
		}
	}
	return partitions, size, nil
}

func (f *folder) partitions() string { return filepath.Join(f.kafka(), "partitions") }
func (f *folder) aside() string      { return filepath.Join(f.dir, asideName) }
func (f *folder) ready() string      { return filepath.Join(f.dir, asideReady) }

// setAside links the files of the partitions and returns once that is durable.
func (f *folder) setAside(partitions []string) error {
	if err := os.RemoveAll(f.aside()); err != nil {
		return err
	}
	for _, p := range partitions {
		from, to := filepath.Join(f.partitions(), p), filepath.Join(f.aside(), p)
		entries, err := os.ReadDir(from)
		if errors.Is(err, fs.ErrNotExist) {
			continue // nothing was ever written to it
		}
		if err != nil {
			return err
		}
		if err := os.MkdirAll(to, 0o700); err != nil {
			return err
		}
		for _, e := range entries {
			if err := os.Link(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
				return err
			}
		}
		if err := syncDir(to); err != nil {
			return err
		}
	}
	if err := syncDir(f.aside()); err != nil {
		return err
	}
	return writeDurably(f.ready(), nil)
}

// forget removes what was set aside, once what replaces it is durable.
func (f *folder) forget(partitions []string) error {
	for _, p := range partitions {
		if err := syncDir(filepath.Join(f.partitions(), p)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Remove(f.ready()); err != nil {
		return err
	}
	if err := syncDir(f.dir); err != nil {
		return err
	}
	return os.RemoveAll(f.aside())
}

// restore puts back what a compaction that did not come to its end set aside.
func (f *folder) restore() error {
	if _, err := os.Stat(f.ready()); errors.Is(err, fs.ErrNotExist) {
		return os.RemoveAll(f.aside())
	} else if err != nil {
		return err
	}
	entries, err := os.ReadDir(f.aside())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		// A crash in between leaves the partition here, for the next start.
		live := filepath.Join(f.partitions(), e.Name())
		if err := os.RemoveAll(live); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(f.aside(), e.Name()), live); err != nil {
			return err
		}
	}
	f.restored = true
	return f.forget(nil)
}
