package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/relais-fr/relais/services/internal/store"
)

func sweeperRemovesRetiredGenerationsOnly(t *testing.T, e *engine) {
	client := e.client()
	s := store.New(store.Config{Client: client})
	p := s.Projection("ledger", "1")
	var ops []store.Op
	for i := range 2000 {
		ops = append(ops, store.Set(fmt.Sprint("old", i), []byte("v")))
	}
	commit(t, p, none, first, ops...)
	if err := p.Reset(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	commit(t, p, none, first, store.Set("new", []byte("v")))
	// Another format takes over, and a neighbour keeps its own.
	q := s.Projection("ledger", "2")
	commit(t, q, none, first, store.Set("newer", []byte("v")))
	if err := p.Commit(t.Context(), 30, none, first, []store.Op{store.Set("neighbour", nil)}); err != nil {
		t.Fatal(err)
	}

	// A later process finds what the earlier one left.
	later := store.New(store.Config{Client: client})
	wantPosition(t, later.Projection("ledger", "2"), first)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- later.Run(ctx) }()
	left := waitForKeys(t, client, 4)
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	for _, key := range left {
		if strings.Contains(key, ":old") || strings.HasSuffix(key, ":new") {
			t.Errorf("%s was left", key)
		}
	}
	wantValues(t, q, first, map[string]string{"newer": "v"})
}

// waitForKeys waits until the store has at most n keys, and returns them.
func waitForKeys(t *testing.T, client redis.UniversalClient, n int) []string {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		keys, err := client.Keys(t.Context(), "*").Result()
		if err != nil {
			t.Fatal(err)
		}
		if len(keys) <= n {
			return keys
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%d keys are left, want %d", len(keys), n)
		}
	}
}
