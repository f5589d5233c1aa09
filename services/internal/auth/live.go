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
		for {
			_, changed := a.cfg.Directory.Watch()
			until, ok := a.still(p)
			if !ok {
				revoke(ErrRevoked)
				return
			}
			// Anew at each change: a rotated key gets an end that it did not have.
			var ends <-chan time.Time
			var timer *time.Timer
			if !until.IsZero() {
				timer = time.NewTimer(time.Until(until))
				ends = timer.C
			}
			select {
			case <-live.Done():
			case <-ends:
				revoke(ErrRevoked)
			case <-changed:
			}
			if timer != nil {
				timer.Stop()
			}
			if live.Err() != nil {
				return
			}
		}
	}()
	return live, func() { revoke(context.Canceled) }
}

// still says whether a principal that came in may stay, and until when as things
// stand; zero for no end. A credential of the same id that is another by now is not
// the one it showed.
func (a *Auth) still(p Principal) (until time.Time, ok bool) {
	if p.ID == Admin && p.Credential == "" {
		return time.Time{}, true
	}
	now := a.cfg.Directory.Snapshot()
	if who, known := now.Participant(p.ID); !known || !who.Active() {
		return time.Time{}, false
	}
	if p.Credential == "" {
		return p.Expires, true
	}
	for _, c := range now.Credentials(p.ID) {
		if c.ID != p.Credential {
			continue
		}
		if c.SHA256 != p.shown.SHA256 || c.Issuer != p.shown.Issuer || c.Client != p.shown.Client || c.Expired(time.Now()) {
			return time.Time{}, false
		}
		if until = p.Expires; until.IsZero() || !c.Expires.IsZero() && c.Expires.Before(until) {
			until = c.Expires
		}
		return until, true
	}
	return time.Time{}, false
}
