package store

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/relais-fr/relais/services/internal/pause"
)

// One step of the sweeper, and the pause after it: a large generation goes
// slowly, so that the commits in between do not notice.
const (
	sweepCount = 250
	sweepPause = 5 * time.Millisecond
	sweepRetry = 10 * time.Second
)

// Run sweeps retired generations until ctx ends: those of a Reset, and those
// that an earlier process left under a partition that this one uses. What it
// sweeps is named in the store and never used again, so any number of processes
// may sweep at once. It returns nil when ctx ends.
func (s *Store) Run(ctx context.Context) error {
	for {
		at, ok := s.nextUnswept()
		if !ok {
			select {
			case <-ctx.Done():
				return nil
			case <-s.wake:
			}
			continue
		}
		keys, err := s.sweep(ctx, at)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			s.log.Warn("sweep of old generations failed, it is tried again", slog.String("owner", at.owner),
				slog.Int("partition", at.partition), slog.Any("error", err))
			s.mayHaveRetired(at)
			if pause.For(ctx, sweepRetry) != nil {
				return nil
			}
		case keys > 0:
			s.log.Info("old generations swept", slog.String("owner", at.owner),
				slog.Int("partition", at.partition), slog.Int("keys", keys))
		}
	}
}

func (s *Store) mayHaveRetired(at slot) {
	s.mu.Lock()
	s.unswept[at] = struct{}{}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Store) nextUnswept() (slot, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at := range s.unswept {
		delete(s.unswept, at)
		return at, true
	}
	return slot{}, false
}

// sweep removes the keys of every retired generation of a partition, then
// forgets that they were retired. It returns the number of keys removed.
func (s *Store) sweep(ctx context.Context, at slot) (int, error) {
	retired, err := s.client.SMembers(ctx, s.retiredKey(at)).Result()
	if err != nil {
		return 0, fmt.Errorf("list retired generations of %s/%d: %w", at.owner, at.partition, err)
	}
	total := 0
	for _, name := range retired {
		format, generation, ok := strings.Cut(name, " ")
		if !ok {
			continue
		}
		keys, err := s.sweepGeneration(ctx, s.generationPrefix(at, format, generation))
		total += keys
		if err != nil {
			return total, fmt.Errorf("sweep %s/%d: %w", at.owner, at.partition, err)
		}
		if err := s.client.SRem(ctx, s.retiredKey(at), name).Err(); err != nil {
			return total, fmt.Errorf("forget a swept generation of %s/%d: %w", at.owner, at.partition, err)
		}
	}
	return total, nil
}

func (s *Store) sweepGeneration(ctx context.Context, prefix string) (int, error) {
	// A cluster client would scan any node; these keys are on one.
	var node redis.Cmdable = s.client
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		master, err := cluster.MasterForKey(ctx, prefix)
		if err != nil {
			return 0, err
		}
		node = master
	}
	total, cursor := 0, uint64(0)
	for {
		keys, next, err := node.Scan(ctx, cursor, prefix+"*", sweepCount).Result()
		if err != nil {
			return total, err
		}
		// The embedded Redis answers a scan with all that matches.
		for len(keys) > 0 {
			n := min(len(keys), sweepCount)
			if err := s.client.Unlink(ctx, keys[:n]...).Err(); err != nil {
				return total, err
			}
			keys, total = keys[n:], total+n
			s.metrics.swept.Add(float64(n))
			if pause.For(ctx, sweepPause) != nil {
				return total, ctx.Err()
			}
		}
		if cursor = next; cursor == 0 {
			return total, nil
		}
		if pause.For(ctx, sweepPause) != nil {
			return total, ctx.Err()
		}
	}
}
