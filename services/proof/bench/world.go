package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/relais-fr/relais/services/hub"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
)

// The two kinds of engines.
const (
	embedded = "embedded"
	realOnes = "real"
)

// world is a whole hub that runs: in one process on the embedded engines, or as a
// process for each service on the real ones.
type world struct {
	engines string
	prefix  string
	// http is the gateway's door, registry the registry's URL.
	http, registry string
	// doors are all doors that tell metrics and readiness.
	doors []string
	// hub is what hubctl is told.
	hub    string
	client *broker.Broker
	// processes are the hub's own; none when it runs within this one.
	processes []*process
	flush     func(ctx context.Context) error
	stop      func()
}

// worlds runs f on a hub of every kind that is wanted. within has the embedded one run
// in this process, so that its store can be emptied.
func (b *bench) worlds(ctx context.Context, prefix string, within bool, f func(w *world) error) error {
	var failed []error
	for _, engines := range []string{embedded, realOnes} {
		if !b.wants(engines) || ctx.Err() != nil {
			continue
		}
		w, err := b.open(ctx, engines, prefix, within)
		if errors.Is(err, errMissing) {
			b.table.note(fmt.Sprintf("on real engines not measured: %v", err))
			continue
		}
		if err == nil {
			err = f(w)
			w.stop()
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", engines, err))
		}
	}
	return errors.Join(failed...)
}

func (b *bench) open(ctx context.Context, engines, prefix string, within bool) (*world, error) {
	switch {
	case engines == realOnes:
		return b.openReal(ctx, prefix)
	case within:
		return b.openWithin(ctx, prefix)
	}
	return b.openEmbedded(ctx, prefix)
}

// embeddedPort is where the embedded hub's doors begin.
const embeddedPort = 400

func (b *bench) embeddedSettings(prefix string) config.Settings {
	at := func(n int) string { return "127.0.0.1:" + strconv.Itoa(b.Port+embeddedPort+n) }
	s := config.DefaultHub()
	s.HTTP, s.Kafka, s.Registry, s.Data = at(0), at(1), at(2), filepath.Join(b.Folder, prefix+"-data")
	return s
}

func (b *bench) embeddedWorld(s config.Settings) (*world, error) {
	client, err := broker.New(broker.Config{Brokers: []string{s.Kafka}, MaxBuffered: 256 << 20})
	if err != nil {
		return nil, err
	}
	return &world{
		engines: embedded, prefix: s.Prefix, http: s.HTTP, registry: "http://" + s.Registry, doors: []string{s.HTTP}, hub: "http://" + s.HTTP, client: client,
	}, nil
}

// openEmbedded starts cmd/hub as a process.
func (b *bench) openEmbedded(ctx context.Context, prefix string) (*world, error) {
	program, err := b.program(ctx, "hub")
	if err != nil {
		return nil, err
	}
	s := b.embeddedSettings(prefix)
	w, err := b.embeddedWorld(s)
	if err != nil {
		return nil, err
	}
	p, err := b.start(prefix+"-hub", program, []string{"RELAIS_LOG_LEVEL=warn"}, "--http", s.HTTP, "--kafka", s.Kafka, "--registry", s.Registry, "--data", s.Data)
	if err != nil {
		return nil, err
	}
	w.processes = []*process{p}
	w.stop = func() {
		_ = w.client.Close()
		p.stop()
		_ = os.RemoveAll(s.Data)
	}
	if err := p.ready(ctx, s.HTTP); err != nil {
		w.stop()
		return nil, err
	}
	return w, nil
}

// openWithin runs the hub in this process.
func (b *bench) openWithin(ctx context.Context, prefix string) (*world, error) {
	s := b.embeddedSettings(prefix)
	w, err := b.embeddedWorld(s)
	if err != nil {
		return nil, err
	}
	engines, stop, err := b.within(ctx, s, prefix+"-within.log")
	if err != nil {
		_ = w.client.Close()
		return nil, err
	}
	w.flush = func(ctx context.Context) error {
		r := engines.Redis()
		defer func() { _ = r.Close() }()
		return r.FlushAll(ctx).Err()
	}
	w.stop = func() {
		_ = w.client.Close()
		stop()
	}
	return w, nil
}

// within runs a hub in this process, and returns when it is ready. Its log, and why it
// ended, go to a file; stop removes its data too.
func (b *bench) within(ctx context.Context, s config.Settings, logFile string) (engines *hub.Embedded, stop func(), err error) {
	log, err := os.OpenFile(filepath.Join(b.Folder, "log", logFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	said, out := io.Pipe()
	h := hub.New(s, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})), out, hub.Network{})
	h.OnEngines(func(e *hub.Embedded) { engines = e })
	run, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		err := h.Run(run)
		_ = out.CloseWithError(errors.Join(err, io.EOF))
		ended <- err
	}()
	stop = func() {
		cancel()
		if err := <-ended; err != nil {
			_, _ = fmt.Fprintln(log, err)
		}
		_ = log.Close()
		_ = os.RemoveAll(s.Data)
	}
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		if lines.Text() == "ready" {
			go func() { _, _ = io.Copy(io.Discard, said) }()
			return engines, stop, nil
		}
	}
	stop()
	return nil, nil, fmt.Errorf("the hub did not start: %w", lines.Err())
}

