package hub

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

// kcat runs kcat against the broker with input, and returns what it printed.
func kcat(t *testing.T, e *Embedded, input string, args ...string) string {
	t.Helper()
	path := enginetest.Program(t, "kcat")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, append([]string{"-q", "-b", e.KafkaAddr()}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("kcat %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestKcatWritesAndReads(t *testing.T) {
	t.Parallel()
	e := startEmbedded(t, inFolder(t.TempDir()))
	b := clientOf(t, e, nil)
	topic := "relais.from.cnaf"
	must(t, b.EnsureTopics(t.Context(), broker.TopicSpec{Name: topic, Partitions: 3, Settings: map[string]string{"retention.ms": "-1"}}))

	kcat(t, e, "cnaf.1:one\ncnaf.2:two\n", "-P", "-t", topic, "-K:", "-H", "content-type=application/cloudevents+json", "-X", "partitioner=murmur2_random", "-z", "snappy")
	p := broker.PartitionOf([]byte("cnaf.1"), 3)
	batch, err := b.Cursor(topic, p, 0).Fetch(t.Context())
	must(t, err)
	if len(batch.Records) == 0 || string(batch.Records[0].Header("content-type")) != "application/cloudevents+json" || string(batch.Records[0].Value) != "one" {
		t.Errorf("on partition %d: %+v", p, batch.Records)
	}

	produce(t, b, broker.Record{Topic: topic, Partition: 2, Key: []byte("k"), Value: []byte("three")})
	if got := kcat(t, e, "", "-C", "-t", topic, "-o", "beginning", "-e"); strings.Count(got, "\n") != 3 || !strings.Contains(got, "three") {
		t.Errorf("kcat read %q", got)
	}
	if got := kcat(t, e, "", "-G", "cnaf", "-c", "3", "-X", "auto.offset.reset=earliest", topic); strings.Count(got, "\n") != 3 {
		t.Errorf("kcat read in a group %q", got)
	}
}
