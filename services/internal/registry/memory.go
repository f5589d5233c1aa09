package registry

import (
	"context"
	"sync"
)

// memory remembers answers for ever, and lets callers who miss the same one at
// once ask for it once. Its zero value is empty.
type memory[K comparable, V any] struct {
	mu     sync.Mutex
	known  map[K]V
	asking map[K]chan struct{} // closed when whoever asks has ended
}

// get is the remembered answer, else what ask answers; errors are not
// remembered. One caller asks on its own time while the others wait; if it gives
// up, the next one asks.
func (m *memory[K, V]) get(ctx context.Context, key K, ask func() (V, error)) (V, error) {
	for {
		m.mu.Lock()
		if v, ok := m.known[key]; ok {
			m.mu.Unlock()
			return v, nil
		}
		wait := m.asking[key]
		if wait == nil {
			break
		}
		m.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			var none V
			return none, ctx.Err()
		}
	}
	if m.known == nil {
		m.known, m.asking = map[K]V{}, map[K]chan struct{}{}
	}
	done := make(chan struct{})
	m.asking[key] = done
	m.mu.Unlock()

	v, err := ask()

	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		m.known[key] = v
	}
	delete(m.asking, key)
	close(done)
	return v, err
}
