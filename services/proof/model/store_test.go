package model

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// memory is the store's engine, which forgets: all, or what is newer than a copy.
type memory struct {
	world  *world
	server *miniredis.Miniredis
	// alone is held by one token while a command runs or the whole is exchanged. A
	// mutex would not do: time stands still while anybody waits for one.
	alone chan struct{}

	mu     sync.Mutex
	copies []map[string]any
}

func newMemory(w *world) *memory {
	return &memory{world: w, server: miniredis.NewMiniRedis(), alone: make(chan struct{}, 1)}
}

// lock waits until nobody else is at the store; the caller calls unlock.
func (m *memory) lock() (unlock func()) {
	m.alone <- struct{}{}
	return func() { <-m.alone }
}

// client is the actor's way to the store.
func (m *memory) client(a *actor) *redis.Client {
	c := redis.NewClient(&redis.Options{
		Addr: "127.0.0.1:6379", DisableIdentity: true, MaxRetries: -1, Protocol: 2, PoolSize: 4,
		Dialer: func(context.Context, string, string) (net.Conn, error) { return m.server.Dial() },
	})
	c.AddHook(hook{m, a})
	return c
}

// all is what stands in the store.
func (m *memory) all() map[string]any {
	defer m.lock()()
	all := map[string]any{}
	for _, key := range m.server.Keys() {
		switch m.server.Type(key) {
		case "string":
			all[key], _ = m.server.Get(key)
		case "set":
			members, _ := m.server.SMembers(key)
			all[key] = members
		case "list":
			all[key], _ = m.server.List(key)
		case "zset":
			scores, _ := m.server.SortedSet(key)
			all[key] = scores
		case "hash":
			fields := map[string]string{}
			names, _ := m.server.HKeys(key)
			for _, name := range names {
				fields[name] = m.server.HGet(key, name)
			}
			all[key] = fields
		}
	}
	return all
}

func (m *memory) keepCopy() {
	all := m.all()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.copies = append(m.copies, all)
}

func (m *memory) flush() {
	defer m.lock()()
	m.server.FlushAll()
}

// putBack makes the store what it was at an earlier time; false when no copy was
// kept.
func (m *memory) putBack(pick func(n int) int) bool {
	m.mu.Lock()
	if len(m.copies) == 0 {
		m.mu.Unlock()
		return false
	}
	older := m.copies[pick(len(m.copies))]
	m.mu.Unlock()
	defer m.lock()()
	m.server.FlushAll()
	for key, v := range older {
		switch v := v.(type) {
		case string:
			_ = m.server.Set(key, v)
		case []string:
			if strings.HasSuffix(key, ":retired") {
				_, _ = m.server.SAdd(key, v...)
			} else {
				_, _ = m.server.Push(key, v...)
			}
		case map[string]float64:
			for member, score := range v {
				_, _ = m.server.ZAdd(key, score, member)
			}
		case map[string]string:
			for field, value := range v {
				m.server.HSet(key, field, value)
			}
		}
	}
	return true
}

// hook stands between an actor and the store.
type hook struct {
	memory *memory
	actor  *actor
}

var errStore = errors.New("the store does not answer")

func (h hook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		switch cmd.Name() {
		case "hello", "client", "select", "auth":
			return next(ctx, cmd) // a new connection's own, on the way of another command
		}
		a, weather := h.actor, h.actor.world.weather
		if !a.reach("store", cmd.Name()) || a.happens(weather.storeFails) {
			cmd.SetErr(errStore)
			return errStore
		}
		if a.happens(weather.storeFlushed) {
			a.tell("store", "is flushed before %s", cmd.Name())
			h.memory.flush()
		}
		if a.happens(weather.storeOlder) && h.memory.putBack(a.draw) {
			a.tell("store", "is an older one before %s", cmd.Name())
		}
		unlock := h.memory.lock()
		err := next(ctx, cmd)
		unlock()
		if a.happens(weather.storeAnswerLost) {
			a.tell("store", "%s is done, the answer gets lost", cmd.Name())
			cmd.SetErr(errStore)
			return errStore
		}
		return err
	}
}

// projection is what an owner keeps, without what differs between two builds of
// the same: generations, positions on a log that has repeats, and what was retired.
func (m *memory) projection(owner string) map[string]any {
	all := m.all()
	current := map[string]string{} // tag → generation
	for key, v := range all {
		if tag, ok := strings.CutSuffix(key, "position"); ok {
			words := strings.Fields(v.(string))
			current[tag] = "f" + words[0] + ":g" + words[1] + ":"
		}
	}
	found := map[string]any{}
	for _, tag := range slices.Sorted(maps.Keys(current)) {
		if !strings.Contains(tag, "{"+owner+":") {
			continue
		}
		for key, v := range all {
			if rest, ok := strings.CutPrefix(key, tag+current[tag]); ok && rest != "goal" {
				found[tag+rest] = v
			}
		}
	}
	return found
}
