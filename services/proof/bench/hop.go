package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/registry"
)

// hopper is one who takes submissions over a hop: it reads <prefix>.submitted from
// its beginning and writes to topic.
type hopper struct {
	name, topic string
	start       func(ctx context.Context, c *cluster, prefix string) (*process, error)
}

var hoppers = []hopper{
	{"ledger", "recorded", func(ctx context.Context, c *cluster, prefix string) (*process, error) {
		return c.service(ctx, "ledger", prefix, 5)
	}},
	{"loop", "loop", func(_ context.Context, c *cluster, prefix string) (*process, error) {
		return c.b.peer(prefix+"-loop", "loop", strings.Join(c.kafka, ","), prefix+".submitted", prefix+".loop")
	}},
	{"streams", "streams", startStreams},
}

// startStreams starts Kafka Streams' hop, which Maven builds once.
func startStreams(ctx context.Context, c *cluster, prefix string) (*process, error) {
	classes, err := c.b.streams(ctx)
	if err != nil {
		return nil, err
	}
	return c.b.start(prefix+"-streams", "java", nil, "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", classes, "fr.relais.bench.Hop",
		strings.Join(c.kafka, ","), prefix+"-streams", prefix+".submitted", prefix+".streams", filepath.Join(c.b.Folder, prefix+"-streams"))
}

// streams builds deploy/bench and returns its class path.
func (b *bench) streams(ctx context.Context) (string, error) {
	if path, ok := b.programs["streams"]; ok {
		return path, nil
	}
	folder := filepath.Join(b.Folder, "bin", "streams")
	source := filepath.Join(b.Root, "deploy", "bench")
	if err := os.CopyFS(folder, os.DirFS(source)); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "mvn", "-q", "-B", "-f", filepath.Join(folder, "pom.xml"), "package", "dependency:copy-dependencies", "-DoutputDirectory="+filepath.Join(folder, "lib"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the hop of Kafka Streams: %w: %s", err, firstOf(string(out)))
	}
	path := filepath.Join(folder, "lib", "*") + string(os.PathListSeparator) + filepath.Join(folder, "target", "classes")
	b.programs["streams"] = path
	return path, nil
}

// hopFigures are what was measured of one hopper, round by round.
type hopFigures struct {
	drained  []float64 // records a second
	p50, p99 []time.Duration
}

// hop measures the ledger's hop beside a bare loop and Kafka Streams, on real Kafka.
func (b *bench) hop(ctx context.Context) error {
	if !b.wants("real") {
		return nil
	}
	c, err := b.real(ctx)
	if errors.Is(err, errMissing) {
		b.table.add("the ledger's hop", "", "", "not measured: "+err.Error(), "")
		return nil
	}
	if err != nil {
		return err
	}
	figures := map[string]*hopFigures{}
	for _, h := range hoppers {
		figures[h.name] = new(hopFigures)
	}
	if err := b.hopWarm(ctx, c); err != nil {
		return err
	}
	var failed error
	for round := range b.Rounds {
		if err := b.hopRound(ctx, c, round, figures); err != nil {
			failed = fmt.Errorf("round %d: %w", round+1, err)
			break
		}
	}
	b.tellHop(figures)
	return failed
}

// hopWarm lets every hopper drain a part of what will be drained, uncounted: brokers
// that have just started are several times slower for their first requests, and for
// their first transactions.
func (b *bench) hopWarm(ctx context.Context, c *cluster) error {
	const prefix = "warm"
	client, err := c.client("bench")
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	w, err := b.prepare(ctx, c, client, prefix)
	if err != nil {
		return err
	}
	n := max(b.Records/3, 1)
	if err := w.fill(ctx, client, n); err != nil {
		return err
	}
	for _, h := range hoppers {
		if _, err := b.drain(ctx, c, client, h, prefix, n); err != nil {
			return fmt.Errorf("%s: %w", h.name, err)
		}
	}
	return c.abandon(ctx, client, prefix)
}

// hopRound measures every hopper once, beginning with another each time.
func (b *bench) hopRound(ctx context.Context, c *cluster, round int, figures map[string]*hopFigures) (err error) {
	drain, steady := fmt.Sprintf("drain%d", round+1), fmt.Sprintf("steady%d", round+1)
	client, err := c.client("bench")
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	w, err := b.prepare(ctx, c, client, drain)
	if err != nil {
		return err
	}
	b.say("round %d: writing %d submissions", round+1, b.Records)
	if err := w.fill(ctx, client, b.Records); err != nil {
		return err
	}
	order := slices.Concat(hoppers[round%len(hoppers):], hoppers[:round%len(hoppers)])
	for _, h := range order {
		rate, err := b.drain(ctx, c, client, h, drain, b.Records)
		if err != nil {
			return fmt.Errorf("%s: %w", h.name, err)
		}
		figures[h.name].drained = append(figures[h.name].drained, rate)
	}
	if err := c.abandon(ctx, client, drain); err != nil {
		return err
	}
	for _, h := range order {
		prefix := steady + h.name
		w, err := b.prepare(ctx, c, client, prefix)
		if err != nil {
			return err
		}
		taken, err := b.steady(ctx, c, client, h, w)
		if err != nil {
			return fmt.Errorf("%s: %w", h.name, err)
		}
		b.say("round %d: %s at %d/s: p50 %s, p99 %s ms", round+1, h.name, b.HopRate, ms(quantile(taken, .5)), ms(quantile(taken, .99)))
		f := figures[h.name]
		f.p50, f.p99 = append(f.p50, quantile(taken, .5)), append(f.p99, quantile(taken, .99))
		if err := c.abandon(ctx, client, prefix); err != nil {
			return err
		}
	}
	return nil
}

