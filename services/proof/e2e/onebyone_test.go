//go:build unix

package e2e

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/relais-fr/relais/services/internal/enginetest"
	"github.com/relais-fr/relais/services/internal/ports"
)

// doorsShut is how long a suspension may take to reach whoever is in.
const doorsShut = 5 * time.Second

// TestParticipantComesAndGoesAtServicesOneByOneToASecuredKafka starts the services as
// processes of their own, as deploy/local says, on an Apache Kafka that asks who calls,
// with TLS on every door. The key that the
// services have for the registry opens nothing else. An operator is let in by hubctl and works with what that has
// printed and with nothing else; then its secrets change, it is suspended, let in
// again, and removed for good.
func TestParticipantComesAndGoesAtServicesOneByOneToASecuredKafka(t *testing.T) {
	s := startOneByOne(t)
	s.servicesKey()
	who := "essai-" + strings.ToLower(rand.Text()[:8])

	said, code := s.hubctl("participant", "add", who, "--role", "operator", "--name", "On trial")
	if code != 0 {
		t.Fatalf("it is not let in:\n%s", said)
	}
	first := s.told(who, said)
	if protocol := first.of["protocol"]; protocol != "SASL_SSL" {
		t.Errorf("it is told to sign in by %s", protocol)
	}
	if err := first.exchanges(); err != nil {
		t.Fatalf("with what was printed: %v", err)
	}
	if status := first.asks("/v1/mailbox"); status != http.StatusOK {
		t.Errorf("its mailbox answers %d", status)
	}
	if status, subjects := first.registry("/subjects"); status != http.StatusOK || !strings.Contains(subjects, "ReferralMade") {
		t.Errorf("the registry answers %d %s: the services sign in there, and register what they write with", status, subjects)
	}
	if err := first.writes("relais.from.cnaf"); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("to somebody else's topic: %v", err)
	}

	said, code = s.hubctl("participant", "rotate", who, "--overlap", "0s")
	if code != 0 {
		t.Fatalf("its secrets are not changed:\n%s", said)
	}
	second := s.told(who, said)
	s.soon("the old password signs nobody in", func() bool { return errors.Is(first.signsIn(), kerr.SaslAuthenticationFailed) })
	s.soon("the old key opens nothing", func() bool { return first.asks("/v1/mailbox") == http.StatusUnauthorized })
	s.soon("the new key opens what the old one did", func() bool { return second.asks("/v1/mailbox") == http.StatusOK })
	if err := second.exchanges(); err != nil {
		t.Errorf("with the new password: %v", err)
	}

	open := second.client()
	suspended := time.Now()
	if said, code = s.hubctl("participant", "suspend", who); code != 0 || !strings.Contains(said, "every door is shut") {
		t.Fatalf("it is not suspended: %s", said)
	}
	s.soon("a connection that was open before writes no more", func() bool {
		return errors.Is(second.write(open, second.of["writes to"]), kerr.TopicAuthorizationFailed)
	})
	s.soon("its key opens nothing", func() bool { return second.asks("/v1/mailbox") == http.StatusUnauthorized })
	if took := time.Since(suspended); took > doorsShut {
		t.Errorf("it takes %v until its doors are shut", took)
	}

	if said, code = s.hubctl("participant", "resume", who); code != 0 {
		t.Fatalf("it is not let in again: %s", said)
	}
	s.soon("its key opens its doors again", func() bool { return second.asks("/v1/mailbox") == http.StatusOK })
	s.soon("its password is good again", func() bool { return second.exchanges() == nil })

	if said, code = s.hubctl("participant", "remove", who); code != 0 {
		t.Fatalf("it is not removed: %s", said)
	}
	s.soon("its password signs nobody in", func() bool { return errors.Is(second.signsIn(), kerr.SaslAuthenticationFailed) })
	if err := second.write(open, second.of["writes to"]); err == nil {
		t.Error("it still writes by a connection that was open before")
	}
	s.soon("its key opens nothing any more", func() bool { return second.asks("/v1/mailbox") == http.StatusUnauthorized })
	for _, again := range [][]string{
		{"participant", "add", who, "--role", "operator", "--name", "Another"},
		{"participant", "rotate", who},
		{"participant", "resume", who},
		{"participant", "suspend", who},
	} {
		if said, code = s.hubctl(again...); code != 1 || !strings.Contains(said, "was closed on") {
			t.Errorf("hubctl %s ends with %d:\n%s", strings.Join(again, " "), code, said)
		}
	}
}

