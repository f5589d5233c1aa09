package hub

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/services/internal/broker"
)

// offices writes versions of the same keys to a compacted topic until the
// folder is worth compacting, and returns the latest of each.
func offices(t *testing.T, b *broker.Broker, topic string) map[string]string {
	t.Helper()
	spec := broker.TopicSpec{Name: topic, Partitions: 1, Settings: map[string]string{"cleanup.policy": "compact", "retention.ms": "-1"}}
	if err := b.EnsureTopics(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for version := range 6 {
		var recs []broker.Record
		for i := range 100 {
			key, value := fmt.Sprintf("office/fs-%d", i), fmt.Sprintf("%d %s", version, strings.Repeat("x", 8000))
			recs = append(recs, broker.Record{Topic: topic, Key: []byte(key), Value: []byte(value)})
			want[key] = value
		}
		if _, err := b.ProduceBatch(t.Context(), topic, 0, recs); err != nil {
			t.Fatal(err)
		}
	}
	return want
}

// read is the latest value of each key, and how many records there are.
func read(t *testing.T, b *broker.Broker, topic string) (latest map[string]string, n int) {
	t.Helper()
	r, err := b.RangeOf(t.Context(), topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	latest = map[string]string{}
	for cursor := b.Cursor(topic, 0, r.First); cursor.Position() < r.Next; {
		batch, err := cursor.Fetch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range batch.Records {
			latest[string(rec.Key)] = string(rec.Value)
			n++
		}
	}
	return latest, n
}

func TestCompactionAtStartKeepsTheLatestOfEachKey(t *testing.T) {
	const topic = "relais.directory"
	dir := filepath.Join(t.TempDir(), "data")
	e := startEmbedded(t, inFolder(dir))
	b := clientOf(t, e, e.Dial)
	want := offices(t, b, topic)
	if err := errors.Join(b.Close(), e.Close()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		e = startEmbedded(t, inFolder(dir))
		b = clientOf(t, e, e.Dial)
		got, n := read(t, b, topic)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("after compaction (-want +got):\n%s", diff)
		}
		// The last batch is never compacted, and one record is added below.
		if n > 201 {
			t.Errorf("there are still %d records", n)
		}
		if offset := produce(t, b, broker.Record{Topic: topic, Key: []byte("office/fs-0"), Value: []byte(want["office/fs-0"])}); offset < 600 {
			t.Errorf("offset %d was used twice", offset)
		}
		for _, name := range []string{asideName, asideReady} {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				t.Errorf("%s was left behind", name)
			}
		}
		if err := errors.Join(b.Close(), e.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAKillInACompactionLosesNothing(t *testing.T) {
	const topic = "relais.directory"
	// killed is what the folder is like when the hub dies at that moment.
	for name, kill := range map[string]func(t *testing.T, f *folder){
		"while the old files are set aside": func(t *testing.T, f *folder) {
			must(t, f.setAside([]string{topic + "-0"}), os.Remove(f.ready()))
		},
		"after the old files were removed": func(t *testing.T, f *folder) {
			must(t, f.setAside([]string{topic + "-0"}), os.RemoveAll(filepath.Join(f.partitions(), topic+"-0")))
		},
		"while the new files are written": func(t *testing.T, f *folder) {
			live := filepath.Join(f.partitions(), topic+"-0")
			must(t, f.setAside([]string{topic + "-0"}), os.RemoveAll(live), os.Mkdir(live, 0o700),
				os.WriteFile(filepath.Join(live, "0.dat"), []byte("half a batch"), 0o600))
		},
		"while the old files are put back": func(t *testing.T, f *folder) {
			live := filepath.Join(f.partitions(), topic+"-0")
			must(t, f.setAside([]string{topic + "-0"}), os.RemoveAll(live), os.Rename(filepath.Join(f.aside(), topic+"-0"), live))
		},
		"while what was set aside is forgotten": func(t *testing.T, f *folder) {
			must(t, f.setAside([]string{topic + "-0"}), os.Remove(f.ready()), os.Remove(filepath.Join(f.aside(), topic+"-0", "snapshot.json")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			e := startEmbedded(t, inFolder(dir))
			b := clientOf(t, e, e.Dial)
			want := offices(t, b, topic)
			must(t, b.Close(), e.Close())
			kill(t, &folder{dir: dir})

			e = startEmbedded(t, inFolder(dir))
			b = clientOf(t, e, e.Dial)
			got, _ := read(t, b, topic)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("after the kill (-want +got):\n%s", diff)
			}
		})
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestRetentionLeavesTheLastRecordAndItsOffset(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	e := startEmbedded(t, inFolder(dir))
	b := clientOf(t, e, e.Dial)
	spec := func(name string, settings map[string]string) broker.TopicSpec {
		return broker.TopicSpec{Name: name, Partitions: 1, Settings: settings}
	}
	limited := map[string]string{"retention.ms": fmt.Sprint((14 * 24 * time.Hour).Milliseconds()), "cleanup.policy": "delete"}
	must(t, b.EnsureTopics(t.Context(), spec("old", limited), spec("mixed", limited),
		spec("kept", map[string]string{"retention.ms": "-1"}), spec("unsaid", nil),
		spec("compacted", map[string]string{"cleanup.policy": "compact"})))
	write := func(topic string, age time.Duration) {
		produce(t, b, broker.Record{Topic: topic, Key: []byte("k"), Value: []byte("v"), Time: time.Now().Add(-age)})
	}
	const day = 24 * time.Hour
	for _, topic := range []string{"old", "mixed", "kept", "unsaid", "compacted"} {
		write(topic, 40*day)
		write(topic, 30*day)
	}
	write("mixed", 10*day)
	write("mixed", 0)
	e.applyRetention(t.Context())
	must(t, b.Close(), e.Close())

	e = startEmbedded(t, inFolder(dir))
	b = clientOf(t, e, e.Dial)
	got := map[string]broker.Range{}
	for _, topic := range []string{"old", "mixed", "kept", "unsaid", "compacted"} {
		r, err := b.RangeOf(t.Context(), topic, 0)
		must(t, err)
		got[topic] = r
	}
	want := map[string]broker.Range{"old": {First: 1, Next: 2}, "mixed": {First: 2, Next: 4}, "kept": {First: 0, Next: 2}, "unsaid": {First: 0, Next: 2}, "compacted": {First: 0, Next: 2}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after retention and a restart (-want +got):\n%s", diff)
	}
}
