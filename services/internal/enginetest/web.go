package enginetest

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
)

// Web is a web server on a network of its own: what it writes waits until its
// client reads it, for no socket has room for it.
type Web struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// NewWeb starts a server that stops with the test.
func NewWeb(t testing.TB, handler http.Handler) *Web {
	w := &Web{conns: make(chan net.Conn), closed: make(chan struct{})}
	var handling sync.WaitGroup
	var mu sync.Mutex // nothing begins once what has begun is waited for
	over := false
	server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		if over {
			mu.Unlock()
			return
		}
		handling.Add(1)
		mu.Unlock()
		defer handling.Done()
		handler.ServeHTTP(rw, r)
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(w)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
		mu.Lock()
		over = true
		mu.Unlock()
		// What a handler uses is there until it has returned.
		handling.Wait()
	})
	return w
}

// DialContext connects to the server, whatever the address.
func (w *Web) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case w.conns <- server:
		return client, nil
	case <-w.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Client is a client of the server's that reads what it is sent.
func (w *Web) Client(t testing.TB) *http.Client {
	transport := &http.Transport{DialContext: w.DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// Accept makes it a net.Listener.
func (w *Web) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (w *Web) Close() error {
	w.once.Do(func() { close(w.closed) })
	return nil
}

// Addr implements net.Listener.
func (w *Web) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }
