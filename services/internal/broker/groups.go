package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
)

// Groups is the names of all consumer groups that the cluster lets this client
// see, those without members included.
func (b *Broker) Groups(ctx context.Context) (names []string, err error) {
	err = b.retry(ctx, "list_groups", func(ctx context.Context) error {
		res, err := b.client.ListGroups(ctx, &kafka.ListGroupsRequest{})
		if err != nil {
			return err
		}
		if res.Error != nil {
			return res.Error
		}
		names = names[:0]
		for _, g := range res.Groups {
			names = append(names, g.GroupID)
		}
		slices.Sort(names)
		return nil
	})
	return names, err
}

// GroupOffset is what a group has committed for a partition.
type GroupOffset struct {
	Offset   int64
	Metadata string
}

// GroupOffsets is what a group has committed for partitions 0 to n-1 of a topic,
// those left out for which it has committed nothing.
func (b *Broker) GroupOffsets(ctx context.Context, group, topic string, n int) (map[int]GroupOffset, error) {
	all := make([]int, n)
	for p := range n {
		all[p] = p
	}
	committed, err := b.committed(ctx, group, map[string][]int{topic: all})
	if err != nil {
		return nil, err
	}
	offsets := make(map[int]GroupOffset, n)
	for tp, s := range committed {
		if s.ok {
			offsets[tp.partition] = GroupOffset{s.offset, s.metadata}
		}
	}
	return offsets, nil
}

// CommitGroup commits offsets of a topic for a group that has no members: for
// readers who do not read Kafka themselves.
func (b *Broker) CommitGroup(ctx context.Context, group, topic string, offsets map[int]int64) error {
	if len(offsets) == 0 {
		return nil
	}
	commits := make([]kafka.OffsetCommit, 0, len(offsets))
	for p, offset := range offsets {
		commits = append(commits, kafka.OffsetCommit{Partition: p, Offset: offset})
	}
	return b.retry(ctx, "offset_commit", func(ctx context.Context) error {
		res, err := b.client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
			GroupID: group, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{topic: commits},
		})
		if err != nil {
			return err
		}
		for _, a := range res.Topics[topic] {
			if a.Error != nil && (isUnknownTopic(a.Error) || errors.Is(a.Error, kafka.UnknownMemberId)) {
				return &RefusedError{Topic: topic, Partition: a.Partition, Err: a.Error}
			}
			if a.Error != nil {
				return a.Error
			}
		}
		return nil
	})
}

// Retention is how long a topic keeps its records; ok is false when it deletes
// none by age, or does not exist.
func (b *Broker) Retention(ctx context.Context, topic string) (keep time.Duration, ok bool, err error) {
	const setting = "retention.ms"
	var text string
	err = b.retry(ctx, "describe_configs", func(ctx context.Context) error {
		res, err := b.client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{setting},
		}}})
		if err != nil {
			return err
		}
		for _, r := range res.Resources {
			if r.Error != nil {
				return &RefusedError{Topic: topic, Partition: -1, Err: r.Error}
			}
			for _, c := range r.ConfigEntries {
				if c.ConfigName == setting {
					text = c.ConfigValue
				}
			}
		}
		return nil
	})
	if err != nil {
		return 0, false, err
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, false, fmt.Errorf("%s of topic %s is %q", setting, topic, text)
	}
	return time.Duration(ms) * time.Millisecond, ms >= 0, nil
}
