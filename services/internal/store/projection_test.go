package store_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/relais-fr/relais/services/internal/store"
)

func newProjection(client redis.UniversalClient, format string) *store.Projection {
	return store.New(store.Config{Client: client}).Projection("ledger", format)
}

var (
	none   = store.Position{}
	first  = store.Position{Next: 10, Highest: 8, Mark: "a mark"}
	second = store.Position{Next: 20, Highest: 17, Mark: "another"}
)

func commit(t *testing.T, p *store.Projection, from, to store.Position, ops ...store.Op) {
	t.Helper()
	if err := p.Commit(t.Context(), 3, from, to, ops); err != nil {
		t.Fatal(err)
	}
}

func wantPosition(t *testing.T, p *store.Projection, want store.Position) {
	t.Helper()
	got, ok, err := p.Position(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	if got != want || ok == want.Absent() {
		t.Fatalf("position is %+v, %v; want %+v", got, ok, want)
	}
}

func wantValues(t *testing.T, p *store.Projection, at store.Position, want map[string]string) {
	t.Helper()
	var keys []string
	for key := range want {
		keys = append(keys, key)
	}
	values, err := p.Get(t.Context(), 3, at, keys)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for i, key := range keys {
		got[key] = string(values[i])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("values (-want +got):\n%s", diff)
	}
}

func effectsAndPositionMoveTogether(t *testing.T, e *engine) {
	client := e.client()
	p := newProjection(client, "1")
	wantPosition(t, p, none)
	wantValues(t, p, none, map[string]string{"a": ""})

	commit(t, p, none, first, store.Set("a", []byte("1")), store.Set("b", []byte{0, 255, '\n'}), store.Set("c", nil))
	wantPosition(t, p, first)
	wantValues(t, p, first, map[string]string{"a": "1", "b": "\x00\xff\n", "c": "", "d": ""})

	commit(t, p, first, second, store.Del("a"), store.Set("a", []byte("2")), store.Set("b", nil), store.Del("b"))
	wantPosition(t, newProjection(client, "1"), second)
	wantValues(t, newProjection(client, "1"), second, map[string]string{"a": "2", "b": ""})
}

func nothingIsWrittenFromAnotherPosition(t *testing.T, e *engine) {
	stale := func(p store.Position, change func(*store.Position)) store.Position {
		change(&p)
		return p
	}
	cases := map[string]store.Position{
		"none":             none,
		"an earlier one":   stale(first, func(p *store.Position) { p.Next-- }),
		"another highest":  stale(first, func(p *store.Position) { p.Highest++ }),
		"another mark":     stale(first, func(p *store.Position) { p.Mark = "other" }),
		"one further down": second,
	}
	client := e.client()
	p := newProjection(client, "1")
	commit(t, p, none, first, store.Set("a", []byte("1")))
	for name, from := range cases {
		to := store.Position{Next: 99, Highest: 99}
		if err := p.Commit(t.Context(), 3, from, to, []store.Op{store.Set("a", []byte("wrong"))}); !errors.Is(err, store.ErrMoved) {
			t.Errorf("commit from %s: %v, want ErrMoved", name, err)
		}
		if _, err := p.Get(t.Context(), 3, from, []string{"a"}); !errors.Is(err, store.ErrMoved) {
			t.Errorf("get at %s: %v, want ErrMoved", name, err)
		}
	}
	wantPosition(t, p, first)
	wantValues(t, p, first, map[string]string{"a": "1"})
}

func flushBetweenTwoBatches(t *testing.T, e *engine) {
	client := e.client()
	p := newProjection(client, "1")
	commit(t, p, none, first, store.Set("a", []byte("1")))
	flush(t, client)
	if err := p.Commit(t.Context(), 3, first, second, []store.Op{store.Set("b", []byte("2"))}); !errors.Is(err, store.ErrMoved) {
		t.Fatalf("commit after FLUSHALL: %v, want ErrMoved", err)
	}
	if _, err := p.Get(t.Context(), 3, first, []string{"a"}); !errors.Is(err, store.ErrMoved) {
		t.Fatalf("get after FLUSHALL: %v, want ErrMoved", err)
	}
	wantPosition(t, p, none)
	commit(t, p, none, first, store.Set("a", []byte("rebuilt")))
	wantValues(t, p, first, map[string]string{"a": "rebuilt", "b": ""})
}

func twoOwnersRace(t *testing.T, e *engine) {
	client := e.client()
	const steps, owners = 40, 2
	var moved atomic.Int64
	var wg sync.WaitGroup
	for range owners {
		wg.Go(func() {
			p := newProjection(client, "1")
			for {
				at, _, err := p.Position(t.Context(), 3)
				if err != nil {
					t.Error(err)
					return
				}
				if at.Next >= steps {
					return
				}
				to := store.Position{Next: at.Next + 1}
				switch err := p.Commit(t.Context(), 3, at, to, []store.Op{store.HIncr("count", "n", 1)}); {
				case errors.Is(err, store.ErrMoved):
					moved.Add(1)
				case err != nil:
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	answers, at, err := newProjection(client, "1").Read(t.Context(), 3, store.HGetAll("count"))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(answers[0].Fields["n"]); got != fmt.Sprint(steps) || at.Next != steps {
		t.Fatalf("counted %s at %+v, want %d (%d commits were refused)", got, at, steps, moved.Load())
	}
}

func olderSnapshotComesBack(t *testing.T, e *engine) {
	client := e.client()
	p := newProjection(client, "1")
	commit(t, p, none, first, store.Set("a", []byte("1")))
	restore := e.snapshot()
	e.answers(p)
	commit(t, p, first, second, store.Set("a", []byte("2")))
	restore()
	e.answers(p)

	if _, err := p.Get(t.Context(), 3, second, []string{"a"}); !errors.Is(err, store.ErrMoved) {
		t.Fatalf("get: %v, want ErrMoved", err)
	}
	third := store.Position{Next: 30}
	if err := p.Commit(t.Context(), 3, second, third, nil); !errors.Is(err, store.ErrMoved) {
		t.Fatalf("commit: %v, want ErrMoved", err)
	}
	wantPosition(t, p, first)
	commit(t, p, first, second, store.Set("a", []byte("2")))
	wantValues(t, p, second, map[string]string{"a": "2"})
}

func resetLeavesTheOtherOwnerBehind(t *testing.T, e *engine) {
	client := e.client()
	old, fresh := newProjection(client, "1"), newProjection(client, "1")
	commit(t, old, none, first, store.Set("a", []byte("old")))
	if err := fresh.Reset(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if err := old.Commit(t.Context(), 3, first, second, nil); !errors.Is(err, store.ErrMoved) {
		t.Fatalf("commit of the old owner: %v, want ErrMoved", err)
	}
	wantPosition(t, fresh, none)
	commit(t, fresh, none, first, store.Set("b", []byte("new")))
	// The same numbers, but of another generation.
	if err := old.Commit(t.Context(), 3, first, second, nil); !errors.Is(err, store.ErrMoved) {
		t.Fatalf("commit of the old owner: %v, want ErrMoved", err)
	}
	wantValues(t, fresh, first, map[string]string{"a": "", "b": "new"})
}

func anotherFormatCountsAsAbsent(t *testing.T, e *engine) {
	client := e.client()
	before, after := newProjection(client, "1"), newProjection(client, "2")
	commit(t, before, none, first, store.Set("a", []byte("old")))
	wantPosition(t, after, none)
	commit(t, after, none, first, store.Set("b", []byte("new")))
	wantValues(t, after, first, map[string]string{"a": "", "b": "new"})
	wantPosition(t, before, none)
	if err := before.Commit(t.Context(), 3, first, second, nil); !errors.Is(err, store.ErrMoved) {
		t.Fatalf("commit in the old format: %v, want ErrMoved", err)
	}
}

func partitionsAndOwnersAreApart(t *testing.T, e *engine) {
	client := e.client()
	s := store.New(store.Config{Client: client})
	ledger, inbox := s.Projection("ledger", "1"), s.Projection("inbox", "1")
	for partition := range 2 {
		for name, p := range map[string]*store.Projection{"ledger": ledger, "inbox": inbox} {
			value := []byte(fmt.Sprint(name, partition))
			if err := p.Commit(t.Context(), partition, none, first, []store.Op{store.Set("a", value)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, err := ledger.Get(t.Context(), 1, first, []string{"a"})
	if err != nil || string(got[0]) != "ledger1" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func commitRefusesWhatIsTooLargeOrNoStep(t *testing.T, e *engine) {
	client := e.client()
	p := newProjection(client, "1")
	commit(t, p, none, first)
	many := make([]store.Op, store.MaxOps)
	for i := range many {
		many[i] = store.Set(fmt.Sprint("key", i), []byte("v"))
	}
	if err := p.Commit(t.Context(), 3, first, second, append(many, store.Del("x"))); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("one too many: %v, want ErrTooLarge", err)
	}
	large := []store.Op{store.Set("a", make([]byte, store.MaxBytes))}
	if err := p.Commit(t.Context(), 3, first, second, large); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("too many bytes: %v, want ErrTooLarge", err)
	}
	if err := p.Commit(t.Context(), 3, second, first, nil); err == nil || errors.Is(err, store.ErrMoved) {
		t.Errorf("a step back: %v, want an error of its own", err)
	}
	if _, err := p.Get(t.Context(), 3, first, make([]string, store.MaxKeys+1)); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("too many keys: %v, want ErrTooLarge", err)
	}
	wantPosition(t, p, first)
	commit(t, p, first, second, many...)
	wantValues(t, p, second, map[string]string{"key0": "v", "key9999": "v"})
}
