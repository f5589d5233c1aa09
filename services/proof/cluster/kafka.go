package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Brokers is how many brokers the trial starts.
const Brokers = 3

// heap is a broker's, as deploy/local gives it.
const heap = "512m"

// startKafka formats and starts three brokers, and waits until they are one
// cluster.
func (c *Cluster) startKafka(ctx context.Context) error {
	java, err := program("java", "to run Kafka")
	if err != nil {
		return err
	}
	jars, id, err := c.jars(ctx)
	if err != nil {
		return err
	}
	for n := range Brokers {
		site, err := c.Site(ctx, fmt.Sprintf("kafka-%d", n+1))
		if err != nil {
			return err
		}
		b := &Process{
			Name: site.Name, Kind: "kafka", Site: site, program: java, log: c.logFile(site.Name),
			args: []string{
				"-Xmx" + heap, "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
				"-Dorg.slf4j.simpleLogger.showDateTime=true", "-cp", jars, "kafka.Kafka", c.propertiesFile(n),
			},
		}
		c.Kafka = append(c.Kafka, b)
	}
	for n, b := range c.Kafka {
		if err := os.WriteFile(c.propertiesFile(n), c.properties(n), 0o600); err != nil {
			return err
		}
		var said bytes.Buffer
		format := exec.CommandContext(ctx, java, "-cp", jars, "kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", id, "-c", c.propertiesFile(n))
		format.Stdout, format.Stderr = &said, &said
		if err := format.Run(); err != nil {
			return fmt.Errorf("format %s: %w: %s", b.Name, err, said.Bytes())
		}
	}
	for _, b := range c.Kafka {
		if err := b.Start(); err != nil {
			return err
		}
	}
	if c.admin, err = c.Client(); err != nil {
		return err
	}
	return c.Kafka[0].await(ctx, 3*time.Minute, func(ctx context.Context) error {
		m, err := c.metadata(ctx, []string{})
		if err == nil && len(m.Brokers) < Brokers {
			err = errNotYet
		}
		return err
	})
}

// jars is the class path of Kafka, which deploy/local keeps in a cache; id is for a
// new cluster.
func (c *Cluster) jars(ctx context.Context) (path, id string, err error) {
	local := filepath.Join(c.cfg.Root, "deploy", "local")
	pom, err := os.ReadFile(filepath.Join(local, "pom.xml"))
	if err != nil {
		return "", "", err
	}
	version := regexp.MustCompile(`<kafka.version>(.*)</kafka.version>`).FindSubmatch(pom)
	if version == nil {
		return "", "", errors.New("deploy/local/pom.xml names no version of Kafka")
	}
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", "", err
		}
		cache = filepath.Join(home, ".cache")
	}
	// The script fetches the jars where they are missing, and says how.
	tool := exec.CommandContext(ctx, filepath.Join(local, "kafka"), "tool", "kafka.tools.StorageTool", "random-uuid")
	tool.Stderr = os.Stderr
	uuid, err := tool.Output()
	if err != nil {
		return "", "", fmt.Errorf("deploy/local/kafka tool: %w", err)
	}
	return filepath.Join(cache, "relais", "kafka-"+string(version[1]), "lib", "*"), strings.TrimSpace(string(uuid)), nil
}

func (c *Cluster) propertiesFile(n int) string {
	return filepath.Join(c.cfg.Dir, fmt.Sprintf("kafka-%d.properties", n+1))
}

// brokerAddress and controllerAddress are where broker n listens.
func (c *Cluster) brokerAddress(n int) string { return c.address(c.Kafka[n].Site, n) }

func (c *Cluster) controllerAddress(n int) string {
	return c.address(c.Kafka[n].Site, Brokers+n)
}

