package hub

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
)

// door is the embedded broker's listener: it takes connections from the network
// once it is open, and from within the process at any time. What it says is its
// address is what clients are told to connect to.
type door struct {
	net.Listener // the network's

	addr      doorAddr
	gate      *gate
	opened    chan struct{}
	closed    chan struct{}
	conns     chan net.Conn
	openOnce  sync.Once
	closeOnce sync.Once
	accepting sync.WaitGroup
	err       error
}

func openDoor(cfg EmbeddedConfig) (*door, error) {
	host, _, err := net.SplitHostPort(cfg.KafkaAddr)
	if err != nil {
		return nil, fmt.Errorf("%q is no address for --kafka: use host:port, such as 127.0.0.1:9092", cfg.KafkaAddr)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return nil, fmt.Errorf("%q is no address that Kafka clients could come back to: give this machine's own name or address with --kafka", cfg.KafkaAddr)
	}
	l, err := cfg.Listen("tcp", cfg.KafkaAddr)
	if err != nil {
		return nil, fmt.Errorf("%s is not free for --kafka (%w): stop what listens there, or give another address with --kafka", cfg.KafkaAddr, err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("address of the Kafka door: %w", err), l.Close())
	}
	closed := make(chan struct{})
	d := &door{
		Listener: l, addr: doorAddr(net.JoinHostPort(host, port)), gate: newGate(cfg, closed),
		opened: make(chan struct{}), closed: closed, conns: make(chan net.Conn),
	}
	d.accepting.Go(d.accept)
	return d, nil
}

// doorAddr is the address as it was asked for, with the port that was got.
type doorAddr string

func (doorAddr) Network() string  { return "tcp" }
func (a doorAddr) String() string { return string(a) }

// Addr implements net.Listener: what clients are told to connect to.
func (d *door) Addr() net.Addr { return d.addr }

// open lets the network in.
func (d *door) open() { d.openOnce.Do(func() { close(d.opened) }) }

func (d *door) accept() {
	select {
	case <-d.opened:
	case <-d.closed:
		return
	}
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return
		}
		if conn = d.gate.guard(conn); !d.hand(conn) {
			_ = conn.Close()
			return
		}
	}
}

func (d *door) hand(conn net.Conn) bool {
	select {
	case d.conns <- conn:
		return true
	case <-d.closed:
		return false
	}
}

// Accept implements net.Listener.
func (d *door) Accept() (net.Conn, error) {
	select {
	case conn := <-d.conns:
		return conn, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

// dial connects within the process.
func (d *door) dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case d.conns <- server:
		return client, nil
	case <-d.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Close implements net.Listener.
func (d *door) Close() error {
	d.closeOnce.Do(func() {
		close(d.closed)
		d.err = d.Listener.Close()
		d.accepting.Wait()
	})
	return d.err
}