// servicesOf are the services but the registry in the order of their start; one that
// this version does not have is left out.
var servicesOf = []string{"directory", "gateway", "ledger", "router", "inbox", "courier", "clock", "observatory"}

// openReal starts each service as a process.
func (b *bench) openReal(ctx context.Context, prefix string) (*world, error) {
	c, err := b.real(ctx)
	if err != nil {
		return nil, err
	}
	w := &world{engines: realOnes, prefix: prefix, registry: c.registryURL}
	w.stop = func() {
		for _, p := range slices.Backward(w.processes) {
			p.stop()
		}
		if w.client != nil {
			_ = c.abandon(context.WithoutCancel(ctx), w.client, prefix)
			_ = w.client.Close()
		}
	}
	if w.client, err = c.client(prefix); err != nil {
		return nil, err
	}
	for i, name := range servicesOf {
		if _, err := os.Stat(filepath.Join(b.Root, "cmd", name)); err != nil {
			continue
		}
		p, err := c.service(ctx, name, prefix, i+2)
		if err != nil {
			w.stop()
			return nil, err
		}
		w.processes, w.doors = append(w.processes, p), append(w.doors, c.door(i+2))
		if name == "gateway" {
			w.http = c.door(i + 2)
		}
	}
	for i, p := range w.processes {
		if err := p.ready(ctx, w.doors[i]); err != nil {
			w.stop()
			return nil, err
		}
	}
	at := func(name string) string { return "http://" + c.door(slices.Index(servicesOf, name)+2) }
	w.hub = at("gateway") + ",/v1/directory=" + at("directory") + ",/v1/mailbox=" + at("courier") + ",/v1/cases=" + at("ledger")
	w.flush = func(ctx context.Context) error {
		r, err := c.store()
		if err != nil {
			return err
		}
		defer func() { _ = r.Close() }()
		return r.FlushAll(ctx).Err()
	}
	return w, nil
}

// topic is a topic's full name.
func (w *world) topic(name string) string { return w.prefix + "." + name }

// ends is how many records stand on a topic, repeats included.
func (w *world) ends(ctx context.Context, name string) (int64, error) {
	ranges, err := w.client.Ranges(ctx, w.topic(name))
	if err != nil {
		return 0, err
	}
	var n int64
	for _, r := range ranges {
		n += r.Next
	}
	return n, nil
}

// delivered is how many records stand on all topics that participants read.
func (w *world) delivered(ctx context.Context) (int64, error) {
	names, err := w.client.Topics(ctx)
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, name := range names {
		if short, ok := strings.CutPrefix(name, w.prefix+"."); ok && strings.HasPrefix(short, "to.") {
			n, err := w.ends(ctx, short)
			if err != nil {
				return 0, err
			}
			sum += n
		}
	}
	return sum, nil
}

// settled waits until a count stands still, and returns it with when it last moved.
func (b *bench) settled(ctx context.Context, least int64, limit time.Duration, count func(ctx context.Context) (int64, error)) (last int64, at time.Time, err error) {
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	at = time.Now()
	for {
		n, err := count(ctx)
		if err != nil {
			return 0, at, err
		}
		if n != last {
			last, at = n, time.Now()
		}
		if last >= least && time.Since(at) > b.still {
			return last, at, nil
		}
		if time.Now().After(deadline) {
			return last, at, fmt.Errorf("%d of %d after %s", last, least, limit)
		}
		select {
		case <-ctx.Done():
			return last, at, ctx.Err()
		case <-tick.C:
		}
	}
}

// metric is the sum of a counter over all doors and labels.
func (w *world) metric(ctx context.Context, name string) (sum float64) {
	for _, door := range w.doors {
		body, _ := get(ctx, "http://"+door+"/metrics")
		for line := range strings.Lines(body) {
			if rest, ok := strings.CutPrefix(line, name); ok && (rest[0] == '{' || rest[0] == ' ') {
				fields := strings.Fields(rest[strings.LastIndex(rest, "}")+1:])
				if len(fields) > 0 {
					v, _ := strconv.ParseFloat(fields[0], 64)
					sum += v
				}
			}
		}
	}
	return sum
}

// rebuilding are the services that say at /readyz that they rebuild.
func (w *world) rebuilding(ctx context.Context) (names []string) {
	for _, door := range w.doors {
		body, _ := get(ctx, "http://"+door+"/readyz")
		for line := range strings.Lines(body) {
			if name, words, _ := strings.Cut(line, ": "); strings.HasPrefix(words, "rebuilding") {
				names = append(names, name)
			}
		}
	}
	return names
}

func get(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	return string(body), err
}

// memory is the peak of all processes of the hub together, in megabytes.
func (w *world) memory() float64 {
	var sum int64
	for _, p := range w.processes {
		sum += p.peakMemory()
	}
	return float64(sum) / 1e6
}
