package cluster

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// mountMemory mounts a file system of its own, in memory.
func mountMemory(dir string, size int64) error {
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", size)); err != nil {
		return fmt.Errorf("a disk that can be full needs root, to mount one at %s: %w", dir, err)
	}
	return nil
}

func unmount(dir string) error { return unix.Unmount(dir, unix.MNT_DETACH) }

// freeSpace is how many bytes the file system of a folder has left.
func freeSpace(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * s.Bsize, nil
}
