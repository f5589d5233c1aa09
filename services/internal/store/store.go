// Package store keeps projections in Redis, each with the position in the log
// up to which it is true. It knows how a position, its effects and the keys of
// one partition hold together: effects and position are written in one script
// that compares the position first, and what a decision rests on is read in one
// command together with the position. It never holds the only copy of anything:
// what is gone, or was written by another format, counts as absent and is
// rebuilt from the log by its owner.
//
// It leaves to others what a projection means (ledger, inbox) and the log itself
// (package broker). It is used by every service that owns a projection.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

// Config says where projections are kept.
type Config struct {
	// Client speaks to one Redis, a Sentinel set or a cluster. The store does
	// not close it.
	Client redis.UniversalClient
	// Prefix begins every key; "relais" when empty.
	Prefix string
	// Log receives what the sweeper did; discarded when nil.
	Log *slog.Logger
	// Metrics registers the store's metrics; none when nil.
	Metrics prometheus.Registerer
}

// Store keeps the projections of one process. It is safe for concurrent use.
type Store struct {
	client  redis.UniversalClient
	prefix  string
	log     *slog.Logger
	metrics *metrics

	mu      sync.Mutex
	unswept map[slot]struct{} // partitions that may have retired generations
	wake    chan struct{}
}

// slot is one owner's partition: the keys that share one hash tag.
type slot struct {
	owner     string
	partition int
}

// New makes a store on a client. Run sweeps what Reset leaves behind.
func New(cfg Config) *Store {
	if cfg.Prefix == "" {
		cfg.Prefix = "relais"
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Store{
		client:  cfg.Client,
		prefix:  cfg.Prefix,
		log:     cfg.Log,
		metrics: newMetrics(cfg.Metrics),
		unswept: make(map[slot]struct{}),
		wake:    make(chan struct{}, 1),
	}
}

// Ping asks whether Redis answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("ping the store: %w", err)
	}
	return nil
}

// Projection is what owner keeps, in the given format. owner is the key prefix
// that nobody else may write under; format changes whenever the meaning of a key
// or a value does, and what another format wrote counts as absent. Both are
// letters, digits, `_` and `-`; anything else panics, as it is a constant of the
// program.
func (s *Store) Projection(owner, format string) *Projection {
	if !validName(owner) || !validName(format) {
		panic(fmt.Sprintf("store: owner %q and format %q must be letters, digits, _ and -", owner, format))
	}
	return &Projection{store: s, owner: owner, format: format, generations: make(map[int]string)}
}

func validName(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return s != ""
}

// tag begins every key of a partition; the braces make a cluster keep them on
// one node.
func (s *Store) tag(at slot) string {
	return fmt.Sprintf("%s:{%s:%d}:", s.prefix, at.owner, at.partition)
}

func (s *Store) positionKey(at slot) string { return s.tag(at) + "position" }
func (s *Store) retiredKey(at slot) string  { return s.tag(at) + "retired" }

// ErrMoved is returned when the stored position is not the one the caller rests
// on: another owner wrote, the store lost or got back older data, or a reset
// began a new generation. Nothing was written. The caller drops what it holds in
// memory and goes on from Position.
var ErrMoved = errors.New("the stored position is not the expected one")

// ErrAbsent is returned by Read when nothing is stored yet: the projection is
// being built, so the answer is "not yet", never "not found".
var ErrAbsent = errors.New("the projection is not built yet")

// ErrTooLarge is returned for a commit or a read beyond MaxOps, MaxBytes or
// MaxKeys. The caller splits its batch; each part moves the position by itself.
var ErrTooLarge = errors.New("more than one step of the store may hold")

// Bounds of one commit or read. A script of this size keeps a Redis busy for
// some tens of milliseconds.
const (
	MaxOps   = 10_000  // operations of one Commit, queries of one Read
	MaxBytes = 8 << 20 // keys and values of one Commit
	MaxKeys  = 10_000  // keys of one Get
)
