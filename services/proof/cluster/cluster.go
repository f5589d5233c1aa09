// Package cluster starts what a trial needs as processes of their own: three Kafka
// brokers and a Redis, or the hub on its embedded engines, and the services on
// them; where it may, each in a network namespace of its own, so that any line
// between two can be cut.
//
// It knows how to start, kill, pause and reach each part, and ends whatever it has
// started, by pid. What to break when is package plug's matter.
package cluster

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/relais-fr/relais/services/internal/ports"
)

// Config is what a Cluster is made from.
type Config struct {
	// Root is the module's folder. Dir is where data, logs and programs go.
	Root, Dir string
	// Port is the first of a hundred ports that are taken on loopback, or at the
	// address of each part where there is a network; 0 looks for free ones.
	Port int
	// Loopback does without a network though there could be one.
	Loopback bool
}

// Cluster is what the trial has started. End it with Close.
type Cluster struct {
	// Kafka are the brokers, the first is node 1; Redis is the store. Both are nil
	// where the hub has engines of its own.
	Kafka []*Process
	Redis *Process
	// Clients is where the trial's own clients are.
	Clients *Site
	// Network is nil where lines cannot be cut; NoNetwork then says why.
	Network   *Network
	NoNetwork error

	cfg   Config
	admin *kgo.Client

	mu     sync.Mutex
	sites  map[string]*Site
	others []*Process
	disks  []string
	// release gives the ports back, where we looked for them.
	release func()
}

// New makes a cluster in which nothing runs yet.
func New(ctx context.Context, cfg Config) (*Cluster, error) {
	c := &Cluster{cfg: cfg, sites: map[string]*Site{}, Clients: loopback("clients"), NoNetwork: errors.New("everything is on loopback")}
	if _, err := makeFolder(cfg.Dir, "log"); err != nil {
		return nil, err
	}
	if cfg.Port == 0 {
		var err error
		if c.cfg.Port, c.release, err = ports.Take(ctx, 1); err != nil {
			return nil, err
		}
	}
	if !cfg.Loopback {
		network, clients, err := newNetwork(ctx)
		if err != nil {
			c.NoNetwork = err
		} else {
			c.Network, c.Clients, c.NoNetwork = network, clients, nil
		}
	}
	return c, nil
}

// StartEngines starts Kafka and Redis, and returns when both answer.
func (c *Cluster) StartEngines(ctx context.Context) error {
	if err := c.startKafka(ctx); err != nil {
		return err
	}
	return c.startRedis(ctx)
}

// Close ends all processes and removes namespaces and disks. It does so though the
// trial was interrupted.
func (c *Cluster) Close() error {
	var ending sync.WaitGroup
	c.mu.Lock()
	others := c.others
	c.mu.Unlock()
	for _, p := range append(others, c.Kafka...) {
		ending.Go(p.Kill)
	}
	if c.Redis != nil {
		ending.Go(c.Redis.Kill)
	}
	ending.Wait()
	if c.admin != nil {
		c.admin.Close()
	}
	if c.Network != nil {
		c.Network.close()
	}
	if c.release != nil {
		c.release()
	}
	var problems []error
	for _, dir := range c.disks {
		problems = append(problems, unmount(dir))
	}
	return errors.Join(problems...)
}

// Site is the place of a process, made when it is first asked for.
func (c *Cluster) Site(ctx context.Context, name string) (*Site, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.sites[name]; s != nil {
		return s, nil
	}
	s := loopback(name)
	if c.Network != nil {
		var err error
		if s, err = c.Network.site(ctx, name); err != nil {
			return nil, err
		}
	}
	c.sites[name] = s
	return s, nil
}

// address is a port of the trial's at a site.
func (c *Cluster) address(s *Site, port int) string {
	return net.JoinHostPort(s.IP, strconv.Itoa(c.cfg.Port+port))
}

// BrokerAddresses are where Kafka listens.
func (c *Cluster) BrokerAddresses() []string {
	var list []string
	for n := range c.Kafka {
		list = append(list, c.brokerAddress(n))
	}
	return list
}

// KafkaDir is where broker n has its log.
func (c *Cluster) KafkaDir(n int) string {
	return filepath.Join(c.cfg.Dir, "kafka-"+strconv.Itoa(n+1))
}

func (c *Cluster) logFile(name string) string {
	return filepath.Join(c.cfg.Dir, "log", name+".log")
}

// MountSmallDisk puts a small disk of its own under a folder, which can then be
// full.
func (c *Cluster) MountSmallDisk(dir string, size int64) error {
	if _, err := makeFolder(dir); err != nil {
		return err
	}
	if err := mountMemory(dir, size); err != nil {
		return err
	}
	c.disks = append(c.disks, dir)
	return nil
}

// filler is the file that makes a disk full.
const filler = "filler"

// Fill writes until the disk under a folder has only so many bytes left.
func Fill(dir string, left int64) error {
	file, err := os.OpenFile(filepath.Join(dir, filler), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	for {
		free, err := freeSpace(dir)
		if err != nil {
			return err
		}
		if free <= left {
			return nil
		}
		if _, err := file.Write(make([]byte, min(free-left, 1<<20))); err != nil {
			return nil // it is full
		}
	}
}

// Free undoes Fill.
func Free(dir string) error {
	err := os.Remove(filepath.Join(dir, filler))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// front carries what comes to an address of a site to a door that listens on the
// site's own loopback only, as an ingress would.
type front struct {
	listener net.Listener
	site     *Site
	door     string
}

func (c *Cluster) openFront(ctx context.Context, site *Site, port int) (*front, error) {
	l, err := site.listen(ctx, c.address(site, port))
	if err != nil {
		return nil, err
	}
	f := &front{listener: l, site: site, door: net.JoinHostPort("127.0.0.1", strconv.Itoa(c.cfg.Port+port))}
	go f.serve()
	return f, nil
}

func (f *front) close() { _ = f.listener.Close() }

func (f *front) serve() {
	for {
		conn, err := f.listener.Accept()
		if err != nil {
			return
		}
		go f.carry(conn)
	}
}

func (f *front) carry(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	door, err := f.site.Dial(ctx, "tcp", f.door)
	if err != nil {
		return
	}
	defer func() { _ = door.Close() }()
	var both sync.WaitGroup
	both.Go(func() { copyAndClose(door, conn) })
	both.Go(func() { copyAndClose(conn, door) })
	both.Wait()
}

// folderName is a prefix as a folder's name.
func folderName(prefix string) string { return strings.ReplaceAll(prefix, "/", "-") }
