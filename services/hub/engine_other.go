//go:build !linux && !darwin

package hub

import (
	"errors"
	"math"
	"os"
)

var errLocked = errors.New("locked by another process")

// lockFile does nothing here: on this system, do not start two hubs on one
// folder.
func lockFile(*os.File) error { return nil }

// freeSpace is not known here; a write that fails still closes the doors.
func freeSpace(string) (uint64, error) { return math.MaxUint64, nil }
