package ledger

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/enginetest"
	"github.com/relais-fr/relais/services/internal/store"
)

// house is a ledger on embedded engines, and a gateway's pen.
type house struct {
	t      *testing.T
	kafka  *enginetest.Kafka
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	redis  *redis.Client
	flush  func()
	broker *broker.Broker
	codec  *schemas.Codec
	stop   func()
	ledger *Ledger
	mux    *http.ServeMux
	ready  *services.Readiness
	// schemas is the ledger's registry.
	schemas schemas.SchemaSource
}

func newHouse(t *testing.T) *house {
	kafka := enginetest.NewKafka(t)
	mini, client := enginetest.NewRedis(t)
	h := &house{t: t, kafka: kafka, dial: kafka.Dial, redis: client, flush: mini.FlushAll, codec: schemas.NewCodec(enginetest.Schemas{}), schemas: enginetest.Schemas{}}
	h.broker = h.newBroker()
	t.Cleanup(func() { _ = h.broker.Close() })
	settings := config.Default("127.0.0.1:0")
	settings.Partitions = 2
	if err := h.broker.EnsureTopics(t.Context(), services.HubTopics(settings)...); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) newBroker() *broker.Broker {
	b, err := broker.New(broker.Config{Brokers: []string{h.kafka.Addr}, Dial: h.dial, Metrics: prometheus.NewRegistry()})
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}

// open starts a ledger; h.stop stops it as a shutdown would.
func (h *house) open() {
	settings := config.Default("127.0.0.1:0")
	settings.Partitions = 2
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("RELAIS_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	reg := prometheus.NewRegistry()
	view, err := directory.NewViewOf()
	if err != nil {
		h.t.Fatal(err)
	}
	h.mux, h.ready = http.NewServeMux(), services.NewReadiness()
	l, err := New(services.Host{
		Log: log, Metrics: reg, Broker: h.broker, HTTP: h.mux, Ready: h.ready, Directory: view, Auth: auth.New(auth.Config{Development: true, Directory: view}),
		Store: store.New(store.Config{Client: h.redis, Metrics: reg}), Schemas: h.schemas, Settings: settings,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.ledger = l
	ctx, cancel := context.WithCancel(h.t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	h.stop = func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("the ledger ended with %v", err)
		}
	}
}

// submit writes what a gateway would write for an accepted event.
func (h *house) submit(by, id, subject string, payload any) {
	h.t.Helper()
	data, err := h.codec.Encode(h.t.Context(), payload)
	if err != nil {
		h.t.Fatal(err)
	}
	role := schemas.RoleOperator
	if offices[by] {
		role = schemas.RoleOffice
	}
	dossier := schemas.Dossier(subject)
	e := schemas.Event{
		ID: id, Source: schemas.Source(by, "test"), Type: schemas.TypeOf(payload), Subject: subject, Time: time.Now(),
		DataContentType: schemas.AvroContentType, DataSchema: "http://registry.example/schemas/ids/1", Data: data,
		Extensions: map[string]string{
			schemas.AttrPartitionKey: dossier, schemas.AttrReceivedTime: time.Now().UTC().Format(time.RFC3339Nano), schemas.AttrRules: "1",
			schemas.AttrSubmitter: by, schemas.AttrSenderRole: string(role), schemas.AttrRecipientRole: string(schemas.RoleOperator),
		},
	}
	if _, err := h.broker.Produce(h.t.Context(), broker.Record{
		Topic: "relais.submitted", Partition: broker.PartitionOf([]byte(dossier), 2), Key: []byte(dossier),
		Value: data, Headers: schemas.Headers(e), Time: time.Now(),
	}); err != nil {
		h.t.Fatal(err)
	}
}

// recorded waits until n records stand on relais.recorded and tells them:
// `d1 ReferralMade 0000000001 → offices/demo-1,cnaf`.
func (h *house) recorded(n int) []string {
	h.t.Helper()
	for range 600 {
		var lines []string
		ranges, err := h.broker.Ranges(h.t.Context(), "relais.recorded")
		if err != nil {
			h.t.Fatal(err)
		}
		total := 0
		for p := range 2 {
			total += int(ranges[p].Next)
			cursor := h.broker.Cursor("relais.recorded", p, 0)
			for cursor.Position() < ranges[p].Next {
				batch, err := cursor.Fetch(h.t.Context())
				if err != nil {
					h.t.Fatal(err)
				}
				for _, r := range batch.Records {
					lines = append(lines, line(h.t, r))
				}
			}
		}
		if total >= n {
			return lines
		}
		<-time.After(100 * time.Millisecond)
	}
	h.t.Fatalf("%d outcomes did not come", n)
	return nil
}

func line(t *testing.T, r broker.Record) string {
	e, err := schemas.FromRecord(r.Headers, r.Value)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s %s → %s", r.Key, e.Type[strings.LastIndexByte(e.Type, '.')+1:], e.Extensions[schemas.AttrSequence], e.Extensions[schemas.AttrParties]))
}

func TestTheLedgerRecordsOneOutcomeEachAndGoesOnFromTheFold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.open()
		h.submit("demo-1", "e1", "d1", referral("demo-1", "cnaf"))
		h.submit("cnaf", "e2", "d1", &schemas.ReferralReceived{})
		h.submit("msa", "x", "d1", &schemas.ReferralAccepted{})
		want := []string{
			"d1 ReferralMade 0000000001 → offices/demo-1,cnaf",
			"d1 ReferralReceived 0000000002 → offices/demo-1,cnaf",
			"d1 SubmissionRefused  → msa",
		}
		if diff := cmp.Diff(want, h.recorded(3)); diff != "" {
			t.Errorf("recorded (-want +got):\n%s", diff)
		}
		h.stop()

		// The store is lost while nobody looks; what the log says is enough.
		h.flush()
		h.submit("cnaf", "e2", "d1", &schemas.ReferralReceived{})
		h.submit("cnaf", "e3", "d1", &schemas.ReferralAccepted{})
		h.open()
		want = append(want, "d1 SubmissionRepeated  →", "d1 ReferralAccepted 0000000003 → offices/demo-1,cnaf")
		if diff := cmp.Diff(want, h.recorded(5)); diff != "" {
			t.Errorf("after the loss (-want +got):\n%s", diff)
		}
		h.stop()
	})
}

func TestALostAcknowledgementMakesNoSecondOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.submit("demo-1", "e1", "d1", referral("demo-1", "cnaf"))
		// The ledger's first produce is written, but nobody hears of it.
		h.kafka.LoseAnswers(kmsg.Produce, 1)
		h.open()
		h.recorded(2)
		h.submit("cnaf", "e2", "d1", &schemas.ReferralReceived{})
		got := h.recorded(3)
		want := []string{
			"d1 ReferralMade 0000000001 → offices/demo-1,cnaf",
			"d1 ReferralMade 0000000001 → offices/demo-1,cnaf",
			"d1 ReferralReceived 0000000002 → offices/demo-1,cnaf",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the second copy is the same bytes, and what follows rests on one (-want +got):\n%s", diff)
		}
		if n := testutil.ToFloat64(h.ledger.metrics.refolds); n != 1 {
			t.Errorf("folded again %v times, want once", n)
		}
		h.stop()
	})
}

func TestTheStoreLostUnderLoadIsRebuilt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.open()
		h.submit("demo-1", "e1", "d1", referral("demo-1", "cnaf"))
		h.recorded(1)
		h.flush()
		h.submit("cnaf", "e2", "d1", &schemas.ReferralReceived{})
		h.recorded(2)
		h.flush()
		h.submit("cnaf", "e3", "d1", &schemas.ReferralRefused{Reason: "not_competent"})
		want := []string{
			"d1 ReferralMade 0000000001 → offices/demo-1,cnaf",
			"d1 ReferralReceived 0000000002 → offices/demo-1,cnaf",
			"d1 ReferralRefused 0000000003 → offices/demo-1,cnaf",
		}
		if diff := cmp.Diff(want, h.recorded(3)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		h.stop()
	})
}
