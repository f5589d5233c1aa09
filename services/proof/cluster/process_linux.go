package cluster

import (
	"runtime"
	"syscall"
)

// ownGroup keeps Ctrl-C from what we start, and has the kernel end it when we are
// killed ourselves.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func lockThread() { runtime.LockOSThread() }
