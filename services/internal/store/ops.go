package store

import (
	"fmt"
	"strconv"
)

// Op is one effect of a Commit on one key. Ops take effect in their order. A key
// keeps to one kind of value (string, hash, sorted set, list): mixing kinds
// under one key is an error of the program that leaves a commit half done.
type Op struct {
	command string
	key     string
	args    []any
	size    int
}

// Set gives a key its value.
func Set(key string, value []byte) Op {
	return Op{command: "SET", key: key, args: []any{value}, size: len(value)}
}

// Del removes a key, whatever it holds.
func Del(key string) Op { return Op{command: "DEL", key: key} }

// HSet gives one field of a hash its value.
func HSet(key, field string, value []byte) Op {
	return Op{command: "HSET", key: key, args: []any{field, value}, size: len(field) + len(value)}
}

// HDel removes fields of a hash.
func HDel(key string, fields ...string) Op { return words("HDEL", key, fields) }

// HIncr adds n to a field of a hash, which counts from 0.
func HIncr(key, field string, n int64) Op {
	return Op{command: "HINCRBY", key: key, args: []any{field, n}, size: len(field)}
}

// ZAdd puts a member into a sorted set, or moves it to another score.
func ZAdd(key string, score float64, member string) Op {
	return Op{command: "ZADD", key: key, args: []any{score, member}, size: len(member)}
}

// ZRem removes members of a sorted set.
func ZRem(key string, members ...string) Op { return words("ZREM", key, members) }

// ZKeepHighest removes all but the n members of highest score.
func ZKeepHighest(key string, n int) Op {
	return Op{command: "ZREMRANGEBYRANK", key: key, args: []any{0, -n - 1}}
}

// RPush appends a value to a list.
func RPush(key string, value []byte) Op {
	return Op{command: "RPUSH", key: key, args: []any{value}, size: len(value)}
}

// LKeepLast removes all but the last n values of a list.
func LKeepLast(key string, n int) Op {
	return Op{command: "LTRIM", key: key, args: []any{-n, -1}}
}

func words(command, key string, list []string) Op {
	op := Op{command: command, key: key, args: make([]any, len(list))}
	for i, w := range list {
		op.args[i], op.size = w, op.size+len(w)
	}
	return op
}

// maxGroup bounds the SETs that travel as one MSET: a script's stack holds some
// thousands of values, and the embedded Redis pays per command.
const maxGroup = 200

// encode appends the operations to a script's keys and arguments: every command
// as the number of its words, then the words. SETs in a row become one MSET.
func encode(keys []string, args []any, prefix string, ops []Op) ([]string, []any, error) {
	if len(ops) > MaxOps {
		return nil, nil, fmt.Errorf("%d operations: %w", len(ops), ErrTooLarge)
	}
	seen := make(map[string]string, len(ops))
	size, group := 0, 0 // group: where the count of the open MSET stands, 0 for none
	for _, op := range ops {
		name, ok := seen[op.key]
		if !ok {
			name = prefix + op.key
			seen[op.key] = name
			keys = append(keys, name)
		}
		size += op.size + len(name)
		if op.command != "SET" {
			group = 0
			args = append(args, len(op.args)+2, op.command, name)
			args = append(args, op.args...)
			continue
		}
		if group == 0 || args[group].(int) > 2*maxGroup {
			group = len(args)
			args = append(args, 1, "MSET")
		}
		args = append(args, name, op.args[0])
		args[group] = args[group].(int) + 2
	}
	if size > MaxBytes {
		return nil, nil, fmt.Errorf("%s bytes: %w", strconv.Itoa(size), ErrTooLarge)
	}
	return keys, args, nil
}
