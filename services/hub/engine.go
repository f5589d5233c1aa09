package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/store"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// EmbeddedConfig is what the embedded engines are made from.
type EmbeddedConfig struct {
	// DataDir is the data folder; it is made if missing. Empty keeps nothing.
	DataDir string
	// KafkaAddr is where the broker listens, host:port; port 0 takes a free
	// one. It is also the address that clients are told to come back to.
	KafkaAddr string
	// Listen opens the broker's door; net.Listen by default.
	Listen func(network, address string) (net.Listener, error)
	// Dial is what Embedded.Dial falls back to for other addresses than the
	// broker's; net.Dialer's DialContext by default.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// PageCache lets the broker acknowledge what the operating system has, but
	// not yet the disk: kill -9 loses nothing then, a power cut may. The
	// default writes to disk before it acknowledges.
	PageCache bool
	// LeastFree is how much room the data folder's file system must have for
	// the doors to be open; 64 MiB by default.
	LeastFree uint64
	// Secure makes the broker ask who calls, by SCRAM, and keep to their rights. The
	// hub itself signs in as Login says.
	Secure bool
	// TLS is how the broker's door speaks TLS; nil does not.
	TLS *tls.Config
	// NoKafka and NoRedis leave out an engine that is elsewhere.
	NoKafka, NoRedis bool
	Log              *slog.Logger
}

// Embedded are the engines inside the hub's process: a broker that speaks
// Kafka's protocol and keeps its log in the data folder, and a Redis that keeps
// nothing.
type Embedded struct {
	cfg    EmbeddedConfig
	log    *slog.Logger
	login  broker.Login
	folder *folder
	door   *door
	kafka  *kfake.Cluster
	client *broker.Broker // of the engines' own, for retention and compaction
	redis  *miniredis.Miniredis
	disk   *disk

	stop  context.CancelFunc
	tasks sync.WaitGroup
	once  sync.Once
	err   error
}

// Settings of the embedded broker. Its own timer is set to never: it would
// compact by removing a partition's files before it writes the new ones, and
// apply the default retention of seven days to topics that have none of their
// own. Compaction and retention are done here instead.
var brokerConfigs = map[string]string{
	"log.cleaner.backoff.ms":    strconv.FormatInt((10 * 365 * 24 * time.Hour).Milliseconds(), 10),
	"log.segment.bytes":         strconv.Itoa(64 << 20),
	"offsets.retention.minutes": strconv.Itoa(10 * 365 * 24 * 60),
}

// StartEmbedded starts the engines. A port that is taken, a folder in use by
// another hub or in a format of another version are errors of one sentence that
// says what to do. Close stops them.
func StartEmbedded(ctx context.Context, cfg EmbeddedConfig) (*Embedded, error) {
	if cfg.Listen == nil {
		cfg.Listen = net.Listen
	}
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.LeastFree == 0 {
		cfg.LeastFree = 64 << 20
	}
	tasks, stop := context.WithCancel(context.WithoutCancel(ctx))
	e := &Embedded{cfg: cfg, log: cfg.Log, stop: stop}
	if err := e.start(ctx, tasks); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func (e *Embedded) start(ctx, tasks context.Context) error {
	if !e.cfg.NoKafka {
		if err := e.startKafka(ctx, tasks); err != nil {
			return err
		}
	}
	if !e.cfg.NoRedis {
		// No key of ours has a time to live. If one ever has: the embedded store's
		// clock stands still unless FastForward is called, and that sorts every key
		// under the one lock, 750 ms a call at 850,000 keys.
		e.redis = miniredis.NewMiniRedis()
	}
	return nil
}

func (e *Embedded) startKafka(ctx, tasks context.Context) (err error) {
	if e.door, err = openDoor(e.cfg); err != nil {
		return err
	}
	opts := []kfake.Opt{
		kfake.NumBrokers(1), kfake.ClusterID("relais"), kfake.BrokerConfigs(brokerConfigs),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return e.door, nil }),
	}
	password := ""
	if e.cfg.Secure {
		e.login = newLogin()
		if password, err = e.login.Password(); err != nil {
			return err
		}
		opts = append(opts, kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser(mechanisms[0], superuser, password))
	}
	if e.cfg.DataDir != "" {
		if e.folder, err = openFolder(e.cfg.DataDir); err != nil {
			return err
		}
		if e.cfg.Secure {
			if err := e.folder.admit(password); err != nil {
				return err
			}
		}
		e.disk = newDisk(e.folder.dir, e.cfg.LeastFree, e.log)
		opts = append(opts, kfake.DataDir(e.folder.kafka()), kfake.WithLogger(&engineLog{e.log, e.disk}))
		if !e.cfg.PageCache {
			opts = append(opts, kfake.SyncWrites())
		}
	}
	if e.kafka, err = kfake.NewCluster(opts...); err != nil {
		return fmt.Errorf("the embedded broker cannot read the data folder %s: %w", e.cfg.DataDir, err)
	}
	e.client, err = broker.New(broker.Config{Brokers: []string{e.KafkaAddr()}, ClientID: "relais-engine", Dial: e.Dial, Login: e.login, Log: e.log})
	if err != nil {
		return err
	}
	if e.folder != nil {
		e.disk.check()
		e.every(tasks, time.Second, func(context.Context) { e.disk.check() })
		if err := e.compact(ctx); err != nil {
			return fmt.Errorf("compact the data folder %s: %w", e.cfg.DataDir, err)
		}
	}
	e.every(tasks, retentionEvery, e.applyRetention)
	e.door.open()
	return nil
}

