package cluster

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Hub is cmd/hub: everything in one process, with engines of its own.
type Hub struct {
	*Process
	// Dir is its data folder, Door and Kafka are where it listens.
	Dir, Door, Kafka string
	clients          *Site
}

// StartHub starts the hub on loopback, at ports that it keeps over restarts, and
// waits until it is ready.
func (c *Cluster) StartHub(ctx context.Context, program, name, dir string, env ...string) (*Hub, error) {
	at := func(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(c.cfg.Port+port)) }
	dir, err := makeFolder(dir)
	if err != nil {
		return nil, err
	}
	h := &Hub{Dir: dir, Door: "http://" + at(60), Kafka: at(61), clients: loopback("clients"), Process: &Process{
		Name: "hub", Kind: "hub", Site: loopback("hub"), program: program, env: env, log: c.logFile(name),
		args: []string{"--http", at(60), "--kafka", at(61), "--registry", at(62), "--data", filepath.Join(dir, "data"), "--partitions", "4"},
	}}
	c.mu.Lock()
	c.others = append(c.others, h.Process)
	c.mu.Unlock()
	if err := h.Start(); err != nil {
		return nil, err
	}
	return h, h.AwaitReady(ctx, time.Minute)
}

// AwaitReady waits until the hub says that it is ready.
func (h *Hub) AwaitReady(ctx context.Context, limit time.Duration) error {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return h.await(ctx, limit, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, h.Door+"/readyz", nil)
		if err != nil {
			return err
		}
		answer, err := client.Do(request)
		if err != nil {
			return err
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("%w: %s", errNotYet, answer.Status)
		}
		return nil
	})
}

// Client is a plain Kafka client of the hub's own broker.
func (h *Hub) Client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(h.Kafka), kgo.MetadataMinAge(500 * time.Millisecond), kgo.MetadataMaxAge(5 * time.Second)}, opts...)...)
}

// Dial connects to its doors.
func (h *Hub) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return h.clients.Dial(ctx, network, address)
}
