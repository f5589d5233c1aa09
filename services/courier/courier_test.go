package courier

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/directory/directorytest"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

const partitions = 3

// ids is a schema registry in which each of our schemas has its place in the
// catalogue as id.
type ids struct {
	mu   sync.Mutex
	down bool
}

var errDown = context.DeadlineExceeded

func (s *ids) Schema(_ context.Context, id int) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return "", errDown
	}
	all := schemas.Catalogue()
	if id < 1 || id > len(all) {
		return "", schemas.ErrUnknownSchema
	}
	return all[id-1].Schema, nil
}

func (s *ids) ID(_ context.Context, typ string) (int, error) {
	return 1 + slices.IndexFunc(schemas.Catalogue(), func(e schemas.Entry) bool { return e.Type == typ }), nil
}

func (s *ids) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// world is a courier on a broker of its own.
type world struct {
	t      *testing.T
	kafka  *enginetest.Kafka
	broker *broker.Broker
	codec  *schemas.Codec // the writer's
	ids    *ids           // the courier's registry
	mux    *http.ServeMux
	reg    *prometheus.Registry
	bells  *bells
	view   *directory.View
	stop   func() // ends the courier
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, kafka: enginetest.NewKafka(t), ids: &ids{}, mux: http.NewServeMux(), reg: prometheus.NewRegistry()}
	w.codec = schemas.NewCodec(&ids{})
	var err error
	w.broker, err = broker.New(broker.Config{Brokers: []string{w.kafka.Addr}, Dial: w.kafka.Dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.broker.Close() })
	settings := config.DefaultHub()
	settings.Partitions = partitions
	specs := services.HubTopics(settings)
	for _, id := range []string{"cnaf", "cnam", "feeder"} {
		specs = append(specs, services.ParticipantTopics(settings, id)...)
	}
	if err := w.broker.EnsureTopics(t.Context(), specs...); err != nil {
		t.Fatal(err)
	}
	view := directorytest.View(
		t,
		directory.Participant{ID: "cnaf", Role: directory.RoleOperator},
		directory.Participant{ID: "cnam", Role: directory.RoleOperator},
		directory.Participant{ID: "feeder", Role: directory.RoleFeeder},
		directory.Office{ID: "demo-1"}, directory.Office{ID: "demo-2"},
	)
	w.view, w.stop = view, w.start(view, settings)
	return w
}

// start starts a courier and returns how to end it; the test's end does, too.
func (w *world) start(view *directory.View, settings config.Settings) (stop func()) {
	c := newCourier(services.Host{
		Log: slog.New(slog.DiscardHandler), Metrics: w.reg, Broker: w.broker, HTTP: w.mux, Ready: services.NewReadiness(),
		Directory: view, Auth: auth.New(auth.Config{Development: true, Directory: view}), Settings: settings,
	}, schemas.NewCodec(w.ids))
	w.bells = c.bells
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run: %v", err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

// followed is how many topics are followed for those who wait.
func (w *world) followed() int {
	w.bells.mu.Lock()
	defer w.bells.mu.Unlock()
	return len(w.bells.topics)
}

// fact is an event as the router writes it. place is on relais.submitted.
func (w *world) fact(id, dossier string, place schemas.Place, received time.Time) schemas.Event {
	w.t.Helper()
	data, err := w.codec.Encode(w.t.Context(), &schemas.ReferralAccepted{})
	if err != nil {
		w.t.Fatal(err)
	}
	return schemas.Event{
		ID: id, Source: "/participants/cnaf/si", Type: schemas.TypeReferralAccepted, Subject: dossier,
		DataContentType: schemas.AvroContentType, Data: data,
		Extensions: map[string]string{
			schemas.AttrSequence: "0000000001", schemas.AttrReceivedTime: received.UTC().Format("2006-01-02T15:04:05.000Z"),
			schemas.AttrSubmittedPartition: strconv.Itoa(place.Partition), schemas.AttrSubmittedOffset: strconv.FormatInt(place.Offset, 10),
		},
	}
}

// address writes a copy for a participant with a topic.
func (w *world) address(participant string, e schemas.Event) {
	w.t.Helper()
	w.write("to."+participant, schemas.Dossier(e.Subject), participant, e)
}

// addressOffice writes a copy for an office.
func (w *world) addressOffice(office string, e schemas.Event) {
	w.t.Helper()
	w.write("to.offices", office, office, e)
}

func (w *world) write(topic, key, recipient string, e schemas.Event) {
	w.t.Helper()
	extensions := map[string]string{schemas.AttrRecipient: recipient}
	maps.Copy(extensions, e.Extensions)
	e.Extensions = extensions
	w.produce(broker.Record{
		Topic: w.broker.Topic(topic), Partition: broker.PartitionOf([]byte(key), partitions),
		Key: []byte(key), Value: e.Data, Headers: schemas.Headers(e),
	})
}

func (w *world) produce(r broker.Record) {
	w.t.Helper()
	if _, err := w.broker.Produce(w.t.Context(), r); err != nil {
		w.t.Fatal(err)
	}
}

// answer is what the mailbox said.
type answer struct {
	status int
	cursor string
	header string // the cursor beside a problem
	more   string
	code   string // of a problem
	events []map[string]any
}

// ids are the ids of the events, in order.
func (a answer) ids() []string {
	var all []string
	for _, e := range a.events {
		all = append(all, e["id"].(string))
	}
	return all
}

func (w *world) get(token, query string, prefer ...string) answer {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, "/v1/mailbox"+query, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	for _, p := range prefer {
		r.Header.Add("Prefer", p)
	}
	rec := httptest.NewRecorder()
	w.mux.ServeHTTP(rec, r)
	a := answer{status: rec.Code, cursor: rec.Header().Get(CursorHeader), more: rec.Header().Get(MoreHeader)}
	if rec.Code != http.StatusOK {
		a.problem(w.t, rec)
		return a
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &a.events); err != nil {
		w.t.Fatalf("%s: %v", rec.Body, err)
	}
	return a
}

// problem takes what a problem document says.
func (a *answer) problem(t *testing.T, rec *httptest.ResponseRecorder) {
	t.Helper()
	var said struct{ Code, Cursor string }
	if err := json.Unmarshal(rec.Body.Bytes(), &said); err != nil {
		t.Fatalf("%d %s: %v", rec.Code, rec.Body, err)
	}
	a.code, a.cursor, a.header = said.Code, said.Cursor, rec.Header().Get(CursorHeader)
}

// ack acknowledges.
func (w *world) ack(token, body string) answer {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, ackPath, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	rec := httptest.NewRecorder()
	w.mux.ServeHTTP(rec, r)
	a := answer{status: rec.Code}
	if rec.Code != http.StatusNoContent {
		a.problem(w.t, rec)
	}
	return a
}

func newWorldMux() (*http.ServeMux, *prometheus.Registry) {
	return http.NewServeMux(), prometheus.NewRegistry()
}
