package hub

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/relais-fr/relais/services/internal/broker"
)

func startEmbedded(t *testing.T, change ...func(*EmbeddedConfig)) *Embedded {
	t.Helper()
	cfg := EmbeddedConfig{KafkaAddr: "127.0.0.1:0"}
	for _, c := range change {
		c(&cfg)
	}
	e, err := StartEmbedded(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func inFolder(dir string) func(*EmbeddedConfig) {
	return func(c *EmbeddedConfig) { c.DataDir = dir }
}

func clientOf(t *testing.T, e *Embedded, dial func(context.Context, string, string) (net.Conn, error)) *broker.Broker {
	t.Helper()
	b, err := broker.New(broker.Config{Brokers: []string{e.KafkaAddr()}, Dial: dial, DrainTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func produce(t *testing.T, b *broker.Broker, rec broker.Record) int64 {
	t.Helper()
	offset, err := b.Produce(t.Context(), rec)
	if err != nil {
		t.Fatal(err)
	}
	return offset
}

func TestWhatWasAcknowledgedIsThereAfterARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	for run := range 3 {
		e := startEmbedded(t, inFolder(dir))
		b := clientOf(t, e, nil) // over TCP
		spec := broker.TopicSpec{Name: "relais.submitted", Partitions: 2, Settings: map[string]string{"retention.ms": "-1"}}
		if err := b.EnsureTopics(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
		if got := produce(t, b, broker.Record{Topic: spec.Name, Partition: 1, Value: []byte("x")}); got != int64(run) {
			t.Errorf("run %d: offset %d", run, got)
		}
		if err := errors.Join(b.Close(), e.Close()); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the data folder is open to others: %v, %v", info.Mode(), err)
	}
}

func TestTheStoreIsReachedWithinTheProcess(t *testing.T) {
	e := startEmbedded(t)
	client := e.Redis()
	defer func() { _ = client.Close() }()
	if err := client.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	b := clientOf(t, e, e.Dial)
	if err := b.Ping(t.Context()); err != nil {
		t.Errorf("the broker within the process: %v", err)
	}
}

func TestStartIsRefusedInOneSentence(t *testing.T) {
	taken := startEmbedded(t, inFolder(t.TempDir()))
	newer := t.TempDir()
	writeFile(t, filepath.Join(newer, formatName), "relais-data 2\n")
	other := t.TempDir()
	writeFile(t, filepath.Join(other, "thesis.tex"), "")

	for _, test := range []struct {
		name string
		cfg  EmbeddedConfig
		want string
	}{
		{"when another hub has the folder", EmbeddedConfig{DataDir: taken.cfg.DataDir, KafkaAddr: "127.0.0.1:0"}, "in use by another hub"},
		{"when a newer hub wrote the folder", EmbeddedConfig{DataDir: newer, KafkaAddr: "127.0.0.1:0"}, `has the format "relais-data 2"`},
		{"when the folder is somebody else's", EmbeddedConfig{DataDir: other, KafkaAddr: "127.0.0.1:0"}, "holds something else (thesis.tex)"},
		{"when the folder cannot be made", EmbeddedConfig{DataDir: filepath.Join(newer, formatName, "x"), KafkaAddr: "127.0.0.1:0"}, "cannot be made"},
		{"when the port is taken", EmbeddedConfig{KafkaAddr: taken.KafkaAddr()}, "is not free for --kafka"},
		{"when the address is no address", EmbeddedConfig{KafkaAddr: "9092"}, "is no address for --kafka"},
		{"when clients could not come back to the address", EmbeddedConfig{KafkaAddr: "0.0.0.0:0"}, "could come back to"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, err := StartEmbedded(t.Context(), test.cfg)
			if err == nil {
				t.Fatal(e.Close(), "it started")
			}
			if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error is %q", err)
			}
		})
	}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTwoHubsLiveInOneProcess(t *testing.T) {
	one, two := startEmbedded(t, inFolder(t.TempDir())), startEmbedded(t, inFolder(t.TempDir()))
	for i, e := range []*Embedded{one, two} {
		b := clientOf(t, e, nil)
		spec := broker.TopicSpec{Name: fmt.Sprintf("of.%d", i), Partitions: 1}
		if err := b.EnsureTopics(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
		topics, err := b.Topics(t.Context())
		if err != nil || len(topics) != 1 || topics[0] != spec.Name {
			t.Errorf("topics of hub %d: %v, %v", i, topics, err)
		}
	}
}
