package enginetest

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

type loss struct {
	key  kmsg.Key
	held bool
}

type losses struct {
	mu   sync.Mutex
	left map[loss]int
}

func (l *losses) add(what loss, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left == nil {
		l.left = make(map[loss]int)
	}
	l.left[what] += n
}

func (l *losses) take(what loss) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left[what] == 0 {
		return false
	}
	l.left[what]--
	return true
}

// conn is a client's connection that can lose an answer, or stand still. Kafka's
// requests begin with their length and their kind.
type conn struct {
	net.Conn
	line *Line

	mu         sync.Mutex
	remain     int // bytes of the request being written
	lose, hold bool
	asked      bool // for records or to keep some, and nothing of the answer has been read
}

func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.remain == 0 && len(p) >= 6 {
		key := kmsg.Key(binary.BigEndian.Uint16(p[4:]))
		c.remain = 4 + int(binary.BigEndian.Uint32(p))
		c.asked = key == kmsg.Produce || key == kmsg.Fetch
		c.lose, c.hold = c.line.losses.take(loss{key, false}), c.line.losses.take(loss{key, true})
	}
	c.remain -= min(len(p), c.remain)
	c.mu.Unlock()
	if c.line.later(c, p, false) {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *conn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if n > 0 {
			c.line.stand()
		}
		c.mu.Lock()
		lose, hold, first := c.lose, c.hold, c.asked
		c.asked = false
		c.mu.Unlock()
		if d := c.line.takes.Load(); first && n > 0 && d > 0 {
			time.Sleep(time.Duration(d))
		}
		switch {
		case err != nil || !lose && !hold:
			return n, err
		case lose:
			_ = c.Close()
			return 0, io.ErrUnexpectedEOF
		}
	}
}

// Close ends reads at once. While the line is paused the broker does not learn of
// it: a process that stands still closes nothing.
func (c *conn) Close() error {
	if c.line.later(c, nil, true) {
		return c.SetReadDeadline(time.Unix(1, 0))
	}
	return c.Conn.Close()
}
