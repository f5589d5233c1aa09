package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
)

// TopicSpec is a topic as it should be. Settings are the topic's own, all that
// matter given explicitly: a broker's defaults keep data for seven days.
type TopicSpec struct {
	Name       string
	Partitions int
	Settings   map[string]string
}

// EnsureTopics creates those topics that are missing. A topic that exists is
// left as it is; if its number of partitions is another one, the error says so
// in a sentence, because keys would land elsewhere than before.
func (b *Broker) EnsureTopics(ctx context.Context, specs ...TopicSpec) error {
	b.refreshNow()
	var missing []TopicSpec
	for _, spec := range specs {
		n, err := b.lookup(ctx, spec.Name)
		switch {
		case isUnknownTopic(err):
			missing = append(missing, spec)
		case err != nil:
			return fmt.Errorf("look up topic %s: %w", spec.Name, err)
		case n != spec.Partitions:
			return &PartitionsError{Topic: spec.Name, Want: spec.Partitions, Have: n}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if err := b.createTopics(ctx, missing); err != nil {
		return err
	}
	return b.awaitPartitions(ctx, missing)
}

// PartitionsError says that a topic has another number of partitions than the
// installation was made with.
type PartitionsError struct {
	Topic      string
	Want, Have int
}

func (e *PartitionsError) Error() string {
	return fmt.Sprintf("topic %s has %d partitions where %d are needed: a dossier's order would be lost; use the number that it was made with, or another prefix",
		e.Topic, e.Have, e.Want)
}

func (b *Broker) createTopics(ctx context.Context, specs []TopicSpec) error {
	configs := make([]kafka.TopicConfig, len(specs))
	for i, spec := range specs {
		configs[i] = kafka.TopicConfig{Topic: spec.Name, NumPartitions: spec.Partitions, ReplicationFactor: b.cfg.Replication}
		for _, name := range slices.Sorted(maps.Keys(spec.Settings)) {
			configs[i].ConfigEntries = append(configs[i].ConfigEntries, kafka.ConfigEntry{ConfigName: name, ConfigValue: spec.Settings[name]})
		}
	}
	return b.retry(ctx, "create_topics", func(ctx context.Context) error {
		res, err := b.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: configs})
		if err != nil {
			return err
		}
		for topic, err := range res.Errors {
			switch {
			case err == nil, errors.Is(err, kafka.TopicAlreadyExists):
				// Another service of ours was quicker.
			case isTransient(err):
				return err
			default:
				return &RefusedError{Topic: topic, Partition: -1, Err: err}
			}
		}
		return nil
	})
}

func isTransient(err error) bool {
	var code kafka.Error
	return !errors.As(err, &code) || code.Temporary() || code == kafka.Unknown
}

func (b *Broker) awaitPartitions(ctx context.Context, specs []TopicSpec) error {
	for _, spec := range specs {
		n, err := b.Partitions(ctx, spec.Name)
		if err != nil {
			return err
		}
		if n != spec.Partitions {
			return &PartitionsError{Topic: spec.Name, Want: spec.Partitions, Have: n}
		}
	}
	return nil
}

// DeleteTopics removes topics; one that does not exist is no error.
func (b *Broker) DeleteTopics(ctx context.Context, names ...string) error {
	return b.retry(ctx, "delete_topics", func(ctx context.Context) error {
		res, err := b.client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: names})
		if err != nil {
			return err
		}
		for topic, err := range res.Errors {
			if err != nil && !errors.Is(err, kafka.UnknownTopicOrPartition) {
				return &RefusedError{Topic: topic, Partition: -1, Err: err}
			}
		}
		b.refreshNow()
		return nil
	})
}

// WaitTopics waits until all the topics exist, and says in the log which are
// still missing after a few seconds.
func (b *Broker) WaitTopics(ctx context.Context, names ...string) error {
	for _, name := range names {
		if _, err := b.Partitions(ctx, name); err != nil {
			return fmt.Errorf("wait for topic %s: %w", name, err)
		}
	}
	return nil
}

// Partitions is the number of a topic's partitions. It waits for the topic to
// exist, until ctx ends.
func (b *Broker) Partitions(ctx context.Context, topic string) (int, error) {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for waited := 0; ; waited++ {
		n, err := b.lookup(ctx, topic)
		if err == nil || !isUnknownTopic(err) {
			return n, err
		}
		if waited == 25 {
			b.log.Warn("waiting for a topic that does not exist, or that its ACL hides from this client", "topic", topic)
		}
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-ticker.C:
			b.refresh()
		}
	}
}

