package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/enginetest"
	"github.com/relais-fr/relais/services/internal/registry"
)

const testPartitions = 3

// schemaRegistry is a schema registry as far as the gateway sees one: it gives
// ids, remembers texts, and can be out of order.
type schemaRegistry struct {
	mu   sync.Mutex
	down bool
	text []string
}

func (s *schemaRegistry) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, errors.New("connection refused")
	}
	answer := func(status int, v any) (*http.Response, error) {
		body, err := json.Marshal(v)
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, err
	}
	if r.Method == http.MethodPost {
		var asked struct{ Schema string }
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			return nil, err
		}
		return answer(http.StatusOK, map[string]int{"id": s.id(asked.Schema)})
	}
	id, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/schemas/ids/"))
	if err != nil || id < 1 || id > len(s.text) {
		return answer(http.StatusNotFound, map[string]any{"error_code": 40403, "message": "Schema not found"})
	}
	return answer(http.StatusOK, map[string]string{"schema": s.text[id-1]})
}

func (s *schemaRegistry) id(text string) int {
	if i := slices.Index(s.text, text); i >= 0 {
		return i + 1
	}
	s.text = append(s.text, text)
	return len(s.text)
}

func (s *schemaRegistry) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// recorder is what stands in the directory.
type recorder interface {
	Record() (directory.Record, error)
}

// testDirectory is who takes part in the tests.
func testDirectory() []recorder {
	return []recorder{
		directory.Participant{ID: "cnaf", Name: "CNAF", Role: directory.RoleOperator},
		directory.Participant{ID: "dgfip", Name: "DGFiP", Role: directory.RoleOperator},
		directory.Participant{ID: "feeder", Name: "Logiciel", Role: directory.RoleFeeder, Feeds: []string{"*"}},
		directory.Participant{ID: "small-feeder", Name: "Logiciel", Role: directory.RoleFeeder, Feeds: []string{"fs-2"}},
		directory.Office{ID: "fs-1", Name: "Vannes", Department: "56"},
		directory.Office{ID: "fs-2", Name: "Lorient", Department: "56"},
		directory.Office{ID: "fs-3", Name: "Gone", Department: "29", ClosedOn: "1999-06-01"},
		directory.Service{Code: "logement/apl", Operators: []string{"cnaf"}},
		directory.Service{Code: "impots/avis", Operators: []string{"dgfip"}},
		directory.Setting{Name: directory.SettingRules, Value: "1"},
		directory.Setting{Name: directory.SettingPartitions, Value: strconv.Itoa(testPartitions)},
	}
}

func testView(t testing.TB) *directory.View {
	t.Helper()
	return viewOf(t, testDirectory()...)
}

