package cluster

import (
	"context"
	"net"
	"os/exec"
	"time"
)

// Site is where a process runs: this machine's loopback, or a network namespace of
// its own, which has an address on the trial's network.
type Site struct {
	Name string
	IP   string
	// namespace is "" on this machine's loopback.
	namespace string
}

// loopback is the site of everything when there is no network of the trial's own.
func loopback(name string) *Site { return &Site{Name: name, IP: "127.0.0.1"} }

// command is a program that will run at the site.
func (s *Site) command(program string, args ...string) *exec.Cmd {
	if s.namespace == "" {
		return exec.Command(program, args...)
	}
	// `ip netns exec` becomes the program: the pid is the program's own.
	return exec.Command("ip", append([]string{"netns", "exec", s.namespace, program}, args...)...)
}

// Dial connects from the site.
func (s *Site) Dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	dialer := net.Dialer{Timeout: 3 * time.Second, FallbackDelay: -1}
	inside(s.namespace, func() { conn, err = dialer.DialContext(ctx, network, address) }, &err)
	return conn, err
}

// listen listens at the site.
func (s *Site) listen(ctx context.Context, address string) (listener net.Listener, err error) {
	inside(s.namespace, func() { listener, err = new(net.ListenConfig).Listen(ctx, "tcp", address) }, &err)
	return listener, err
}
