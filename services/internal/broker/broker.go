// Package broker is the hub's only door to Kafka: it creates topics, publishes
// records in group commits, reads partitions with cursors, shares partitions
// out in consumer groups, and keeps the positions that make reading twice
// harmless.
//
// It knows records, offsets and what kafka-go and brokers really do (lost
// acknowledgements, dead connections, stale metadata, hostile batches). It
// leaves to others what a record means. Every service uses it; nothing else in
// the project talks to Kafka.
//
// The rules it holds: a produce counts only when the broker said so without
// any error; a record of unknown fate stays first in line until its fate is
// known; one request is in flight per partition; consumers start from a
// position of their own, never from a bare group offset.
package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
)

// Config is what a Broker is made from. Zero values take the defaults named.
type Config struct {
	// Brokers are host:port addresses of the cluster; at least one.
	Brokers []string
	// Prefix begins every topic's name; "relais" by default.
	Prefix string
	// ClientID is this client's name in the broker's logs; the prefix by default.
	ClientID string
	// Dial opens connections; net.Dialer's DialContext by default.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Login is how the client signs in; the zero value does not.
	Login Login
	// Log and Metrics may be nil.
	Log     *slog.Logger
	Metrics prometheus.Registerer
	// Replication is the factor of the topics that EnsureTopics makes; 0 takes
	// the cluster's default.
	Replication int
	// Compression of what is produced: "" or "none", "snappy", "lz4", "zstd".
	Compression string
	// MaxBuffered bounds the bytes that wait to be acknowledged, all
	// partitions together (32 MiB); one partition may hold half of it.
	MaxBuffered int
	// MaxUnpacked bounds the memory that one fetched batch may take once it is
	// unpacked (32 MiB); a batch beyond it is delivered as Unreadable.
	MaxUnpacked int
	// AttemptTimeout ends one attempt of a request whose answer does not come
	// (10 s); the request is then repeated.
	AttemptTimeout time.Duration
	// DrainTimeout is how long Close waits for records to be acknowledged (5 s).
	DrainTimeout time.Duration
}

func (c *Config) setDefaults() error {
	if len(c.Brokers) == 0 {
		return errors.New("broker: no address of a broker was given")
	}
	if c.Prefix == "" {
		c.Prefix = "relais"
	}
	if c.ClientID == "" {
		c.ClientID = c.Prefix
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: 3 * time.Second}).DialContext
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Replication == 0 {
		c.Replication = -1
	}
	if c.MaxBuffered <= 0 {
		c.MaxBuffered = 32 << 20
	}
	if c.MaxUnpacked <= 0 {
		c.MaxUnpacked = 32 << 20
	}
	if c.AttemptTimeout <= 0 {
		c.AttemptTimeout = 10 * time.Second
	}
	if c.DrainTimeout <= 0 {
		c.DrainTimeout = 5 * time.Second
	}
	return nil
}

// Broker is a client of one cluster. It is safe for concurrent use.
type Broker struct {
	cfg         Config
	log         *slog.Logger
	metrics     *metrics
	compression kafka.Compression
	addr        net.Addr
	signIn      sasl.Mechanism // nil without
	transport   *kafka.Transport
	client      *kafka.Client

	// ctx ends when Close stops waiting for the producers.
	ctx  context.Context
	stop context.CancelFunc

	mu        sync.RWMutex // over closed; taken before a queue's own
	closed    bool
	queuesMu  sync.Mutex // over queues
	queues    map[topicPartition]*queue
	guards    map[string]func(partition int) int64 // by topic; over it queuesMu
	producers sync.WaitGroup
	buffer    buffer

	refreshed refreshed
}

type topicPartition struct {
	topic     string
	partition int
}

func (tp topicPartition) String() string { return fmt.Sprintf("%s/%d", tp.topic, tp.partition) }

// New makes a Broker. It connects when it is first used, not here; Ping tells
// whether the cluster answers.
func New(cfg Config) (*Broker, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	compression, err := compressionOf(cfg.Compression)
	if err != nil {
		return nil, err
	}
	signIn, err := cfg.Login.signIn()
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	transport := &kafka.Transport{
		// A request that comes after Close would else leave a pool that asks for the
		// cluster's metadata for ever.
		Context:     ctx,
		Dial:        cfg.Dial,
		DialTimeout: 5 * time.Second,
		ClientID:    cfg.ClientID,
		TLS:         cfg.Login.TLS,
		SASL:        signIn,
		// The library also takes this as the time limit of a metadata request.
		MetadataTTL: 2 * time.Second,
	}
	addr := kafka.TCP(cfg.Brokers...)
	return &Broker{
		cfg:         cfg,
		log:         cfg.Log,
		metrics:     newMetrics(cfg.Metrics),
		compression: compression,
		addr:        addr,
		signIn:      signIn,
		transport:   transport,
		client:      &kafka.Client{Addr: addr, Timeout: cfg.AttemptTimeout, Transport: transport},
		ctx:         ctx,
		stop:        stop,
		queues:      make(map[topicPartition]*queue),
		guards:      make(map[string]func(partition int) int64),
		buffer:      buffer{max: int64(cfg.MaxBuffered)},
	}, nil
}

func compressionOf(name string) (kafka.Compression, error) {
	if name == "" || name == "none" {
		return 0, nil
	}
	var c kafka.Compression
	if err := c.UnmarshalText([]byte(name)); err != nil {
		return 0, fmt.Errorf("broker: compression %q: use none, snappy, lz4 or zstd", name)
	}
	return c, nil
}

// Close refuses further records, waits up to Config.DrainTimeout for those in
// line to be acknowledged, and gives the rest up: their fate is unknown. Stop
// cursors and Consume through their contexts first. Close may be called twice.
func (b *Broker) Close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()

	giveUp := time.AfterFunc(b.cfg.DrainTimeout, b.stop)
	b.producers.Wait()
	giveUp.Stop()
	b.stop()
	b.transport.CloseIdleConnections()
	return nil
}

// Topic is a topic's full name: "submitted" becomes "relais.submitted". All
// other methods take full names.
func (b *Broker) Topic(name string) string { return b.cfg.Prefix + "." + name }

// ShortName undoes Topic; ok is false for another installation's topic.
func (b *Broker) ShortName(topic string) (name string, ok bool) {
	return strings.CutPrefix(topic, b.cfg.Prefix+".")
}

// Ping asks the cluster who it is: nil says that a broker answered within ctx
// and a few seconds, an error says in one sentence which did not.
func (b *Broker) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	// The transport answers from its memory; only a fresh one asks the cluster.
	b.refreshNow()
	if _, err := b.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{}}); err != nil {
		return fmt.Errorf("no Kafka broker answers at %s: %w", strings.Join(b.cfg.Brokers, ", "), err)
	}
	return nil
}

// Addresses are those by which the cluster was found.
func (b *Broker) Addresses() []string { return slices.Clone(b.cfg.Brokers) }
