package enginetest

import (
	"encoding/binary"
	"io"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// LoseAnswers makes the answers to the next n requests of that kind get lost:
// the broker does what was asked, then the connection ends, and the client
// cannot know.
func (k *Kafka) LoseAnswers(key kmsg.Key, n int) {
	k.losses.mu.Lock()
	defer k.losses.mu.Unlock()
	if k.losses.left == nil {
		k.losses.left = make(map[kmsg.Key]int)
	}
	k.losses.left[key] += n
}

// Lost says how many answers of that kind are still to be lost.
func (k *Kafka) Lost(key kmsg.Key) (left int) {
	k.losses.mu.Lock()
	defer k.losses.mu.Unlock()
	return k.losses.left[key]
}

type losses struct {
	mu   sync.Mutex
	left map[kmsg.Key]int
}

func (l *losses) take(key kmsg.Key) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left[key] == 0 {
		return false
	}
	l.left[key]--
	return true
}

// conn is a client's connection that can lose an answer. Kafka's requests begin
// with their length and their kind.
type conn struct {
	net.Conn
	losses *losses

	mu     sync.Mutex
	remain int // bytes of the request being written
	lose   bool
}

func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.remain == 0 && len(p) >= 6 {
		c.remain = 4 + int(binary.BigEndian.Uint32(p))
		c.lose = c.losses.take(kmsg.Key(binary.BigEndian.Uint16(p[4:])))
	}
	c.remain -= min(len(p), c.remain)
	c.mu.Unlock()
	return c.Conn.Write(p)
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	lose := c.lose
	c.mu.Unlock()
	if lose && err == nil {
		_ = c.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}
