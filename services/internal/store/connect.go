package store

import (
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// patience is how long a command's answer may take. A commit is a script of up to
// thousands of operations behind others'; a client that gives up after the usual
// 3 s sends it again, to a server that is then busier still.
const patience = 15 * time.Second

// Connect makes a client of the Redis at url, redis://[user:password@]host:port/db.
// It connects with the first command.
func Connect(url string) (redis.UniversalClient, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("--redis: %w; use redis://host:port/0", err)
	}
	return redis.NewClient(Tune(options)), nil
}

// Tune sets what every client of a store needs.
func Tune(options *redis.Options) *redis.Options {
	// Servers before 7.2 refuse CLIENT SETINFO.
	options.DisableIdentity = true
	options.ReadTimeout, options.WriteTimeout = patience, patience
	// A commit that is sent again after its answer was lost finds the position
	// moved by itself: the owner asks where it stands instead.
	options.MaxRetries = -1
	return options
}
