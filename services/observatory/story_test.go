package observatory

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/statement"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/directory/directorytest"
	"github.com/relais-fr/relais/services/internal/enginetest"
	"github.com/relais-fr/relais/services/internal/store"
	"github.com/relais-fr/relais/services/ledger"
	"github.com/relais-fr/relais/services/router"
)

// house is the part of a hub that statements go through, on embedded engines: a log,
// a ledger, a router, and a gateway that takes everything from relais.from.hub.
type house struct {
	*scene
	kafka    *enginetest.Kafka
	redis    *redis.Client
	settings config.Settings
	keys     map[string]string // the files of the keys a and b
	last     http.Handler      // of the observatory that was made last
	events   int
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{kafka: enginetest.NewKafka(t), keys: map[string]string{}}
	_, h.redis = enginetest.NewRedis(t)
	h.settings = config.Default("127.0.0.1:0")
	h.settings.Partitions, h.settings.ProbeEvery, h.settings.StatementInterval = 1, 0, time.Minute
	records := []directorytest.Recorder{directory.Participant{ID: "cnaf", Role: directory.RoleOperator}}
	for _, name := range []string{"a", "b"} {
		key, err := statement.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		text, err := key.PEM()
		if err != nil {
			t.Fatal(err)
		}
		h.keys[name] = filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(h.keys[name], text, 0o600); err != nil {
			t.Fatal(err)
		}
		records = append(records, directory.Setting{Name: directory.SettingStatementKey + key.Public.ID, Value: base64.StdEncoding.EncodeToString(key.Public.Public)})
	}
	view := directorytest.View(t, records...)
	b, err := broker.New(broker.Config{Brokers: []string{h.kafka.Addr}, Dial: h.kafka.Dial, Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	h.scene = &scene{t: t, broker: b, directory: view}
	if err := h.broker.EnsureTopics(t.Context(), append(services.HubTopics(h.settings), services.ParticipantTopics(h.settings, "cnaf")...)...); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.New(h.host())
	if err != nil {
		t.Fatal(err)
	}
	r, err := router.New(h.host())
	if err != nil {
		t.Fatal(err)
	}
	h.run(l.Run)
	h.run(r.Run)
	h.run(func(ctx context.Context) error {
		return h.broker.Follow(ctx, "relais.from.hub", func(int, broker.Range) int64 { return 0 }, h.gateway)
	})
	return h
}

func (h *house) host() services.Host {
	reg := prometheus.NewRegistry()
	return services.Host{
		Log: slog.New(slog.DiscardHandler), Metrics: reg, Broker: h.broker, HTTP: http.NewServeMux(), Ready: services.NewReadiness(),
		Store: store.New(store.Config{Client: h.redis, Metrics: reg}), Schemas: enginetest.Schemas{}, Settings: h.settings,
		Directory: h.directory, Auth: auth.New(auth.Config{Development: true, Directory: h.directory}),
	}
}

// run runs something until it is stopped, or the test ends.
func (h *house) run(f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(h.t.Context()))
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("it ended with %v", err)
		}
	})
	h.t.Cleanup(stop)
	return stop
}

// gateway hands in what the hub's own doors bring.
func (h *house) gateway(ctx context.Context, batch broker.Batch) error {
	for _, r := range batch.Records {
		e, err := schemas.FromRecord(r.Headers, r.Value)
		if err != nil {
			return err
		}
		e.Extensions = map[string]string{
			schemas.AttrPartitionKey: schemas.Dossier(e.Subject), schemas.AttrReceivedTime: time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
			schemas.AttrRules: "2", schemas.AttrSubmitter: schemas.HubParticipant, schemas.AttrSenderRole: string(schemas.RoleHub),
			schemas.AttrRecipientRole: string(schemas.RoleOperator),
		}
		rec := broker.Record{Topic: "relais.submitted", Key: r.Key, Value: e.Data, Headers: schemas.Headers(e), Time: time.Now()}
		if _, err := h.broker.Produce(ctx, rec); err != nil {
			return err
		}
	}
	return nil
}

// observatory makes a replica that signs with the key.
func (h *house) observatory(key string) *Observatory {
	h.t.Helper()
	host := h.host()
	host.Settings.StatementKey, h.last = h.keys[key], host.HTTP
	o, err := New(host)
	if err != nil {
		h.t.Fatal(err)
	}
	return o
}

// minutes lets time pass; cnaf hands in an event in each minute.
func (h *house) minutes(n int) {
	for range n {
		h.write("from.cnaf", "value", event(h.events)...)
		h.events++
		time.Sleep(time.Minute)
	}
}

// ask reads a door of the observatory that was made last, a value a line.
func ask[T any](h *house, path string) (all []T) {
	h.t.Helper()
	req := httptest.NewRequestWithContext(h.t.Context(), "GET", path, nil)
	req.Header.Set("Authorization", "Bearer dev-cnaf")
	w := httptest.NewRecorder()
	h.last.ServeHTTP(w, req)
	for lines := json.NewDecoder(w.Body); lines.More(); {
		var line T
		if err := lines.Decode(&line); err != nil || w.Code != http.StatusOK {
			h.t.Fatalf("%s answered %d: %v", path, w.Code, err)
		}
		all = append(all, line)
	}
	return all
}