// prepare makes an installation's topics, and the peers' beside them.
func (b *bench) prepare(ctx context.Context, c *cluster, client *broker.Broker, prefix string) (*writer, error) {
	if err := c.found(ctx, client, prefix); err != nil {
		return nil, err
	}
	var specs []broker.TopicSpec
	for _, h := range hoppers[1:] {
		specs = append(specs, broker.TopicSpec{Name: prefix + "." + h.topic, Partitions: partitions, Settings: map[string]string{"min.insync.replicas": map[int]string{1: "1", 3: "2"}[c.replication]}})
	}
	if err := client.EnsureTopics(ctx, specs...); err != nil {
		return nil, err
	}
	return newWriter(ctx, registry.New(c.registryURL, http.DefaultClient), c.registryURL, prefix)
}

// drain lets the hopper take all of the records and returns records a second, from the first
// that it wrote to the last.
func (b *bench) drain(ctx context.Context, c *cluster, client *broker.Broker, h hopper, prefix string, records int) (float64, error) {
	p, err := h.start(ctx, c, prefix)
	if err != nil {
		return 0, err
	}
	defer p.stop()
	type look struct {
		at                  time.Time
		count               int64
		own, brokers, redis time.Duration // processor time so far
	}
	var first, last look
	const still, pause = 1500 * time.Millisecond, 100 * time.Millisecond
	var looked time.Time
	err = p.until(ctx, 10*time.Minute, func() bool {
		if time.Since(looked) < pause {
			return false
		}
		looked = time.Now()
		ranges, err := client.Ranges(ctx, prefix+"."+h.topic)
		if err != nil {
			return false
		}
		now := look{at: time.Now(), own: processorTime(p.cmd.Process.Pid)}
		now.brokers, now.redis = c.processorTime()
		for _, r := range ranges {
			now.count += r.Next
		}
		if first.count == 0 {
			first = now
		}
		if now.count != last.count {
			last = now
		}
		return now.count >= int64(records) && now.at.Sub(last.at) > still
	})
	if err != nil {
		return 0, err
	}
	took := last.at.Sub(first.at)
	if took <= 0 {
		took = 20 * time.Millisecond
	}
	n := last.count - first.count
	each := time.Duration(max(n, 1))
	b.say("%s: %s/s; processor time an event: its own %s, the brokers' %s, Redis' %s", p.name, thousands(float64(n)/took.Seconds()),
		(last.own-first.own)/each, (last.brokers-first.brokers)/each, (last.redis-first.redis)/each)
	return float64(n) / took.Seconds(), nil
}

// steady hands submissions in at a constant rate and returns the sorted times from
// when each was to be sent until it could be read on the other side.
func (b *bench) steady(ctx context.Context, c *cluster, client *broker.Broker, h hopper, w *writer) ([]time.Duration, error) {
	p, err := h.start(ctx, c, w.prefix)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	total := int(float64(b.HopRate) * b.HopTime.Seconds())
	// What comes while a hopper still shares its partitions out is not counted.
	warm := 5*b.HopRate + 1
	pace := newPace(b.HopRate)
	watch, stop := context.WithCancel(ctx)
	defer stop()
	seen := newArrivals(warm + total)
	var watchers sync.WaitGroup
	defer func() { stop(); watchers.Wait() }()
	for partition := range partitions {
		watchers.Go(func() {
			cursor := client.Cursor(w.prefix+"."+h.topic, partition, 0)
			for watch.Err() == nil {
				batch, err := cursor.Fetch(watch)
				if err != nil {
					return
				}
				now := time.Now()
				for _, r := range batch.Records {
					seen.at(number(r.Headers), now)
				}
			}
		})
	}
	// The hopper is there once the first comes through.
	client.Enqueue(w.submission(0, warm+total, time.Now()))
	if err := p.until(ctx, time.Minute, func() bool { return seen.count() > 0 }); err != nil {
		return nil, err
	}
	pace.begin()
	for n := 1; n < warm+total; n++ {
		pace.wait(n)
		client.Enqueue(w.submission(n, warm+total, time.Now()))
	}
	if err := p.until(ctx, time.Minute, func() bool { return seen.count() == warm+total }); err != nil {
		return nil, err
	}
	stop()
	return seen.since(pace, warm), nil
}

func (b *bench) tellHop(figures map[string]*hopFigures) {
	ours := figures["ledger"]
	if len(ours.drained) == 0 {
		return
	}
	for _, peer := range []struct{ name, title, throughput, latency string }{
		{"streams", "Kafka Streams, exactly_once_v2", "≥ 5", "≤ 0.5"},
		{"loop", "a bare kafka-go loop", "≥ 0.5", ""},
	} {
		f := figures[peer.name]
		b.table.add(fmt.Sprintf("the ledger's hop, draining %s submissions; beside %s", thousands(float64(b.Records)), peer.title),
			rate(ours.drained, "events/s"), rate(f.drained, "events/s"), ratio(ours.drained, f.drained), peer.throughput)
		b.table.add(fmt.Sprintf("the ledger's hop at %s/s, p50; beside %s", thousands(float64(b.HopRate)), peer.title),
			ms(median(ours.p50))+" ms", ms(median(f.p50))+" ms", ratio(seconds(ours.p50), seconds(f.p50)), peer.latency)
		b.table.add(fmt.Sprintf("the ledger's hop at %s/s, p99; beside %s", thousands(float64(b.HopRate)), peer.title),
			ms(median(ours.p99))+" ms", ms(median(f.p99))+" ms", ratio(seconds(ours.p99), seconds(f.p99)), "")
	}
}