// servicesKey tries the key that every service has at the doors that are not for it.
func (s *oneByOne) servicesKey() {
	s.t.Helper()
	p := &admitted{s: s, who: "hub", of: map[string]string{
		"API key": strings.TrimSpace(read(s.t, filepath.Join(s.dir, "hub.key"))), "registry": s.doors["RELAIS_REGISTRY_URL"],
	}}
	if status, said := p.registry("/subjects"); status != http.StatusOK {
		s.t.Errorf("the registry answers the services with %d %s", status, said)
	}
	for _, path := range []string{"/v1/participants", "/v1/directory/settings", "/v1/mailbox", "/v1/quarantine", "/v1/audit", "/v1/deliveries"} {
		if status := p.asks(path); status != http.StatusUnauthorized && status != http.StatusForbidden {
			s.t.Errorf("%s answers the services' key with %d", path, status)
		}
	}
}

// oneByOne is the services as processes of their own.
type oneByOne struct {
	t     *testing.T
	dir   string
	doors map[string]string // what `. env` sets
	http  *http.Client
	tls   *tls.Config
}

// startOneByOne starts them on the Kafka of RELAIS_SECURED, with topics of their own.
func startOneByOne(t *testing.T) *oneByOne {
	t.Helper()
	kafka := enginetest.NewSecured(t)
	s := &oneByOne{t: t, dir: kafka.Dir, doors: map[string]string{}}
	first, release, err := ports.Take(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("RELAIS_PREFIX", "one-"+strings.ToLower(rand.Text()[:8]))
	t.Setenv("RELAIS_PARTITIONS", "2")
	t.Cleanup(func() {
		defer release()
		logs, err := filepath.Glob(filepath.Join(s.dir, "log", "*.log"))
		h := &hub{logs: ownLogs(logs)}
		for _, log := range h.logs {
			err = errors.Join(err, enginetest.RunScript("service", "stop", strings.TrimSuffix(filepath.Base(log), ".log"), "--data", s.dir))
		}
		if err = errors.Join(err, enginetest.RunScript("redis", "stop", "--data", s.dir), h.complaint()); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(h.lastLog(10))
		}
		// The next ones have ports, and logs, of their own.
		for _, path := range append(h.logs, filepath.Join(s.dir, "settings"), filepath.Join(s.dir, "redis")) {
			_ = os.RemoveAll(path)
		}
	})
	enginetest.Script(t, "up", "--secure", "--data", s.dir, "--port", fmt.Sprint(first), "--redis-port", fmt.Sprint(first+20))
	for line := range strings.Lines(read(t, filepath.Join(s.dir, "env"))) {
		name, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		if s.doors[name] = strings.Trim(value, "'"); name == "PATH" {
			delete(s.doors, name)
		}
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM([]byte(read(t, s.doors["RELAIS_CA"])))
	s.tls = &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}
	s.http = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: s.tls}}
	t.Cleanup(s.http.CloseIdleConnections)
	return s
}

// hubctl runs it as whoever has read the settings that `up` leaves, and gives all that
// it says.
func (s *oneByOne) hubctl(args ...string) (said string, code int) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), filepath.Join(s.dir, "bin", "hubctl"), args...)
	cmd.Env = hubCommand().Env
	for name, value := range s.doors {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		s.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// soon waits for what reaches a door within seconds.
func (s *oneByOne) soon(what string, met func() bool) {
	s.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); !met(); <-tick.C {
		if time.Since(begun) > 20*time.Second {
			s.t.Fatalf("20 s later still not: %s", what)
		}
	}
}

// admitted is a participant with what hubctl has printed for it.
type admitted struct {
	s   *oneByOne
	who string
	of  map[string]string // by the words before it
}

