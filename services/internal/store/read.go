package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Query is one question of a Read, about one key.
type Query struct {
	command string
	key     string
	args    []any
	kind    answerKind
}

type answerKind int

const (
	oneValue answerKind = iota
	manyValues
	pairs
	count
)

// Answer is what a Query found. Only the field of its kind is set.
type Answer struct {
	Value  []byte            // of Get: nil when absent
	Values [][]byte          // of HMGet (nil for an absent field), ZRange, ZRangeByScore, LRange
	Fields map[string][]byte // of HGetAll
	Count  int64             // of HLen, ZCard, LLen
}

// Get asks for the value of a key.
func Get(key string) Query { return Query{command: "GET", key: key} }

// HMGet asks for fields of a hash.
func HMGet(key string, fields ...string) Query {
	q := Query{command: "HMGET", key: key, kind: manyValues}
	for _, f := range fields {
		q.args = append(q.args, f)
	}
	return q
}

// HGetAll asks for a whole hash; meant for small ones.
func HGetAll(key string) Query { return Query{command: "HGETALL", key: key, kind: pairs} }

// HLen asks how many fields a hash has.
func HLen(key string) Query { return Query{command: "HLEN", key: key, kind: count} }

// ZRange asks for members of a sorted set by rank, from 0, both ends included;
// a negative rank counts from the end. reverse begins at the highest score.
func ZRange(key string, start, stop int64, reverse bool) Query {
	command := "ZRANGE"
	if reverse {
		command = "ZREVRANGE"
	}
	return Query{command: command, key: key, args: []any{start, stop}, kind: manyValues}
}

// ZRangeByScore asks for at most limit members with lowest <= score <= highest,
// lowest first.
func ZRangeByScore(key string, lowest, highest float64, limit int) Query {
	return Query{command: "ZRANGEBYSCORE", key: key, args: []any{score(lowest), score(highest), "LIMIT", 0, limit}, kind: manyValues}
}

func score(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// ZCard asks how many members a sorted set has.
func ZCard(key string) Query { return Query{command: "ZCARD", key: key, kind: count} }

// LRange asks for values of a list by index, both ends included; a negative
// index counts from the end.
func LRange(key string, start, stop int64) Query {
	return Query{command: "LRANGE", key: key, args: []any{start, stop}, kind: manyValues}
}

// LLen asks how many values a list has.
func LLen(key string) Query { return Query{command: "LLEN", key: key, kind: count} }

// Read answers queries, all as of one position, which it returns too; position
// and answers come from one transaction. It is for pages: whoever decides on
// what it read uses Get. It returns ErrAbsent when the projection is not built.
func (p *Projection) Read(ctx context.Context, partition int, queries ...Query) ([]Answer, Position, error) {
	defer p.store.metrics.timed(p.owner, "read", time.Now())
	if len(queries) > MaxOps {
		return nil, Position{}, fmt.Errorf("%d queries to %s/%d: %w", len(queries), p.owner, partition, ErrTooLarge)
	}
	generation, known := p.generation(partition)
	// A reader meets a new generation at its first read after a reset: it takes
	// that over and asks again. Another reset in between is met the same way.
	for range 3 {
		if known {
			answers, now, err := p.readOnce(ctx, partition, generation, queries)
			if err != nil || now.generation == generation {
				return answers, now.position, err
			}
		}
		now, err := p.load(ctx, partition)
		if err != nil {
			return nil, Position{}, err
		}
		if now.position.Absent() {
			return nil, Position{}, fmt.Errorf("read %s/%d: %w", p.owner, partition, ErrAbsent)
		}
		generation, known = now.generation, true
	}
	return nil, Position{}, fmt.Errorf("read %s/%d: %w", p.owner, partition, ErrAbsent)
}

func (p *Projection) readOnce(ctx context.Context, partition int, generation string, queries []Query) ([]Answer, stored, error) {
	prefix := p.keyPrefix(partition, generation)
	var position *redis.StringCmd
	asked := make([]*redis.Cmd, len(queries))
	_, err := p.store.client.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		position = tx.Get(ctx, p.store.positionKey(p.slot(partition)))
		for i, q := range queries {
			asked[i] = tx.Do(ctx, append([]any{q.command, prefix + q.key}, q.args...)...)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, stored{}, fmt.Errorf("read %s/%d: %w", p.owner, partition, err)
	}
	now := p.parse(position.Val())
	if now.generation != generation {
		return nil, now, nil
	}
	answers := make([]Answer, len(queries))
	for i, q := range queries {
		if answers[i], err = answer(q, asked[i]); err != nil {
			return nil, stored{}, fmt.Errorf("read %s/%d: %w", p.owner, partition, err)
		}
	}
	return answers, now, nil
}

// answer reads a reply by the query's kind. A hash comes as a map or as a flat
// list, by the protocol version the server speaks.
func answer(q Query, cmd *redis.Cmd) (Answer, error) {
	reply, err := cmd.Result()
	if errors.Is(err, redis.Nil) {
		return Answer{}, nil
	}
	if err != nil {
		return Answer{}, err
	}
	switch q.kind {
	case oneValue:
		s, _ := reply.(string)
		return Answer{Value: []byte(s)}, nil
	case count:
		n, _ := reply.(int64)
		return Answer{Count: n}, nil
	case manyValues:
		return Answer{Values: values(reply)}, nil
	case pairs:
		return Answer{Fields: fields(reply)}, nil
	}
	return Answer{}, fmt.Errorf("%s: unexpected reply %T", q.command, reply)
}

func values(reply any) [][]byte {
	list, _ := reply.([]any)
	out := make([][]byte, len(list))
	for i, v := range list {
		if s, ok := v.(string); ok {
			out[i] = []byte(s)
		}
	}
	return out
}

func fields(reply any) map[string][]byte {
	out := make(map[string][]byte)
	switch reply := reply.(type) {
	case map[any]any:
		for k, v := range reply {
			name, _ := k.(string)
			value, _ := v.(string)
			out[name] = []byte(value)
		}
	case []any:
		list := values(reply)
		for i := 0; i+1 < len(list); i += 2 {
			out[string(list[i])] = list[i+1]
		}
	}
	return out
}