func viewOf(t testing.TB, all ...recorder) *directory.View {
	t.Helper()
	var records []directory.Record
	for _, r := range all {
		record, err := r.Record()
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, record)
	}
	v, err := directory.NewViewOf(records...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// hub is a gateway on an embedded broker, in a bubble of virtual time.
type hub struct {
	*Gateway
	t        testing.TB
	kafka    *enginetest.Kafka
	registry *schemaRegistry
	mux      *http.ServeMux
	metrics  *prometheus.Registry
	log      *bytes.Buffer
	closed   atomic.Value // of string
	stop     func()
}

// newHub makes a hub with its topics; the gateway does not run yet.
func newHub(t testing.TB, view *directory.View) *hub {
	t.Helper()
	h := &hub{t: t, kafka: enginetest.NewKafka(t), registry: &schemaRegistry{}, log: &bytes.Buffer{}}
	b, err := broker.New(broker.Config{Brokers: []string{h.kafka.Addr}, Dial: h.kafka.Dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	settings := config.Default("127.0.0.1:8080")
	settings.Partitions = testPartitions
	topics := services.HubTopics(settings)
	for _, p := range view.Snapshot().Participants() {
		topics = append(topics, services.ParticipantTopics(settings, p.ID)...)
	}
	if err := b.EnsureTopics(t.Context(), topics...); err != nil {
		t.Fatal(err)
	}
	h.make(b, view, settings)
	return h
}

func (h *hub) make(b *broker.Broker, view *directory.View, settings config.Settings) {
	h.t.Helper()
	h.metrics, h.mux = prometheus.NewRegistry(), http.NewServeMux()
	g, err := New(services.Host{
		Log: slog.New(slog.NewTextHandler(&lockedWriter{w: h.log}, nil)), Metrics: h.metrics, Broker: b, HTTP: h.mux,
		Ready: services.NewReadiness(), Directory: view, Schemas: registry.New("http://registry.invalid", &http.Client{Transport: h.registry}),
		Auth: auth.New(auth.Config{Development: true, Directory: view}), Settings: settings, Closed: h.why,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.Gateway = g
}

// why is what Host.Closed says.
func (h *hub) why() string {
	s, _ := h.closed.Load().(string)
	return s
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// run runs the gateway and waits until its doors are open.
func (h *hub) run() {
	h.t.Helper()
	h.start()
	h.wait(func() bool { return h.Gateway.closed() == "" })
}

func (h *hub) start() {
	ctx, cancel := context.WithCancel(h.t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("Run: %v", err)
		}
	})
	h.t.Cleanup(h.stop)
}

// wait lets virtual time pass until the condition holds.
func (h *hub) wait(holds func() bool) {
	h.t.Helper()
	for range 6000 {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	h.t.Fatal("a minute has passed in vain")
}

// inBubble runs a story of one running hub.
func inBubble(t *testing.T, story func(t *testing.T, h *hub)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, testView(t))
		h.run()
		story(t, h)
	})
}

// read is all records of a topic, by partition and offset.
func (h *hub) read(topic string) []broker.Record {
	h.t.Helper()
	var all []broker.Record
	ranges, err := h.broker.Ranges(h.t.Context(), topic)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, p := range slices.Sorted(maps.Keys(ranges)) {
		cursor := h.broker.Cursor(topic, p, ranges[p].First)
		for cursor.Position() < ranges[p].Next {
			batch, err := cursor.Fetch(h.t.Context())
			if err != nil {
				h.t.Fatal(err)
			}
			all = append(all, batch.Records...)
		}
	}
	return all
}

// submissions are the events on `relais.submitted`, by place.
func (h *hub) submissions() []schemas.Event {
	h.t.Helper()
	var all []schemas.Event
	for _, rec := range h.read(h.submitted) {
		e, err := schemas.FromRecord(rec.Headers, rec.Value)
		if err != nil {
			h.t.Fatalf("a submission cannot be read: %v", err)
		}
		if string(rec.Key) != e.Extensions[schemas.AttrPartitionKey] || rec.Partition != broker.PartitionOf(rec.Key, testPartitions) {
			h.t.Errorf("submission %s stands at the wrong place", e.ID)
		}
		all = append(all, e)
	}
	return all
}

func (h *hub) submission(id string) (schemas.Event, bool) {
	all := h.submissions()
	i := slices.IndexFunc(all, func(e schemas.Event) bool { return e.ID == id })
	if i < 0 {
		return schemas.Event{}, false
	}
	return all[i], true
}

// produce writes a record to a topic as a participant's own producer would.
func (h *hub) produce(topic string, rec broker.Record) {
	h.t.Helper()
	rec.Topic = h.broker.Topic(topic)
	if _, err := h.broker.Produce(h.t.Context(), rec); err != nil {
		h.t.Fatal(err)
	}
}

// post sends a request through the mux and returns the answer.
func (h *hub) post(token, contentType, body string, header ...string) *httptest.ResponseRecorder {
	h.t.Helper()
	r := httptest.NewRequestWithContext(h.t.Context(), http.MethodPost, "/v1/events", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", contentType)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.mux.ServeHTTP(w, r)
	return w
}

func (h *hub) get(token, path string) *httptest.ResponseRecorder {
	h.t.Helper()
	r := httptest.NewRequestWithContext(h.t.Context(), http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.mux.ServeHTTP(w, r)
	return w
}

// decoded is an answer's body.
func decoded(t testing.TB, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("the answer %q is not JSON: %v", w.Body, err)
	}
	return v
}

// pipes is a network of one listener, in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }

func (p *pipes) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// client serves the hub's routes on a network of their own and returns a client
// of it.
func (h *hub) client() *http.Client {
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: h.mux}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(p)
	}()
	transport := &http.Transport{DialContext: p.DialContext}
	h.t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		<-done
	})
	return &http.Client{Transport: transport}
}