func (s *oneByOne) told(who, said string) *admitted {
	s.t.Helper()
	p := &admitted{s: s, who: who, of: map[string]string{}}
	for line := range strings.Lines(said) {
		// Two spaces, the word, two spaces or more.
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "  "), "  ")
		if ok && strings.HasPrefix(line, "  ") {
			p.of[name] = strings.TrimSpace(value)
		}
	}
	for _, name := range []string{"writes to", "reads from", "Kafka", "protocol", "user", "password", "API key", "registry"} {
		if p.of[name] == "" {
			s.t.Fatalf("it is not told its %s:\n%s", name, said)
		}
	}
	return p
}

// client is one of Kafka that signs in as it was told.
func (p *admitted) client(more ...kgo.Opt) *kgo.Client {
	p.s.t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(strings.Split(p.of["Kafka"], ",")...), kgo.DialTLSConfig(p.s.tls),
		kgo.SASL(scram.Auth{User: p.of["user"], Pass: p.of["password"]}.AsSha512Mechanism()),
		kgo.RequestRetries(1), kgo.MetadataMinAge(100 * time.Millisecond),
	}, more...)...)
	if err != nil {
		p.s.t.Fatal(err)
	}
	p.s.t.Cleanup(c.Close)
	return c
}

// signsIn opens a connection and asks for what everybody may have.
func (p *admitted) signsIn() error {
	c := p.client()
	defer c.Close()
	ctx, cancel := context.WithTimeout(p.s.t.Context(), 10*time.Second)
	defer cancel()
	return c.Ping(ctx)
}

// write writes what is no event.
func (p *admitted) write(c *kgo.Client, topic string) error {
	ctx, cancel := context.WithTimeout(p.s.t.Context(), 10*time.Second)
	defer cancel()
	return c.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("{}")}).FirstErr()
}

// writes does so on a topic by a connection of its own.
func (p *admitted) writes(topic string) error {
	topic = os.Getenv("RELAIS_PREFIX") + strings.TrimPrefix(topic, "relais")
	c := p.client()
	defer c.Close()
	return p.write(c, topic)
}

// exchanges hands in a referral and waits for its copy, as a member of a group.
func (p *admitted) exchanges() error {
	c := p.client(kgo.ConsumeTopics(p.of["reads from"]), kgo.ConsumerGroup(p.who+".e2e"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer c.Close()
	ctx, cancel := context.WithTimeout(p.s.t.Context(), 30*time.Second)
	defer cancel()
	e, _ := newReferral(p.who, "demo-1")
	handed := &kgo.Record{Topic: p.of["writes to"], Value: e.json(p.s.t), Headers: []kgo.RecordHeader{{Key: "content-type", Value: []byte(structured)}}}
	if err := c.ProduceSync(ctx, handed).FirstErr(); err != nil {
		return fmt.Errorf("hand in: %w", err)
	}
	for {
		got := c.PollFetches(ctx)
		if err := got.Err(); err != nil {
			return fmt.Errorf("read: %w", err)
		}
		for r := range got.RecordsAll() {
			if header(r, "ce_id") == e["id"] {
				return c.CommitRecords(ctx, r)
			}
		}
	}
}

// asks asks at a door of the hub with the key, and gives the status.
func (p *admitted) asks(path string) int {
	p.s.t.Helper()
	base := ""
	for i, door := range strings.Split(p.s.doors["RELAIS_HUB"], ",") {
		under, at, ok := strings.Cut(door, "=")
		switch {
		case i == 0:
			base = door
		case ok && under == path || strings.HasPrefix(path, under+"/"):
			base = at
		}
	}
	status, _ := p.get(base+path, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+p.of["API key"]) })
	return status
}

// registry asks the registry as its clients sign in: user and password.
func (p *admitted) registry(path string) (status int, said string) {
	p.s.t.Helper()
	return p.get(p.of["registry"]+path, func(r *http.Request) { r.SetBasicAuth(p.who, p.of["API key"]) })
}

func (p *admitted) get(address string, sign func(*http.Request)) (status int, said string) {
	p.s.t.Helper()
	r, err := http.NewRequestWithContext(p.s.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		p.s.t.Fatal(err)
	}
	sign(r)
	res, err := p.s.http.Do(r)
	if err != nil {
		p.s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		p.s.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}
