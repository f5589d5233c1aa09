package broker_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

// engine is a Kafka of either kind: three brokers of the embedded one in virtual
// time, or of Apache Kafka in its own. Its topics are the test's own.
type engine struct {
	t        *testing.T
	embedded *enginetest.Kafka // nil on Apache Kafka
	apache   *enginetest.Local // nil on the embedded one
	brokers  []string
	prefix   string
	dir      string // the embedded one's data
	gone     int32  // the broker that was killed, where one was
}

// limit is how long anything may take that a test waits for. A killed broker is
// noticed after some ten seconds, and all of this may run on a busy machine.
const limit = 90 * time.Second

func (e *engine) onApache() bool { return e.apache != nil }

// onTheEmbedded runs a test on an embedded cluster of its own, in virtual time.
func onTheEmbedded(t *testing.T, virtual bool, test func(t *testing.T, e *engine)) {
	bubble := synctest.Test
	if !virtual {
		bubble = func(t *testing.T, f func(*testing.T)) { f(t) }
	}
	bubble(t, func(t *testing.T) {
		dir := t.TempDir()
		k := enginetest.NewKafka(t, kfake.NumBrokers(3), kfake.Ports(9092, 9093, 9094), kfake.DataDir(dir))
		test(t, &engine{t: t, embedded: k, brokers: []string{"127.0.0.1:9092", "127.0.0.1:9093", "127.0.0.1:9094"}, prefix: "relais", dir: dir})
	})
}

// onApacheKafka runs a test on the cluster that is there, with topics of its own.
func onApacheKafka(t *testing.T, local *enginetest.Local, test func(t *testing.T, e *engine)) {
	e := &engine{t: t, apache: local, brokers: local.Brokers, prefix: fmt.Sprintf("conformance-%d", time.Now().UnixNano())}
	t.Cleanup(e.removeTopics)
	test(t, e)
}

// client is a client of ours, and the line that it takes.
func (e *engine) client(change ...func(*broker.Config)) (*broker.Broker, *enginetest.Line) {
	e.t.Helper()
	line := enginetest.NewLine((&net.Dialer{Timeout: 3 * time.Second}).DialContext)
	if e.embedded != nil {
		line = e.embedded.NewLine()
	}
	cfg := broker.Config{Brokers: e.brokers, Dial: line.Dial, Prefix: e.prefix}
	for _, c := range change {
		c(&cfg)
	}
	b, err := broker.New(cfg)
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { line.Resume(); _ = b.Close() })
	return b, line
}

