package rights_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/relais-fr/relais/services/hub"
	"github.com/relais-fr/relais/services/internal/config"
)

// secured is a whole hub that asks who calls, on free ports, and its admin.
type secured struct {
	t     *testing.T
	at    map[string]string // by door: http, kafka, registry
	admin string
}

func newSecured(t *testing.T) *secured {
	t.Helper()
	settings := config.DefaultHub()
	settings.Secure, settings.Data = true, t.TempDir()
	settings.HTTP, settings.Kafka, settings.Registry = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	told, out := io.Pipe()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		err := hub.New(settings, slog.New(slog.DiscardHandler), out, hub.Network{}).Run(ctx)
		_ = out.Close()
		ended <- err
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the hub ended: %v", err)
		}
	})
	h := &secured{t: t, at: map[string]string{}}
	for lines := bufio.NewScanner(told); lines.Scan() && lines.Text() != "ready"; {
		door, address, _ := strings.Cut(lines.Text(), " ")
		h.at[door] = address
	}
	key, err := os.ReadFile(filepath.Join(settings.Data, "admin.key"))
	must(t, err)
	h.admin = strings.TrimSpace(string(key))
	return h
}

// longPoll is asked with patience.
const longPoll = "/v1/mailbox?limit=10"

// ask asks at a door, and gives the status and what was said.
func (h *secured) ask(ctx context.Context, key, method, path, body string) (int, []byte, error) {
	base := h.at["http"]
	if strings.HasPrefix(path, "/subjects") || strings.HasPrefix(path, "/schemas") {
		base = h.at["registry"]
	}
	r, err := http.NewRequestWithContext(ctx, method, base+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+key)
	if path == longPoll {
		r.Header.Set("Prefer", "wait=60")
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	said, err := io.ReadAll(res.Body)
	return res.StatusCode, said, err
}

// lets lets a participant in, and gives its API key and password.
func (h *secured) lets(id string) (key, password string) {
	h.t.Helper()
	status, said, err := h.ask(h.t.Context(), h.admin, http.MethodPost, "/v1/participants",
		fmt.Sprintf(`{"id": %q, "name": "On trial", "role": "operator", "kafka": "scram", "http": "api_key"}`, id))
	must(h.t, err)
	var told struct {
		Kafka struct{ Password string }
		HTTP  struct {
			APIKey string `json:"api_key"`
		}
	}
	if status/100 != 2 || json.Unmarshal(said, &told) != nil || told.HTTP.APIKey == "" || told.Kafka.Password == "" {
		h.t.Fatalf("%s is not let in: %d %s", id, status, said)
	}
	return told.HTTP.APIKey, told.Kafka.Password
}

// opened is a connection that stays open until somebody shuts it.
type opened struct {
	name  string
	ended chan time.Time
}

// refusal is nil for the end that a client of Kafka should come to.
func refusal(err error) error {
	if errors.Is(err, kerr.TopicAuthorizationFailed) {
		return nil
	}
	return err
}

// TestASuspensionShutsEveryDoorOfTheHub lets two operators in, opens everything that
// stays open, and suspends one of them.
func TestASuspensionShutsEveryDoorOfTheHub(t *testing.T) {
	h := newSecured(t)
	key, password := h.lets("essai")
	otherKey, _ := h.lets("temoin")
	kafka := func(more ...kgo.Opt) *kgo.Client {
		c, err := kgo.NewClient(append([]kgo.Opt{
			kgo.SeedBrokers(h.at["kafka"]), kgo.SASL(scram.Auth{User: "essai", Pass: password}.AsSha512Mechanism()),
			kgo.MetadataMinAge(100 * time.Millisecond), kgo.RequestRetries(0), kgo.KeepRetryableFetchErrors(),
		}, more...)...)
		must(t, err)
		t.Cleanup(c.Close)
		return c
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	var all []opened
	open := func(name string, until func() error) {
		o := opened{name, make(chan time.Time, 1)}
		all = append(all, o)
		running.Go(func() {
			if err := until(); err != nil && ctx.Err() == nil {
				t.Errorf("%s: %v", name, err)
			}
			o.ended <- time.Now()
		})
	}
	stream := func(who string) func() error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.at["http"]+"/v1/stream", nil)
		must(t, err)
		r.Header.Set("Authorization", "Bearer "+who)
		res, err := http.DefaultClient.Do(r) //nolint:bodyclose // below, when it has ended
		must(t, err)
		if res.StatusCode != http.StatusOK {
			t.Fatalf("the stream is answered with %s", res.Status)
		}
		return func() error {
			defer func() { _ = res.Body.Close() }()
			said, err := io.ReadAll(res.Body)
			if !bytes.Contains(said, []byte("not_signed_in")) {
				err = fmt.Errorf("it said %q: %w", said, err)
			}
			return err
		}
	}
	open("a stream", stream(key))
	open("a long poll", func() error {
		status, said, err := h.ask(ctx, key, http.MethodGet, longPoll, "")
		if err == nil && status != http.StatusUnauthorized {
			return fmt.Errorf("%d %s", status, said)
		}
		return err
	})
	open("an upload of lines", func() error {
		body, sender := io.Pipe()
		defer func() { _ = sender.Close() }()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.at["http"]+"/v1/events", body)
		must(t, err)
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("Content-Type", "application/x-ndjson")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		defer func() { _ = res.Body.Close() }()
		_, err = io.ReadAll(res.Body)
		return err
	})
	reading := kafka(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"relais.to.essai": {0: kgo.NewOffset().AtStart()}}))
	open("a consumer", func() error {
		for ctx.Err() == nil {
			if err := reading.PollFetches(ctx).Err(); err != nil {
				return refusal(err)
			}
		}
		return ctx.Err()
	})
	writing := kafka()
	write := func() error {
		return writing.ProduceSync(ctx, &kgo.Record{Topic: "relais.from.essai", Value: []byte("{}")}).FirstErr()
	}
	must(t, write())
	open("a producer", func() error {
		for ctx.Err() == nil {
			if err := write(); err != nil {
				return refusal(err)
			}
			pause(ctx)
		}
		return ctx.Err()
	})
	others := opened{"the stream of somebody else", make(chan time.Time, 1)}
	stay := stream(otherKey)
	running.Go(func() { _ = stay(); others.ended <- time.Now() })
	<-time.After(time.Second) // all of them wait for something now

	for _, o := range all {
		select {
		case <-o.ended:
			t.Fatalf("%s has ended before", o.name)
		default:
		}
	}
	suspended := time.Now()
	status, said, err := h.ask(ctx, h.admin, http.MethodPost, "/v1/participants/essai/suspend", "")
	if err != nil || status/100 != 2 {
		t.Fatalf("the suspension is answered with %d %s, %v", status, said, err)
	}
	limit := time.After(revokedWithin)
	worst := time.Duration(0)
	for _, o := range all {
		select {
		case at := <-o.ended:
			worst = max(worst, at.Sub(suspended))
		case <-limit:
			t.Errorf("%s is still open %v after the suspension", o.name, revokedWithin)
			limit = time.After(0)
		}
	}
	select {
	case <-others.ended:
		t.Error("somebody else's stream ended too")
	default:
	}
	for _, path := range []string{"/v1/mailbox", "/v1/stream", "/v1/deliveries", "/subjects"} {
		if status, said, err := h.ask(ctx, key, http.MethodGet, path, ""); err != nil || status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s, %v", path, status, said, err)
		}
	}
	if err := kafka().Ping(ctx); err == nil {
		if err := write(); err == nil {
			t.Error("it may still write")
		}
	}
	t.Logf("the last of %d open connections ended %v after the suspension was asked for", len(all), worst.Round(time.Millisecond))

	if status, said, err := h.ask(ctx, h.admin, http.MethodPost, "/v1/participants/essai/resume", ""); err != nil || status/100 != 2 {
		t.Fatalf("the resumption is answered with %d %s, %v", status, said, err)
	}
	await(t, "it may read its mailbox again", func() bool {
		status, _, err := h.ask(ctx, key, http.MethodGet, "/v1/mailbox", "")
		return err == nil && status == http.StatusOK
	})
}
