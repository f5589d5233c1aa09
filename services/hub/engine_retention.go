package hub

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// retentionEvery is how often the embedded broker's topics are looked through.
const retentionEvery = time.Hour

// applyRetention removes what is older than its topic's retention.ms, as Kafka
// would, but for the last record of each partition. The embedded broker does
// not remember where an empty partition ended: after a restart it would begin
// again at offset 0, and consumers that stand further on would miss what comes.
func (e *Embedded) applyRetention(ctx context.Context) {
	topics, err := e.client.Topics(ctx)
	for _, topic := range topics {
		if err == nil {
			err = e.retain(ctx, topic)
		}
	}
	if err != nil && ctx.Err() == nil {
		e.log.Warn("removing old records did not succeed, trying again in an hour", "error", err)
	}
}

func (e *Embedded) retain(ctx context.Context, topic string) error {
	age, limited := e.retention(topic)
	if !limited {
		return nil
	}
	for _, p := range e.kafka.PartitionInfos(topic) {
		first, err := e.client.OffsetAt(ctx, topic, int(p.Partition), time.Now().Add(-age))
		if err != nil {
			return err
		}
		if first = min(first, p.HighWatermark-1); first <= p.LogStartOffset {
			continue
		}
		if err := e.kafka.DeleteRecords(topic, p.Partition, first); err != nil {
			return fmt.Errorf("remove old records of %s/%d: %w", topic, p.Partition, err)
		}
		e.log.Info("old records removed", "topic", topic, "partition", p.Partition, "offset", first, "count", first-p.LogStartOffset)
	}
	return nil
}

// retention is how long a topic keeps its records; not limited without a
// retention.ms of its own, and for compacted topics.
func (e *Embedded) retention(topic string) (age time.Duration, limited bool) {
	info := e.kafka.TopicInfo(topic)
	if info == nil {
		return 0, false
	}
	if policy := info.Configs["cleanup.policy"]; policy != nil && !strings.Contains(*policy, "delete") {
		return 0, false
	}
	value := info.Configs["retention.ms"]
	if value == nil {
		return 0, false
	}
	ms, err := strconv.ParseInt(*value, 10, 64)
	if err != nil || ms < 0 {
		return 0, false
	}
	return time.Duration(ms) * time.Millisecond, true
}
