package directory

import (
	"context"
	"sync"
	"sync/atomic"
)

// View is the directory as this process knows it. It is filled by Apply and
// replaces its snapshot as a whole, so that look-ups take no lock. Safe for
// concurrent use.
type View struct {
	now   atomic.Pointer[Snapshot]
	ready chan struct{}

	mu      sync.Mutex // one writer at a time; guards changed and caught
	changed chan struct{}
	caught  bool
}

// NewView is an empty view, not ready.
func NewView() *View {
	v := &View{ready: make(chan struct{}), changed: make(chan struct{})}
	v.now.Store(newSnapshot(0))
	return v
}

// NewViewOf is a ready view that holds the records: for tests, and for whoever
// has them without a broker.
func NewViewOf(records ...Record) (*View, error) {
	v := NewView()
	err := v.Apply(records...)
	v.caughtUp()
	return v, err
}

// Apply takes records in as one change. The error names every record that could
// not be read; all others are taken in.
func (v *View) Apply(records ...Record) error { return v.applyUpTo(0, records) }

// applyUpTo takes in records that stand on the topic before the offset next.
func (v *View) applyUpTo(next int64, records []Record) error {
	if len(records) == 0 {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	now, err := v.now.Load().with(records)
	now.next = max(now.next, next)
	v.now.Store(now)
	close(v.changed)
	v.changed = make(chan struct{})
	return err
}

func (v *View) caughtUp() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.caught {
		v.caught = true
		close(v.ready)
	}
}

// Ready is closed once the view holds all that stood on the topic when it began
// to follow. Before that an absence means nothing.
func (v *View) Ready() <-chan struct{} { return v.ready }

// IsReady says whether Ready is closed.
func (v *View) IsReady() bool {
	select {
	case <-v.ready:
		return true
	default:
		return false
	}
}

// Snapshot is the directory as it stands now. Take one for look-ups that must
// agree with each other.
func (v *View) Snapshot() *Snapshot { return v.now.Load() }

// Watch returns the version now and a channel that is closed at the next change.
func (v *View) Watch() (version uint64, changed <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now.Load().version, v.changed
}

// Await waits until the view holds the record at the offset: for a writer that
// must see what it wrote.
func (v *View) Await(ctx context.Context, offset int64) error {
	for {
		_, changed := v.Watch()
		if v.Snapshot().next > offset {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Version grows by one with every batch of changes.
func (v *View) Version() uint64 { return v.Snapshot().Version() }

// Participant is Snapshot.Participant, now.
func (v *View) Participant(id string) (Participant, bool) { return v.Snapshot().Participant(id) }

// Operators is Snapshot.Operators, now.
func (v *View) Operators() []Participant { return v.Snapshot().Operators() }

// Office is Snapshot.Office, now.
func (v *View) Office(id string) (Office, bool) { return v.Snapshot().Office(id) }

// Offices is Snapshot.Offices, now.
func (v *View) Offices() []Office { return v.Snapshot().Offices() }

// Service is Snapshot.Service, now.
func (v *View) Service(code string) (Service, bool) { return v.Snapshot().Service(code) }

// Services is Snapshot.Services, now.
func (v *View) Services() []Service { return v.Snapshot().Services() }

// ServicesOf is Snapshot.ServicesOf, now.
func (v *View) ServicesOf(operator string) []Service { return v.Snapshot().ServicesOf(operator) }

// Setting is Snapshot.Setting, now.
func (v *View) Setting(name string) (string, bool) { return v.Snapshot().Setting(name) }

// CredentialByHash is Snapshot.CredentialByHash, now.
func (v *View) CredentialByHash(sha256hex string) (Credential, bool) {
	return v.Snapshot().CredentialByHash(sha256hex)
}

// CredentialByClient is Snapshot.CredentialByClient, now.
func (v *View) CredentialByClient(issuer, client string) (Credential, bool) {
	return v.Snapshot().CredentialByClient(issuer, client)
}

// Credentials is Snapshot.Credentials, now.
func (v *View) Credentials(participant string) []Credential {
	return v.Snapshot().Credentials(participant)
}

// Changed is closed at the next change. Ask before looking, so that no change is
// missed in between.
func (v *View) Changed() <-chan struct{} {
	_, changed := v.Watch()
	return changed
}

// Search is Snapshot.Search, now.
func (v *View) Search(text string, n int) []Office { return v.Snapshot().Search(text, n) }
