// Package load hands events in as participants do, at a constant rate of arrival,
// whatever the hub does meanwhile: by HTTP and by Kafka topics, each dossier's
// events one after the other, each repeated under its id until it is acknowledged.
// What was attempted and what was acknowledged stands in the clients' own Book.
//
// It knows the doors of the hub and nothing behind them.
package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Target is the hub, as its clients know it.
type Target struct {
	// Doors are the addresses of its gateways.
	Doors []string
	// Dial is how clients connect.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Kafka makes a client of the hub's brokers.
	Kafka func(...kgo.Opt) (*kgo.Client, error)
	// Prefix is that of the hub's topics.
	Prefix string
}

// Config is what a Load is made from.
type Config struct {
	// Seed makes the dossiers.
	Seed uint64
	// Rate is how many events come into being every second.
	Rate float64
}

// maxWaiting bounds the events that wait to be acknowledged.
const maxWaiting = 1500

// thinking is how many seconds' worth of dossiers are under way.
const thinking = 2

// Load is under way from Start to Close.
type Load struct {
	Book *Book

	cfg    Config
	target Target
	run    string
	http   *httpClient
	kafka  *kgo.Client

	ctx     context.Context // of the attempts; ends with Close
	cancel  context.CancelFunc
	clients sync.WaitGroup
	arrival chan struct{} // closed when nothing comes into being any more
	stop    context.CancelFunc

	mu     sync.Mutex
	random *rand.Rand
	count  int
	ready  []*dossier
	// seen are those who have an event on their topic, by its id, from its first
	// attempt until its dossier goes on; await are dossiers that wait for that.
	seen  map[string]map[string]bool
	await map[string]*dossier
}

// Start begins.
func Start(target Target, cfg Config) (*Load, error) {
	l := &Load{
		Book: newBook(), cfg: cfg, target: target, run: fmt.Sprintf("p%d", cfg.Seed), arrival: make(chan struct{}),
		random: rand.New(rand.NewPCG(cfg.Seed, 1)),
		seen:   map[string]map[string]bool{}, await: map[string]*dossier{},
		http: newHTTPClient(target),
	}
	var err error
	if l.kafka, err = target.Kafka(l.kafkaOptions()...); err != nil {
		return nil, err
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	var arriving context.Context
	arriving, l.stop = context.WithCancel(l.ctx)
	l.clients.Go(l.read)
	go func() {
		defer close(l.arrival)
		l.arrive(arriving)
	}()
	return l, nil
}

// Stop lets nothing more come into being. What waits goes on being repeated.
func (l *Load) Stop() {
	l.stop()
	<-l.arrival
}

// Drain waits until all is acknowledged.
func (l *Load) Drain(ctx context.Context) error {
	for l.Book.Waiting() > 0 {
		select {
		case <-ctx.Done():
			return errors.New("what clients repeat is not acknowledged")
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// Close ends all attempts.
func (l *Load) Close() {
	l.Stop()
	l.cancel()
	l.clients.Wait()
	l.kafka.Close()
	l.http.close()
}

// forgetful is how seldom a client hands in again what was acknowledged: one event
// in so many.
const forgetful = 40

// arrive lets events come into being, at the rate, however long the hub takes.
func (l *Load) arrive(ctx context.Context) {
	begun, made := time.Now(), 0
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		for due := int(time.Since(begun).Seconds() * l.cfg.Rate); made < due; made++ {
			if l.Book.Waiting() >= maxWaiting {
				l.Book.hold()
				continue
			}
			d := l.choose()
			l.clients.Go(func() { l.handIn(d) })
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// choose takes a dossier that can go on, or opens one.
func (l *Load) choose() *dossier {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.ready); float64(n) > thinking*l.cfg.Rate || n > 0 && l.random.IntN(2) == 0 {
		i := l.random.IntN(n)
		d := l.ready[i]
		l.ready[i] = l.ready[n-1]
		l.ready = l.ready[:n-1]
		return d
	}
	l.count++
	return newDossier(l.random, l.count)
}

// handIn hands in the next event of a dossier, until it is acknowledged or the load
// is closed.
func (l *Load) handIn(d *dossier) {
	e := d.event(l.run)
	l.mu.Lock()
	l.seen[e.ID] = map[string]bool{}
	l.mu.Unlock()
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		l.Book.attempt(e)
		t, err := l.send(e)
		var surprise *surpriseError
		switch {
		case err == nil:
			l.Book.acknowledge(e, t)
			if rand.N(forgetful) == 0 {
				// It crashed before it wrote the answer down, and hands in again.
				l.Book.attempt(e)
				_, _ = l.send(e)
			}
			l.goOn(d, e)
			return
		case errors.As(err, &surprise):
			l.Book.surprise(fmt.Sprintf("%s %s of %s: %v", e.ID, e.Type, e.By, err))
			return
		}
		select {
		case <-l.ctx.Done():
			return
		case <-time.After(wait + rand.N(wait)):
		}
	}
}

func (l *Load) send(e *Event) (told, error) {
	if e.Topic {
		return told{}, l.publish(e)
	}
	return l.http.post(l.ctx, e)
}

// goOn puts a dossier where it is chosen from, at once or when the next to act has
// its last event.
func (l *Load) goOn(d *dossier, e *Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	who := d.awaits()
	switch {
	case d.ended():
	case who == "" || l.seen[e.ID][who]:
		l.ready = append(l.ready, d)
	default:
		l.await[e.ID] = d
	}
	delete(l.seen, e.ID)
}
