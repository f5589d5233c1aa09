package store_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/relais-fr/relais/services/internal/store"
)

// conformance is what the store package promises on any Redis. Every test here
// runs on the embedded one and, where redis-server is installed, on a real one;
// where the two differ, it says so in the table of differences.
var conformance = []struct {
	name string
	test func(t *testing.T, e *engine)
}{
	{"effects and position move together", effectsAndPositionMoveTogether},
	{"nothing is written from another position", nothingIsWrittenFromAnotherPosition},
	{"a batch's bounds", commitRefusesWhatIsTooLargeOrNoStep},
	{"a batch that goes wrong in its middle moves nothing on", badBatch},
	{"partitions and owners are apart", partitionsAndOwnersAreApart},
	{"a read is of one position", readAnswersAsOfOnePosition},
	{"another format counts as absent", anotherFormatCountsAsAbsent},
	{"two owners race", twoOwnersRace},
	{"a reset leaves the other owner behind", resetLeavesTheOtherOwnerBehind},
	{"a reader follows a reset", readerFollowsAReset},
	{"the sweeper removes what is retired, and nothing else", sweeperRemovesRetiredGenerationsOnly},
	{"a flush between two batches", flushBetweenTwoBatches},
	{"a flush in the middle of a batch", flushInTheMiddleOfABatch},
	{"a flush, and another owner who comes to the same position", flushAndTheSamePosition},
	{"a store that comes back older", olderSnapshotComesBack},
	{"a store that is killed and started under an owner", killedUnderAnOwner},
	{"a commit whose answer is lost", lostAnswer},
	{"what Redis has and the embedded one does not", whatTheEmbeddedOneLacks},
}

func TestConformanceOnTheEmbeddedRedis(t *testing.T) {
	for _, c := range conformance {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			onTheEmbedded(t, c.test)
		})
	}
}

func TestConformanceOnRedis(t *testing.T) {
	for _, c := range conformance {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			onRedis(t, c.test)
		})
	}
}

// differences is all in which the embedded Redis and a real one are known to
// differ where Relais could notice. What is not here is the same on both.
var differences = map[string]struct{ embedded, real string }{
	"EXEC after WATCH, with a FLUSHALL in between": {
		"done", "aborted", // hence the compare-and-set in a script
	},
	"a key whose time to live is over": {
		"there", "gone", // until FastForward is called
	},
	"a server that was killed": {
		"empty", "holds what was acknowledged", // appendonly, written before the answer
	},
	"FUNCTION LOAD":   {"unknown command", "done"},
	"CONFIG GET":      {"unknown command", "done"},
	"ACL WHOAMI":      {"unknown command", "done"},
	"CLIENT NO-EVICT": {"unknown command", "done"},
}

