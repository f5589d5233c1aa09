package registry

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/enginetest"
	client "github.com/relais-fr/relais/services/internal/registry"
)

// runOnKafka runs a registry as a process would, and waits until it serves.
func runOnKafka(t *testing.T, kafka *enginetest.Kafka) *node {
	t.Helper()
	return runOn(t, broker.Config{Brokers: []string{kafka.Addr}, Dial: kafka.Dial})
}

func runOn(t *testing.T, brokers broker.Config) *node {
	t.Helper()
	b, err := broker.New(brokers)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	ready := services.NewReadiness()
	r, err := New(services.Host{Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Broker: b, HTTP: mux, Ready: ready, Auth: auth.New(auth.Config{Development: true, Directory: directory.NewView()})})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		_ = b.Close()
	})
	t.Cleanup(stop)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if isReady, words := ready.State(); isReady {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("not ready after a minute: %s", words)
		}
	}
	return &node{Registry: r, mux: mux, stop: stop}
}

// RoundTrip lets the registry's own client ask it.
func (n *node) RoundTrip(request *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	n.mux.ServeHTTP(w, request)
	return w.Result(), nil
}

func TestTheCatalogueIsRegistered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := enginetest.NewKafka(t)
		first := runOnKafka(t, kafka)
		second := runOnKafka(t, kafka)
		source := client.New("http://registry", &http.Client{Transport: second})
		for i, e := range schemas.Catalogue() {
			id, err := source.ID(t.Context(), e.Type)
			if err != nil || id != i+1 {
				t.Errorf("%s has the id %d, %v; want %d", e.Name, id, err, i+1)
			}
			text, err := source.Schema(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			ours, _ := schemas.ParseAvro(e.Schema)
			if theirs, err := schemas.ParseAvro(text); err != nil || theirs.Canonical != ours.Canonical {
				t.Errorf("%s came back as %s, %v", e.Name, text, err)
			}
			if got := first.do("GET", "/config/"+e.Type, ""); got != `200 {"compatibilityLevel":"FULL_TRANSITIVE"}` {
				t.Errorf("%s: %s", e.Name, got)
			}
		}
		_, next, err := (&topicLog{first.host.Broker}).Bounds(t.Context())
		if err != nil || next != int64(2*len(schemas.Catalogue())) {
			t.Errorf("%d records on the log, %v; want two for each event", next, err)
		}
		// A level that somebody has set stays.
		typ := schemas.TypeVisitRecorded
		first.do("PUT", "/config/"+typ, `{"compatibility":"BACKWARD"}`)
		first.stop()
		third := runOnKafka(t, kafka)
		if got := third.do("GET", "/config/"+typ, ""); got != `200 {"compatibilityLevel":"BACKWARD"}` {
			t.Errorf("after a restart: %s", got)
		}
	})
}

func TestARegistrySurvivesItsBrokersRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := enginetest.NewKafka(t, kfake.DataDir(t.TempDir()))
		n := runOnKafka(t, kafka)
		if got := n.do("POST", "/subjects/s/versions", `{"schema":"\"int\""}`); !strings.HasPrefix(got, "200") {
			t.Fatal(got)
		}
		kafka.Stop()
		kafka.Start(t)
		if got := n.do("POST", "/subjects/s/versions", `{"schema":"\"long\""}`); !strings.HasPrefix(got, "200") {
			t.Fatal(got)
		}
		n.stop()
		runOnKafka(t, kafka).play(t, `
			GET /subjects/s/versions
			200 [1,2]
		`)
	})
}

func TestALostAcknowledgementIsNoSecondVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := enginetest.NewKafka(t)
		n := runOnKafka(t, kafka)
		kafka.LoseAnswers(kmsg.Produce, 3)
		if got := n.do("POST", "/subjects/s/versions", `{"schema":"\"int\""}`); !strings.HasPrefix(got, "200") {
			t.Fatal(got)
		}
		n.play(t, `
			GET /subjects/s/versions?deleted=true
			200 [1]
		`)
	})
}

func TestACatalogueThatDoesNotFitStopsTheRegistry(t *testing.T) {
	log := newMemoryLog()
	n := startNode(t, log)
	n.do("POST", "/subjects/"+schemas.TypeVisitVoided+"/versions", `{"schema":"\"int\""}`)
	err := newNode(log).follow(t.Context())
	if err == nil || !strings.Contains(err.Error(), "VisitVoided") {
		t.Errorf("got %v", err)
	}
}

// Two registries on one topic, with many callers at each at once, on either engine: no
// id is given twice, and a third that starts later sees the same.
func TestConformanceRegistriesShareATopic(t *testing.T) {
	story := func(t *testing.T, brokers broker.Config, prefix string) {
		nodes := []*node{runOn(t, brokers), runOn(t, brokers)}
		given := registerAtOnce(t, nodes, prefix)
		nodes = append(nodes, runOn(t, brokers))
		sameEverywhere(t, nodes, &topicLog{nodes[0].host.Broker}, given)
		for i := range 4 {
			nodes[0].do("DELETE", fmt.Sprintf("/subjects/%s%d", prefix, i), "")
		}
	}
	t.Run("embedded", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			kafka := enginetest.NewKafka(t)
			story(t, broker.Config{Brokers: []string{kafka.Addr}, Dial: kafka.Dial}, "s")
		})
	})
	t.Run("Apache Kafka", func(t *testing.T) {
		engines := enginetest.NewLocal(t)
		story(t, broker.Config{Brokers: engines.Brokers, Replication: len(engines.Brokers)}, fmt.Sprintf("conformance%d.s", time.Now().UnixNano()))
	})
}
