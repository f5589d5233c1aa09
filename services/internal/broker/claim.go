package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/segmentio/kafka-go"
)

// Claim is one partition while it is this member's. It belongs to the goroutine
// of its handler.
type Claim struct {
	Topic     string
	Partition int

	tp       topicPartition
	gen      *generation
	stored   stored
	progress *progress
}

// stored is what a group has committed for a partition.
type stored struct {
	offset   int64
	metadata string
	ok       bool
}

// Cursor reads the claimed partition from offset on, and reports the group's
// lag.
func (c *Claim) Cursor(offset int64) *Cursor {
	cursor := c.gen.b.Cursor(c.Topic, c.Partition, offset)
	cursor.progress = c.progress
	return cursor
}

// Committed is what the group has committed for the partition, as of the
// generation's beginning or this claim's last Commit. Without a commit ok is
// false: start at the earliest offset, never at the latest.
func (c *Claim) Committed(context.Context) (offset int64, metadata string, ok bool, err error) {
	return c.stored.offset, c.stored.metadata, c.stored.ok, nil
}

// Commit stores where the group goes on: offset is the next to read, metadata
// what belongs to it, such as a Pair. Commits of one generation that come
// together go together. It waits for the broker's answer, through faults that
// pass; ErrGenerationOver says that the partition is another member's and that
// nothing was stored. A handler whose context has ended may still commit what it
// has done, with a context and a time limit of its own.
func (c *Claim) Commit(ctx context.Context, offset int64, metadata string) error {
	if err := c.gen.commit(ctx, c.tp, stored{offset, metadata, true}); err != nil {
		return fmt.Errorf("commit %s of group %s: %w", c.tp, c.gen.group, err)
	}
	c.stored = stored{offset, metadata, true}
	c.progress.committed(offset)
	return nil
}

// committed asks the group's coordinator for what is stored.
func (b *Broker) committed(ctx context.Context, group string, partitions map[string][]int) (map[topicPartition]stored, error) {
	all := make(map[topicPartition]stored)
	err := b.retry(ctx, "offset_fetch", func(ctx context.Context) error {
		res, err := b.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: partitions})
		if err != nil {
			return err
		}
		clear(all)
		if errors.Is(res.Error, kafka.GroupIdNotFound) {
			return nil // the embedded broker's word for a group that is new
		}
		if res.Error != nil {
			return res.Error
		}
		for topic, answers := range res.Topics {
			for _, a := range answers {
				if a.Error != nil {
					return a.Error
				}
				all[topicPartition{topic, a.Partition}] = stored{a.CommittedOffset, a.Metadata, a.CommittedOffset >= 0}
			}
		}
		for topic, want := range partitions {
			for _, p := range want {
				if _, ok := all[topicPartition{topic, p}]; !ok {
					return fmt.Errorf("the coordinator left out %s/%d", topic, p)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("committed offsets of group %s: %w%s", group, err, advice(err))
	}
	return all, nil
}

// generation commits for the claims of one generation: one request is under way
// at a time, and takes along what has gathered.
type generation struct {
	b      *Broker
	group  string
	member string
	id     int

	wake chan struct{}

	mu      sync.Mutex
	over    bool
	waiting map[topicPartition]*commit
}

type commit struct {
	stored
	done chan struct{}
	err  error
}

func newGeneration(b *Broker, group string, g *kafka.Generation) *generation {
	return &generation{
		b: b, group: group, member: g.MemberID, id: int(g.ID),
		wake: make(chan struct{}, 1), waiting: make(map[topicPartition]*commit),
	}
}

func (g *generation) commit(ctx context.Context, tp topicPartition, s stored) error {
	c := &commit{stored: s, done: make(chan struct{})}
	g.mu.Lock()
	if g.over {
		g.mu.Unlock()
		return ErrGenerationOver
	}
	g.waiting[tp] = c
	g.mu.Unlock()
	select {
	case g.wake <- struct{}{}:
	default:
	}
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// end refuses all further commits and those that have not been sent.
func (g *generation) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
	for tp, c := range g.waiting {
		c.finish(ErrGenerationOver)
		delete(g.waiting, tp)
	}
}

func (c *commit) finish(err error) {
	c.err = err
	close(c.done)
}

func (g *generation) commitLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.wake:
		}
		g.mu.Lock()
		batch := g.waiting
		g.waiting = make(map[topicPartition]*commit)
		g.mu.Unlock()
		if len(batch) > 0 {
			g.send(ctx, batch)
		}
	}
}

// send answers every commit of the batch. A commit is idempotent, so one of
// unknown fate is simply sent again; the broker refuses it once the generation
// is over.
func (g *generation) send(ctx context.Context, batch map[topicPartition]*commit) {
	req := &kafka.OffsetCommitRequest{GroupID: g.group, GenerationID: g.id, MemberID: g.member, Topics: make(map[string][]kafka.OffsetCommit)}
	for tp, c := range batch {
		req.Topics[tp.topic] = append(req.Topics[tp.topic], kafka.OffsetCommit{Partition: tp.partition, Offset: c.offset, Metadata: c.metadata})
	}
	var refused map[topicPartition]error
	err := g.b.retry(ctx, "offset_commit", func(ctx context.Context) error {
		res, err := g.b.client.OffsetCommit(ctx, req)
		if err != nil {
			return err
		}
		refused, err = judgeCommit(res, batch)
		return err
	})
	if err != nil && ctx.Err() != nil {
		err = ErrGenerationOver
	}
	for tp, c := range batch {
		if err == nil && refused[tp] != nil {
			c.finish(refused[tp])
		} else {
			c.finish(err)
		}
	}
}

// judgeCommit is an error when the commit as a whole is to be repeated, or its
// generation is over; else it tells which partitions were refused for good.
func judgeCommit(res *kafka.OffsetCommitResponse, batch map[topicPartition]*commit) (map[topicPartition]error, error) {
	refused := make(map[topicPartition]error)
	answered := 0
	for topic, answers := range res.Topics {
		for _, a := range answers {
			answered++
			switch {
			case a.Error == nil:
			case errors.Is(a.Error, kafka.IllegalGeneration), errors.Is(a.Error, kafka.UnknownMemberId),
				errors.Is(a.Error, kafka.RebalanceInProgress), errors.Is(a.Error, kafka.FencedInstanceID):
				return nil, ErrGenerationOver
			case isDefinite(a.Error), errors.Is(a.Error, kafka.OffsetMetadataTooLarge), errors.Is(a.Error, kafka.InvalidCommitOffsetSize):
				refused[topicPartition{topic, a.Partition}] = &RefusedError{Topic: topic, Partition: a.Partition, Err: a.Error}
			default:
				return nil, a.Error
			}
		}
	}
	if answered != len(batch) {
		return nil, fmt.Errorf("the coordinator answered for %d of %d partitions", answered, len(batch))
	}
	return refused, nil
}
