//go:build linux

package hub

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/services/internal/broker"
)

// smallDisk is a file system of that many bytes, or the end of the test where
// none can be had.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("relais-test", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		if strings.Contains(os.Getenv("RELAIS_REQUIRE"), "disk") {
			t.Fatalf("a small file system is required and cannot be mounted: %v", err)
		}
		t.Skipf("the behaviour on a full disk is not shown: mounting a small file system needs root (%v)", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// writer hands records in one after the other and writes down what was
// acknowledged, by offset.
type writer struct {
	mu    sync.Mutex
	acked map[int64]string
	tried int
}

func (w *writer) run(t *testing.T, b *broker.Broker, topic string, stop <-chan struct{}) {
	filler := strings.Repeat("x", 2000)
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		value := fmt.Sprintf("%06d %s", i, filler)
		w.mu.Lock()
		w.tried++
		w.mu.Unlock()
		offset, err := b.Produce(t.Context(), broker.Record{Topic: topic, Value: []byte(value)})
		if errors.Is(err, broker.ErrClosed) {
			return
		}
		if err != nil {
			t.Error(err)
			return
		}
		w.mu.Lock()
		w.acked[offset] = value
		w.mu.Unlock()
	}
}

func (w *writer) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.acked)
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within ten seconds", what)
		}
	}
}

// The disk is filled to the last byte under a writer, then freed. What was
// acknowledged is there, at its offset: without a restart, after a restart, and
// in a copy of the folder made while the hub ran, which is what a kill leaves.
func TestNothingAcknowledgedIsLostOnAFullDisk(t *testing.T) {
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

// assertThere starts a hub on the folder and wants every acknowledged record at
// its offset, and nothing that was never handed in.
func assertThere(t *testing.T, data, topic string, w *writer) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	e := startEmbedded(t, func(c *EmbeddedConfig) { c.DataDir, c.LeastFree = data, 1 })
	b := clientOf(t, e, e.Dial)
	r, err := b.RangeOf(t.Context(), topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := map[int64]string{}
	for cursor := b.Cursor(topic, 0, r.First); cursor.Position() < r.Next; {
		batch, err := cursor.Fetch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range batch.Records {
			got[rec.Offset] = string(rec.Value)
		}
	}
	for offset, value := range w.acked {
		if diff := cmp.Diff(value[:6], got[offset][:min(6, len(got[offset]))]); diff != "" {
			t.Fatalf("at offset %d of %v (-acknowledged +there):\n%s", offset, r, diff)
		}
	}
	if int64(len(got)) != r.Next || len(got) > 2*w.tried {
		t.Errorf("%d records in %v, %d acknowledged, %d tried", len(got), r, len(w.acked), w.tried)
	}
	if err := errors.Join(b.Close(), e.Close()); err != nil {
		t.Error(err)
	}
}
