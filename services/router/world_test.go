package router

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/directory/directorytest"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

const (
	partitions = 2
	// cpamKeeps is how long cpam's topic keeps its records.
	cpamKeeps = time.Hour
)

// world is routers on a broker of their own, with a test that writes recorded in
// the ledger's place. It lives in a synctest bubble.
type world struct {
	t        *testing.T
	kafka    *enginetest.Kafka
	broker   *broker.Broker // the test's own
	settings config.Settings
	codec    *schemas.Codec
	next     [partitions]int64
	mux      *http.ServeMux // of the router made last
	view     *directory.View

	mu      sync.Mutex
	without map[string]*kerr.Error   // topics that take nothing, and why
	held    map[string]time.Duration // topics that take their time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, kafka: enginetest.NewKafka(t), codec: schemas.NewCodec(enginetest.Schemas{}), without: map[string]*kerr.Error{}, held: map[string]time.Duration{}}
	w.broker = w.dial()
	w.view = directorytest.View(t,
		directory.Participant{ID: "cnaf", Role: directory.RoleOperator},
		directory.Participant{ID: "cpam", Role: directory.RoleOperator},
		directory.Participant{ID: "admin", Role: directory.RoleAdmin},
		directory.Office{ID: "demo-1"})
	w.settings = config.DefaultHub()
	w.settings.Partitions = partitions
	specs := services.HubTopics(w.settings)
	for _, id := range []string{"cnaf", "cpam"} {
		specs = append(specs, services.ParticipantTopics(w.settings, id)...)
	}
	for i := range specs {
		if specs[i].Name == "relais.to.cpam" {
			specs[i].Settings["retention.ms"] = strconv.FormatInt(cpamKeeps.Milliseconds(), 10)
		}
	}
	if err := w.broker.EnsureTopics(t.Context(), specs...); err != nil {
		t.Fatal(err)
	}
	w.kafka.Cluster.ControlKey(int16(kmsg.Produce), w.judge)
	return w
}

func (w *world) dial() *broker.Broker {
	w.t.Helper()
	b, err := broker.New(broker.Config{Brokers: []string{w.kafka.Addr}, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := w.kafka.Dial(ctx, network, address)
		return &slowConn{conn, w}, err
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = b.Close() })
	return b
}

// slowConn lets requests to topics that take their time wait before they are sent.
type slowConn struct {
	net.Conn
	w *world
}

func (c *slowConn) Write(p []byte) (int, error) {
	const lengthAndKey = 6
	if len(p) >= lengthAndKey && binary.BigEndian.Uint16(p[4:]) == uint16(kmsg.Produce) {
		c.w.mu.Lock()
		held := maps.Clone(c.w.held)
		c.w.mu.Unlock()
		for topic, d := range held {
			if bytes.Contains(p, []byte(topic)) {
				time.Sleep(d)
			}
		}
	}
	return c.Conn.Write(p)
}

// judge refuses what is written to topics that take nothing.
func (w *world) judge(req kmsg.Request) (kmsg.Response, error, bool) {
	w.kafka.Cluster.KeepControl()
	produce := req.(*kmsg.ProduceRequest)
	for _, topic := range produce.Topics {
		w.mu.Lock()
		fault := w.without[topic.Topic]
		w.mu.Unlock()
		if fault == nil {
			continue
		}
		res := produce.ResponseKind().(*kmsg.ProduceResponse)
		answer := kmsg.NewProduceResponseTopic()
		answer.Topic = topic.Topic
		for _, p := range topic.Partitions {
			answer.Partitions = append(answer.Partitions, kmsg.ProduceResponseTopicPartition{Partition: p.Partition, ErrorCode: fault.Code, BaseOffset: -1})
		}
		res.Topics = append(res.Topics, answer)
		return res, nil, true
	}
	return nil, nil, false
}

// refuse lets a topic take nothing; nil lets it take again.
func (w *world) refuse(topic string, why *kerr.Error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.without[topic] = why
}

// suspend, resume and shut change cnaf in the directory.
func (w *world) suspend() {
	w.put(directory.Participant{SuspendedSince: time.Now().Format(time.RFC3339Nano)})
}
func (w *world) resume() { w.put(directory.Participant{}) }
func (w *world) shut() {
	w.put(directory.Participant{SuspendedSince: time.Now().Format(time.RFC3339Nano), ClosedOn: time.Now().Format(time.DateOnly)})
}

