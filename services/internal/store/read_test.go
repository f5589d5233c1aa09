package store_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/services/internal/store"
)

func b(words ...string) [][]byte {
	out := make([][]byte, len(words))
	for i, w := range words {
		if w != "" {
			out[i] = []byte(w)
		}
	}
	return out
}

func readAnswersAsOfOnePosition(t *testing.T, e *engine) {
	client := e.client()
	p := newProjection(client, "1")
	commit(t, p, none, first,
		store.Set("value", []byte("v")),
		store.HSet("hash", "a", []byte("1")), store.HSet("hash", "b", []byte("2")), store.HSet("hash", "c", []byte("3")),
		store.HDel("hash", "b"), store.HIncr("hash", "n", 5),
		store.ZAdd("zset", 3, "three"), store.ZAdd("zset", 1, "one"), store.ZAdd("zset", 2, "two"), store.ZAdd("zset", 0, "zero"), store.ZAdd("zset", 9, "nine"),
		store.ZRem("zset", "nine"), store.ZKeepHighest("zset", 3),
		store.RPush("list", []byte("x")), store.RPush("list", []byte("y")), store.RPush("list", []byte("z")), store.LKeepLast("list", 2),
	)
	got, at, err := p.Read(t.Context(), 3,
		store.Get("value"), store.Get("nothing"),
		store.HMGet("hash", "a", "b"), store.HGetAll("hash"), store.HGetAll("nothing"), store.HLen("hash"),
		store.ZRange("zset", 0, -1, false), store.ZRange("zset", 0, 0, true), store.ZRangeByScore("zset", 1, 2.5, 1), store.ZCard("zset"),
		store.LRange("list", 0, -1), store.LLen("list"),
	)
	if err != nil {
		t.Fatal(err)
	}
	want := []store.Answer{
		{Value: []byte("v")},
		{},
		{Values: b("1", "")},
		{Fields: map[string][]byte{"a": []byte("1"), "c": []byte("3"), "n": []byte("5")}},
		{Fields: map[string][]byte{}},
		{Count: 3},
		{Values: b("one", "two", "three")},
		{Values: b("three")},
		{Values: b("one")},
		{Count: 3},
		{Values: b("y", "z")},
		{Count: 2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if at != first {
		t.Errorf("position is %+v, want %+v", at, first)
	}
}

func readerFollowsAReset(t *testing.T, e *engine) {
	client := e.client()
	writer, reader := newProjection(client, "1"), newProjection(client, "1")
	read := func() (string, error) {
		answers, _, err := reader.Read(t.Context(), 3, store.Get("a"))
		if err != nil {
			return "", err
		}
		return string(answers[0].Value), nil
	}
	if _, err := read(); !errors.Is(err, store.ErrAbsent) {
		t.Fatalf("read before the first commit: %v, want ErrAbsent", err)
	}
	commit(t, writer, none, first, store.Set("a", []byte("old")))
	if got, err := read(); got != "old" || err != nil {
		t.Fatalf("read %q, %v", got, err)
	}
	if err := writer.Reset(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if _, err := read(); !errors.Is(err, store.ErrAbsent) {
		t.Fatalf("read after the reset: %v, want ErrAbsent", err)
	}
	commit(t, writer, none, first, store.Set("a", []byte("new")))
	if got, err := read(); got != "new" || err != nil {
		t.Fatalf("read %q, %v", got, err)
	}
}
