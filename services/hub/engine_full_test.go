//go:build linux

package hub

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

// smallDisk is a file system of that many bytes, or the end of the test where
// none can be had.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("relais-test", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		enginetest.Lacking(t, "disk", fmt.Sprintf("mounting a small file system needs root: %v", err))
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// The disk is filled to the last byte under a writer, then freed. What was
// acknowledged is there, at its offset: without a restart, after a restart, and
// in a copy of the folder made while the hub ran, which is what a kill leaves.
func TestNothingAcknowledgedIsLostOnAFullDisk(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, 24<<20)
	data := filepath.Join(disk, "data")
	small := func(c *EmbeddedConfig) { c.DataDir, c.LeastFree = data, 1<<20 }
	e := startEmbedded(t, small)
	b := clientOf(t, e, e.Dial)
	topic := "relais.submitted"
	if err := b.EnsureTopics(t.Context(), broker.TopicSpec{Name: topic, Partitions: 1, Settings: map[string]string{"retention.ms": "-1", "segment.bytes": "300000"}}); err != nil {
		t.Fatal(err)
	}
	w := &writer{acked: map[int64]string{}}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { defer close(stopped); w.run(t, b, topic, stop) }()
	await(t, "records are acknowledged", func() bool { return w.count() > 300 })

	filler := filepath.Join(disk, "filler")
	for round := range 3 {
		fillUp(t, filler)
		await(t, "the doors close", e.DiskFull)
		seen := -1
		await(t, "writes fail", func() bool {
			before := seen
			seen = w.count()
			time.Sleep(300 * time.Millisecond)
			return before == seen
		})
		if round == 1 {
			// What a kill would leave now, restarted with room on the disk.
			killed := filepath.Join(t.TempDir(), "data")
			if err := os.CopyFS(killed, os.DirFS(data)); err != nil {
				t.Fatal(err)
			}
			assertThere(t, killed, topic, w)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		await(t, "writing goes on", func() bool { return w.count() > seen+100 })
		await(t, "the doors open again", func() bool { return !e.DiskFull() })
	}
	close(stop)
	<-stopped
	if err := errors.Join(b.Close(), e.Close()); err != nil {
		t.Fatal(err)
	}
	assertThere(t, data, topic, w)
}

// fillUp writes to the file until nothing more fits on its disk.
func fillUp(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for block := make([]byte, 64<<10); len(block) > 0; {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
}
