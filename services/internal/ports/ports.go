// Package ports finds ports for trials and tests whose processes are told where to
// listen, and come back to the same place when they were killed.
package ports

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

const (
	// Block is how many ports stand in a row in a block; all but its last are the
	// taker's. The last is listened on for as long as the block is taken, so that two
	// trials that run side by side never take the same one.
	Block = 100

	// Blocks lie below the ports that systems lend to whoever connects: 32768 and up
	// on Linux, 49152 and up elsewhere (RFC 6335, section 6).
	lowest, highest = 10_000, 32_600
)

// Take takes blocks in a row, in which nobody listens on loopback, and returns the
// first port of the first. They are the caller's until release.
func Take(ctx context.Context, blocks int) (first int, release func(), err error) {
	starts := (highest-lowest)/Block - blocks + 1
	for range 50 {
		first = lowest + Block*rand.IntN(starts)
		if release, err = take(ctx, first, blocks); err == nil {
			return first, release, nil
		}
	}
	return 0, nil, fmt.Errorf("no %d free ports in a row: %w", Block*blocks, err)
}

func take(ctx context.Context, first, blocks int) (release func(), err error) {
	var held []net.Listener
	release = func() {
		for _, l := range held {
			_ = l.Close()
		}
	}
	for block := range blocks {
		l, err := listen(ctx, first+Block*(block+1)-1)
		if err != nil {
			release()
			return nil, err
		}
		held = append(held, l)
	}
	for port := first; port < first+Block*blocks; port++ {
		if (port+1)%Block == 0 {
			continue
		}
		l, err := listen(ctx, port)
		if err != nil {
			release()
			return nil, err
		}
		if err := l.Close(); err != nil {
			release()
			return nil, errors.Join(errors.New("a port cannot be given back"), err)
		}
	}
	return release, nil
}

func listen(ctx context.Context, port int) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}
