package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// kinds are the services and how many of each: two where one can take over from
// the other.
var kinds = []struct {
	name  string
	count int
}{
	{"registry", 1}, {"directory", 1}, {"gateway", 2}, {"ledger", 2}, {"router", 2}, {"inbox", 2}, {"courier", 2}, {"clock", 2}, {"observatory", 1},
}

// Programs are the folders in which built programs are looked for: an entry of a
// process's name, `gateway-2`, before "" for all others.
type Programs map[string]string

// Kinds are the services that a folder has programs of.
func Kinds(dir string) (names []string) {
	for _, k := range kinds {
		if _, err := os.Stat(filepath.Join(dir, k.name)); err == nil {
			names = append(names, k.name)
		}
	}
	return names
}

// Installation is one set of services with topics of its own.
type Installation struct {
	Prefix string
	Parts  []*Process

	c          *Cluster
	partitions int
	programs   Programs
	env        []string
	doors      map[string]string // of each process, by its name
	fronts     []*front
	client     *http.Client
}

// Install starts the services on the engines, with a prefix of their own, and waits
// until all are ready. env is added to the environment of each.
func (c *Cluster) Install(ctx context.Context, prefix string, partitions int, programs Programs, env ...string) (*Installation, error) {
	i := &Installation{
		Prefix: prefix, c: c, partitions: partitions, programs: programs, env: env, doors: map[string]string{},
		client: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DialContext: c.Clients.Dial, MaxIdleConnsPerHost: 2}},
	}
	for _, kind := range Kinds(programs[""]) {
		for _, k := range kinds {
			for n := range k.count {
				if k.name != kind {
					continue
				}
				if _, err := i.Add(ctx, kind, n+1); err != nil {
					i.Stop()
					return nil, err
				}
			}
		}
	}
	for _, p := range i.Parts {
		if err := i.AwaitReady(ctx, p, 2*time.Minute); err != nil {
			i.Stop()
			return nil, err
		}
	}
	return i, nil
}

// Add starts one more process of a kind, which need not be ready yet.
func (i *Installation) Add(ctx context.Context, kind string, number int) (*Process, error) {
	name := kind
	if number > 1 {
		name = fmt.Sprintf("%s-%d", kind, number)
	}
	site, err := i.c.Site(ctx, name)
	if err != nil {
		return nil, err
	}
	if _, err := makeFolder(i.c.cfg.Dir, "log", folderName(i.Prefix)); err != nil {
		return nil, err
	}
	port := 10 + len(i.Parts)
	i.doors[name] = "http://" + i.c.address(site, port)
	dir, ok := i.programs[name]
	if !ok {
		dir = i.programs[""]
	}
	p := &Process{
		Name: name, Kind: kind, Site: site, program: filepath.Join(dir, kind), env: i.env,
		log: i.c.logFile(filepath.Join(folderName(i.Prefix), name)),
		args: []string{
			"--http", net.JoinHostPort("127.0.0.1", strconv.Itoa(i.c.cfg.Port+port)), "--brokers", strings.Join(i.c.BrokerAddresses(), ","),
			"--redis", i.c.RedisURL(), "--registry-url", i.doors["registry"], "--prefix", i.Prefix,
			"--partitions", strconv.Itoa(i.partitions), "--replication", strconv.Itoa(Brokers),
		},
	}
	if i.c.Network != nil {
		f, err := i.c.openFront(ctx, site, port)
		if err != nil {
			return nil, err
		}
		i.fronts = append(i.fronts, f)
	}
	i.Parts = append(i.Parts, p)
	i.c.mu.Lock()
	i.c.others = append(i.c.others, p)
	i.c.mu.Unlock()
	return p, p.Start()
}

// AwaitReady waits until a process says that it is ready.
func (i *Installation) AwaitReady(ctx context.Context, p *Process, limit time.Duration) error {
	return p.await(ctx, limit, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, i.doors[p.Name]+"/readyz", nil)
		if err != nil {
			return err
		}
		answer, err := i.client.Do(request)
		if err != nil {
			return err
		}
		defer func() { _ = answer.Body.Close() }()
		if answer.StatusCode != http.StatusOK {
			said, _ := io.ReadAll(io.LimitReader(answer.Body, 500))
			return fmt.Errorf("%s: %s", answer.Status, strings.TrimSpace(string(said)))
		}
		return nil
	})
}

// Of are the processes of a kind.
func (i *Installation) Of(kind string) (list []*Process) {
	for _, p := range i.Parts {
		if p.Kind == kind {
			list = append(list, p)
		}
	}
	return list
}

// Doors are the addresses of the processes of a kind.
func (i *Installation) Doors(kind string) (list []string) {
	for _, p := range i.Of(kind) {
		list = append(list, i.doors[p.Name])
	}
	return list
}

// Stop ends the services; what they have written stays.
func (i *Installation) Stop() {
	var ending sync.WaitGroup
	for _, p := range i.Parts {
		ending.Go(p.Stop)
	}
	ending.Wait()
	for _, f := range i.fronts {
		f.close()
	}
	i.client.CloseIdleConnections()
}

// copyAndClose carries bytes one way until either end closes.
func copyAndClose(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
}

var errNoRoot = errors.New("the programs are built from the project's folder: run it there, or give built ones with --programs")
