package store_test

import (
	"fmt"
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/relais-fr/relais/services/internal/enginetest"
)

// onEachEngine runs a test on the embedded Redis and, where it is installed, on
// a real one. RELAIS_REQUIRE=redis makes a missing one a failure.
func onEachEngine(t *testing.T, test func(t *testing.T, client redis.UniversalClient)) {
	t.Helper()
	t.Run("miniredis", func(t *testing.T) {
		t.Parallel()
		test(t, newClient(t, miniredis.RunT(t).Addr()))
	})
	t.Run("redis-server", func(t *testing.T) {
		t.Parallel()
		test(t, newClient(t, startRedis(t)))
	})
}

func newClient(t testing.TB, addr string) redis.UniversalClient {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr, DisableIdentity: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func startRedis(t *testing.T) (addr string) {
	t.Helper()
	binary := enginetest.Program(t, "redis", "redis-server")
	// Another process may take the port between our asking for a free one and the
	// server's start, so a server that ends at once is started again.
	for range 5 {
		port := freePort(t)
		server := exec.CommandContext(t.Context(), binary, "--port", fmt.Sprint(port), "--bind", "127.0.0.1",
			"--dir", t.TempDir(), "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction")
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { _ = server.Wait(); close(ended) }()
		addr = fmt.Sprintf("127.0.0.1:%d", port)
		if answers(addr, ended) {
			t.Cleanup(func() { _ = server.Process.Kill(); <-ended })
			return addr
		}
		_ = server.Process.Kill()
		<-ended
	}
	t.Fatal("redis-server did not start")
	return ""
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

func answers(addr string, ended <-chan struct{}) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case <-ended:
			return false
		case <-deadline:
			return false
		case <-tick.C:
			if conn, err := net.Dial("tcp", addr); err == nil {
				_ = conn.Close()
				return true
			}
		}
	}
}
