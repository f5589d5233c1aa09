package topic_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/relais-fr/relais/cmd/hubctl/internal/topic"
)

const name = "relais.to.cnaf"

// stand is an embedded broker with a topic of one partition.
type stand struct {
	t     *testing.T
	kafka *kfake.Cluster
}

func newStand(t *testing.T, opts ...kfake.Opt) *stand {
	t.Helper()
	kafka, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(1, name)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	return &stand{t, kafka}
}

func (s *stand) client(opts ...kgo.Opt) *kgo.Client {
	s.t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(s.kafka.ListenAddrs()...), kgo.DefaultProduceTopic(name))...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(client.Close)
	return client
}

func (s *stand) write(client *kgo.Client, values ...string) {
	s.t.Helper()
	for _, v := range values {
		if err := client.ProduceSync(s.t.Context(), kgo.StringRecord(v)).FirstErr(); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *stand) config() topic.Config {
	return topic.Config{Topic: name, Bootstrap: s.kafka.ListenAddrs(), Patience: 5 * time.Second}
}

// reads reads the topic, and does something after each record.
func (s *stand) reads(want []string, after func()) {
	s.t.Helper()
	var got []string
	partitions, err := topic.Read(s.t.Context(), s.config(), func(r topic.Record) error {
		got = append(got, fmt.Sprintf("%d %s", r.Offset, r.Value))
		after()
		return nil
	})
	if diff := cmp.Diff(want, got); diff != "" || err != nil || partitions != 1 {
		s.t.Errorf("%d partitions, %v (-want +got)\n%s", partitions, err, diff)
	}
}

func nothing() {}

func TestItEndsWhereTheTopicEndedAtTheStart(t *testing.T) {
	s := newStand(t)
	client := s.client()
	s.write(client, "one", "two")
	s.reads([]string{"0 one", "1 two"}, func() { s.write(client, "later") })
}

func TestATransactionThatWasAbortedAtTheEndIsNotWaitedFor(t *testing.T) {
	s := newStand(t)
	client := s.client(kgo.TransactionalID("hub"))
	for _, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort} {
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		s.write(client, fmt.Sprintf("committed %v", bool(end)))
		if err := client.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	s.reads([]string{"0 committed true"}, nothing)
}

func TestWhatWasDeletedBeforeIsNotMissed(t *testing.T) {
	s := newStand(t)
	client := s.client()
	s.write(client, "one", "two", "three")
	s.forget(client, 0, 2)
	s.reads([]string{"2 three"}, nothing)
}

func TestWhatIsDeletedMeanwhileIsPassedOver(t *testing.T) {
	s := newStand(t, kfake.SeedTopics(2, name))
	client := s.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for _, r := range []kgo.Record{{Partition: 0, Value: []byte("one")}, {Partition: 1, Value: []byte("two")}, {Partition: 1, Value: []byte("three")}} {
		if err := client.ProduceSync(t.Context(), &r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	partitions, err := topic.Read(t.Context(), s.config(), func(r topic.Record) error {
		if got = append(got, string(r.Value)); r.Partition == 0 {
			s.forget(client, 1, 1)
		}
		return nil
	})
	if diff := cmp.Diff([]string{"one", "three"}, got); diff != "" || err != nil || partitions != 2 {
		t.Errorf("%d partitions, %v (-want +got)\n%s", partitions, err, diff)
	}
}

// forget deletes all records of a partition before an offset.
func (s *stand) forget(client *kgo.Client, partition int32, before int64) {
	s.t.Helper()
	ask := kmsg.NewPtrDeleteRecordsRequest()
	of := kmsg.DeleteRecordsRequestTopic{Topic: name, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: partition, Offset: before}}}
	ask.Topics, ask.TimeoutMillis = append(ask.Topics, of), 1000
	answer, err := ask.RequestWith(s.t.Context(), client)
	if err != nil || answer.Topics[0].Partitions[0].ErrorCode != 0 {
		s.t.Errorf("delete records: %v, %+v", err, answer)
	}
}

func TestALeaderThatMovesIsFollowed(t *testing.T) {
	s := newStand(t)
	s.write(s.client(), "one")
	asked := 0
	s.kafka.ControlKey(int16(kmsg.Fetch), func(q kmsg.Request) (kmsg.Response, error, bool) {
		asked++
		answer := q.ResponseKind().(*kmsg.FetchResponse)
		of := kmsg.NewFetchResponseTopicPartition()
		of.ErrorCode = kerr.NotLeaderForPartition.Code
		answer.Topics = append(answer.Topics, kmsg.FetchResponseTopic{Topic: name, Partitions: []kmsg.FetchResponseTopicPartition{of}})
		return answer, nil, true
	})
	s.reads([]string{"0 one"}, nothing)
	if asked != 1 {
		t.Errorf("the broker that leads no more was asked %d times", asked)
	}
}

func TestABrokerThatSaysNothingIsGivenUp(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	started := time.Now()
	_, err = topic.Read(t.Context(), topic.Config{Topic: name, Bootstrap: []string{silent.Addr().String()}, Patience: 200 * time.Millisecond}, nil)
	if err == nil || !strings.Contains(err.Error(), "no Kafka broker answers at ") || time.Since(started) > 5*time.Second {
		t.Errorf("after %v: %v", time.Since(started), err)
	}
}

func TestASilentBrokerDoesNotKeepWhoStopsIt(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	started := time.Now()
	_, err = topic.Read(ctx, topic.Config{Topic: name, Bootstrap: []string{silent.Addr().String()}}, nil)
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(started) > 5*time.Second {
		t.Errorf("after %v: %v", time.Since(started), err)
	}
}

func TestWhatItsReceiverFindsIsToldAsItIs(t *testing.T) {
	s := newStand(t)
	s.write(s.client(), "one")
	own := errors.New("the registry is away")
	if _, err := topic.Read(t.Context(), s.config(), func(topic.Record) error { return own }); err != own { //nolint:errorlint // as it is
		t.Errorf("%v", err)
	}
}
