package hub

import (
	"net"
	"sync"
	"time"
)

// eager is an end of a pipe within the process that takes what is written at once.
//
// A pipe has no buffer: a client that writes many commands before it reads, and a
// server that answers the first before it reads the others, wait for each other
// for ever once the commands are longer than the server's own buffer of 4 kB. The
// buffers of a network hide that.
type eager struct {
	net.Conn

	mu     sync.Mutex
	moved  sync.Cond // queue, err or closed has changed
	queue  []byte
	err    error // of the pipe, for the next Write
	closed bool
	pump   sync.WaitGroup
}

// maxQueued bounds what waits to be read. It is above any pipeline of the store's:
// a Write that is beyond it waits.
const maxQueued = 64 << 20

func newEager(pipe net.Conn) *eager {
	c := &eager{Conn: pipe}
	c.moved.L = &c.mu
	c.pump.Go(c.write)
	return c
}

// Write implements net.Conn. An error is that of what was written before.
func (c *eager) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) > maxQueued && c.err == nil && !c.closed {
		c.moved.Wait()
	}
	switch {
	case c.closed:
		return 0, net.ErrClosed
	case c.err != nil:
		return 0, c.err
	}
	c.queue = append(c.queue, p...)
	c.moved.Broadcast()
	return len(p), nil
}

// write passes on what is queued until the end is closed.
func (c *eager) write() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for len(c.queue) == 0 && !c.closed {
			c.moved.Wait()
		}
		if c.closed || c.err != nil {
			return
		}
		next := c.queue
		c.queue = nil
		c.mu.Unlock()
		_, err := c.Conn.Write(next)
		c.mu.Lock()
		c.err = err
		c.moved.Broadcast()
	}
}

// Close implements net.Conn.
func (c *eager) Close() error {
	c.mu.Lock()
	c.closed = true
	c.moved.Broadcast()
	c.mu.Unlock()
	err := c.Conn.Close()
	c.pump.Wait()
	return err
}

// SetDeadline implements net.Conn for reading: a Write waits for nobody.
func (c *eager) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn; see SetDeadline.
func (c *eager) SetWriteDeadline(time.Time) error { return nil }
