package inbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/inbox"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/enginetest"
	"github.com/relais-fr/relais/services/internal/registry"
	"github.com/relais-fr/relais/services/internal/store"
)

const partitions = 3

// world is an inbox on embedded engines, with a stand-in for the road between
// from.offices and to.offices. It lives in a synctest bubble.
type world struct {
	t      *testing.T
	kafka  *enginetest.Kafka
	broker *broker.Broker
	redis  *miniredis.Miniredis
	store  *store.Store
	codec  *schemas.Codec
	reg    *prometheus.Registry
	ready  *services.Readiness
	mux    *http.ServeMux
	log    *slog.Logger // one for all processes, which write to logs in turn
	logs   *bytes.Buffer
	next   int64 // submitted offset

	// judge is what the stand-in makes of a submission: a reason to refuse it, or
	// "" for a fact. Nil is silence.
	judge func(e schemas.Event, payload any) schemas.Reason
	// detail is what it says besides.
	detail string
	mu     sync.Mutex
	got    []submitted
	stop   func()
	// closed is why the doors take nothing.
	closed error
	// directory is what the next process follows; nil for that of the tests.
	directory *directory.View
}

// submitted is one record that the page has handed in.
type submitted struct {
	Event   schemas.Event
	Payload any
	Key     string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	kafka := enginetest.NewKafka(t)
	server, client := enginetest.NewRedis(t)
	b, err := broker.New(broker.Config{Brokers: []string{kafka.Addr}, Dial: kafka.Dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	for _, name := range []string{"to.offices", "from.offices"} {
		if err := b.EnsureTopics(t.Context(), broker.TopicSpec{Name: b.Topic(name), Partitions: partitions, Settings: map[string]string{"retention.ms": "-1"}}); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{t: t, kafka: kafka, broker: b, redis: server, store: store.New(store.Config{Client: client}), logs: new(bytes.Buffer)}
	w.log = slog.New(slog.NewTextHandler(w.logs, nil))
	w.codec = schemas.NewCodec(registryClient())
	w.judge = func(schemas.Event, any) schemas.Reason { return "" }
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for p := range partitions {
		wg.Go(func() { w.road(ctx, p) })
	}
	t.Cleanup(func() { cancel(); wg.Wait() })
	w.start()
	t.Cleanup(func() { w.stop() })
	return w
}

// another is a second process on the same engines; the road is the first one's.
func (w *world) another() *world {
	other := &world{t: w.t, kafka: w.kafka, broker: w.broker, redis: w.redis, store: w.store, codec: w.codec, log: w.log, logs: w.logs}
	other.start()
	w.t.Cleanup(func() { other.stop() })
	return other
}

// start begins a new process on the same engines.
func (w *world) start() {
	w.t.Helper()
	w.reg, w.mux, w.ready = prometheus.NewRegistry(), http.NewServeMux(), services.NewReadiness()
	settings := config.Default("127.0.0.1:0")
	settings.Partitions = partitions
	if w.directory == nil {
		w.directory = view(w.t)
	}
	in, err := inbox.New(services.Host{
		Log: w.log, Metrics: w.reg, Broker: w.broker, Store: w.store, HTTP: w.mux,
		Ready: w.ready, Directory: w.directory, Schemas: registryClient(), Settings: settings,
		Closed: func() string {
			if w.closed == nil {
				return ""
			}
			return w.closed.Error()
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := in.Run(ctx); err != nil {
			w.t.Errorf("Run: %v", err)
		}
	})
	w.stop = func() { cancel(); wg.Wait() }
	w.settle(5 * time.Second)
}

// settle lets virtual time pass.
func (w *world) settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// road stands for gateway, ledger and router.
func (w *world) road(ctx context.Context, partition int) {
	bounds, err := w.broker.RangeOf(ctx, w.broker.Topic("from.offices"), partition)
	if err != nil {
		return
	}
	cursor := w.broker.Cursor(w.broker.Topic("from.offices"), partition, bounds.Next)
	for {
		batch, err := cursor.Fetch(ctx)
		if err != nil {
			return
		}
		for _, r := range batch.Records {
			w.pass(r)
		}
	}
}

func (w *world) pass(r broker.Record) {
	e, err := schemas.FromRecord(r.Headers, r.Value)
	if err != nil {
		w.t.Errorf("the page wrote what cannot be read: %v", err)
		return
	}
	payload, err := w.codec.Decode(context.Background(), e.Type, e.Data)
	if err != nil {
		w.t.Errorf("the page wrote what cannot be decoded: %v", err)
		return
	}
	w.mu.Lock()
	repeat := slices.ContainsFunc(w.got, func(s submitted) bool { return s.Event.ID == e.ID })
	w.got = append(w.got, submitted{e, payload, string(r.Key)})
	judge := w.judge
	w.mu.Unlock()
	if judge == nil || repeat {
		return
	}
	office := e.Participant()
	if reason := judge(e, payload); reason != "" {
		c := reason.Code()
		w.deliver(office, schemas.Event{ID: "r" + e.ID, Source: schemas.LedgerSource, Subject: e.Subject}, &schemas.SubmissionRefused{
			Reason: string(reason), SentenceFR: c.French, SentenceEN: c.English, RemedyFR: c.RemedyFR, RemedyEN: c.RemedyEN,
			SubmissionSource: e.Source, SubmissionID: e.ID, SubmissionType: e.Type, Detail: w.detail,
		})
		return
	}
	w.deliver(office, e, payload)
}

// handedIn are the submissions of the page so far.
func (w *world) handedIn() []submitted {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.got)
}

// deliver writes an event to the office's partition as the router does.
func (w *world) deliver(office string, e schemas.Event, payload any) broker.Record {
	w.t.Helper()
	w.mu.Lock()
	w.next++
	number := w.next
	w.mu.Unlock()
	return w.deliverAs(office, number, e, payload)
}

func (w *world) deliverAs(office string, number int64, e schemas.Event, payload any) broker.Record {
	w.t.Helper()
	data, err := w.codec.Encode(context.Background(), payload)
	if err != nil {
		w.t.Error(err)
		return broker.Record{}
	}
	e.Type, e.Data, e.DataContentType = schemas.TypeOf(payload), data, schemas.AvroContentType
	extensions := map[string]string{
		schemas.AttrSubmittedPartition: "0", schemas.AttrSubmittedOffset: strconv.FormatInt(number, 10),
		schemas.AttrReceivedTime: time.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00"), schemas.AttrRecipient: office,
	}
	maps.Copy(extensions, e.Extensions)
	e.Extensions = extensions
	r := broker.Record{
		Topic: w.broker.Topic("to.offices"), Partition: broker.PartitionOf([]byte(office), partitions),
		Key: []byte(office), Value: data, Headers: schemas.Headers(e),
	}
	w.produce(r)
	return r
}

func (w *world) produce(r broker.Record) {
	w.t.Helper()
	if _, err := w.broker.Produce(context.Background(), r); err != nil {
		w.t.Errorf("produce: %v", err)
	}
}

var ids int

// happens delivers an event of another participant and lets it arrive.
func (w *world) happens(office, by, subject string, payload any) {
	w.t.Helper()
	ids++
	w.deliver(office, schemas.Event{ID: fmt.Sprint("event-", ids), Source: schemas.Source(by, "system"), Subject: subject, Time: time.Now().UTC()}, payload)
	w.settle(time.Second)
}

// get asks for a page as a browser on this machine would.
func (w *world) get(path string) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.do(httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080"+path, nil))
}

func (w *world) do(r *http.Request) *httptest.ResponseRecorder {
	w.t.Helper()
	answer := httptest.NewRecorder()
	w.mux.ServeHTTP(answer, r)
	return answer
}

// page is the body of a page that must be there.
func (w *world) page(path string) string {
	w.t.Helper()
	answer := w.get(path)
	if answer.Code != http.StatusOK {
		w.t.Fatalf("GET %s: %d\n%s", path, answer.Code, answer.Body)
	}
	return answer.Body.String()
}

// post sends a form from our own page.
func (w *world) post(office string, values url.Values) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8080/offices/"+office+"/submit", strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "http://127.0.0.1:8080")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return w.do(r)
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// formOn reads what the form of an action on a page hides.
func (w *world) formOn(page, action string) url.Values {
	w.t.Helper()
	for _, form := range strings.Split(page, "<form method=\"post\"")[1:] {
		form, _, _ = strings.Cut(form, "</form>")
		values := url.Values{}
		for _, m := range hiddenField.FindAllStringSubmatch(form, -1) {
			values.Set(m[1], m[2])
		}
		if values.Get("action") == action {
			return values
		}
	}
	w.t.Fatalf("there is no form %q on the page\n%s", action, page)
	return nil
}

// metric is the value of a counter or gauge, over all its labels.
func (w *world) metric(name string) float64 {
	w.t.Helper()
	families, err := w.reg.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

func view(t *testing.T) *directory.View {
	t.Helper()
	var records []directory.Record
	add := func(r directory.Record, err error) {
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	for id, name := range map[string]string{"demo-1": "Maison de Vannes", "demo-2": "Bus de Lorient", "demo-3": "Antenne de Pontivy"} {
		add(directory.Office{ID: id, Name: name, Commune: name[len(name)-6:], Postcode: "56000", TimeZone: "Europe/Paris"}.Record())
	}
	add(directory.Participant{ID: "cnaf", Name: "Allocations familiales", Role: directory.RoleOperator}.Record())
	add(directory.Participant{ID: "cnam", Name: "Assurance maladie", Role: directory.RoleOperator}.Record())
	add(directory.Service{Code: "logement/apl", Theme: "logement", Label: "Allocation logement", Operators: []string{"cnaf"}}.Record())
	add(directory.Service{Code: "sante/carte", Theme: "sante", Label: "Carte Vitale", Operators: []string{"cnam"}}.Record())
	v, err := directory.NewViewOf(records...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// registryClient asks a registry that knows the canonical schemas by their place
// in the catalogue.
func registryClient() *registry.Client {
	return registry.New("http://registry.invalid", &http.Client{Transport: canonical{}})
}

type canonical struct{}

func (canonical) RoundTrip(r *http.Request) (*http.Response, error) {
	var answer any
	for i, entry := range schemas.Catalogue() {
		switch r.URL.Path {
		case "/schemas/ids/" + strconv.Itoa(i+1):
			answer = map[string]string{"schema": entry.Schema}
		case "/subjects/" + entry.Type + "/versions":
			answer = map[string]int{"id": i + 1}
		}
	}
	if answer == nil {
		return nil, errors.New("no such path: " + r.URL.Path)
	}
	body, err := json.Marshal(answer)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, err
}
