package enginetest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/relais-fr/relais/services/internal/ports"
)

// Address is an address on loopback for what is stopped and started again there. A
// free port that the system lends (port 0) may be another's by then, even that of
// whoever tries to connect meanwhile; this one stays the process's own.
func Address(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", ownPort(t))
}

// ownPorts are the ports that this process holds and has not given out yet.
var ownPorts struct {
	mu         sync.Mutex
	next, left int
}

func ownPort(t testing.TB) int {
	t.Helper()
	ownPorts.mu.Lock()
	defer ownPorts.mu.Unlock()
	if ownPorts.left == 0 {
		first, _, err := ports.Take(context.Background(), 1)
		if err != nil {
			t.Fatal(err)
		}
		ownPorts.next, ownPorts.left = first, ports.Block-1
	}
	ownPorts.next++
	ownPorts.left--
	return ownPorts.next - 1
}
