package router

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

// A replay of 60 events at 10 a second is cut off in its third second, as a lost
// connection would. It goes on with the last cursor it told, and in the end each
// event stands there, in order, in some six seconds all in all.
func TestAReplayThatWasCutOffGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		door, b := newReplayDoor(t)
		for i := range 60 {
			write(t, b, i)
		}
		// The ledger wrote some of them again: they are not replayed twice.
		for i := range 10 {
			write(t, b, 50+i)
		}
		started := time.Now()
		hangUp, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		cut := asked(hangUp, t, door, `{"dry_run":false,"rate":10}`)
		if cut.Done || cut.Problem == nil || cut.Cursor == "" {
			t.Fatalf("a replay that was cut off says %+v", cut)
		}
		rest := asked(t.Context(), t, door, fmt.Sprintf(`{"dry_run":false,"rate":10,"cursor":%q}`, cut.Cursor))
		if !rest.Done || rest.Events != 60 || rest.Replay != cut.Replay {
			t.Errorf("the rest says %+v", rest)
		}
		if took := time.Since(started).Round(time.Second); took != 6*time.Second {
			t.Errorf("60 events at 10 a second took %v", took)
		}
		var want []int64
		for i := range 60 {
			want = append(want, int64(i))
		}
		if diff := cmp.Diff(want, replayedTo(t, b, cut.Replay)); diff != "" {
			t.Errorf("the numbers on relais.to.cnaf (-want +got):\n%s", diff)
		}
	})
}

func TestOneReplayAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		door, b := newReplayDoor(t)
		for i := range 30 {
			write(t, b, i)
		}
		done := make(chan progress)
		go func() { done <- asked(t.Context(), t, door, `{"dry_run":false,"rate":10}`) }()
		<-time.After(time.Second)
		w := httptest.NewRecorder()
		door.ServeHTTP(w, request(t.Context(), `{"dry_run":false}`))
		if w.Code != http.StatusConflict {
			t.Errorf("a second replay at the same time is answered with %d %s", w.Code, w.Body)
		}
		if dry := asked(t.Context(), t, door, `{}`); !dry.Done || dry.Events != 30 {
			t.Errorf("a dry run beside it says %+v", dry)
		}
		if first := <-done; !first.Done || first.Events != 30 {
			t.Errorf("the first says %+v", first)
		}
	})
}

func newReplayDoor(t *testing.T) (http.Handler, *broker.Broker) {
	t.Helper()
	kafka := enginetest.NewKafka(t)
	b, err := broker.New(broker.Config{Brokers: []string{kafka.Addr}, Dial: kafka.Dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	settings := config.Default("127.0.0.1:0")
	settings.Partitions = 1
	topics := append(services.HubTopics(settings), services.ParticipantTopics(settings, "cnaf")...)
	if err := b.EnsureTopics(t.Context(), topics...); err != nil {
		t.Fatal(err)
	}
	cnaf := directory.Participant{ID: "cnaf", Name: "Cnaf", Role: schemas.RoleOperator}
	data, err := cnaf.Record()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Produce(t.Context(), broker.Record{Topic: b.Topic(directory.Topic), Key: []byte(data.Key), Value: data.Value, Time: time.Now()}); err != nil {
		t.Fatal(err)
	}
	view := directory.NewView()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	log := slog.New(slog.DiscardHandler)
	go func() { ended <- view.Run(ctx, b, log) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the view ended: %v", err)
		}
	})
	<-view.Ready()
	r, err := New(services.Host{
		Log: log, Metrics: prometheus.NewRegistry(), Broker: b, HTTP: http.NewServeMux(), Ready: services.NewReadiness(),
		Directory: view, Auth: auth.New(auth.Config{Development: true, Directory: view}), Settings: settings,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.host.HTTP, b
}

// write appends the outcome of a submission, as a ledger would.
func write(t *testing.T, b *broker.Broker, number int) {
	t.Helper()
	e := schemas.Event{
		ID: strconv.Itoa(number), Source: schemas.Source("cnaf", "test"), Type: schemas.TypeReferralAccepted, Subject: "cnaf.d",
		Extensions: map[string]string{
			schemas.AttrParties: "offices/demo-1,cnaf", schemas.AttrSubmittedPartition: "0", schemas.AttrSubmittedOffset: strconv.Itoa(number),
			schemas.AttrReceivedTime: "2026-05-14T09:30:00.000Z",
		},
	}
	if _, err := b.ProduceBatch(t.Context(), b.Topic("recorded"), 0, []broker.Record{{
		Topic: b.Topic("recorded"), Key: []byte("cnaf.d"), Headers: schemas.Headers(e), Time: time.Now(),
	}}); err != nil {
		t.Fatal(err)
	}
}

func request(ctx context.Context, body string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, replaysPath, bytes.NewReader([]byte(body)))
	r.Header.Set("Authorization", "Bearer dev-cnaf")
	return r
}

// asked asks for a replay and returns the last line of the answer.
func asked(ctx context.Context, t *testing.T, door http.Handler, body string) (last progress) {
	t.Helper()
	w := httptest.NewRecorder()
	door.ServeHTTP(w, request(ctx, body))
	if w.Code != http.StatusOK {
		t.Errorf("answered with %d %s", w.Code, w.Body)
	}
	for lines := bufio.NewScanner(w.Body); lines.Scan(); {
		last = progress{}
		if err := json.Unmarshal(lines.Bytes(), &last); err != nil {
			t.Errorf("%s: %v", lines.Bytes(), err)
		}
	}
	return last
}

// replayedTo are the numbers that a reader of relais.to.cnaf takes from a replay.
func replayedTo(t *testing.T, b *broker.Broker, replay string) (taken []int64) {
	t.Helper()
	topic := b.Topic("to.cnaf")
	end, err := b.RangeOf(t.Context(), topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	numbers := broker.Numbers{}
	for cursor := b.Cursor(topic, 0, 0); cursor.Position() < end.Next; {
		batch, err := cursor.Fetch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range batch.Records {
			if got := header(r, schemas.AttrReplay); got != replay {
				t.Errorf("a record of the replay %q", got)
			}
			number, err := strconv.ParseInt(header(r, schemas.AttrSubmittedOffset), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			if numbers.Take(0, number) {
				taken = append(taken, number)
			}
		}
	}
	return taken
}
