package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/relais-fr/relais/services/hub"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/certificate"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/directory"
)

// guarded is a hub that runs within this process, open to all on loopback or asking
// everybody who it is, over TLS.
type guarded struct {
	name  string
	door  entry
	kafka string
	opts  []kgo.Opt // how a participant comes in
	stop  func()

	perSecond []float64 // at the HTTP door
	p99       []float64
	written   []float64 // acknowledged on the way in
	copied    []float64 // down the whole road
}

// security measures what it costs to ask who calls and to encrypt: two hubs on
// embedded engines, in turn.
func (b *bench) security(ctx context.Context) error {
	if !b.wants(embedded) {
		return nil
	}
	var hubs []*guarded
	defer func() {
		for _, g := range hubs {
			g.stop()
		}
	}()
	for i, secure := range []bool{true, false} {
		g, err := b.openGuarded(ctx, i, secure)
		if err != nil {
			return err
		}
		hubs = append(hubs, g)
	}
	// The first round warms both and is not counted.
	for round := range b.Rounds + 1 {
		for i := range hubs {
			g := hubs[(round+i)%len(hubs)]
			if err := b.guardedRound(ctx, g, round); err != nil {
				return fmt.Errorf("%s: %w", g.name, err)
			}
		}
	}
	on, off := hubs[0], hubs[1]
	const wanted = "≥ 0.85"
	b.table.add(fmt.Sprintf("the HTTP door of a hub with security (an API key, TLS), %d connections; beside the same without", b.DoorConns),
		rate(on.perSecond, "requests/s"), rate(off.perSecond, "requests/s"), ratio(on.perSecond, off.perSecond), wanted)
	b.table.add("the same, p99", ms(duration(median(on.p99)))+" ms", ms(duration(median(off.p99)))+" ms", ratio(on.p99, off.p99), "")
	b.table.add(fmt.Sprintf("Kafka with security (SCRAM, ACLs, TLS): %d events acknowledged on `relais.from.cnaf`, %d callers; beside the same without", b.guardedEvents(), guardedCallers),
		rate(on.written, "events/s"), rate(off.written, "events/s"), ratio(on.written, off.written), wanted)
	b.table.add("the same, until all have come down the whole road to `relais.to.cnaf`",
		rate(on.copied, "events/s"), rate(off.copied, "events/s"), ratio(on.copied, off.copied), wanted)
	return nil
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

const (
	guardedPort    = 440
	guardedCallers = 64
)

func (b *bench) guardedEvents() int { return min(b.Records/10, 5000) }

func (b *bench) openGuarded(ctx context.Context, place int, secure bool) (*guarded, error) {
	at := func(n int) string { return "127.0.0.1:" + strconv.Itoa(b.Port+guardedPort+10*place+n) }
	s := config.DefaultHub()
	g := &guarded{name: "without security", door: entry{address: at(0), token: "dev-feeder"}, kafka: at(1)}
	s.HTTP, s.Kafka, s.Registry, s.Data = at(0), at(1), at(2), filepath.Join(b.Folder, fmt.Sprintf("security-%d", place))
	if secure {
		g.name = "with security"
		s.Secure, s.TLSCert, s.TLSKey = true, filepath.Join(b.Folder, "cert.pem"), filepath.Join(b.Folder, "key.pem")
		if err := certificate.Own(s.TLSCert, s.TLSKey, time.Now().Add(24*time.Hour)); err != nil {
			return nil, err
		}
	}
	engines, stop, err := b.within(ctx, s, fmt.Sprintf("security-%d.log", place))
	if err != nil {
		return nil, err
	}
	g.stop = stop
	if secure {
		err = g.admit(ctx, s, engines)
	}
	if err != nil {
		g.stop()
		return nil, err
	}
	return g, nil
}

// admit gives a feeder an API key, and a participant a password and its rights.
func (g *guarded) admit(ctx context.Context, s config.Settings, engines *hub.Embedded) error {
	own, err := broker.New(broker.Config{Brokers: []string{engines.KafkaAddr()}, Dial: engines.Dial, Login: engines.Login()})
	if err != nil {
		return err
	}
	defer func() { _ = own.Close() }()
	key := auth.NewKey()
	record, err := directory.Credential{ID: "bench", Participant: "feeder", Kind: directory.CredentialAPIKey, Created: time.Now(), SHA256: auth.HashKey(key)}.Record()
	if err != nil {
		return err
	}
	if _, err := own.Produce(ctx, broker.Record{Topic: own.Topic("directory"), Key: []byte(record.Key), Value: record.Value}); err != nil {
		return err
	}
	password := auth.NewKey()
	if err := errors.Join(own.AllowParticipant(ctx, "cnaf"), own.SetPassword(ctx, "cnaf", password)); err != nil {
		return err
	}
	with, err := certificate.Client(s.TLSCert, nil)
	if err != nil {
		return err
	}
	with.ServerName = "localhost"
	g.door.token, g.door.tls = key, with
	g.opts = []kgo.Opt{kgo.SASL(scram.Auth{User: "cnaf", Pass: password}.AsSha512Mechanism()), kgo.DialTLSConfig(with)}
	return g.door.awaitIn(ctx)
}

// awaitIn waits until the door knows the key.
func (e entry) awaitIn(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 200 {
		times, _, err := saturate(ctx, e, "in", 1, 10*time.Millisecond)
		if err != nil || len(times) > 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return errors.New("the HTTP door does not take the key")
}

func (b *bench) guardedRound(ctx context.Context, g *guarded, round int) error {
	times, refused, err := saturate(ctx, g.door, fmt.Sprintf("s%d", round), b.DoorConns, b.DoorTime)
	if err != nil {
		return err
	}
	if refused > 0 {
		return fmt.Errorf("the door refused %d and took %d", refused, len(times))
	}
	written, copied, err := b.guardedRoad(ctx, g, fmt.Sprintf("k%d", round))
	if err != nil {
		return err
	}
	perSecond, p99 := float64(len(times))/b.DoorTime.Seconds(), quantile(times, .99)
	b.say("%s, round %d: %s requests/s, p99 %s ms; Kafka %s acknowledged/s, %s/s down the road", g.name, round, thousands(perSecond), ms(p99), thousands(written), thousands(copied))
	if round > 0 {
		g.perSecond, g.p99 = append(g.perSecond, perSecond), append(g.p99, p99.Seconds())
		g.written, g.copied = append(g.written, written), append(g.copied, copied)
	}
	return nil
}

// guardedRoad hands events in by Kafka and reads what comes back, as a participant's
// own software would.
func (b *bench) guardedRoad(ctx context.Context, g *guarded, name string) (written, copied float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	c, err := kgo.NewClient(append(slices.Clone(g.opts), kgo.SeedBrokers(g.kafka))...)
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	total := b.guardedEvents()
	copies := newArrivals(total)
	// Reading stands at the end before anything is written.
	ends, err := endsOf(ctx, c, "relais.to.cnaf")
	if err != nil {
		return 0, 0, err
	}
	c.AddConsumePartitions(map[string]map[int32]kgo.Offset{"relais.to.cnaf": ends})
	watch, end := context.WithCancel(ctx)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer end()
	reading.Go(func() {
		for watch.Err() == nil {
			c.PollFetches(watch).EachRecord(func(r *kgo.Record) {
				for _, h := range r.Headers {
					if h.Key == "ce_id" {
						copies.at(named(string(h.Value), name), time.Now())
					}
				}
			})
		}
	})
	begun := time.Now()
	if err := handIn(ctx, c, name, total); err != nil {
		return 0, 0, err
	}
	written = float64(total) / time.Since(begun).Seconds()
	_, at, err := b.settled(ctx, int64(total), 2*time.Minute, func(context.Context) (int64, error) { return int64(copies.count()), nil })
	if err != nil {
		return 0, 0, fmt.Errorf("copies: %w", err)
	}
	return written, float64(total) / at.Sub(begun).Seconds(), nil
}

// endsOf is where the partitions of a topic end.
func endsOf(ctx context.Context, c *kgo.Client, topic string) (map[int32]kgo.Offset, error) {
	about := kmsg.NewPtrMetadataRequest()
	about.Topics = []kmsg.MetadataRequestTopic{{Topic: &topic}}
	known, err := about.RequestWith(ctx, c)
	if err != nil {
		return nil, err
	}
	ask := kmsg.NewPtrListOffsetsRequest()
	of := kmsg.ListOffsetsRequestTopic{Topic: topic}
	for _, p := range known.Topics[0].Partitions {
		last := kmsg.NewListOffsetsRequestTopicPartition()
		last.Partition, last.Timestamp = p.Partition, -1
		of.Partitions = append(of.Partitions, last)
	}
	ask.ReplicaID, ask.Topics = -1, []kmsg.ListOffsetsRequestTopic{of}
	answer, err := ask.RequestWith(ctx, c)
	if err != nil {
		return nil, err
	}
	if len(of.Partitions) == 0 || len(answer.Topics) != 1 {
		return nil, fmt.Errorf("%s is not known to the broker", topic)
	}
	ends := map[int32]kgo.Offset{}
	for _, p := range answer.Topics[0].Partitions {
		ends[p.Partition] = kgo.NewOffset().At(p.Offset)
	}
	return ends, nil
}

func handIn(ctx context.Context, c *kgo.Client, name string, total int) error {
	var next atomic.Int64
	var callers sync.WaitGroup
	failed := make(chan error, guardedCallers)
	for range guardedCallers {
		callers.Go(func() {
			for n := int(next.Add(1)) - 1; n < total; n = int(next.Add(1)) - 1 {
				r := &kgo.Record{
					Topic: "relais.from.cnaf", Key: fmt.Appendf(nil, "cnaf.%s.%d", name, n), Value: []byte(referralJSON(name, n)),
					Headers: []kgo.RecordHeader{{Key: "content-type", Value: []byte("application/cloudevents+json")}},
				}
				if err := c.ProduceSync(ctx, r).FirstErr(); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	callers.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// entry is a door that events are posted at.
type entry struct {
	address, token string
	tls            *tls.Config // nil for one in the clear
}

func (e entry) dial(ctx context.Context) (net.Conn, error) {
	if e.tls != nil {
		return (&tls.Dialer{Config: e.tls}).DialContext(ctx, "tcp", e.address)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", e.address)
}
