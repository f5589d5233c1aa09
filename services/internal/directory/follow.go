package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/relais-fr/relais/services/internal/broker"
)

// Log is where the directory's topic is followed; *broker.Broker is one.
type Log interface {
	Topic(name string) string
	Follow(ctx context.Context, topic string, from func(partition int, r broker.Range) int64, handle func(ctx context.Context, batch broker.Batch) error) error
}

var _ Log = (*broker.Broker)(nil)

// Run follows the directory's topic until ctx ends, and then returns nil. Ready
// is closed when the end that the topic had at the start is reached. A record
// that cannot be read is logged and leaves what the view had.
func (v *View) Run(ctx context.Context, l Log, log *slog.Logger) error {
	f := follower{view: v, log: log, target: map[int]int64{}}
	return l.Follow(ctx, l.Topic(Topic), f.from, f.handle)
}

// follower takes batches into a view. The topic has one partition, so that what
// was written together is seen in the order in which it was written.
type follower struct {
	view *View
	log  *slog.Logger

	mu     sync.Mutex
	target map[int]int64 // partitions that have not reached their end, and where it is
}

func (f *follower) from(partition int, r broker.Range) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.view.IsReady() {
		f.target[partition] = r.Next
	}
	return r.First
}

func (f *follower) handle(ctx context.Context, batch broker.Batch) error {
	records := make([]Record, 0, len(batch.Records))
	var problems []error
	for _, r := range batch.Records {
		if r.Unreadable != nil {
			problems = append(problems, fmt.Errorf("directory record at offset %d: %w", r.Offset, r.Unreadable.Reason))
			continue
		}
		records = append(records, Record{Key: string(r.Key), Value: r.Value})
	}
	if err := errors.Join(append(problems, f.view.applyUpTo(batch.Next, records))...); err != nil {
		f.log.ErrorContext(ctx, "directory records are not readable", "error", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if target, waiting := f.target[batch.Partition]; waiting && batch.Next >= target {
		delete(f.target, batch.Partition)
		if len(f.target) == 0 {
			f.view.caughtUp()
		}
	}
	return nil
}