func (w *world) put(p directory.Participant) {
	w.t.Helper()
	p.ID, p.Role = "cnaf", directory.RoleOperator
	record, err := p.Record()
	if err == nil {
		err = w.view.Apply(record)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// hold lets a topic take this long for each request.
func (w *world) hold(topic string, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held[topic] = d
}

// router runs a router until stop is called.
func (w *world) router() (r *Router, stop func()) {
	w.t.Helper()
	return w.routerOn(w.dial())
}

// routerOn runs a router that reaches the broker as it is given it.
func (w *world) routerOn(b *broker.Broker) (r *Router, stop func()) {
	w.t.Helper()
	view := w.view
	w.mux = http.NewServeMux()
	r, err := New(services.Host{
		Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Broker: b, HTTP: w.mux, Ready: services.NewReadiness(),
		Directory: view, Schemas: enginetest.Schemas{}, Auth: auth.New(auth.Config{Development: true, Directory: view}), Settings: w.settings,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			w.t.Errorf("the router ended: %v", err)
		}
		_ = b.Close()
	})
	w.t.Cleanup(stop)
	return r, stop
}

// ask asks at the doors of the router made last.
func (w *world) ask(who, method, path, body string) (int, string) {
	w.t.Helper()
	req := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	if who != "" {
		req.Header.Set("Authorization", "Bearer dev-"+who)
	}
	res := httptest.NewRecorder()
	w.mux.ServeHTTP(res, req)
	return res.Code, res.Body.String()
}

// record writes an outcome for the parties, and returns its place.
func (w *world) record(p int, parties ...string) string {
	w.t.Helper()
	place := fmt.Sprintf("%d-%d", p, w.next[p])
	w.repeat(p, w.next[p], parties...)
	w.next[p]++
	return place
}

// repeat writes an outcome that may be there already.
func (w *world) repeat(p int, number int64, parties ...string) {
	w.t.Helper()
	data, err := w.codec.Encode(w.t.Context(), &schemas.ReviewStarted{})
	if err != nil {
		w.t.Fatal(err)
	}
	key := dossierOn(p)
	headers := schemas.Headers(schemas.Event{
		ID: fmt.Sprintf("evt-%d-%d", p, number), Source: schemas.Source("demo-1", "page"), Type: schemas.TypeReviewStarted, Subject: key,
		DataContentType: schemas.AvroContentType, Data: data,
		Extensions: map[string]string{
			schemas.AttrSubmittedPartition: strconv.Itoa(p), schemas.AttrSubmittedOffset: strconv.FormatInt(number, 10),
			schemas.AttrParties: strings.Join(parties, ","), schemas.AttrReceivedTime: time.Now().UTC().Format(time.RFC3339Nano),
		},
	})
	_, err = w.broker.Produce(w.t.Context(), broker.Record{Topic: "relais.recorded", Partition: p, Key: []byte(key), Value: data, Headers: headers, Time: time.Now()})
	if err != nil && w.t.Context().Err() == nil {
		w.t.Fatal(err)
	}
}

// dossierOn is a dossier whose key is placed on the partition.
func dossierOn(p int) string {
	for i := 0; ; i++ {
		key := fmt.Sprintf("demo-1.%d", i)
		if broker.PartitionOf([]byte(key), partitions) == p {
			return key
		}
	}
}

// records are the records of a topic, partition by partition.
func (w *world) records(topic string) []broker.Record {
	w.t.Helper()
	ranges, err := w.broker.Ranges(w.t.Context(), topic)
	if err != nil {
		w.t.Fatal(err)
	}
	var all []broker.Record
	for p := range len(ranges) {
		for cursor := w.broker.Cursor(topic, p, ranges[p].First); cursor.Position() < ranges[p].Next; {
			batch, err := cursor.Fetch(w.t.Context())
			if err != nil {
				w.t.Fatal(err)
			}
			all = append(all, batch.Records...)
		}
	}
	return all
}

// places are those of a topic's records, as they stand there.
func (w *world) places(topic string) []string {
	w.t.Helper()
	var all []string
	for _, r := range w.records(topic) {
		place, err := placeOf(r)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, place.String())
	}
	return all
}

// firsts are the places that a reader takes who drops by number what it has.
func (w *world) firsts(topic string) []string {
	w.t.Helper()
	numbers := broker.Numbers{}
	var all []string
	for _, text := range w.places(topic) {
		place, err := schemas.ParsePlace(text)
		if err != nil {
			w.t.Fatal(err)
		}
		if numbers.Take(place.Partition, place.Offset) {
			all = append(all, text)
		}
	}
	return all
}

// told are the latest steps on relais.deliveries, by key, in short.
func (w *world) told() map[string]string {
	w.t.Helper()
	steps := map[string]string{}
	for _, r := range w.records("relais.deliveries") {
		payload, err := w.codec.Decode(w.t.Context(), schemas.TypeDeliveryChanged, r.Value)
		if err != nil {
			w.t.Fatal(err)
		}
		d := payload.(*schemas.DeliveryChanged)
		reason := ""
		if d.Reason != nil {
			reason = " " + *d.Reason
		}
		steps[string(r.Key)] = d.State + reason
	}
	return steps
}
