package store_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/relais-fr/relais/services/internal/store"
)

// An owner applies a batch of its log, and one that rests on an older position is
// told so.
func ExampleProjection_Commit() {
	server := miniredis.NewMiniRedis()
	if err := server.Start(); err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer func() { _ = client.Close() }()

	ctx := context.Background()
	cases := store.New(store.Config{Client: client}).Projection("cases", "1")
	at, ok, err := cases.Position(ctx, 0)
	fmt.Println(at.Next, ok, err)

	batch := []store.Op{store.Set("case-1", []byte("made"))}
	next := store.Position{Next: 10, Mark: "fingerprint of record 9"}
	fmt.Println(cases.Commit(ctx, 0, at, next, batch))

	values, err := cases.Get(ctx, 0, next, []string{"case-1", "case-2"})
	fmt.Printf("%s %t %v\n", values[0], values[1] == nil, err)

	err = cases.Commit(ctx, 0, at, store.Position{Next: 12}, batch)
	fmt.Println(errors.Is(err, store.ErrMoved))
	// Output:
	// 0 false <nil>
	// <nil>
	// made true <nil>
	// true
}
