package topic

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	readCommitted = 1
	// fetchBytes is how much is asked for at once; a batch that is larger comes whole.
	fetchBytes = 4 << 20
	fetchWait  = 500 * time.Millisecond
	pause      = 200 * time.Millisecond
)

// partition reads one span. The end of a fetch is told by the batches themselves and
// not by their last record: compaction and transactions leave offsets without any, and
// a reader that waits for the last offset would wait for ever.
func (r *reader) partition(ctx context.Context, s span) error {
	for next := s.start; next < s.end; {
		var got []*kgo.Record
		var after int64
		err := r.patiently(ctx, func(ctx context.Context) (err error) {
			got, after, err = r.fetch(ctx, s.partition, next)
			return err
		})
		if err != nil {
			return fmt.Errorf("partition %d, from offset %d: %w", s.partition, next, err)
		}
		for _, record := range got {
			if record.Offset >= s.end {
				break
			}
			if err := r.take(Record{record.Partition, record.Offset, record.Value}); err != nil {
				return &ownError{err}
			}
		}
		r.done += min(after, s.end) - next
		next = after
		if r.cfg.Progress != nil {
			r.cfg.Progress(r.done, r.all)
		}
	}
	return nil
}

// fetch brings the records from an offset on, and the offset where to go on, which is
// beyond it.
func (r *reader) fetch(ctx context.Context, partition int32, from int64) ([]*kgo.Record, int64, error) {
	leader, ok := r.leaders[partition]
	if !ok || leader < 0 {
		return nil, 0, kerr.LeaderNotAvailable
	}
	answer, err := r.client.Broker(int(leader)).RetriableRequest(ctx, r.fetchRequest(partition, from))
	if err != nil {
		return nil, 0, err
	}
	told := answer.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(told.ErrorCode); err != nil {
		return nil, 0, err
	}
	if len(told.Topics) != 1 || len(told.Topics[0].Partitions) != 1 {
		return nil, 0, errNothing
	}
	of := &told.Topics[0].Partitions[0]
	got, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Offset: from, Topic: r.cfg.Topic, Partition: partition, IsolationLevel: kgo.ReadCommitted(),
	}, of, kgo.DefaultDecompressor(), nil)
	switch {
	case errors.Is(got.Err, kerr.OffsetOutOfRange):
		return r.skip(ctx, partition, from)
	case got.Err != nil && next == from:
		return nil, 0, got.Err
	case next == from:
		return nil, 0, errNothing
	}
	return got.Records, next, nil
}

// skip goes on where the log begins now: what was removed since the reading began is
// live no more.
func (r *reader) skip(ctx context.Context, partition int32, from int64) ([]*kgo.Record, int64, error) {
	const first = -2
	starts, err := r.offsets(ctx, first)
	if err != nil {
		return nil, 0, err
	}
	if starts[partition] <= from {
		return nil, 0, errors.New("the topic is shorter than it was at the start: it was made anew meanwhile; check again")
	}
	return nil, starts[partition], nil
}

func (r *reader) fetchRequest(partition int32, from int64) *kmsg.FetchRequest {
	ask := kmsg.NewPtrFetchRequest()
	ask.MaxWaitMillis, ask.MinBytes, ask.MaxBytes = int32(fetchWait.Milliseconds()), 1, fetchBytes
	ask.IsolationLevel = readCommitted
	ask.SessionEpoch = -1 // none, and none to be made
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID = r.cfg.Topic, r.id
	of := kmsg.NewFetchRequestTopicPartition()
	of.Partition, of.FetchOffset, of.PartitionMaxBytes = partition, from, fetchBytes
	topic.Partitions = append(topic.Partitions, of)
	ask.Topics = append(ask.Topics, topic)
	return ask
}

// patiently repeats what may succeed later, at most as long as Config.Patience.
func (r *reader) patiently(ctx context.Context, do func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, r.cfg.Patience)
	defer cancel()
	for {
		err := do(limited)
		if err == nil || ctx.Err() != nil || !passing(err) {
			return err
		}
		select {
		case <-limited.Done():
			return err
		case <-time.After(pause):
		}
		if err := r.look(limited); err != nil && !passing(err) {
			return err
		}
	}
}

// passing says whether the same may succeed a moment later. That the topic is unknown
// could be too, but hardly ever is: a person waits for the answer.
func passing(err error) bool {
	if errors.Is(err, errNothing) || kgo.IsRetryableBrokerErr(err) {
		return true
	}
	return kerr.IsRetriable(err) && !errors.Is(err, kerr.UnknownTopicOrPartition)
}
