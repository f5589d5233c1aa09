package inbox

import (
	"iter"
	"sync"
)

// waker tells those who wait for an office that something has changed on its
// desk. Its zero value is ready; it is safe for concurrent use.
type waker struct {
	mu      sync.Mutex
	waiting map[string]chan struct{}
}

// wait returns a channel that is closed at the office's next change. Whoever asks
// before it reads the desk misses nothing.
func (w *waker) wait(office string) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting == nil {
		w.waiting = make(map[string]chan struct{})
	}
	ch := w.waiting[office]
	if ch == nil {
		ch = make(chan struct{})
		w.waiting[office] = ch
	}
	return ch
}

func (w *waker) up(offices iter.Seq[string]) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for office := range offices {
		if ch := w.waiting[office]; ch != nil {
			close(ch)
			delete(w.waiting, office)
		}
	}
}

// tenancy is what this process follows, and how far it has come. Its zero value
// is ready; it is safe for concurrent use.
type tenancy struct {
	mu  sync.Mutex
	all map[int]progress
}

type progress struct{ done, goal int64 }

func (t *tenancy) set(partition int, p progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = make(map[int]progress)
	}
	t.all[partition] = p
}

func (t *tenancy) end(partition int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.all, partition)
}

func (t *tenancy) of(partition int) (p progress, ours bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, ours = t.all[partition]
	return p, ours
}
