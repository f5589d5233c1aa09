//go:build !linux

package cluster

import "errors"

var errNoMount = errors.New("a disk that can be full is mounted on Linux only")

func mountMemory(string, int64) error { return errNoMount }

func unmount(string) error { return errNoMount }

func freeSpace(string) (int64, error) { return 0, errNoMount }
