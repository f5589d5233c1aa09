package clock

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/directory/deadline"
	"github.com/relais-fr/relais/services/internal/directory/directorytest"
	"github.com/relais-fr/relais/services/internal/enginetest"
	"github.com/relais-fr/relais/services/internal/store"
	"github.com/relais-fr/relais/services/ledger"
	"github.com/relais-fr/relais/services/router"
)

const testPartitions = 2

// house is the part of a hub that a clock needs, on embedded engines: a log, a
// store, a ledger, and a gateway that takes everything from relais.from.hub.
type house struct {
	t         *testing.T
	kafka     *enginetest.Kafka
	redis     *redis.Client
	flush     func()
	broker    *broker.Broker
	codec     *schemas.Codec
	directory *directory.View
	settings  config.Settings
	// slow is by how much the gateway's clock is behind.
	slow atomic.Int64
	// events counts what was submitted.
	events int
}

func newHouse(t *testing.T) *house {
	kafka := enginetest.NewKafka(t)
	mini, client := enginetest.NewRedis(t)
	h := &house{t: t, kafka: kafka, redis: client, flush: mini.FlushAll, codec: schemas.NewCodec(enginetest.Schemas{})}
	h.settings = config.Default("127.0.0.1:0")
	h.settings.Partitions, h.settings.ProbeEvery = testPartitions, 0
	h.directory = directorytest.View(t,
		directory.Participant{ID: "cnaf", Role: directory.RoleOperator},
		directory.Office{ID: "demo-1", TimeZone: "Europe/Paris", HolidayZone: "metropole"},
	)
	var err error
	if h.broker, err = broker.New(broker.Config{Brokers: []string{kafka.Addr}, Dial: kafka.Dial, Metrics: prometheus.NewRegistry()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.broker.Close() })
	if err := h.broker.EnsureTopics(t.Context(), services.HubTopics(h.settings)...); err != nil {
		t.Fatal(err)
	}
	h.run(func(ctx context.Context) error {
		return h.broker.Follow(ctx, "relais.from.hub", func(int, broker.Range) int64 { return 0 }, h.gateway)
	})
	return h
}

// run runs something until it is stopped, or the test ends.
func (h *house) run(f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(h.t.Context())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("it ended with %v", err)
		}
	}
	h.t.Cleanup(stop)
	return stop
}

func (h *house) host(reg *prometheus.Registry) services.Host {
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("RELAIS_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return services.Host{
		Log: log, Metrics: reg, Broker: h.broker, HTTP: http.NewServeMux(), Ready: services.NewReadiness(),
		Store: store.New(store.Config{Client: h.redis, Metrics: reg}), Schemas: enginetest.Schemas{}, Settings: h.settings, Directory: h.directory,
	}
}

func (h *house) judge() (stop func()) {
	l, err := ledger.New(h.host(prometheus.NewRegistry()))
	if err != nil {
		h.t.Fatal(err)
	}
	return h.run(l.Run)
}

func (h *house) route() {
	r, err := router.New(h.host(prometheus.NewRegistry()))
	if err != nil {
		h.t.Fatal(err)
	}
	h.run(r.Run)
}

// wind starts a clock.
func (h *house) wind() (c *Clock, stop func()) {
	c, err := New(h.host(prometheus.NewRegistry()))
	if err != nil {
		h.t.Fatal(err)
	}
	return c, h.run(c.Run)
}

// set changes a deadline, in force at once.
func (h *house) set(r deadline.Rule, span string) {
	stored, _ := h.directory.Setting(r.Setting())
	value, err := deadline.Change(r.Setting(), stored, span, time.Now().Add(-time.Minute))
	if err != nil {
		h.t.Fatal(err)
	}
	record, err := directory.Setting{Name: r.Setting(), Value: value}.Record()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.directory.Apply(record); err != nil {
		h.t.Fatal(err)
	}
}

// gateway hands in what the hub's own doors bring.
func (h *house) gateway(ctx context.Context, batch broker.Batch) error {
	for _, r := range batch.Records {
		e, err := schemas.FromRecord(r.Headers, r.Value)
		if err != nil {
			return err
		}
		if err := h.append(ctx, e, time.Now().Add(-time.Duration(h.slow.Load())), schemas.HubParticipant, schemas.RoleHub); err != nil {
			return err
		}
	}
	return nil
}

