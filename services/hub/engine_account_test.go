package hub

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/services/internal/broker"
)

// writer hands records in one after the other and writes down what was
// acknowledged, by offset.
type writer struct {
	mu    sync.Mutex
	acked map[int64]string
	tried int
}

func (w *writer) run(t *testing.T, b *broker.Broker, topic string, stop <-chan struct{}) {
	filler := strings.Repeat("x", 2000)
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		value := fmt.Sprintf("%06d %s", i, filler)
		w.mu.Lock()
		w.tried++
		w.mu.Unlock()
		offset, err := b.Produce(t.Context(), broker.Record{Topic: topic, Value: []byte(value)})
		if errors.Is(err, broker.ErrClosed) {
			return
		}
		if err != nil {
			t.Error(err)
			return
		}
		w.mu.Lock()
		w.acked[offset] = value
		w.mu.Unlock()
	}
}

func (w *writer) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.acked)
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

// assertThere starts a hub on the folder and wants every acknowledged record at
// its offset, and nothing that was never handed in.
func assertThere(t *testing.T, data, topic string, w *writer) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	e := startEmbedded(t, func(c *EmbeddedConfig) { c.DataDir, c.LeastFree = data, 1 })
	b := clientOf(t, e, e.Dial)
	r, err := b.RangeOf(t.Context(), topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := map[int64]string{}
	for cursor := b.Cursor(topic, 0, r.First); cursor.Position() < r.Next; {
		batch, err := cursor.Fetch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range batch.Records {
			got[rec.Offset] = string(rec.Value)
		}
	}
	for offset, value := range w.acked {
		if diff := cmp.Diff(value[:6], got[offset][:min(6, len(got[offset]))]); diff != "" {
			t.Fatalf("at offset %d of %v (-acknowledged +there):\n%s", offset, r, diff)
		}
	}
	if int64(len(got)) != r.Next || len(got) > 2*w.tried {
		t.Errorf("%d records in %v, %d acknowledged, %d tried", len(got), r, len(w.acked), w.tried)
	}
	if err := errors.Join(b.Close(), e.Close()); err != nil {
		t.Error(err)
	}
}
