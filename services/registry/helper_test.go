package registry

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/directory"
)

// memoryLog is a log in memory, shared by as many registries as a test likes.
type memoryLog struct {
	mu      sync.Mutex
	entries []entry
	next    int64
	grown   chan struct{}
	// before is called before records are appended, without the lock.
	before func([]entry)
	// fail is returned by Append once it has written, or not.
	fail  error
	lose  bool
	refer error
}

func newMemoryLog() *memoryLog { return &memoryLog{grown: make(chan struct{})} }

func (l *memoryLog) Append(_ context.Context, records []entry) (int64, error) {
	if l.before != nil {
		l.before(records)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lose {
		return 0, l.fail
	}
	for _, e := range records {
		e.offset = l.next
		l.next++
		l.entries = append(l.entries, e)
	}
	close(l.grown)
	l.grown = make(chan struct{})
	return l.next - 1, l.fail
}

func (l *memoryLog) Bounds(context.Context) (int64, int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return 0, l.next, l.refer
}

func (l *memoryLog) Follow(ctx context.Context, from int64, handle func([]entry, int64)) error {
	for {
		l.mu.Lock()
		fresh := slices.DeleteFunc(slices.Clone(l.entries), func(e entry) bool { return e.offset < from })
		next, grown := l.next, l.grown
		l.mu.Unlock()
		handle(fresh, next)
		from = next
		select {
		case <-ctx.Done():
			return nil
		case <-grown:
		}
	}
}

// compact keeps the last record of each key, as Kafka does, and with all set
// drops tombstones too.
func (l *memoryLog) compact(all bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := map[string]int64{}
	for _, e := range l.entries {
		last[string(e.key)] = e.offset
	}
	l.entries = slices.DeleteFunc(l.entries, func(e entry) bool {
		return last[string(e.key)] != e.offset || all && e.value == nil
	})
}

// text is the log as `key => value` lines.
func (l *memoryLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	for _, e := range l.entries {
		b.Write(e.key)
		b.WriteString(" => ")
		if e.value == nil {
			b.WriteString("gone")
		}
		b.Write(e.value)
		b.WriteByte('\n')
	}
	return b.String()
}

// node is one registry on a log.
type node struct {
	*Registry
	mux  *http.ServeMux
	stop func()
}

// startNode runs a registry without the catalogue and waits until it has read the
// log.
func startNode(t testing.TB, log schemaLog) *node {
	t.Helper()
	n := newNode(log)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.store.Run(ctx) }()
	n.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(n.stop)
	_, end, _ := log.Bounds(ctx)
	if err := n.store.await(ctx, end); err != nil {
		t.Fatal(err)
	}
	return n
}

func newNode(log schemaLog) *node {
	mux := http.NewServeMux()
	host := services.Host{
		Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), HTTP: mux, Ready: services.NewReadiness(),
		Auth: auth.New(auth.Config{Development: true, Directory: directory.NewView()}),
	}
	return &node{Registry: newRegistry(host, log), mux: mux}
}

// do makes one call and gives `status body`.
func (n *node) do(method, path, body string) string {
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	w := httptest.NewRecorder()
	n.mux.ServeHTTP(w, request)
	return strconv.Itoa(w.Code) + " " + w.Body.String()
}

// play makes the calls of a script and compares the answers. A step is two lines:
// `METHOD path body` and the answer.
func (n *node) play(t *testing.T, script string) {
	t.Helper()
	var asked string
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case asked == "":
			asked = line
		default:
			method, rest, _ := strings.Cut(asked, " ")
			path, body, _ := strings.Cut(rest, " ")
			if got := n.do(method, path, body); got != line {
				t.Errorf("%s\n got: %s\nwant: %s", asked, got, line)
			}
			asked = ""
		}
	}
}