// every runs task again and again until Close, a first time after one period.
func (e *Embedded) every(ctx context.Context, period time.Duration, task func(context.Context)) {
	e.tasks.Go(func() {
		ticker := time.NewTicker(period)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				task(ctx)
			}
		}
	})
}

// KafkaAddr is the broker's address, with the port that it got; "" without one.
func (e *Embedded) KafkaAddr() string {
	if e.door == nil {
		return ""
	}
	return e.door.Addr().String()
}

// Login is how to sign in to the broker with all rights; the zero value where it
// asks nobody.
func (e *Embedded) Login() broker.Login { return e.login }

// TurnedAway counts, by reason, those whom the broker's door did not let in.
func (e *Embedded) TurnedAway() map[string]int64 {
	if e.door == nil {
		return nil
	}
	return e.door.gate.counts()
}

// tell has the metrics tell whom the broker's door did not let in.
func (e *Embedded) tell(reg prometheus.Registerer) {
	telemetry.CountersFunc(reg, prometheus.CounterOpts{
		Name: "relais_kafka_door_refusals_total", Help: "Connections that the embedded broker's door turned away, by reason.",
	}, "reason", func() map[string]float64 {
		all := map[string]float64{}
		for reason, n := range e.TurnedAway() {
			all[reason] = float64(n)
		}
		return all
	})
}

// Dial connects to the broker within the process, without the network, when the
// address is the broker's: more than twice the records a second, and it works
// where the address that clients are told is not reachable from here.
func (e *Embedded) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if e.door != nil && address == e.KafkaAddr() {
		return e.door.dial(ctx)
	}
	return e.cfg.Dial(ctx, network, address)
}

// Redis is a client of the embedded Redis, within the process. The caller
// closes it.
func (e *Embedded) Redis() redis.UniversalClient {
	return redis.NewClient(store.Tune(&redis.Options{
		Addr: "127.0.0.1:6379", // never dialled: the Dialer knows the way
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			conn, err := e.redis.Dial()
			if err != nil {
				return nil, err
			}
			return newEager(conn), nil
		},
	}))
}

// DiskFull says whether the data folder has no room, or could not be written.
func (e *Embedded) DiskFull() bool { return e.Closed() != "" }

// Closed says in a sentence why nothing may be accepted at present, "" when it
// may. What was acknowledged is safe either way.
func (e *Embedded) Closed() string {
	if e.disk == nil {
		return ""
	}
	return e.disk.closed()
}

// Close stops the engines, the broker last, and leaves the data folder to the
// next hub. Stop their clients first.
func (e *Embedded) Close() error {
	e.once.Do(func() {
		e.stop()
		e.tasks.Wait()
		if e.redis != nil {
			e.redis.Close()
		}
		if e.client != nil {
			e.err = e.client.Close()
		}
		if e.kafka != nil {
			e.kafka.Close()
		}
		if e.door != nil {
			e.err = errors.Join(e.err, e.door.Close())
		}
		if e.folder != nil {
			e.err = errors.Join(e.err, e.folder.close())
		}
	})
	return e.err
}

func (f *folder) kafka() string { return filepath.Join(f.dir, "kafka") }
