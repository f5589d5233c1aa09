// Package topic reads a topic of Kafka once, from its first record to the one that was
// last when the reading began, as a participant may: by offsets, with nothing but the
// right to read the topic, and in no consumer group, so that nobody's place is moved.
//
// It is a client like those that operators write, and so the only package of hubctl
// that talks to Kafka. What a record means it leaves to its caller.
package topic

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Config says which topic, where it is and how to sign in there.
type Config struct {
	Topic string
	// Bootstrap are host:port addresses of the cluster.
	Bootstrap []string
	// User signs in by SCRAM-SHA-512; "" does not.
	User, Password string
	// TLS encrypts, and signs in with the certificate that it has; nil does neither.
	TLS *tls.Config
	// Patience is how long the cluster may bring nothing; 10 s by default.
	Patience time.Duration
	// Progress, which may be nil, is told how many of the offsets are behind.
	Progress func(done, all int64)
}

// Record is one record. Its bytes are the receiver's to keep.
type Record struct {
	Partition int32
	Offset    int64
	// Value is nil for a tombstone.
	Value []byte
}

// Read gives each record to take, partition after partition in the order of offsets,
// and returns how many partitions there are. Records that come while it reads are not
// read: it ends. Those of aborted transactions are left out, as consumers do. It
// returns ctx's error when ctx ends, and take's.
func Read(ctx context.Context, cfg Config, take func(Record) error) (partitions int, err error) {
	if cfg.Patience <= 0 {
		cfg.Patience = 10 * time.Second
	}
	client, err := connect(ctx, cfg)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	r := &reader{cfg: cfg, client: client, take: take}
	if err := r.read(ctx); err != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return 0, r.explain(err)
	}
	return len(r.spans), nil
}

func connect(ctx context.Context, cfg Config) (*kgo.Client, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(cfg.Bootstrap...), kgo.ClientID("hubctl"), kgo.DisableClientMetrics(),
		kgo.WithContext(ctx), kgo.DialTimeout(cfg.Patience), kgo.RetryTimeout(cfg.Patience), kgo.RequestTimeoutOverhead(cfg.Patience),
	}
	if cfg.TLS != nil {
		opts = append(opts, kgo.DialTLSConfig(cfg.TLS))
	}
	if cfg.User != "" {
		opts = append(opts, kgo.SASL(scram.Auth{User: cfg.User, Pass: cfg.Password}.AsSha512Mechanism()))
	}
	return kgo.NewClient(opts...)
}

// reader is one reading.
type reader struct {
	cfg    Config
	client *kgo.Client
	take   func(Record) error

	id      [16]byte        // of the topic: newer brokers are asked by it
	leaders map[int32]int32 // by partition
	spans   []span

	done, all int64
}

// span is what is to be read of a partition: start, and all before end.
type span struct {
	partition  int32
	start, end int64
}

func (r *reader) read(ctx context.Context) error {
	if err := r.ping(ctx); err != nil {
		return err
	}
	if err := r.patiently(ctx, func(ctx context.Context) error { return r.plan(ctx) }); err != nil {
		return err
	}
	for _, s := range r.spans {
		if err := r.partition(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// ping asks each address once, so that it is known soon when none answers.
func (r *reader) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Patience)
	defer cancel()
	if err := r.client.Ping(ctx); err != nil {
		return &awayError{err}
	}
	return nil
}

// plan learns what there is to read.
func (r *reader) plan(ctx context.Context) error {
	if err := r.look(ctx); err != nil {
		return err
	}
	const first, last = -2, -1
	starts, err := r.offsets(ctx, first)
	if err != nil {
		return err
	}
	ends, err := r.offsets(ctx, last)
	if err != nil {
		return err
	}
	r.spans, r.all = nil, 0
	for p := range int32(len(r.leaders)) {
		r.spans = append(r.spans, span{p, starts[p], ends[p]})
		r.all += ends[p] - starts[p]
	}
	return nil
}

// look learns which broker leads which partition.
func (r *reader) look(ctx context.Context) error {
	ask := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = new(r.cfg.Topic)
	ask.Topics = append(ask.Topics, topic)
	answer, err := ask.RequestWith(ctx, r.client)
	if err != nil {
		return err
	}
	if len(answer.Topics) != 1 {
		return errors.New("the broker tells of other topics than was asked")
	}
	told := answer.Topics[0]
	if err := kerr.ErrorForCode(told.ErrorCode); err != nil {
		return err
	}
	r.id, r.leaders = told.TopicID, map[int32]int32{}
	for _, p := range told.Partitions {
		r.leaders[p.Partition] = p.Leader
	}
	return nil
}

// offsets are those of all partitions: the first ones, or those after what can be read
// at present.
func (r *reader) offsets(ctx context.Context, which int64) (map[int32]int64, error) {
	ask := kmsg.NewPtrListOffsetsRequest()
	ask.IsolationLevel = readCommitted
	topic := kmsg.NewListOffsetsRequestTopic()
	topic.Topic = r.cfg.Topic
	for p := range r.leaders {
		partition := kmsg.NewListOffsetsRequestTopicPartition()
		partition.Partition, partition.Timestamp = p, which
		topic.Partitions = append(topic.Partitions, partition)
	}
	ask.Topics = append(ask.Topics, topic)
	answer, err := ask.RequestWith(ctx, r.client)
	if err != nil {
		return nil, err
	}
	all := map[int32]int64{}
	for _, t := range answer.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, err
			}
			all[p.Partition] = p.Offset
		}
	}
	if len(all) != len(r.leaders) {
		return nil, fmt.Errorf("the brokers tell the offsets of %d of %d partitions", len(all), len(r.leaders))
	}
	return all, nil
}
