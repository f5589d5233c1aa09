package broker

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// Follow reads all partitions of a topic without a group, each from where from
// says, until ctx ends (then it returns nil) or handle fails. from is given
// what the partition holds; it is asked again, after a warning in the log, when
// the position is no longer there. handle is called for each batch of a
// partition in order, for empty ones too, and at the same time for different
// partitions; at once where there is nothing to read yet, so that nobody waits
// for a long poll's end to learn it.
func (b *Broker) Follow(ctx context.Context, topic string, from func(partition int, r Range) int64, handle func(ctx context.Context, batch Batch) error) error {
	n, err := b.Partitions(ctx, topic)
	if err != nil {
		return ended(ctx, err)
	}
	group, following := errgroup.WithContext(ctx)
	for p := range n {
		group.Go(func() error { return b.followOne(following, topic, p, from, handle) })
	}
	return ended(ctx, group.Wait())
}

func (b *Broker) followOne(ctx context.Context, topic string, partition int, from func(partition int, r Range) int64, handle func(ctx context.Context, batch Batch) error) error {
	cursor := b.Cursor(topic, partition, 0)
	placed := false
	for {
		if !placed {
			r, err := b.RangeOf(ctx, topic, partition)
			if err != nil {
				return fmt.Errorf("follow %s: %w", cursor.tp, err)
			}
			at := from(partition, r)
			cursor.SeekTo(at)
			placed = true
			if at == r.Next {
				if err := handle(ctx, Batch{Topic: topic, Partition: partition, Start: at, Next: at, End: r.Next}); err != nil {
					return err
				}
			}
		}
		batch, err := cursor.Fetch(ctx)
		if errors.Is(err, ErrOutOfRange) {
			b.log.Warn("the log no longer holds the position, starting from another", "topic", topic, "partition", partition, "offset", cursor.Position())
			placed = false
			continue
		}
		if err != nil {
			return fmt.Errorf("follow %s: %w", cursor.tp, err)
		}
		if err := handle(ctx, batch); err != nil {
			return err
		}
	}
}

// ended is nil when the caller's own context is what ended the work.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