// differs wants of an engine what the table says of it.
func (e *engine) differs(what, got string) {
	e.t.Helper()
	row, ok := differences[what]
	want := row.embedded
	if e.real != nil {
		want = row.real
	}
	if !ok || got != want {
		e.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// badBatch writes a hash over a string, which is an error of the program.
func badBatch(t *testing.T, e *engine) {
	p := newProjection(e.client(), "1")
	commit(t, p, none, first, store.Set("a", []byte("1")))
	err := p.Commit(t.Context(), 3, first, second, []store.Op{store.HSet("h", "f", nil), store.HSet("a", "f", nil)})
	if err == nil || errors.Is(err, store.ErrMoved) {
		t.Errorf("commit: %v, want an error of its own", err)
	}
	wantPosition(t, p, first)
	commit(t, p, first, second, store.Set("a", []byte("2")))
	wantValues(t, p, second, map[string]string{"a": "2"})
}

// flushInTheMiddleOfABatch flushes between what an owner reads and what it writes.
func flushInTheMiddleOfABatch(t *testing.T, e *engine) {
	client := e.client()
	p := newProjection(client, "1")
	commit(t, p, none, first, store.Set("a", []byte("1")))
	wantValues(t, p, first, map[string]string{"a": "1"})
	flush(t, client)
	if err := p.Commit(t.Context(), 3, first, second, []store.Op{store.Set("a", []byte("2")), store.HIncr("n", "n", 1)}); !errors.Is(err, store.ErrMoved) {
		t.Fatalf("commit: %v, want ErrMoved", err)
	}
	if keys, err := client.Keys(t.Context(), "*").Result(); err != nil || len(keys) != 0 {
		t.Errorf("%q were written, %v", keys, err)
	}
	if _, _, err := newProjection(client, "1").Read(t.Context(), 3, store.Get("a")); !errors.Is(err, store.ErrAbsent) {
		t.Errorf("a reader: %v, want ErrAbsent", err)
	}
}

// flushAndTheSamePosition has a second owner rebuild the same numbers before the
// first one notices that its values are gone.
func flushAndTheSamePosition(t *testing.T, e *engine) {
	client := e.client()
	old, fresh := newProjection(client, "1"), newProjection(client, "1")
	commit(t, old, none, first, store.Set("a", []byte("1")), store.Set("b", []byte("1")))
	flush(t, client)
	commit(t, fresh, none, first, store.Set("a", []byte("rebuilt")))
	if _, err := old.Get(t.Context(), 3, first, []string{"a", "b"}); !errors.Is(err, store.ErrMoved) {
		t.Errorf("get: %v, want ErrMoved", err)
	}
	if err := old.Commit(t.Context(), 3, first, second, nil); !errors.Is(err, store.ErrMoved) {
		t.Errorf("commit: %v, want ErrMoved", err)
	}
	wantValues(t, fresh, first, map[string]string{"a": "rebuilt", "b": ""})
}

// killedUnderAnOwner has an owner count its steps while the server is killed and
// started again: the count is the position, whatever was lost.
func killedUnderAnOwner(t *testing.T, e *engine) {
	p := newProjection(e.client(), "1")
	const steps = 400
	half, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		var once sync.Once
		for begun := time.Now(); time.Since(begun) < limit; {
			at, _, err := p.Position(t.Context(), 3)
			if err != nil {
				continue // it is away
			}
			if at.Next >= steps {
				return
			}
			if at.Next >= steps/2 {
				once.Do(func() { close(half) })
			}
			to := store.Position{Next: at.Next + 1, Mark: fmt.Sprint(at.Next)}
			// Whatever becomes of it: the position is asked for again.
			_ = p.Commit(t.Context(), 3, at, to, []store.Op{store.HIncr("count", "n", 1)})
		}
		t.Error("the owner did not come to its end")
	}()
	<-half
	e.kill()
	e.start()
	<-ended
	answers, at, err := p.Read(t.Context(), 3, store.HGetAll("count"))
	if err != nil || at.Next != steps || string(answers[0].Fields["n"]) != fmt.Sprint(steps) {
		t.Fatalf("counted %v at %d, %v", answers, at.Next, err)
	}
	e.kill()
	e.start()
	word := ""
	e.until("the server answers", func() bool {
		now, ok, err := p.Position(t.Context(), 3)
		if word = "empty"; ok {
			word = fmt.Sprintf("at %d", now.Next)
		}
		if now == at {
			word = "holds what was acknowledged"
		}
		return err == nil
	})
	e.differs("a server that was killed", word)
}

// lostAnswer loses the answer of a commit that was done: its fate is unknown, and
// the owner asks where it stands.
func lostAnswer(t *testing.T, e *engine) {
	client := e.client()
	p := newProjection(client, "1")
	commit(t, p, none, first, store.HIncr("count", "n", 1))
	e.lose.Store(true)
	err := p.Commit(t.Context(), 3, first, second, []store.Op{store.HIncr("count", "n", 1)})
	if err == nil || errors.Is(err, store.ErrMoved) {
		t.Errorf("commit: %v, want an error that says nothing of the position", err)
	}
	wantPosition(t, p, second)
	answers, _, err := p.Read(t.Context(), 3, store.HGetAll("count"))
	if err != nil || string(answers[0].Fields["n"]) != "2" {
		t.Errorf("counted %s, %v", answers[0].Fields["n"], err)
	}
}

func whatTheEmbeddedOneLacks(t *testing.T, e *engine) {
	client := e.client()
	single := client.(*redis.Client)
	if err := client.Set(t.Context(), "watched", "x", 0).Err(); err != nil {
		t.Fatal(err)
	}
	err := single.Watch(t.Context(), func(tx *redis.Tx) error {
		flush(t, client)
		_, err := tx.TxPipelined(t.Context(), func(pipe redis.Pipeliner) error { return pipe.Set(t.Context(), "watched", "x", 0).Err() })
		return err
	}, "watched")
	word := "done"
	if errors.Is(err, redis.TxFailedErr) {
		word = "aborted"
	} else if err != nil {
		word = err.Error()
	}
	e.differs("EXEC after WATCH, with a FLUSHALL in between", word)

	if err := client.Set(t.Context(), "short", "x", time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	over := time.After(100 * time.Millisecond) // a time to live is the server's own time
	<-over
	word = "there"
	if n, err := client.Exists(t.Context(), "short").Result(); err != nil || n == 0 {
		word = "gone"
	}
	e.differs("a key whose time to live is over", word)

	for what, command := range map[string][]any{
		"FUNCTION LOAD":   {"FUNCTION", "LOAD", "#!lua name=f\nredis.register_function('f', function() return 1 end)"},
		"CONFIG GET":      {"CONFIG", "GET", "maxmemory-policy"},
		"ACL WHOAMI":      {"ACL", "WHOAMI"},
		"CLIENT NO-EVICT": {"CLIENT", "NO-EVICT", "on"},
	} {
		word := "done"
		if err := client.Do(t.Context(), command...).Err(); err != nil && !errors.Is(err, redis.Nil) {
			if word = err.Error(); strings.Contains(strings.ToLower(word), "unknown") {
				word = "unknown command"
			}
		}
		e.differs(what, word)
	}
}
