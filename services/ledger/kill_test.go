package ledger

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/enginetest"
	"github.com/relais-fr/relais/services/internal/store"
)

// moment is one in the life of a batch at which an owner can be killed.
type moment string

const (
	beforeProduce moment = "before the produce"
	afterProduce  moment = "after the produce, before it hears so"
	beforeStore   moment = "before the store"
	afterStore    moment = "after the store, before it hears so"
)

// TestKilledAtEachStepTheLedgerRecordsTheSame kills the owner of the partition at
// each step of its first and of its second batch, and has another go on. What is
// recorded, with its offsets, and what is stored are those of an owner that lived.
func TestKilledAtEachStepTheLedgerRecordsTheSame(t *testing.T) {
	var want remains
	synctest.Test(t, func(t *testing.T) { want = killed(t, "", 0) })
	if len(want.Recorded) != 6 || len(want.Stored) != 2 {
		t.Fatalf("the owner that lived left %d outcomes and %d values", len(want.Recorded), len(want.Stored))
	}
	for _, at := range []moment{beforeProduce, afterProduce, beforeStore, afterStore} {
		for n := range 2 {
			t.Run(fmt.Sprintf("batch %d, %s", n+1, at), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					if diff := cmp.Diff(want, killed(t, at, n+1)); diff != "" {
						t.Errorf("(-of an owner that lived +found):\n%s", diff)
					}
				})
			})
		}
	}
}

// remains are what owners leave: the log byte for byte, and the store but for the
// random names of its generations.
type remains struct {
	Recorded []broker.Record
	Stored   map[string]string
}

// killed lets an owner judge two batches and kills it at a step of the nth; nobody
// is killed at no step. Another owner takes over where there was a death.
func killed(t *testing.T, at moment, nth int) remains {
	h := newHouse(t)
	owner := h.tenant(at, nth)
	succeed := func() {
		<-owner.died
		owner.close()
		owner = h.tenant("", 0)
		owner.open()
	}
	h.handIn(1, "demo-1", "e1", referral("demo-1", "cnaf"))
	h.handIn(2, "cnaf", "e2", &schemas.ReferralReceived{})
	h.handIn(3, "msa", "x", &schemas.ReferralAccepted{})
	owner.open()
	if nth == 1 {
		succeed()
	}
	h.settled(3)
	h.handIn(4, "cnaf", "e2", &schemas.ReferralReceived{})
	h.handIn(5, "cnaf", "e3", &schemas.ReferralAccepted{})
	h.handIn(6, "cnaf", "e4", &schemas.ReferralReceived{})
	if nth == 2 {
		succeed()
	}
	h.settled(6)
	owner.close()
	return h.remains()
}

// handIn writes what a gateway would write of a dossier's nth submission; all is
// fixed, the times too.
func (h *house) handIn(n int, by, id string, payload any) {
	h.t.Helper()
	data, err := h.codec.Encode(h.t.Context(), payload)
	if err != nil {
		h.t.Fatal(err)
	}
	role := schemas.RoleOperator
	if offices[by] {
		role = schemas.RoleOffice
	}
	received := at("2026-05-14T09:00:00Z").Add(time.Duration(n) * time.Minute)
	e := schemas.Event{
		ID: id, Source: schemas.Source(by, "test"), Type: schemas.TypeOf(payload), Subject: "d1", Time: received,
		DataContentType: schemas.AvroContentType, DataSchema: "http://registry.example/schemas/ids/1", Data: data,
		Extensions: map[string]string{
			schemas.AttrPartitionKey: "d1", schemas.AttrReceivedTime: received.Format(time.RFC3339Nano), schemas.AttrRules: "1",
			schemas.AttrSubmitter: by, schemas.AttrSenderRole: string(role), schemas.AttrRecipientRole: string(schemas.RoleOperator),
		},
	}
	if _, err := h.broker.Produce(h.t.Context(), broker.Record{
		Topic: "relais.submitted", Partition: broker.PartitionOf([]byte("d1"), 2), Key: []byte("d1"),
		Value: data, Headers: schemas.Headers(e), Time: received,
	}); err != nil {
		h.t.Fatal(err)
	}
}

var generation = regexp.MustCompile(`\bg?[a-z2-7]{8}\b`)

// settled waits until the store is where n outcomes have brought it.
func (h *house) settled(n int) {
	h.t.Helper()
	for range 600 {
		at := store.New(store.Config{Client: h.redis}).Projection("ledger", stateFormat)
		if p, _, err := at.Position(h.t.Context(), broker.PartitionOf([]byte("d1"), 2)); err == nil && p.Next == int64(n) {
			return
		}
		<-time.After(100 * time.Millisecond)
	}
	h.t.Fatalf("the store does not come to hold %d outcomes", n)
}

