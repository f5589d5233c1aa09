package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// schemaLog is the topic `_schemas`, as the store needs it.
type schemaLog interface {
	// Append writes records in this order and returns the offset of the last.
	Append(ctx context.Context, records []entry) (last int64, err error)
	// Bounds are the first offset of the log and the one after its last record.
	Bounds(ctx context.Context) (first, next int64, err error)
	// Follow calls handle with what comes from an offset on, and with the offset to
	// go on at, until ctx ends; then it returns nil.
	Follow(ctx context.Context, from int64, handle func(entries []entry, next int64)) error
}

// entry is a record's bytes and its place on the log.
type entry struct {
	offset int64
	// seen is the offset before which its writer knew the whole log. 0 says that it
	// does not tell: it is another make of registry, or the log was empty.
	seen       int64
	key, value []byte
}

// writeLimit bounds a write, its own record read back included.
const writeLimit = 10 * time.Second

// Store is the registry's state, kept by following the log. What is written is
// appended to the log and takes effect when it is read back: several registries
// can share one log, and the first record to claim an id or a version has it. A
// record tells what its writer had seen, and changes nothing that has changed since.
type Store struct {
	log    schemaLog
	logger *slog.Logger

	mu      sync.RWMutex
	state   *state
	next    int64         // offset that is read next
	moved   chan struct{} // closed when next moves
	started bool          // the log's end was reached once

	writing chan struct{} // holds one token: writes of one process go one by one
}

// NewStore makes a store that knows nothing yet; Run fills it.
func NewStore(log schemaLog, logger *slog.Logger) *Store {
	s := &Store{log: log, logger: logger, state: newState(), next: -1, moved: make(chan struct{}), writing: make(chan struct{}, 1)}
	s.writing <- struct{}{}
	return s
}

// Run follows the log until ctx ends.
func (s *Store) Run(ctx context.Context) error {
	first, end, err := s.log.Bounds(ctx)
	if err != nil {
		return quiet(ctx, fmt.Errorf("bounds of %s: %w", Topic, err))
	}
	s.advance(nil, first, end)
	err = s.log.Follow(ctx, first, func(entries []entry, next int64) { s.advance(entries, next, end) })
	if err != nil {
		return quiet(ctx, fmt.Errorf("follow %s: %w", Topic, err))
	}
	return nil
}

// quiet is nil for what went wrong because ctx ended.
func quiet(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// advance takes entries into the state. end is where the log ended at the start.
func (s *Store) advance(entries []entry, next, end int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		r, err := decodeRecord(e.key, e.value)
		if err == nil {
			err = s.state.apply(r, e.offset, e.seen)
		}
		if err != nil && !errors.Is(err, errPassedOver) {
			s.logger.Warn("record of the schema log not taken", "offset", e.offset, "error", err)
		}
	}
	s.next = max(s.next, next)
	s.started = s.started || s.next >= end
	close(s.moved)
	s.moved = make(chan struct{})
}

// read gives fn the state, which it must not keep or change.
func (s *Store) read(fn func(*state)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	fn(s.state)
}

// isReady says whether the log's end has been reached since the start.
func (s *Store) isReady() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.started
}

// await waits until the state has everything before offset.
func (s *Store) await(ctx context.Context, offset int64) error {
	for {
		s.mu.RLock()
		next, moved := s.next, s.moved
		s.mu.RUnlock()
		if next >= 0 && next >= offset {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-moved:
		}
	}
}

// maxAttempts is how often a write gives way to other registries' writes.
const maxAttempts = 30

// write brings the state to where plan wants it. plan looks at the state, which
// has the whole log, and returns the records that are missing: none when the wish
// is fulfilled. It is called again after its records were read back, for another
// registry may have been first.
func (s *Store) write(ctx context.Context, plan func(*state) ([]record, error)) error {
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.writing:
	}
	defer func() { s.writing <- struct{}{} }()
	isFulfilled := false
	for range maxAttempts {
		wanted, repairs, seen, err := s.missing(ctx, plan)
		isFulfilled = err == nil && len(wanted) == 0
		if err != nil || isFulfilled && len(repairs) == 0 {
			return err
		}
		if err := s.append(ctx, append(wanted, repairs...), seen); err != nil {
			return err
		}
	}
	if !isFulfilled {
		return errors.New("other registries were first each time")
	}
	return nil // whoever writes next goes on putting right
}

// missing is what plan wants, what must be written again in any case, and the offset
// before which the log was known when that was found.
func (s *Store) missing(ctx context.Context, plan func(*state) ([]record, error)) (wanted, repairs []record, seen int64, err error) {
	_, end, err := s.log.Bounds(ctx)
	if err != nil {
		return nil, nil, 0, fmt.Errorf("end of %s: %w", Topic, err)
	}
	if err := s.await(ctx, end); err != nil {
		return nil, nil, 0, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	wanted, err = plan(s.state)
	if err != nil {
		return nil, nil, 0, err
	}
	return wanted, s.state.repairs(wanted), s.next, nil
}

// append writes records and waits until they are part of the state.
func (s *Store) append(ctx context.Context, records []record, seen int64) error {
	entries := make([]entry, len(records))
	for i, r := range records {
		var err error
		entries[i].seen = seen
		if entries[i].key, entries[i].value, err = r.encode(); err != nil {
			return err
		}
	}
	last, err := s.log.Append(ctx, entries)
	if err != nil {
		return fmt.Errorf("append to %s: %w", Topic, err)
	}
	return s.await(ctx, last+1)
}

// repairs are the records that say again what counts, where the last record on
// the log does not: when the topic is compacted only the last one stays. Those
// that are wanted anyway need no repair.
func (s *state) repairs(wanted []record) []record {
	var records []record
	for at := range s.spoilt {
		key := schemaKey(at.subject, at.number)
		isWanted := false
		for _, w := range wanted {
			isWanted = isWanted || w.key == key
		}
		if isWanted {
			continue
		}
		if v := s.subjects[at.subject][at.number]; v != nil {
			records = append(records, v.record())
		} else {
			records = append(records, record{key: key})
		}
	}
	return records
}