// other is a client that is not ours: participants bring their own.
func (e *engine) other(opts ...kgo.Opt) *kgo.Client {
	e.t.Helper()
	opts = append([]kgo.Opt{kgo.SeedBrokers(e.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(100 * time.Millisecond)}, opts...)
	if e.embedded != nil {
		opts = append(opts, kgo.Dialer(e.embedded.Dial))
	}
	c, err := kgo.NewClient(opts...)
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(c.Close)
	return c
}

// topic makes a topic; settings are names and values.
func (e *engine) topic(b *broker.Broker, name string, partitions int, settings ...string) string {
	e.t.Helper()
	spec := broker.TopicSpec{Name: b.Topic(name), Partitions: partitions, Settings: map[string]string{"retention.ms": "-1"}}
	for i := 0; i < len(settings); i += 2 {
		spec.Settings[settings[i]] = settings[i+1]
	}
	if err := b.EnsureTopics(e.t.Context(), spec); err != nil {
		e.t.Fatal(err)
	}
	return spec.Name
}

func (e *engine) removeTopics() {
	b, err := broker.New(broker.Config{Brokers: e.brokers, Prefix: e.prefix})
	if err != nil {
		e.t.Error(err)
		return
	}
	defer func() { _ = b.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	all, err := b.Topics(ctx)
	if err != nil {
		e.t.Error(err)
		return
	}
	own := slices.DeleteFunc(all, func(name string) bool { return !strings.HasPrefix(name, e.prefix) })
	if len(own) > 0 {
		if err := b.DeleteTopics(ctx, own...); err != nil {
			e.t.Error(err)
		}
	}
}

// until waits for a condition.
func (e *engine) until(what string, met func() bool) {
	e.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); !met(); <-tick.C {
		if time.Since(begun) > limit {
			e.t.Fatalf("%v later still not: %s", limit, what)
		}
	}
}

// metadata is what the cluster says of a partition; ok is false while it says
// nothing, as when the broker that is asked was just killed.
func (e *engine) metadata(c *kgo.Client, topic string, partition int) (p kmsg.MetadataResponseTopicPartition, ok bool) {
	ask := kmsg.NewPtrMetadataRequest()
	named := kmsg.NewMetadataRequestTopic()
	named.Topic = &topic
	ask.Topics = append(ask.Topics, named)
	answer, err := ask.RequestWith(e.t.Context(), c)
	if err != nil {
		return p, false
	}
	for _, p := range answer.Topics[0].Partitions {
		if int(p.Partition) == partition {
			return p, p.Leader >= 0
		}
	}
	return p, false
}

// leader is the number of the broker that leads a partition, once there is one.
func (e *engine) leader(c *kgo.Client, topic string, partition int) (n int32) {
	e.t.Helper()
	e.until("a partition has a leader", func() bool {
		p, ok := e.metadata(c, topic, partition)
		n = p.Leader
		return ok
	})
	return n
}

// kill ends a broker as a crash would.
func (e *engine) kill(n int32) {
	e.t.Helper()
	e.gone = n
	if e.onApache() {
		e.apache.Kill(e.t, int(n))
		return
	}
	if err := e.embedded.Cluster.RemoveNode(n); err != nil {
		e.t.Fatal(err)
	}
}

// revive starts what was killed.
func (e *engine) revive() {
	e.t.Helper()
	if e.onApache() {
		e.apache.Start(e.t)
		return
	}
	if _, _, err := e.embedded.Cluster.AddNode(e.gone, 9092+int(e.gone)); err != nil {
		e.t.Fatal(err)
	}
}

// stop ends all brokers.
func (e *engine) stop() {
	if e.onApache() {
		e.apache.Stop(e.t)
		return
	}
	e.embedded.Stop()
}

// start starts all brokers, with what they held.
func (e *engine) start() {
	if e.onApache() {
		e.apache.Start(e.t)
		return
	}
	e.embedded.Start(e.t)
}

// cut removes the records of a partition before an offset.
func (e *engine) cut(topic string, partition int, before int64) {
	e.t.Helper()
	ask := kmsg.NewPtrDeleteRecordsRequest()
	ask.TimeoutMillis = 10_000
	of := kmsg.NewDeleteRecordsRequestTopic()
	of.Topic = topic
	of.Partitions = append(of.Partitions, kmsg.DeleteRecordsRequestTopicPartition{Partition: int32(partition), Offset: before})
	ask.Topics = append(ask.Topics, of)
	answer, err := ask.RequestWith(e.t.Context(), e.other())
	if err == nil {
		err = kerr.ErrorForCode(answer.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		e.t.Fatalf("delete records of %s/%d: %v", topic, partition, err)
	}
}

// segment is the file of a partition's newest records, in a broker's folder.
func (e *engine) segment(dir, topic string, partition int) string {
	e.t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "partitions", "*", "*.dat"))
	if e.onApache() {
		files, err = filepath.Glob(filepath.Join(dir, fmt.Sprintf("%s-%d", topic, partition), "*.log"))
	}
	if err != nil || len(files) == 0 {
		var all []string
		_ = filepath.Walk(dir, func(path string, _ os.FileInfo, _ error) error { all = append(all, path); return nil })
		e.t.Fatalf("no segment of %s/%d: %v\n%s", topic, partition, err, strings.Join(all, "\n"))
	}
	slices.Sort(files)
	return files[len(files)-1]
}

// halve cuts a file in its middle.
func (e *engine) halve(file string) {
	e.t.Helper()
	info, err := os.Stat(file)
	if err == nil {
		err = os.Truncate(file, info.Size()/2)
	}
	if err != nil {
		e.t.Fatal(err)
	}
}

// said is an error of ours as the table of differences has it.
func said(err error) string {
	var no *broker.RefusedError
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &no):
		return "refused: " + kafkaWord(no.Err)
	case errors.Is(err, context.DeadlineExceeded):
		return "waits"
	}
	return err.Error()
}

// kafkaWord is Kafka's own name of an answer, without its number and advice.
func kafkaWord(err error) string {
	word := err.Error()
	if _, after, ok := strings.Cut(word, "] "); ok {
		word = after
	}
	word, _, _ = strings.Cut(word, ":")
	return word
}
