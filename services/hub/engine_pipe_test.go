package hub

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestAStoreAnswersAPipelineOfAnyLength(t *testing.T) {
	e := startEmbedded(t, func(c *EmbeddedConfig) { c.NoKafka = true })
	client := e.Redis()
	defer func() { _ = client.Close() }()
	key := strings.Repeat("k", 100)
	if err := client.Set(t.Context(), key, strings.Repeat("v", 1000), 0).Err(); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 41, 1000, 10_000} {
		answers, err := client.Pipelined(t.Context(), func(p redis.Pipeliner) error {
			for range n {
				p.Get(t.Context(), key)
			}
			return nil
		})
		if err != nil || len(answers) != n {
			t.Errorf("of %d commands %d are answered: %v", n, len(answers), err)
		}
	}
}

func TestAnEagerPipe(t *testing.T) {
	pipe := func(t *testing.T, f func(*eager, net.Conn)) {
		synctest.Test(t, func(*testing.T) {
			near, far := net.Pipe()
			c := newEager(near)
			f(c, far)
			_, _ = c.Close(), far.Close()
		})
	}
	t.Run("takes what nobody reads yet, and keeps its order", func(t *testing.T) {
		pipe(t, func(c *eager, far net.Conn) {
			if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
				t.Error(err)
			}
			for _, word := range []string{"one ", "two ", "three"} {
				if n, err := c.Write([]byte(word)); n != len(word) || err != nil {
					t.Errorf("%q: %d, %v", word, n, err)
				}
			}
			<-time.After(time.Minute)
			var got bytes.Buffer
			for piece := make([]byte, 3); got.Len() < 13; {
				n, err := far.Read(piece)
				if err != nil {
					t.Error(err)
					return
				}
				got.Write(piece[:n])
			}
			if got.String() != "one two three" {
				t.Errorf("got %q", &got)
			}
		})
	})
	t.Run("says that the other end is gone", func(t *testing.T) {
		pipe(t, func(c *eager, far net.Conn) {
			_ = far.Close()
			_, _ = c.Write([]byte("x"))
			synctest.Wait()
			if _, err := c.Write([]byte("y")); err == nil {
				t.Error("nothing is said")
			}
		})
	})
	t.Run("does not write once it is closed, and closes while nobody reads", func(t *testing.T) {
		pipe(t, func(c *eager, _ net.Conn) {
			_, _ = c.Write([]byte("x"))
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if _, err := c.Write([]byte("y")); !errors.Is(err, net.ErrClosed) {
				t.Errorf("got %v", err)
			}
		})
	})
}
