package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// shutWithin is how soon after its suspension everything is shut to a participant.
const shutWithin = 5 * time.Second

// team is a participant's IT team, with what it was told once.
type team struct {
	town     *town
	id       string
	key      string
	password string
}

// admin calls one of the participants' doors with the hub's own key.
func (w *town) admin(method, path, body string) (int, []byte) {
	w.t.Helper()
	key, err := os.ReadFile(filepath.Join(w.data, "admin.key"))
	if err != nil {
		w.t.Fatal(err)
	}
	status, answer, err := w.ask(w.t.Context(), method, "/v1/participants"+path, strings.TrimSpace(string(key)), strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	return status, answer
}

// ask sends a request with a key and reads the answer to its end, however long that
// takes.
func (w *town) ask(ctx context.Context, method, path, key string, body io.Reader, header ...string) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://127.0.0.1:8080"+path, body)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+key)
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := w.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

func (w *town) admit(id string) *team {
	w.t.Helper()
	status, answer := w.admin("POST", "", fmt.Sprintf(`{"id":%q}`, id))
	return w.told(id, status, answer)
}

func (w *town) told(id string, status int, answer []byte) *team {
	w.t.Helper()
	var told struct {
		Kafka struct{ Password string }
		HTTP  struct {
			Key string `json:"api_key"`
		}
	}
	if err := json.Unmarshal(answer, &told); err != nil || status/100 != 2 {
		w.t.Fatalf("%s: %d %s", id, status, answer)
	}
	return &team{town: w, id: id, key: told.HTTP.Key, password: told.Kafka.Password}
}

// kafka is a client that signs in with the team's password.
func (m *team) kafka(opts ...kgo.Opt) *kgo.Client {
	m.town.t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers("127.0.0.1:9092"), kgo.Dialer(m.town.network.DialContext),
		kgo.SASL(scram.Auth{User: m.id, Pass: m.password}.AsSha512Mechanism()),
		kgo.RetryTimeout(2 * time.Second), kgo.RecordDeliveryTimeout(2 * time.Second),
	}, opts...)...)
	if err != nil {
		m.town.t.Fatal(err)
	}
	return client
}

// writes says whether the team can write on its way in, on a new connection.
func (m *team) writes() error {
	client := m.kafka()
	defer client.Close()
	record := &kgo.Record{Topic: "relais.from." + m.id, Value: []byte("x")}
	return client.ProduceSync(m.town.t.Context(), record).FirstErr()
}

func (m *team) reads() int {
	m.town.t.Helper()
	status, _, err := m.town.ask(m.town.t.Context(), "GET", "/v1/mailbox", m.key, nil)
	if err != nil {
		m.town.t.Fatal(err)
	}
	return status
}

// opened is what a team has open, and when each of it ended.
type opened map[string]chan time.Time

// opens opens a stream, a long poll, an upload that does not end, and two clients of
// Kafka that read and write all the time.
func (m *team) opens(ctx context.Context) opened {
	all := opened{}
	start := func(name string, do func()) {
		ended := make(chan time.Time, 1)
		all[name] = ended
		go func() {
			do()
			ended <- time.Now()
		}()
	}
	start("stream", func() { _, _, _ = m.town.ask(ctx, "GET", "/v1/stream", m.key, nil) })
	start("long poll", func() { _, _, _ = m.town.ask(ctx, "GET", "/v1/mailbox", m.key, nil, "Prefer", "wait=60") })
	body, lines := io.Pipe()
	context.AfterFunc(ctx, func() { _ = lines.Close() })
	start("upload", func() {
		_, _, _ = m.town.ask(ctx, "POST", "/v1/events", m.key, body, "Content-Type", "application/x-ndjson")
		_ = body.Close()
	})
	start("Kafka reader", func() {
		// A fetch that waits at the broker is judged when it came: it ends with its own
		// wait, half a second with most clients, five with this one.
		client := m.kafka(kgo.ConsumeTopics("relais.to."+m.id), kgo.KeepRetryableFetchErrors(), kgo.FetchMaxWait(500*time.Millisecond))
		defer client.Close()
		for ctx.Err() == nil && len(client.PollFetches(ctx).Errors()) == 0 {
		}
	})
	start("Kafka writer", func() {
		client := m.kafka()
		defer client.Close()
		for ctx.Err() == nil && client.ProduceSync(ctx, &kgo.Record{Topic: "relais.from." + m.id, Value: []byte("x")}).FirstErr() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	return all
}

// areOpen says that nothing of it has ended.
func (o opened) areOpen(t *testing.T) {
	t.Helper()
	for name, ended := range o {
		select {
		case <-ended:
			t.Errorf("the %s has ended", name)
		default:
		}
	}
}

// TestASuspensionShutsEveryDoorToWhatIsOpenToo suspends, resumes, rotates and closes a
// participant of a whole hub that asks everybody who they are, while its neighbour
// goes on.
func TestASuspensionShutsEveryDoorToWhatIsOpenToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		town := emptyTown(t)
		town.secure = true
		town.start()
		defer func() { town.stop() }()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		cnaf, ants := town.admit("cnaf"), town.admit("ants")
		if status := cnaf.reads(); status != http.StatusOK || cnaf.writes() != nil {
			t.Fatalf("before: %d, %v", status, cnaf.writes())
		}
		open, neighbours := cnaf.opens(ctx), ants.opens(ctx)
		time.Sleep(10 * time.Second)
		open.areOpen(t)

		began := time.Now()
		if status, answer := town.admin("POST", "/cnaf/suspend", ""); status != http.StatusOK {
			t.Fatalf("suspend: %d %s", status, answer)
		}
		time.Sleep(shutWithin)
		for name, ended := range open {
			select {
			case at := <-ended:
				t.Logf("the %s ended %s after", name, at.Sub(began))
			default:
				t.Errorf("the %s is open %s after the suspension", name, shutWithin)
			}
		}
		neighbours.areOpen(t)
		if status := cnaf.reads(); status != http.StatusUnauthorized {
			t.Errorf("a new request: %d", status)
		}
		if err := cnaf.writes(); err == nil {
			t.Error("a new connection writes")
		}

		if status, answer := town.admin("POST", "/cnaf/resume", ""); status != http.StatusOK {
			t.Fatalf("resume: %d %s", status, answer)
		}
		if status, err := cnaf.reads(), cnaf.writes(); status != http.StatusOK || err != nil {
			t.Errorf("resumed: %d, %v", status, err)
		}

		status, answer := town.admin("POST", "/cnaf/rotate", `{"overlap":"0s"}`)
		renewed := town.told("cnaf", status, answer)
		if status, err := cnaf.reads(), cnaf.writes(); status != http.StatusUnauthorized || err == nil {
			t.Errorf("with the secrets of before: %d, %v", status, err)
		}
		if status, err := renewed.reads(), renewed.writes(); status != http.StatusOK || err != nil {
			t.Errorf("with the new ones: %d, %v", status, err)
		}

		if status, answer := town.admin("DELETE", "/cnaf", ""); status != http.StatusOK || bytes.Contains(answer, []byte("api_key")) {
			t.Fatalf("remove: %d %s", status, answer)
		}
		if status, err := renewed.reads(), renewed.writes(); status != http.StatusUnauthorized || err == nil {
			t.Errorf("closed: %d, %v", status, err)
		}
		neighbours.areOpen(t)
		if status, err := ants.reads(), ants.writes(); status != http.StatusOK || err != nil {
			t.Errorf("its neighbour: %d, %v", status, err)
		}
		cancel()
		for _, ended := range neighbours {
			<-ended
		}
	})
}
