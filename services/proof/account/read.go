package account

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/relais-fr/relais/schemas"
)

// Logs are all records of the hub's topics, as a plain consumer reads them, by
// topic (without the prefix) and partition, in order.
type Logs map[string]map[int32][]*kgo.Record

// Read reads the topics of an installation that accounts are made up of (what is
// submitted, recorded, and written for recipients) from their beginning to where
// they end now.
func Read(ctx context.Context, kafka func(...kgo.Opt) (*kgo.Client, error), prefix string) (Logs, error) {
	client, err := kafka()
	if err != nil {
		return nil, err
	}
	ends, err := endsOf(ctx, client, prefix)
	client.Close()
	if err != nil {
		return nil, err
	}
	from, left := map[string]map[int32]kgo.Offset{}, 0
	for topic, partitions := range ends {
		for p, end := range partitions {
			if end > 0 {
				if from[topic] == nil {
					from[topic] = map[int32]kgo.Offset{}
				}
				from[topic][p] = kgo.NewOffset().At(0)
				left++
			}
		}
	}
	logs := Logs{}
	if left == 0 {
		return logs, nil
	}
	if client, err = kafka(kgo.ConsumePartitions(from)); err != nil {
		return nil, err
	}
	defer client.Close()
	for left > 0 {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("read the topics: %w", context.Cause(ctx))
		}
		fetches.EachRecord(func(r *kgo.Record) {
			topic := strings.TrimPrefix(r.Topic, prefix+".")
			if logs[topic] == nil {
				logs[topic] = map[int32][]*kgo.Record{}
			}
			end := ends[r.Topic][r.Partition]
			if r.Offset < end {
				logs[topic][r.Partition] = append(logs[topic][r.Partition], r)
			}
			if r.Offset == end-1 {
				left--
			}
		})
	}
	return logs, nil
}

// endsOf asks for the offset after the last record of each partition.
func endsOf(ctx context.Context, client *kgo.Client, prefix string) (map[string]map[int32]int64, error) {
	known, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	ask := kmsg.NewPtrListOffsetsRequest()
	for _, t := range known.Topics {
		name, ours := strings.CutPrefix(*t.Topic, prefix+".")
		if !ours || name != "submitted" && name != "recorded" && !strings.HasPrefix(name, "to.") {
			continue
		}
		of := kmsg.NewListOffsetsRequestTopic()
		of.Topic = *t.Topic
		for _, p := range t.Partitions {
			last := kmsg.NewListOffsetsRequestTopicPartition()
			last.Partition, last.Timestamp = p.Partition, -1
			of.Partitions = append(of.Partitions, last)
		}
		ask.Topics = append(ask.Topics, of)
	}
	ends := map[string]map[int32]int64{}
	for _, shard := range client.RequestSharded(ctx, ask) {
		if shard.Err != nil {
			return nil, shard.Err
		}
		for _, t := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			if ends[t.Topic] == nil {
				ends[t.Topic] = map[int32]int64{}
			}
			for _, p := range t.Partitions {
				if p.ErrorCode != 0 {
					return nil, fmt.Errorf("the end of %s/%d is not known: code %d", t.Topic, p.Partition, p.ErrorCode)
				}
				ends[t.Topic][p.Partition] = p.Offset
			}
		}
	}
	return ends, nil
}

// header is the value of a record's attribute, "" without one.
func header(r *kgo.Record, attribute string) string {
	for _, h := range r.Headers {
		if h.Key == "ce_"+attribute {
			return string(h.Value)
		}
	}
	return ""
}

// placeOf is where the submission stands whose outcome, or copy of it, this is.
func placeOf(r *kgo.Record) (schemas.Place, error) {
	p, perr := strconv.Atoi(header(r, schemas.AttrSubmittedPartition))
	o, oerr := strconv.ParseInt(header(r, schemas.AttrSubmittedOffset), 10, 64)
	if perr != nil || oerr != nil {
		return schemas.Place{}, fmt.Errorf("%s names no submission", at(r))
	}
	return schemas.Place{Partition: p, Offset: o}, nil
}

// at is where a record stands, for a person to look there.
func at(r *kgo.Record) string { return fmt.Sprintf("%s/%d at %d", r.Topic, r.Partition, r.Offset) }

// digest is of all that may not differ between two copies of an outcome.
func digest(r *kgo.Record) [32]byte {
	var text bytes.Buffer
	fmt.Fprintf(&text, "%q %q", r.Key, r.Value)
	for _, h := range r.Headers {
		if strings.HasPrefix(h.Key, "ce_") {
			fmt.Fprintf(&text, " %q %q", h.Key, h.Value)
		}
	}
	return sha256.Sum256(text.Bytes())
}