// lookup is the number of partitions as the cluster's metadata has it, at most
// a few seconds old; UnknownTopicOrPartition when it does not have the topic.
func (b *Broker) lookup(ctx context.Context, topic string) (n int, err error) {
	err = b.retry(ctx, "metadata", func(ctx context.Context) error {
		res, err := b.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
		if err != nil {
			return err
		}
		t := res.Topics[0]
		if errors.Is(t.Error, kafka.UnknownTopicOrPartition) {
			return &RefusedError{Topic: topic, Partition: -1, Err: t.Error}
		}
		n = len(t.Partitions)
		return t.Error
	})
	return n, err
}

// Reachable says whether a partition could be written now, as far as the cluster's
// metadata tells, which may be a few seconds old: nil when it has a leader; Gone
// tells whether the topic is not there. It costs the cluster nothing.
func (b *Broker) Reachable(ctx context.Context, topic string, partition int) error {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.AttemptTimeout)
	defer cancel()
	res, err := b.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return err
	}
	t := res.Topics[0]
	if t.Error != nil {
		return t.Error
	}
	for _, p := range t.Partitions {
		if p.ID == partition {
			return p.Error
		}
	}
	return fmt.Errorf("%s: %w", topicPartition{topic, partition}, kafka.UnknownTopicOrPartition)
}

// Topics is the names of all topics that the cluster lets this client see.
func (b *Broker) Topics(ctx context.Context) (names []string, err error) {
	b.refreshNow()
	err = b.retry(ctx, "metadata", func(ctx context.Context) error {
		res, err := b.client.Metadata(ctx, &kafka.MetadataRequest{})
		if err != nil {
			return err
		}
		names = names[:0]
		for _, t := range res.Topics {
			if !t.Internal {
				names = append(names, t.Name)
			}
		}
		return nil
	})
	return names, err
}

// Range is what a partition holds: offsets from First up to, not including,
// Next.
type Range struct{ First, Next int64 }

// Ranges is what each of a topic's partitions holds at present.
func (b *Broker) Ranges(ctx context.Context, topic string) (map[int]Range, error) {
	n, err := b.Partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	ranges := make(map[int]Range, n)
	for p := range n {
		if ranges[p], err = b.RangeOf(ctx, topic, p); err != nil {
			return nil, err
		}
	}
	return ranges, nil
}

// RangeOf is what one partition holds at present.
func (b *Broker) RangeOf(ctx context.Context, topic string, partition int) (r Range, err error) {
	err = b.retry(ctx, "list_offsets", func(ctx context.Context) error {
		if r.First, err = b.listOffset(ctx, topic, partition, kafka.FirstOffset); err != nil {
			return err
		}
		r.Next, err = b.listOffset(ctx, topic, partition, kafka.LastOffset)
		return err
	})
	return r, err
}

// OffsetAt is the offset of the partition's first record whose timestamp is at
// or after t; its end when there is none.
func (b *Broker) OffsetAt(ctx context.Context, topic string, partition int, t time.Time) (offset int64, err error) {
	err = b.retry(ctx, "list_offsets", func(ctx context.Context) error {
		if offset, err = b.listOffset(ctx, topic, partition, t.UnixMilli()); err == nil && offset < 0 {
			offset, err = b.listOffset(ctx, topic, partition, kafka.LastOffset)
		}
		return err
	})
	return offset, err
}

func (b *Broker) listOffset(ctx context.Context, topic string, partition int, which int64) (int64, error) {
	// One question a request: the library opens a connection for each that is
	// asked at once.
	res, err := b.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics:         map[string][]kafka.OffsetRequest{topic: {{Partition: partition, Timestamp: which}}},
		IsolationLevel: kafka.ReadCommitted,
	})
	if err != nil {
		return 0, err
	}
	if len(res.Topics[topic]) != 1 {
		return 0, fmt.Errorf("list offsets of %s/%d: the broker did not answer for it", topic, partition)
	}
	answer := res.Topics[topic][0]
	if answer.Error != nil {
		return 0, answer.Error
	}
	switch which {
	case kafka.FirstOffset:
		return answer.FirstOffset, nil
	case kafka.LastOffset:
		return answer.LastOffset, nil
	}
	for offset := range answer.Offsets {
		return offset, nil
	}
	return -1, nil
}
