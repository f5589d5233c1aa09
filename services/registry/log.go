package registry

import (
	"context"
	"errors"
	"strconv"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/broker"
)

// Topic is where the registry keeps everything, under the name that every
// Confluent-compatible registry uses, whatever the installation's prefix.
const Topic = "_schemas"

// topicSpec has every setting explicit. What is written is compacted after a day
// at the earliest, so that what a race spoilt is repaired first (state.spoilt).
func topicSpec(replication int) broker.TopicSpec {
	return broker.TopicSpec{Name: Topic, Partitions: 1, Settings: map[string]string{
		"cleanup.policy":                 "compact",
		"min.compaction.lag.ms":          "86400000",
		"retention.ms":                   "-1",
		"retention.bytes":                "-1",
		"max.message.bytes":              "1048588",
		"min.insync.replicas":            services.MinInSync(replication),
		"unclean.leader.election.enable": "false",
	}}
}

// headerSeen says, in decimals, up to which offset a record's writer had read the log
// (entry.seen). Other registries write none and look at none.
const headerSeen = "relais-seen"

// topicLog is the log on the broker.
type topicLog struct {
	broker *broker.Broker
}

var _ schemaLog = (*topicLog)(nil)

// Append writes the entries in one go where they fit.
func (l *topicLog) Append(ctx context.Context, entries []entry) (last int64, err error) {
	acks := make([]*broker.Ack, len(entries))
	for i, e := range entries {
		seen := schemas.Header{Key: headerSeen, Value: strconv.AppendInt(nil, e.seen, 10)}
		acks[i] = l.broker.Enqueue(broker.Record{Topic: Topic, Key: e.key, Value: e.value, Headers: []schemas.Header{seen}})
	}
	for _, ack := range acks {
		offset, waitErr := ack.Wait(ctx)
		last, err = max(last, offset), errors.Join(err, waitErr)
	}
	return last, err
}

// Bounds asks the broker.
func (l *topicLog) Bounds(ctx context.Context) (first, next int64, err error) {
	r, err := l.broker.RangeOf(ctx, Topic, 0)
	return r.First, r.Next, err
}

// Follow reads the one partition.
func (l *topicLog) Follow(ctx context.Context, from int64, handle func(entries []entry, next int64)) error {
	cursor := l.broker.Cursor(Topic, 0, from)
	for {
		batch, err := cursor.Fetch(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		entries := make([]entry, len(batch.Records))
		for i, r := range batch.Records {
			seen, _ := strconv.ParseInt(string(r.Header(headerSeen)), 10, 64)
			entries[i] = entry{offset: r.Offset, seen: seen, key: r.Key, value: r.Value}
		}
		handle(entries, batch.Next)
	}
}