// statements are cnaf's, by number, after what must hold of any: signed by a key that
// is published, one of each number on the topic, chained without a gap, and each event
// of cnaf in one of them, once.
func (h *house) statements() []listed {
	h.t.Helper()
	keys, all := ask[statement.KeyDocument](h, keysPath)[0].Keys, ask[listed](h, statementsPath)
	var counted int64
	for i, s := range all {
		if s.Data.Number != int64(i)+1 {
			h.t.Errorf("statement %d is in the place of %d", s.Data.Number, i+1)
		}
		if err := statement.CheckSignature(s.Data, keys); err != nil {
			h.t.Errorf("statement %d: %v", i+1, err)
		}
		if wrong := statement.CheckSelf(s.Data); wrong != "" {
			h.t.Errorf("statement %d: %s", i+1, wrong)
		}
		if i > 0 {
			if wrong := statement.CheckChain(statement.Issued{ID: all[i-1].ID, StatementIssued: all[i-1].Data}, statement.Issued{ID: s.ID, StatementIssued: s.Data}); wrong != "" {
				h.t.Errorf("statement %d: %s", i+1, wrong)
			}
		}
		for _, r := range s.Data.Ranges {
			if r.Book == schemas.BookFrom {
				counted += r.Events
			}
		}
	}
	if counted != int64(h.events) {
		h.t.Errorf("%d events stand in statements, %d were handed in", counted, h.events)
	}
	if n := h.count("to.cnaf"); n != len(all) {
		h.t.Errorf("%d statements on cnaf's topic, %d numbers", n, len(all))
	}
	return all
}

// count is how many statements stand on a topic.
func (h *house) count(topic string) (n int) {
	h.t.Helper()
	ranges, err := h.broker.Ranges(h.t.Context(), h.broker.Topic(topic))
	if err != nil {
		h.t.Fatal(err)
	}
	o := &Observatory{host: h.host()}
	for p := range len(ranges) {
		err := o.scan(h.t.Context(), h.broker.Topic(topic), p, ranges[p].First, ranges[p].Next, func(r *broker.Record) bool {
			if isStatement(r) {
				n++
			}
			return true
		}, func(int64) {})
		if err != nil {
			h.t.Fatal(err)
		}
	}
	return n
}

func spans(all []listed) (minutes []string) {
	for _, s := range all {
		minutes = append(minutes, strconv.Itoa(int(s.Data.SpanEnd.Sub(s.Data.SpanStart).Minutes())))
	}
	return minutes
}

func TestOfTwoObservatoriesOneIssuesAndTheOtherGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		stop := h.run(h.observatory("a").Run)
		time.Sleep(time.Second)
		h.run(h.observatory("a").Run)
		h.minutes(3)
		stop()
		h.minutes(3)
		time.Sleep(30 * time.Second)
		all := h.statements()
		if got := fmt.Sprint(spans(all)); got != "[1 1 1 1 1 1]" {
			t.Errorf("the statements are over %s minutes", got)
		}
		if n := h.count("from.hub"); n != len(all) {
			t.Errorf("%d statements were handed in for %d", n, len(all))
		}
	})
}

func TestAStatementIssuedTwiceAtOnceIsThereOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		one, other := h.observatory("a"), h.observatory("b")
		for range 3 {
			h.minutes(1)
			var both sync.WaitGroup
			for _, o := range []*Observatory{one, other} {
				both.Go(func() { o.issueAll(t.Context(), time.Now().UTC().Truncate(time.Minute)) })
			}
			both.Wait()
		}
		if all := h.statements(); len(all) != 3 {
			t.Errorf("there are %d statements, want 3", len(all))
		}
		if n := h.count("from.hub"); n <= 3 {
			t.Errorf("%d statements were handed in: none was at once", n)
		}
	})
}

func TestWhatAnOldKeySignedIsStillChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		old := h.observatory("a")
		stop := h.run(old.Run)
		h.minutes(2)
		time.Sleep(30 * time.Second)
		stop()
		rotated := h.observatory("b")
		h.run(rotated.Run)
		h.minutes(2)
		all := h.statements()
		if len(all) != 4 {
			t.Fatalf("there are %d statements, want 4", len(all))
		}
		for i, want := range []*statement.Key{old.key, old.key, rotated.key, rotated.key} {
			if all[i].Data.KeyID != want.Public.ID {
				t.Errorf("statement %d is signed with %s, want %s", i+1, all[i].Data.KeyID, want.Public.ID)
			}
		}
	})
}

func TestAStatementAfterAnOutageCoversAllOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		stop := h.run(h.observatory("a").Run)
		h.minutes(2)
		time.Sleep(30 * time.Second)
		stop()
		h.minutes(5)
		h.run(h.observatory("a").Run)
		h.minutes(2)
		all := h.statements()
		if got := fmt.Sprint(spans(all)); got != "[1 1 5 1 1]" {
			t.Errorf("the statements are over %s minutes", got)
		}
	})
}