func (h *house) append(ctx context.Context, e schemas.Event, received time.Time, by string, role schemas.Role) error {
	dossier := schemas.Dossier(e.Subject)
	attributes := map[string]string{
		schemas.AttrPartitionKey: dossier, schemas.AttrReceivedTime: received.UTC().Format("2006-01-02T15:04:05.000Z"), schemas.AttrRules: "2",
		schemas.AttrSubmitter: by, schemas.AttrSenderRole: string(role), schemas.AttrRecipientRole: string(schemas.RoleOperator),
	}
	maps.Copy(attributes, e.Extensions)
	e.Extensions = attributes
	_, err := h.broker.Produce(ctx, broker.Record{
		Topic: "relais.submitted", Partition: broker.PartitionOf([]byte(dossier), testPartitions), Key: []byte(dossier),
		Value: e.Data, Headers: schemas.Headers(e), Time: time.Now(),
	})
	return err
}

// submit hands an event of a party in: demo-1 is the office, cnaf the operator.
func (h *house) submit(by, subject string, payload any) { h.submitAt(by, subject, payload, time.Now()) }

func (h *house) submitAt(by, subject string, payload any, received time.Time) {
	h.t.Helper()
	data, err := h.codec.Encode(h.t.Context(), payload)
	if err != nil {
		h.t.Fatal(err)
	}
	role := schemas.RoleOperator
	if by == "demo-1" {
		role = schemas.RoleOffice
	}
	h.events++
	e := schemas.Event{
		ID: fmt.Sprintf("e%d", h.events), Source: schemas.Source(by, "test"), Type: schemas.TypeOf(payload), Subject: subject,
		DataContentType: schemas.AvroContentType, DataSchema: "http://registry.example/schemas/ids/1", Data: data,
	}
	if err := h.append(h.t.Context(), e, received, by, role); err != nil {
		h.t.Fatal(err)
	}
}

// wait lets time pass.
func wait(d time.Duration) { <-time.After(d) }

// recorded tells what stands on relais.recorded but for repeats:
// `d1 ReferralExpired expiry 00:02:01`, the time since since.
func (h *house) recorded(since time.Time) []string {
	h.t.Helper()
	var lines []string
	ranges, err := h.broker.Ranges(h.t.Context(), "relais.recorded")
	if err != nil {
		h.t.Fatal(err)
	}
	for p := range testPartitions {
		for cursor := h.broker.Cursor("relais.recorded", p, 0); cursor.Position() < ranges[p].Next; {
			batch, err := cursor.Fetch(h.t.Context())
			if err != nil {
				h.t.Fatal(err)
			}
			for _, r := range batch.Records {
				if line := h.tell(r, since); line != "" {
					lines = append(lines, line)
				}
			}
		}
	}
	slices.SortStableFunc(lines, func(a, b string) int {
		subject, _, _ := strings.Cut(a, " ")
		other, _, _ := strings.Cut(b, " ")
		return strings.Compare(subject, other)
	})
	return lines
}

func (h *house) tell(r broker.Record, since time.Time) string {
	h.t.Helper()
	e, err := schemas.FromRecord(r.Headers, r.Value)
	if err != nil {
		h.t.Fatal(err)
	}
	payload, err := h.codec.Decode(h.t.Context(), e.Type, e.Data)
	if err != nil {
		h.t.Fatal(err)
	}
	line := fmt.Sprintf("%s %s", e.Subject, e.Type[strings.LastIndexByte(e.Type, '.')+1:])
	switch p := payload.(type) {
	case *schemas.SubmissionRepeated, *schemas.ProbeSent:
		return ""
	case *schemas.SubmissionRefused:
		return line + " " + p.SubmissionType[strings.LastIndexByte(p.SubmissionType, '.')+1:] + " " + p.Reason
	case *schemas.DeliveryChanged:
		line += " " + p.State + " " + *p.Reason
	case *schemas.ReferralExpired:
		line += " " + p.Clock
	case *schemas.DeadlineBreached:
		line += fmt.Sprintf(" %s %d", p.Clock, p.Occurrence)
	case *schemas.DeadlineApproaching:
		line += fmt.Sprintf(" %s %d", p.Clock, p.Occurrence)
	case *schemas.EscalationRaised:
		line += fmt.Sprintf(" %s %d", p.Clock, p.Occurrence)
	}
	if e.Participant() == schemas.HubParticipant {
		received, err := time.Parse(time.RFC3339Nano, e.Extensions[schemas.AttrReceivedTime])
		if err != nil {
			h.t.Fatal(err)
		}
		// Rules here are in minutes; how soon a clock looks again is its own affair.
		line += " after " + received.Sub(since).Truncate(time.Minute).String()
	}
	return line
}

func made() *schemas.ReferralMade {
	return &schemas.ReferralMade{From: "demo-1", To: "cnaf", Service: "logement/expulsion-du-logement", Reference: "7K3F-92QD"}
}
