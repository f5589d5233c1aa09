package cluster

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// namespaceFolder is where `ip netns` keeps its namespaces.
const namespaceFolder = "/run/netns/"

// inside does something with this goroutine's thread in a network namespace, "" for
// the process's own: a socket belongs for ever to where it was made.
func inside(namespace string, do func(), problem *error) {
	if namespace == "" {
		do()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := visit(namespace, do); err != nil {
			*problem = err
		}
	}()
	<-done
}

func visit(namespace string, do func()) error {
	runtime.LockOSThread()
	there, err := os.Open(namespaceFolder + namespace)
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter a network namespace: %w", err)
	}
	defer func() { _ = there.Close() }()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter a network namespace: %w", err)
	}
	defer func() { _ = home.Close() }()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter a network namespace: %w", err)
	}
	do()
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
		// The thread stays locked, and ends with its goroutine.
		return fmt.Errorf("leave a network namespace: %w", err)
	}
	runtime.UnlockOSThread()
	return nil
}
