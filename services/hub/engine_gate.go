package hub

import (
	"crypto/tls"
	"log/slog"
	"maps"
	"net"
	"sync"
	"time"
)

// gate watches over the connections that the network makes to the embedded broker.
// Where who calls is asked, those who have not signed in are few and have little
// time, so that no number of them keeps out who can.
type gate struct {
	asks   bool        // who calls
	tls    *tls.Config // nil for connections in the clear
	log    *slog.Logger
	closed chan struct{}

	mu        sync.Mutex
	strangers []*guard // who has not signed in, the oldest first
	refused   map[string]int64
	said      time.Time // when the log was last told
	unsaid    int64
	paused    int // who has failed and is made to wait
}

// The reasons for which the Kafka door turns somebody away.
const (
	reasonGarbage     = "garbage"          // bytes that are no request
	reasonNotSignedIn = "no_login"         // a request before signing in
	reasonRefused     = "bad_login"        // an unknown user, or a wrong password
	reasonTooSlow     = "too_slow"         // no end of signing in within its time
	reasonTooMany     = "too_many_at_once" // to make room for the next one
)

const (
	// maxStrangers may be signing in at the same time. It takes some ten
	// milliseconds; a new one pushes out the oldest from where most come.
	maxStrangers = 128
	// signInLimit is how long signing in may take, with TLS.
	signInLimit = 10 * time.Second
	// maxPaused may wait at the same time for the word that they have failed.
	maxPaused = 1024
	// sayEvery bounds the lines in the log.
	sayEvery = 10 * time.Second
)

func newGate(cfg EmbeddedConfig, closed chan struct{}) *gate {
	return &gate{asks: cfg.Secure, tls: cfg.TLS, log: cfg.Log, closed: closed, refused: map[string]int64{}}
}

// guard puts a connection from the network under guard.
func (t *gate) guard(conn net.Conn) net.Conn {
	if t.tls != nil {
		conn = tls.Server(conn, t.tls)
	}
	g := &guard{Conn: conn, gate: t, known: !t.asks, stop: func() {}}
	if !t.asks {
		return g
	}
	limit := time.AfterFunc(signInLimit, func() { t.drop(g, reasonTooSlow) })
	g.stop = func() { limit.Stop() }
	t.mu.Lock()
	var out *guard
	if len(t.strangers) >= maxStrangers {
		out = t.oldestOfMost()
	}
	t.strangers = append(t.strangers, g)
	t.mu.Unlock()
	if out != nil {
		t.drop(out, reasonTooMany)
	}
	return g
}

// oldestOfMost is who has waited longest among those from the address that most come
// from. It is called with t.mu held.
func (t *gate) oldestOfMost() *guard {
	from := make(map[string]int, len(t.strangers))
	most := 0
	for _, g := range t.strangers {
		from[hostOf(g)]++
		most = max(most, from[hostOf(g)])
	}
	for _, g := range t.strangers {
		if from[hostOf(g)] == most {
			return g
		}
	}
	return nil
}

func hostOf(c net.Conn) string {
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		return c.RemoteAddr().String()
	}
	return host
}

// drop ends the connection of somebody who has not signed in.
func (t *gate) drop(g *guard, reason string) {
	if t.leave(g) {
		t.refuse(reason)
		raw := g.Conn
		if over, ok := raw.(*tls.Conn); ok {
			raw = over.NetConn() // no farewell, which could wait for the client
		}
		_ = raw.Close()
	}
}

// leave says that somebody is a stranger no more; false when it was none.
func (t *gate) leave(g *guard) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, s := range t.strangers {
		if s == g {
			t.strangers = append(t.strangers[:i], t.strangers[i+1:]...)
			return true
		}
	}
	return false
}

// refuse counts who is turned away. The log is told at a bounded rate, and nothing
// that the client said.
func (t *gate) refuse(reason string) {
	t.mu.Lock()
	t.refused[reason]++
	t.unsaid++
	now := time.Now()
	say := now.Sub(t.said) >= sayEvery
	count := t.unsaid
	if say {
		t.said, t.unsaid = now, 0
	}
	t.mu.Unlock()
	if say {
		t.log.Warn("turned away at the Kafka door", "reason", reason, "count", count)
	}
}

// counts are those who were turned away, by reason.
func (t *gate) counts() map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.refused)
}

func (t *gate) ending() bool {
	select {
	case <-t.closed:
		return true
	default:
		return false
	}
}

// pause makes who has failed wait, unless so many do that they would be a burden.
func (t *gate) pause(d time.Duration) {
	t.mu.Lock()
	if t.paused >= maxPaused {
		t.mu.Unlock()
		return
	}
	t.paused++
	t.mu.Unlock()
	defer func() { t.mu.Lock(); t.paused--; t.mu.Unlock() }()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.closed:
	}
}
