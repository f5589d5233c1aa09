package auth

import (
	"context"
	"time"
)

// principalKey is where a door that has asked already leaves who calls.
type principalKey struct{}

// With is ctx for the rest of a request whose caller is known.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// Live is a context for what stays open: a stream, a long poll, an upload. It ends
// with the cause ErrRevoked as soon as the directory says that the principal may
// come in no more, and when what it signed in with ends. Call cancel when done.
func (a *Auth) Live(ctx context.Context, p Principal) (live context.Context, cancel context.CancelFunc) {
	live, revoke := context.WithCancelCause(ctx)
	go func() {
		var ends <-chan time.Time
		if !p.Expires.IsZero() {
			t := time.NewTimer(time.Until(p.Expires))
			defer t.Stop()
			ends = t.C
		}
		for {
			_, changed := a.cfg.Directory.Watch()
			if !a.still(p) {
				revoke(ErrRevoked)
				return
			}
			select {
			case <-live.Done():
				return
			case <-ends:
				revoke(ErrRevoked)
				return
			case <-changed:
			}
		}
	}()
	return live, func() { revoke(context.Canceled) }
}

// still says whether a principal that came in may stay.
func (a *Auth) still(p Principal) bool {
	if p.ID == Admin && p.Credential == "" {
		return true
	}
	if now, ok := a.cfg.Directory.Participant(p.ID); !ok || !now.Active() {
		return false
	}
	if p.Credential == "" {
		return true
	}
	for _, c := range a.cfg.Directory.Credentials(p.ID) {
		if c.ID == p.Credential {
			return c.Expires.IsZero() || time.Now().Before(c.Expires)
		}
	}
	return false
}