func (h *house) remains() remains {
	h.t.Helper()
	ctx, partition := h.t.Context(), broker.PartitionOf([]byte("d1"), 2)
	r := remains{Stored: map[string]string{}}
	end, err := h.broker.RangeOf(ctx, "relais.recorded", partition)
	if err != nil {
		h.t.Fatal(err)
	}
	for cursor := h.broker.Cursor("relais.recorded", partition, 0); cursor.Position() < end.Next; {
		batch, err := cursor.Fetch(ctx)
		if err != nil {
			h.t.Fatal(err)
		}
		r.Recorded = append(r.Recorded, batch.Records...)
	}
	keys, err := h.redis.Keys(ctx, "*").Result()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, key := range keys {
		if value, err := h.redis.Get(ctx, key).Result(); err == nil {
			if key, value = generation.ReplaceAllString(key, "g"), generation.ReplaceAllString(value, "g"); r.Stored[key] != "" {
				h.t.Errorf("%s stands in the store in two generations", key)
			}
			r.Stored[key] = value
		}
	}
	return r
}

// tenant is a ledger in a process of its own, which dies at a step.
type tenant struct {
	h    *house
	at   moment
	died chan struct{}

	mu     sync.Mutex
	left   int // batches until then
	dead   bool
	conns  []net.Conn
	broker *broker.Broker
	redis  *redis.Client
	stop   context.CancelFunc
	done   chan struct{}
}

func (h *house) tenant(at moment, nth int) *tenant {
	return &tenant{h: h, at: at, left: nth, died: make(chan struct{}), done: make(chan struct{})}
}

func (p *tenant) open() {
	var err error
	if p.broker, err = broker.New(broker.Config{Brokers: []string{p.h.kafka.Addr}, Dial: p.dial, DrainTimeout: time.Second}); err != nil {
		p.h.t.Fatal(err)
	}
	p.redis = redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379", DisableIdentity: true, Dialer: p.h.redis.Options().Dialer})
	p.redis.AddHook(p)
	settings := config.Default("127.0.0.1:0")
	settings.Partitions = 2
	l, err := New(services.Host{
		Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Broker: p.broker, HTTP: http.NewServeMux(), Ready: services.NewReadiness(),
		Store: store.New(store.Config{Client: p.redis}), Schemas: enginetest.Schemas{}, Settings: settings,
	})
	if err != nil {
		p.h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(p.h.t.Context())
	p.stop = cancel
	go func() {
		defer close(p.done)
		if err := l.Run(ctx); err != nil {
			p.h.t.Errorf("the ledger ended with %v", err)
		}
	}()
}

func (p *tenant) close() {
	p.stop()
	<-p.done
	_ = p.broker.Close()
	_ = p.redis.Close()
}

// reached says that the tenant has come to a step; false when it dies there.
func (p *tenant) reached(s moment) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return false
	}
	if s != p.at {
		return true
	}
	if p.left--; p.left > 0 {
		return true
	}
	p.dead = true
	for _, c := range p.conns {
		_ = c.Close()
	}
	close(p.died)
	return false
}

func (p *tenant) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := p.h.kafka.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		_ = c.Close()
		return nil, net.ErrClosed
	}
	p.conns = append(p.conns, c)
	return &wire{Conn: c, tenant: p}, nil
}

// wire is a connection of the tenant's that knows a produce when it sees one.
type wire struct {
	net.Conn
	tenant   *tenant
	produced bool
}

func (w *wire) Write(b []byte) (int, error) {
	if len(b) >= 6 && kmsg.Key(binary.BigEndian.Uint16(b[4:])) == kmsg.Produce {
		if !w.tenant.reached(beforeProduce) {
			return 0, net.ErrClosed
		}
		w.produced = true
	}
	return w.Conn.Write(b)
}

func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if err == nil && w.produced {
		w.produced = false
		if !w.tenant.reached(afterProduce) {
			return 0, net.ErrClosed
		}
	}
	return n, err
}

var errDead = errors.New("this process is dead")

// DialHook, ProcessPipelineHook and ProcessHook make the tenant a redis.Hook.
func (p *tenant) DialHook(next redis.DialHook) redis.DialHook { return next }

func (p *tenant) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (p *tenant) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		commits := cmd.Name() == "evalsha" && len(cmd.Args()) > 5 // a reset has fewer
		if commits && !p.reached(beforeStore) || !p.alive() {
			cmd.SetErr(errDead)
			return errDead
		}
		err := next(ctx, cmd)
		if redis.HasErrorPrefix(err, "NOSCRIPT") {
			return err
		}
		if (commits || cmd.Name() == "eval" && len(cmd.Args()) > 5) && !p.reached(afterStore) {
			cmd.SetErr(errDead)
			return errDead
		}
		return err
	}
}

func (p *tenant) alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.dead
}
