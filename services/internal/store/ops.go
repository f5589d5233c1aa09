package store

import "fmt"

// Op is one effect of a Commit on one key. Ops on a key take effect in their
// order. A key
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

// maxGroup bounds the words that are put together into one command: a script's
// stack holds some thousands, and the embedded Redis pays per command.
const maxGroup = 400

// encode appends the operations to a script's keys and arguments: every command
// as the number of its words, then the words. Operations are brought together
// key by key, which changes nothing as nobody sees a script half done; then keys
// that are only set become MSETs, and the same command in a row becomes one.
func encode(keys []string, args []any, prefix string, ops []Op) ([]string, []any, error) {
	if len(ops) > MaxOps {
		return nil, nil, fmt.Errorf("%d operations: %w", len(ops), ErrTooLarge)
	}
	size := 0
	byKey := make(map[string][]int, len(ops))
	order := make([]string, 0, len(ops))
	for i, op := range ops {
		if byKey[op.key] == nil {
			order = append(order, op.key)
		}
		byKey[op.key] = append(byKey[op.key], i)
		size += op.size + len(op.key) + len(prefix)
	}
	if size > MaxBytes {
		return nil, nil, fmt.Errorf("%d bytes: %w", size, ErrTooLarge)
	}
	out := commands{args: args}
	for _, key := range order {
		if of := byKey[key]; len(of) == 1 && ops[of[0]].command == "SET" {
			keys = append(keys, prefix+key)
			out.add("MSET", "", prefix+key, ops[of[0]].args)
		}
	}
	for _, key := range order {
		of := byKey[key]
		if len(of) == 1 && ops[of[0]].command == "SET" {
			continue
		}
		keys = append(keys, prefix+key)
		for _, i := range of {
			out.add(ops[i].command, prefix+key, "", ops[i].args)
		}
	}
	return keys, out.args, nil
}

// commands are a script's arguments as they grow; last is the open command.
type commands struct {
	args []any
	last struct {
		name, key string
		count     int // where its number of words stands; 0 for none
	}
}

// add writes a command of a key, or goes on with the last one when that is the
// same. A pair (of MSET) brings its own key along with each value.
func (c *commands) add(name, key, pair string, args []any) {
	last := &c.last
	same := last.count > 0 && last.name == name && last.key == key && variadic(name) && c.args[last.count].(int) < maxGroup
	if !same {
		last.name, last.key, last.count = name, key, len(c.args)
		c.args = append(c.args, 1, name)
		if key != "" {
			c.args = append(c.args, key)
		}
	}
	if pair != "" {
		c.args = append(c.args, pair)
	}
	c.args = append(c.args, args...)
	c.args[last.count] = len(c.args) - last.count - 1
}

func variadic(command string) bool {
	switch command {
	case "MSET", "HSET", "HDEL", "ZADD", "ZREM", "RPUSH":
		return true
	}
	return false
}
