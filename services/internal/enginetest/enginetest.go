// Package enginetest gives tests their engines. The embedded ones live in the
// test's process and its testing/synctest bubble, without a network and in
// virtual time; Apache Kafka and Redis are those that deploy/local has started
// (Local). It also says what a machine lacks for a test. Only tests import it.
package enginetest

import (
	"context"
	"net"
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
	// Line is the way to it that clients take, but for those with one of NewLine.
	*Line

	network *kfake.VirtualNetwork
	opts    []kfake.Opt
}

// port is the same for all: each has a network of its own.
const port = 9092

// NewKafka starts a broker that stops with the test.
func NewKafka(t testing.TB, opts ...kfake.Opt) *Kafka {
	t.Helper()
	network := new(kfake.VirtualNetwork)
	k := &Kafka{Addr: "127.0.0.1:9092", Line: NewLine(network.DialContext), network: network, opts: opts}
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

// NewLine is a way to the broker for one client alone.
func (k *Kafka) NewLine() *Line { return NewLine(k.network.DialContext) }

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
