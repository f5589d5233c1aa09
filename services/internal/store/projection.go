package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Projection is one owner's values and positions, partition by partition. A
// partition has one writer at a time; if there are two, ErrMoved tells the one
// who is behind. It is safe for concurrent use.
type Projection struct {
	store  *Store
	owner  string
	format string

	mu sync.Mutex
	// generations are what the keys of each partition carry, as last seen in its
	// position; for an absent position, what its first commit will use.
	generations map[int]string
}

// Position is the position stored for a partition; ok is false when there is
// none of this format. It is where an owner starts, and where it goes on after
// ErrMoved.
func (p *Projection) Position(ctx context.Context, partition int) (at Position, ok bool, err error) {
	defer p.store.metrics.timed(p.owner, "position", time.Now())
	now, err := p.load(ctx, partition)
	if err != nil {
		return Position{}, false, err
	}
	return now.position, !now.position.Absent(), nil
}

// load reads the stored position and takes over its generation.
func (p *Projection) load(ctx context.Context, partition int) (stored, error) {
	text, err := p.store.client.Get(ctx, p.store.positionKey(p.slot(partition))).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return stored{}, fmt.Errorf("read the position of %s/%d: %w", p.owner, partition, err)
	}
	now := p.parse(text)
	p.learn(partition, now)
	return now, nil
}

// parse takes what is not ours to read for absent: it is rebuilt, never guessed.
func (p *Projection) parse(text string) stored {
	now, err := parseStored(text)
	if err != nil || now.format != p.format {
		return stored{}
	}
	return now
}

func (p *Projection) learn(partition int, now stored) {
	p.mu.Lock()
	_, known := p.generations[partition]
	if now.generation == "" {
		p.generations[partition] = newGeneration()
	} else {
		p.generations[partition] = now.generation
	}
	p.mu.Unlock()
	if !known {
		p.store.mayHaveRetired(p.slot(partition))
	}
}

func (p *Projection) generation(partition int) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	generation, ok := p.generations[partition]
	return generation, ok
}

// Reset begins a new generation: the partition counts as absent until the next
// Commit from the zero Position, and every other owner's commits fail with
// ErrMoved. The old values are swept later by Store.Run.
func (p *Projection) Reset(ctx context.Context, partition int) error {
	defer p.store.metrics.timed(p.owner, "reset", time.Now())
	at := p.slot(partition)
	keys := []string{p.store.positionKey(at), p.store.retiredKey(at)}
	if err := resetScript.Run(ctx, p.store.client, keys).Err(); err != nil {
		return fmt.Errorf("reset %s/%d: %w", p.owner, partition, err)
	}
	p.learn(partition, stored{})
	p.store.metrics.resets.WithLabelValues(p.owner).Inc()
	p.store.mayHaveRetired(at)
	return nil
}

// Get is the values of keys as they stand at the position `at`, nil for a key
// that is not there; values and position are read by one command. It returns
// ErrMoved when the stored position is another. At the zero Position every value
// is nil, as nothing is stored yet.
func (p *Projection) Get(ctx context.Context, partition int, at Position, keys []string) ([][]byte, error) {
	defer p.store.metrics.timed(p.owner, "get", time.Now())
	if len(keys) > MaxKeys {
		return nil, fmt.Errorf("get %d keys of %s/%d: %w", len(keys), p.owner, partition, ErrTooLarge)
	}
	generation, ok := p.generation(partition)
	if !ok {
		if _, err := p.load(ctx, partition); err != nil {
			return nil, err
		}
		generation, _ = p.generation(partition)
	}
	names := make([]string, 1, len(keys)+1)
	names[0] = p.store.positionKey(p.slot(partition))
	if !at.Absent() {
		prefix := p.keyPrefix(partition, generation)
		for _, key := range keys {
			names = append(names, prefix+key)
		}
	}
	found, err := p.store.client.MGet(ctx, names...).Result()
	if err != nil {
		return nil, fmt.Errorf("get from %s/%d: %w", p.owner, partition, err)
	}
	text, _ := found[0].(string)
	now := p.parse(text)
	same := now.position == at && now.generation == generation || now.position.Absent() && at.Absent()
	if !same {
		return nil, p.moved("get", partition)
	}
	values := make([][]byte, len(keys))
	for i, v := range found[1:] {
		if s, ok := v.(string); ok {
			values[i] = []byte(s)
		}
	}
	return values, nil
}

// Commit writes the effects of a batch and moves the position from `from` to
// `to`, in one script: all of it or, with ErrMoved, nothing. `from` is the zero
// Position when none is stored; `to` is beyond `from`. Any other error is of
// unknown fate: the caller goes on from Position.
//
// A batch beyond MaxOps or MaxBytes is refused with ErrTooLarge: effects and
// position never part, so the caller commits it in smaller batches.
func (p *Projection) Commit(ctx context.Context, partition int, from, to Position, ops []Op) error {
	defer p.store.metrics.timed(p.owner, "commit", time.Now())
	if to.Next <= from.Next || len(to.Mark) > maxMark {
		return fmt.Errorf("commit to %s/%d from %d to %d: not a step forward", p.owner, partition, from.Next, to.Next)
	}
	generation, ok := p.generation(partition)
	if !ok {
		p.learn(partition, stored{})
		generation, _ = p.generation(partition)
	}
	at := p.slot(partition)
	keys := []string{p.store.positionKey(at), p.store.retiredKey(at)}
	expected := ""
	if !from.Absent() {
		expected = stored{p.format, generation, from}.String()
	}
	args := []any{expected, stored{p.format, generation, to}.String(), p.format + " "}
	keys, args, err := encode(keys, args, p.keyPrefix(partition, generation), ops)
	if err != nil {
		return fmt.Errorf("commit to %s/%d: %w", p.owner, partition, err)
	}
	done, err := commitScript.Run(ctx, p.store.client, keys, args...).Int()
	if err != nil {
		return fmt.Errorf("commit to %s/%d: %w", p.owner, partition, err)
	}
	if done == 0 {
		return p.moved("commit to", partition)
	}
	return nil
}

func (p *Projection) moved(doing string, partition int) error {
	p.store.metrics.moved.WithLabelValues(p.owner).Inc()
	return fmt.Errorf("%s %s/%d: %w", doing, p.owner, partition, ErrMoved)
}

func (p *Projection) slot(partition int) slot { return slot{p.owner, partition} }

// keyPrefix is what stands before each key of a generation.
func (p *Projection) keyPrefix(partition int, generation string) string {
	return p.store.generationPrefix(p.slot(partition), p.format, generation)
}

func (s *Store) generationPrefix(at slot, format, generation string) string {
	return s.tag(at) + "f" + format + ":g" + generation + ":"
}
