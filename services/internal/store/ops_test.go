package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCommandsAreBroughtTogetherKeyByKey(t *testing.T) {
	keys, args, err := encode(nil, []any{"expected", "new", "format"}, "p:", []Op{
		HSet("h", "a", []byte("1")),
		Set("x", []byte("X")),
		HSet("h", "b", []byte("2")),
		RPush("l", []byte("one")),
		Set("y", []byte("Y")),
		HDel("h", "a"),
		HSet("h", "a", []byte("3")),
		RPush("l", []byte("two")),
		LKeepLast("l", 5),
		Set("z", []byte("first")),
		Set("z", []byte("second")),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []any{
		"expected", "new", "format",
		5, "MSET", "p:x", []byte("X"), "p:y", []byte("Y"),
		6, "HSET", "p:h", "a", []byte("1"), "b", []byte("2"),
		3, "HDEL", "p:h", "a",
		4, "HSET", "p:h", "a", []byte("3"),
		4, "RPUSH", "p:l", []byte("one"), []byte("two"),
		4, "LTRIM", "p:l", -5, -1,
		3, "SET", "p:z", []byte("first"),
		3, "SET", "p:z", []byte("second"),
	}
	if diff := cmp.Diff(want, args); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"p:x", "p:y", "p:h", "p:l", "p:z"}, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}