// properties are the settings of broker n: those of deploy/local.
func (c *Cluster) properties(n int) []byte {
	var voters []string
	for i := range Brokers {
		voters = append(voters, fmt.Sprintf("%d@%s", i+1, c.controllerAddress(i)))
	}
	var text bytes.Buffer
	for _, line := range [][2]string{
		{"process.roles", "broker,controller"},
		{"node.id", fmt.Sprint(n + 1)},
		{"controller.quorum.voters", strings.Join(voters, ",")},
		{"listeners", "PLAINTEXT://" + c.brokerAddress(n) + ",CONTROLLER://" + c.controllerAddress(n)},
		{"controller.listener.names", "CONTROLLER"},
		{"listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"},
		{"log.dirs", c.KafkaDir(n)},
		{"auto.create.topics.enable", "false"},
		{"default.replication.factor", "3"},
		{"min.insync.replicas", "2"},
		{"offsets.topic.replication.factor", "3"},
		{"offsets.topic.num.partitions", "12"},
		{"transaction.state.log.replication.factor", "3"},
		{"transaction.state.log.min.isr", "2"},
		{"transaction.state.log.num.partitions", "3"},
		{"share.coordinator.state.topic.replication.factor", "3"},
		{"share.coordinator.state.topic.min.isr", "2"},
		{"group.initial.rebalance.delay.ms", "0"},
	} {
		fmt.Fprintf(&text, "%s=%s\n", line[0], line[1])
	}
	return text.Bytes()
}

// Client is a plain Kafka client, at the clients' site.
func (c *Cluster) Client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(c.BrokerAddresses()...), kgo.Dialer(c.Clients.Dial), kgo.MetadataMinAge(500 * time.Millisecond), kgo.MetadataMaxAge(5 * time.Second),
	}, opts...)...)
}

// metadata asks for topics by name, or for all with nil.
func (c *Cluster) metadata(ctx context.Context, topics []string) (*kmsg.MetadataResponse, error) {
	ask := kmsg.NewPtrMetadataRequest()
	if topics != nil {
		ask.Topics = []kmsg.MetadataRequestTopic{}
	}
	for _, topic := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = new(topic)
		ask.Topics = append(ask.Topics, t)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return ask.RequestWith(ctx, c.admin)
}

// Leader is the broker that leads a partition.
func (c *Cluster) Leader(ctx context.Context, topic string, partition int) (*Process, error) {
	m, err := c.metadata(ctx, []string{topic})
	if err != nil {
		return nil, err
	}
	for _, t := range m.Topics {
		for _, p := range t.Partitions {
			if int(p.Partition) == partition && p.Leader >= 1 && p.Leader <= Brokers {
				return c.Kafka[p.Leader-1], nil
			}
		}
	}
	return nil, fmt.Errorf("%s/%d has no leader", topic, partition)
}

// AwaitWhole waits until every broker runs and every replica is in sync.
func (c *Cluster) AwaitWhole(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		why := c.lacking(ctx)
		if why == nil {
			return nil
		}
		if !Sleep(ctx, 500*time.Millisecond) {
			return fmt.Errorf("the brokers are not whole again after %v: %w", limit, why)
		}
	}
}

func (c *Cluster) lacking(ctx context.Context) error {
	m, err := c.metadata(ctx, nil)
	if err != nil {
		return err
	}
	if len(m.Brokers) < Brokers {
		return fmt.Errorf("%d brokers of %d are there", len(m.Brokers), Brokers)
	}
	for _, t := range m.Topics {
		for _, p := range t.Partitions {
			if len(p.ISR) < len(p.Replicas) {
				return fmt.Errorf("%s/%d has %d replicas of %d in sync", *t.Topic, p.Partition, len(p.ISR), len(p.Replicas))
			}
		}
	}
	return nil
}

// Topics are the names of all topics that begin with the prefix and a dot.
func (c *Cluster) Topics(ctx context.Context, prefix string) ([]string, error) {
	m, err := c.metadata(ctx, nil)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, t := range m.Topics {
		if strings.HasPrefix(*t.Topic, prefix+".") {
			names = append(names, *t.Topic)
		}
	}
	slices.Sort(names)
	return names, nil
}

// DeleteTopics deletes what an installation has left, so that brokers that start
// again have little to look at.
func (c *Cluster) DeleteTopics(ctx context.Context, prefix string) error {
	names, err := c.Topics(ctx, prefix)
	if err != nil {
		return err
	}
	ask := kmsg.NewPtrDeleteTopicsRequest()
	ask.TimeoutMillis = 30_000
	for _, name := range names {
		t := kmsg.NewDeleteTopicsRequestTopic()
		t.Topic = new(name)
		ask.Topics, ask.TopicNames = append(ask.Topics, t), append(ask.TopicNames, name)
	}
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	answer, err := ask.RequestWith(ctx, c.admin)
	if err != nil {
		return err
	}
	var problems []error
	for _, t := range answer.Topics {
		problems = append(problems, kerr.ErrorForCode(t.ErrorCode))
	}
	return errors.Join(problems...)
}
