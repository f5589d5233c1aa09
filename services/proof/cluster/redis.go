package cluster

import (
	"context"
	"net"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisPort follows those of brokers and controllers.
const redisPort = 2 * Brokers

// startRedis starts a real Redis that writes to disk every second, as deploy/local
// does.
func (c *Cluster) startRedis(ctx context.Context) error {
	server, err := program("redis-server", "to keep the services' projections")
	if err != nil {
		return err
	}
	site, err := c.Site(ctx, "redis")
	if err != nil {
		return err
	}
	dir, err := makeFolder(c.RedisDir())
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(c.address(site, redisPort))
	if err != nil {
		return err
	}
	c.Redis = &Process{
		Name: "redis", Kind: "redis", Site: site, program: server, log: c.logFile("redis"),
		args: []string{
			"--bind", site.IP, "--port", port, "--dir", dir, "--daemonize", "no", "--protected-mode", "no",
			"--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--maxmemory-policy", "noeviction",
		},
	}
	if err := c.Redis.Start(); err != nil {
		return err
	}
	return c.AwaitRedis(ctx)
}

// RedisURL is where Redis listens.
func (c *Cluster) RedisURL() string {
	return "redis://" + c.address(c.Redis.Site, redisPort) + "/0"
}

// AwaitRedis waits until Redis has loaded what it keeps.
func (c *Cluster) AwaitRedis(ctx context.Context) error {
	return c.Redis.await(ctx, time.Minute, func(ctx context.Context) error {
		return c.redis(ctx, func(ctx context.Context, r *redis.Client) error { return r.Ping(ctx).Err() })
	})
}

// FlushRedis empties it.
func (c *Cluster) FlushRedis(ctx context.Context) error {
	return c.redis(ctx, func(ctx context.Context, r *redis.Client) error { return r.FlushAll(ctx).Err() })
}

// redis calls it on a connection of its own.
func (c *Cluster) redis(ctx context.Context, call func(context.Context, *redis.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client := redis.NewClient(&redis.Options{
		Addr: c.address(c.Redis.Site, redisPort), DisableIdentity: true, MaxRetries: -1,
		Dialer: c.Redis.Site.Dial,
	})
	defer func() { _ = client.Close() }()
	return call(ctx, client)
}

// CopyRedis copies its files as they are now, for a moment in which it stands
// still.
func (c *Cluster) CopyRedis() error {
	c.Redis.Pause()
	defer c.Redis.Resume()
	older := c.RedisDir() + ".older"
	if err := os.RemoveAll(older); err != nil {
		return err
	}
	return os.CopyFS(older, os.DirFS(c.RedisDir()))
}

// RestoreRedis ends it, and starts it with the files that were copied before.
func (c *Cluster) RestoreRedis(ctx context.Context) error {
	c.Redis.Kill()
	if err := os.RemoveAll(c.RedisDir()); err != nil {
		return err
	}
	if err := os.CopyFS(c.RedisDir(), os.DirFS(c.RedisDir()+".older")); err != nil {
		return err
	}
	if err := c.Redis.Start(); err != nil {
		return err
	}
	return c.AwaitRedis(ctx)
}

// RedisDir is where its files are.
func (c *Cluster) RedisDir() string { return strings.TrimSuffix(c.cfg.Dir, "/") + "/redis" }
