package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/store"
)

// errMissing says that a row needs what is not installed here: the row says so, and
// the others go on.
var errMissing = errors.New("not installed here")

// cluster is a real Kafka and a real Redis, started by the scripts of deploy/local,
// with a schema registry of ours beside them.
type cluster struct {
	b           *bench
	kafka       []string
	redis       string
	replication int
	registry    *process
	registryURL string
	services    []*process
}

// Places of ports after the first: brokers, their controllers 100 above, Redis, and
// our services; hubs above them.
const (
	portBlocks  = 5
	redisPort   = 200
	servicePort = 300
)

// real starts the real engines, once for all rows.
func (b *bench) real(ctx context.Context) (*cluster, error) {
	if b.cluster != nil {
		return b.cluster, nil
	}
	for _, program := range []string{"bash", "java", "mvn", "redis-server"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, fmt.Errorf("%s: %w", program, errMissing)
		}
	}
	b.say("starting %d Kafka broker(s) and Redis", b.Brokers)
	c := &cluster{b: b, replication: b.Brokers}
	b.cluster = c
	redisURL, err := c.script(ctx, "redis", "start", "--port", strconv.Itoa(b.Port+redisPort))
	if err != nil {
		return nil, err
	}
	kafka, err := c.script(ctx, "kafka", "start", "--port", strconv.Itoa(b.Port), "--brokers", strconv.Itoa(b.Brokers))
	if err != nil {
		return nil, err
	}
	c.redis, c.kafka = redisURL, strings.Split(kafka, ",")
	c.registryURL = "http://" + c.door(1)
	if c.registry, err = c.service(ctx, "registry", "relais", 1); err != nil {
		return nil, err
	}
	return c, c.registry.ready(ctx, c.door(1))
}

// script runs one of deploy/local's and returns the last line that it said.
func (c *cluster) script(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(c.b.Root, "deploy", "local", name), append(args, "--data", c.data())...)
	var said, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &complaint
	cmd.Dir = c.b.Folder
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("deploy/local/%s %s: %w: %s", name, args[0], err, strings.TrimSpace(complaint.String()))
	}
	lines := strings.Split(strings.TrimSpace(said.String()), "\n")
	return lines[len(lines)-1], nil
}

func (c *cluster) data() string { return filepath.Join(c.b.Folder, "engines") }

// door is the address of the service at a place.
func (c *cluster) door(place int) string {
	return "127.0.0.1:" + strconv.Itoa(c.b.Port+servicePort+place)
}

// service starts one of our services as a process, for an installation of its own
// named by the prefix.
func (c *cluster) service(ctx context.Context, name, prefix string, place int) (*process, error) {
	program, err := c.b.program(ctx, name)
	if err != nil {
		return nil, err
	}
	p, err := c.b.start(prefix+"-"+name, program, []string{"RELAIS_LOG_LEVEL=warn"},
		"--brokers", strings.Join(c.kafka, ","), "--redis", c.redis, "--registry-url", c.registryURL,
		"--replication", strconv.Itoa(c.replication), "--prefix", prefix, "--http", c.door(place))
	if err != nil {
		return nil, err
	}
	c.services = append(c.services, p)
	return p, nil
}

// client is a client of the cluster's Kafka for the installation.
func (c *cluster) client(prefix string) (*broker.Broker, error) {
	return broker.New(broker.Config{Brokers: c.kafka, Prefix: prefix, Replication: c.replication, MaxBuffered: 256 << 20})
}

// settings are those of the installation's services.
func (c *cluster) settings(prefix string) config.Settings {
	s := config.Default("127.0.0.1:0")
	s.Prefix, s.Replication = prefix, c.replication
	return s
}

// found makes the installation's topics.
func (c *cluster) found(ctx context.Context, b *broker.Broker, prefix string) error {
	return b.EnsureTopics(ctx, services.HubTopics(c.settings(prefix))...)
}

// abandon deletes the installation's topics and what it stored.
func (c *cluster) abandon(ctx context.Context, b *broker.Broker, prefix string) error {
	names, err := b.Topics(ctx)
	if err != nil {
		return err
	}
	var own []string
	for _, name := range names {
		if strings.HasPrefix(name, prefix+".") || strings.HasPrefix(name, prefix+"-") {
			own = append(own, name)
		}
	}
	if err := b.DeleteTopics(ctx, own...); err != nil {
		return err
	}
	r, err := c.store()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	return r.FlushAll(ctx).Err()
}

func (c *cluster) store() (redis.UniversalClient, error) { return store.Connect(c.redis) }

// processorTime is what the brokers and Redis have used so far.
func (c *cluster) processorTime() (brokers, redis time.Duration) {
	files, _ := filepath.Glob(filepath.Join(c.data(), "run", "*.pid"))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		pid, _ := strconv.Atoi(firstOf(string(text)))
		if strings.HasPrefix(filepath.Base(file), "redis") {
			redis += processorTime(pid)
		} else {
			brokers += processorTime(pid)
		}
	}
	return brokers, redis
}

// stop ends services, brokers and Redis. It goes on where something is gone already.
func (c *cluster) stop() {
	for _, v := range slices.Backward(c.services) {
		v.stop()
	}
	ctx := context.Background()
	_, _ = c.script(ctx, "kafka", "stop")
	_, _ = c.script(ctx, "redis", "stop")
}

func kafkaVersion(root string) string {
	text, err := os.ReadFile(filepath.Join(root, "deploy", "bench", "pom.xml"))
	if err != nil {
		return "unknown"
	}
	_, rest, _ := strings.Cut(string(text), "<kafka.version>")
	version, _, _ := strings.Cut(rest, "<")
	return version
}
