//go:build !linux

package cluster

import "syscall"

// ownGroup keeps Ctrl-C from what we start.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func lockThread() {}
