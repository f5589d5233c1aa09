// Package pause waits, for as long as somebody still wants what comes after.
package pause

import (
	"context"
	"time"
)

// For waits for d, and returns nil; or until ctx ends, and returns its cause.
func For(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
