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
func (k *Kafka) LoseAnswers(key kmsg.Key, n int) { k.losses.add(loss{key, false}, n) }

// HoldAnswers makes the answers to the next n requests of that kind never come,
// while their connections stay.
func (k *Kafka) HoldAnswers(key kmsg.Key, n int) { k.losses.add(loss{key, true}, n) }

// Lost says how many answers of that kind are still to be lost.
func (k *Kafka) Lost(key kmsg.Key) (left int) {
	k.losses.mu.Lock()
	defer k.losses.mu.Unlock()
	return k.losses.left[loss{key, false}]
}

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

// conn is a client's connection that can lose an answer. Kafka's requests begin
// with their length and their kind.
type conn struct {
	net.Conn
	losses *losses

	mu         sync.Mutex
	remain     int // bytes of the request being written
	lose, hold bool
}

func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.remain == 0 && len(p) >= 6 {
		key := kmsg.Key(binary.BigEndian.Uint16(p[4:]))
		c.remain = 4 + int(binary.BigEndian.Uint32(p))
		c.lose, c.hold = c.losses.take(loss{key, false}), c.losses.take(loss{key, true})
	}
	c.remain -= min(len(p), c.remain)
	c.mu.Unlock()
	return c.Conn.Write(p)
}

func (c *conn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		c.mu.Lock()
		lose, hold := c.lose, c.hold
		c.mu.Unlock()
		switch {
		case err != nil || !lose && !hold:
			return n, err
		case lose:
			_ = c.Close()
			return 0, io.ErrUnexpectedEOF
		}
	}
}
