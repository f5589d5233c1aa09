package store_test

import (
	"context"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/relais-fr/relais/services/internal/enginetest"
	"github.com/relais-fr/relais/services/internal/store"
)

// engine is a Redis of either kind, one for each test.
type engine struct {
	t    *testing.T
	mini *miniredis.Miniredis    // nil on the real one
	real *enginetest.RedisServer // nil on the embedded one

	addr string
	lose atomic.Bool // lose the next answer
}

// limit is how long anything may take that a test waits for.
const limit = 30 * time.Second

// onTheEmbedded runs a test on an embedded Redis of its own.
func onTheEmbedded(t *testing.T, test func(t *testing.T, e *engine)) {
	mini := miniredis.RunT(t)
	test(t, &engine{t: t, mini: mini, addr: mini.Addr()})
}

// onRedis runs a test on a server of its own, as deploy/local starts it.
func onRedis(t *testing.T, test func(t *testing.T, e *engine)) {
	server := enginetest.NewRedisServer(t)
	test(t, &engine{t: t, real: server, addr: server.Addr})
}

func newClient(t testing.TB, addr string) redis.UniversalClient {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr, DisableIdentity: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// client is a client as the services have it, of which answers can be lost.
func (e *engine) client() redis.UniversalClient {
	options := store.Tune(&redis.Options{Addr: e.addr})
	options.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, network, address)
		return &lossyConn{c, e}, err
	}
	client := redis.NewClient(options)
	e.t.Cleanup(func() { _ = client.Close() })
	return client
}

// lossyConn loses an answer when it is told to: the server has done what was
// asked, then the connection ends.
type lossyConn struct {
	net.Conn
	e *engine
}

func (c *lossyConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && c.e.lose.CompareAndSwap(true, false) {
		_ = c.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

// kill ends the server as a crash would; the embedded one ends with its process.
func (e *engine) kill() {
	if e.real != nil {
		e.real.Kill()
		return
	}
	e.mini.Close()
}

// start starts the server again at its address, with what it kept.
func (e *engine) start() {
	e.t.Helper()
	if e.real != nil {
		e.real.Start()
		return
	}
	e.mini = miniredis.NewMiniRedis()
	if err := e.mini.StartAddr(e.addr); err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(e.mini.Close)
}

// snapshot is the store as it is now; the function makes it that again, as a
// restore from a copy of its files does.
func (e *engine) snapshot() (restore func()) {
	e.t.Helper()
	if e.real == nil {
		client := e.client()
		all := dump(e.t, client)
		return func() { write(e.t, client, all) }
	}
	copied := e.t.TempDir() + "/redis"
	e.real.Stop()
	if err := os.CopyFS(copied, os.DirFS(e.real.Dir)); err != nil {
		e.t.Fatal(err)
	}
	e.real.Start()
	return func() {
		e.real.Kill()
		if err := os.RemoveAll(e.real.Dir); err != nil {
			e.t.Fatal(err)
		}
		if err := os.CopyFS(e.real.Dir, os.DirFS(copied)); err != nil {
			e.t.Fatal(err)
		}
		e.real.Start()
	}
}

// dump is what stands under the keys, which have to hold strings.
func dump(t *testing.T, client redis.UniversalClient) map[string]string {
	t.Helper()
	all := map[string]string{}
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if all[key], err = client.Get(t.Context(), key).Result(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func write(t *testing.T, client redis.UniversalClient, all map[string]string) {
	t.Helper()
	flush(t, client)
	for key, value := range all {
		if err := client.Set(t.Context(), key, value, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func flush(t *testing.T, client redis.UniversalClient) {
	t.Helper()
	if err := client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
}

// until waits for a condition.
func (e *engine) until(what string, met func() bool) {
	e.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); !met(); <-tick.C {
		if time.Since(begun) > limit {
			e.t.Fatalf("%v later still not: %s", limit, what)
		}
	}
}

// answers waits until a projection can be asked again: connections of before a
// restart are noticed one by one.
func (e *engine) answers(p *store.Projection) {
	e.t.Helper()
	e.until("the server answers", func() bool { _, _, err := p.Position(e.t.Context(), 3); return err == nil })
}
