package enginetest

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Line is a client's way to a cluster, embedded or not. It can be cut, it can
// lose answers, and it can stand still. Safe for concurrent use.
type Line struct {
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	dials  atomic.Int64
	cut    atomic.Bool
	takes  atomic.Int64
	losses losses

	mu     sync.Mutex
	paused chan struct{} // closed when the line goes on; nil while it runs
	late   map[*conn]*late
}

// NewLine is a line that is as good as dial.
func NewLine(dial func(ctx context.Context, network, address string) (net.Conn, error)) *Line {
	return &Line{dial: dial}
}

// Dial connects to a broker; it fits broker.Config.Dial.
func (l *Line) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	l.stand()
	if l.cut.Load() {
		return nil, &net.OpError{Op: "dial", Net: network, Err: net.ErrClosed}
	}
	l.dials.Add(1)
	c, err := l.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, line: l}, nil
}

// Cut lets dials fail (true) or succeed (false); connections stay.
func (l *Line) Cut(cut bool) { l.cut.Store(cut) }

// Takes lets each answer to a produce or a fetch be this long under way. Embedded
// engines answer at once in virtual time, and of nothing nobody can tell how much
// it has changed. Other answers are waited for under a lock of the client's, on
// which virtual time stands still.
func (l *Line) Takes(d time.Duration) { l.takes.Store(int64(d)) }

// Dials is the number of connections made so far.
func (l *Line) Dials() int64 { return l.dials.Load() }

// Pause lets nothing through until Resume, in either direction, and closes
// nothing: to the broker the client looks like a process that has been stopped,
// and not like one that ended. What the client writes meanwhile arrives later.
func (l *Line) Pause() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.paused == nil {
		l.paused, l.late = make(chan struct{}), make(map[*conn]*late)
	}
}

// Resume ends Pause.
func (l *Line) Resume() {
	for {
		l.mu.Lock()
		all := l.late
		if len(all) == 0 {
			if l.paused != nil {
				close(l.paused)
			}
			l.paused = nil
			l.mu.Unlock()
			return
		}
		l.late = make(map[*conn]*late)
		l.mu.Unlock()
		for c, what := range all {
			_, _ = c.Conn.Write(what.written)
			if what.closed {
				_ = c.Conn.Close()
			}
		}
	}
}

// late is what a client did to a connection while the line was paused.
type late struct {
	written []byte
	closed  bool
}

// later keeps what is done to a connection until Resume; false while nothing is
// paused. A client's write or close must not block: it holds locks of its own,
// and virtual time does not pass while others wait for a lock.
func (l *Line) later(c *conn, p []byte, closed bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.paused == nil {
		return false
	}
	if l.late[c] == nil {
		l.late[c] = new(late)
	}
	l.late[c].written = append(l.late[c].written, p...)
	l.late[c].closed = l.late[c].closed || closed
	return true
}

// stand waits as long as the line is paused.
func (l *Line) stand() {
	l.mu.Lock()
	paused := l.paused
	l.mu.Unlock()
	if paused != nil {
		<-paused
	}
}

// LoseAnswers makes the answers to the next n requests of that kind get lost:
// the broker does what was asked, then the connection ends, and the client
// cannot know.
func (l *Line) LoseAnswers(key kmsg.Key, n int) { l.losses.add(loss{key, false}, n) }

// HoldAnswers makes the answers to the next n requests of that kind never come,
// while their connections stay.
func (l *Line) HoldAnswers(key kmsg.Key, n int) { l.losses.add(loss{key, true}, n) }

// Lost says how many answers of that kind are still to be lost.
func (l *Line) Lost(key kmsg.Key) (left int) {
	l.losses.mu.Lock()
	defer l.losses.mu.Unlock()
	return l.losses.left[loss{key, false}]
}
