package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// namespacePrefix begins the name of each of our network namespaces; the pid of the
// process that made it follows.
const namespacePrefix = "relais-proof-"

// nobody is a hardware address that no part has: what is sent there is lost without
// a word, as on a cut line.
const nobody = "02:00:00:00:00:01"

// Network is a bridge, and a namespace with a line to it for every site. It exists
// only while the trial runs. Safe for concurrent use.
type Network struct {
	name   string // of the namespace that holds the bridge
	prefix string // of addresses, `198.18.7.`

	mu    sync.Mutex
	sites []*Site
	cuts  map[[2]string]bool
}

// errNoNetwork says why there is no network to cut.
var errNoNetwork = errors.New("cutting the network needs root and the program ip (iproute2)")

// newNetwork makes the bridge. Clients are at the site that it returns.
func newNetwork(ctx context.Context) (n *Network, clients *Site, err error) {
	if _, err := exec.LookPath("ip"); err != nil || os.Getuid() != 0 {
		return nil, nil, errNoNetwork
	}
	removeOrphans(ctx)
	pid := os.Getpid()
	n = &Network{
		name: namespacePrefix + strconv.Itoa(pid),
		// The range is set aside for benchmarks of networks (RFC 2544). Each
		// network is closed in itself: two with the same range do not meet.
		prefix: "198.18.0.",
		cuts:   map[[2]string]bool{},
	}
	if err := ip(ctx, "netns", "add", n.name); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errNoNetwork, err)
	}
	clients = &Site{Name: "clients", IP: n.prefix + "1", namespace: n.name}
	err = errors.Join(
		ip(ctx, "-n", n.name, "link", "set", "lo", "up"),
		ip(ctx, "-n", n.name, "link", "add", "bridge", "type", "bridge"),
		ip(ctx, "-n", n.name, "address", "add", clients.IP+"/24", "dev", "bridge"),
		ip(ctx, "-n", n.name, "link", "set", "bridge", "up"),
	)
	n.sites = append(n.sites, clients)
	if err != nil {
		n.close()
		return nil, nil, fmt.Errorf("%w: %w", errNoNetwork, err)
	}
	return n, clients, nil
}

// site makes a namespace on the network.
func (n *Network) site(ctx context.Context, name string) (*Site, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	number := strconv.Itoa(len(n.sites) + 1)
	s := &Site{Name: name, IP: n.prefix + number, namespace: n.name + "-" + number}
	line := "line" + number
	err := errors.Join(
		ip(ctx, "netns", "add", s.namespace),
		ip(ctx, "-n", n.name, "link", "add", line, "type", "veth", "peer", "name", "eth0", "netns", s.namespace),
		ip(ctx, "-n", n.name, "link", "set", line, "master", "bridge", "up"),
		ip(ctx, "-n", s.namespace, "link", "set", "lo", "up"),
		ip(ctx, "-n", s.namespace, "address", "add", s.IP+"/24", "dev", "eth0"),
		ip(ctx, "-n", s.namespace, "link", "set", "eth0", "up"),
	)
	n.sites = append(n.sites, s)
	return s, err
}

// Cut loses everything that one site sends to another, from now on. What goes the
// other way still arrives.
func (n *Network) Cut(ctx context.Context, from, to *Site) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cuts[[2]string{from.Name, to.Name}] = true
	return ip(ctx, "-n", from.namespace, "neighbour", "replace", to.IP, "lladdr", nobody, "dev", from.device(), "nud", "permanent")
}

// Mend ends all cuts.
func (n *Network) Mend(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var problems []error
	for _, from := range n.sites {
		for _, to := range n.sites {
			if n.cuts[[2]string{from.Name, to.Name}] {
				problems = append(problems, ip(ctx, "-n", from.namespace, "neighbour", "delete", to.IP, "dev", from.device()))
			}
		}
	}
	clear(n.cuts)
	return errors.Join(problems...)
}

// device is the site's line to the network.
func (s *Site) device() string {
	if s.Name == "clients" {
		return "bridge"
	}
	return "eth0"
}

// close removes the namespaces, and with them the lines. It does its work though
// the trial was interrupted.
func (n *Network) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, v := range slices.Backward(n.sites) {
		_ = ip(ctx, "netns", "delete", v.namespace)
	}
}

// removeOrphans removes namespaces of trials that were killed: of pids that run no
// more.
func removeOrphans(ctx context.Context) {
	list, err := exec.CommandContext(ctx, "ip", "netns", "list").Output()
	if err != nil {
		return
	}
	for line := range strings.Lines(string(list)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest, ours := strings.CutPrefix(name, namespacePrefix)
		owner, _, _ := strings.Cut(rest, "-")
		if _, err := strconv.Atoi(owner); !ours || err != nil {
			continue
		}
		if _, err := os.Stat("/proc/" + owner); errors.Is(err, os.ErrNotExist) {
			_ = ip(ctx, "netns", "delete", name)
		}
	}
}

func ip(ctx context.Context, args ...string) error {
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, "ip", args...)
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}
