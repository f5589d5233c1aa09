// Package enginetest gives tests the embedded engines without a network: a
// Kafka broker and a Redis that live in the test's process and its
// testing/synctest bubble, where time is virtual. Only tests import it.
package enginetest

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kfake"
)

// Kafka is an embedded broker on a network of its own. Its data is in memory
// unless options say otherwise.
type Kafka struct {
	// Cluster is the broker itself, for faults and controls.
	Cluster *kfake.Cluster
	// Addr is its address, for Dial only.
	Addr string

	network *kfake.VirtualNetwork
	opts    []kfake.Opt
	dials   atomic.Int64
	cut     atomic.Bool
	losses  losses
}

// port is the same for all: each has a network of its own.
const port = 9092

// NewKafka starts a broker that stops with the test.
func NewKafka(t testing.TB, opts ...kfake.Opt) *Kafka {
	t.Helper()
	k := &Kafka{Addr: "127.0.0.1:9092", network: new(kfake.VirtualNetwork), opts: opts}
	k.Start(t)
	t.Cleanup(k.Stop)
	return k
}

// Start starts the broker again after Stop. What it held is there again only
// with a data directory (kfake.DataDir).
func (k *Kafka) Start(t testing.TB) {
	t.Helper()
	opts := append([]kfake.Opt{kfake.NumBrokers(1), kfake.Ports(port), kfake.ListenFn(k.network.Listen)}, k.opts...)
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatalf("start the embedded broker: %v", err)
	}
	k.Cluster = cluster
}

// Stop stops the broker: connections end, dials fail.
func (k *Kafka) Stop() { k.Cluster.Close() }

// Dial connects to the broker; it fits broker.Config.Dial.
func (k *Kafka) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if k.cut.Load() {
		return nil, &net.OpError{Op: "dial", Net: network, Err: net.ErrClosed}
	}
	k.dials.Add(1)
	c, err := k.network.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, losses: &k.losses}, nil
}

// Cut lets dials fail (true) or succeed (false); connections stay.
func (k *Kafka) Cut(cut bool) { k.cut.Store(cut) }

// Dials is the number of connections made so far.
func (k *Kafka) Dials() int64 { return k.dials.Load() }

// NewRedis starts a Redis that stops with the test, and a client of it.
func NewRedis(t testing.TB) (*miniredis.Miniredis, *redis.Client) {
	t.Helper()
	server := miniredis.NewMiniRedis()
	client := redis.NewClient(&redis.Options{
		Addr:            "127.0.0.1:6379",
		DisableIdentity: true,
		Dialer:          func(context.Context, string, string) (net.Conn, error) { return server.Dial() },
	})
	t.Cleanup(func() {
		_ = client.Close()
		server.Close()
	})
	return server, client
}