// ledger answers every submission as the ledger would, as far as the gateway sees
// it: facts, the gateway's own verdicts, and repeats by id within a dossier.
func (h *hub) ledger() {
	ctx, cancel := context.WithCancel(h.t.Context())
	done := make(chan error, 1)
	seen := &sync.Map{}
	go func() {
		done <- h.broker.Follow(ctx, h.submitted, func(_ int, r broker.Range) int64 { return r.First }, func(ctx context.Context, b broker.Batch) error {
			for _, rec := range b.Records {
				if err := h.decide(ctx, seen, rec); err != nil {
					return err
				}
			}
			return nil
		})
	}()
	h.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("ledger: %v", err)
		}
	})
}

func (h *hub) decide(ctx context.Context, seen *sync.Map, rec broker.Record) error {
	e, err := schemas.FromRecord(rec.Headers, rec.Value)
	if err != nil {
		return err
	}
	place := schemas.Place{Partition: rec.Partition, Offset: rec.Offset}
	out := e
	out.Extensions = maps.Clone(e.Extensions)
	first, repeated := seen.LoadOrStore(e.Extensions[schemas.AttrPartitionKey]+e.Source+e.ID, place)
	var payload any
	switch verdict := e.Extensions[schemas.AttrVerdict]; {
	case verdict != "":
		payload = &schemas.SubmissionRefused{Reason: verdict, Detail: e.Extensions[schemas.AttrVerdictDetail], SubmissionSource: e.Source, SubmissionID: e.ID, SubmissionType: e.Type}
	case e.ID == "transition":
		payload = &schemas.SubmissionRefused{Reason: string(schemas.ReasonTransitionNotAllowed), Detail: "ReferralAccepted: no such case", SubmissionSource: e.Source, SubmissionID: e.ID, SubmissionType: e.Type}
	case repeated:
		at := first.(schemas.Place)
		payload = &schemas.SubmissionRepeated{SubmissionSource: e.Source, SubmissionID: e.ID, SubmissionType: e.Type, FirstPartition: at.Partition, FirstOffset: at.Offset}
	default:
		out.Extensions[schemas.AttrSequence] = "0000000001"
	}
	if payload != nil {
		out.ID, out.Source, out.Type, out.DataContentType = place.String(), schemas.LedgerSource, schemas.TypeOf(payload), schemas.AvroContentType
		if out.Data, err = h.codec.Encode(ctx, payload); err != nil {
			return err
		}
	}
	out.Extensions[schemas.AttrSubmittedPartition] = strconv.Itoa(place.Partition)
	out.Extensions[schemas.AttrSubmittedOffset] = strconv.FormatInt(place.Offset, 10)
	_, err = h.broker.Produce(ctx, broker.Record{Topic: h.recorded, Partition: rec.Partition, Key: rec.Key, Value: out.Data, Headers: schemas.Headers(out)})
	return err
}

func newSeen() *sync.Map { return &sync.Map{} }

func principalOf(t testing.TB, h *hub, id string) auth.Principal {
	t.Helper()
	p, ok := h.host.Directory.Participant(id)
	if !ok {
		t.Fatalf("no participant %s", id)
	}
	return auth.Of(p)
}
