package hub

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/certificate"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

func secured(c *EmbeddedConfig) { c.Secure = true }

// own is the services' client of a secured broker.
func own(t *testing.T, e *Embedded) *broker.Broker {
	t.Helper()
	b, err := broker.New(broker.Config{Brokers: []string{e.KafkaAddr()}, Dial: e.Dial, Login: e.Login(), DrainTimeout: time.Second})
	must(t, err)
	t.Cleanup(func() { _ = b.Close() })
	return b
}

const cnafPassword = "correct-horse-battery-staple"

// admitted makes a participant's topics, rights and password.
func admitted(t *testing.T, b *broker.Broker, ids ...string) {
	t.Helper()
	for _, id := range ids {
		for _, topic := range []string{"from.", "to."} {
			must(t, b.EnsureTopics(t.Context(), broker.TopicSpec{Name: b.Topic(topic + id), Partitions: 3, Settings: map[string]string{"retention.ms": "-1"}}))
		}
		must(t, b.AllowParticipant(t.Context(), id))
		must(t, b.SetPassword(t.Context(), id, cnafPassword))
	}
}

// tool runs a program that may fail, and returns what it printed.
func tool(t *testing.T, input, path string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestKcatSignsInAndDoesWhatItMay(t *testing.T) {
	t.Parallel()
	kcat := enginetest.Program(t, "kcat")
	e := startEmbedded(t, secured, inFolder(t.TempDir()))
	b := own(t, e)
	admitted(t, b, "cnaf", "cpam")
	produce(t, b, broker.Record{Topic: "relais.to.cnaf", Partition: 1, Key: []byte("k"), Value: []byte("for cnaf")})
	produce(t, b, broker.Record{Topic: "relais.to.cpam", Partition: 1, Key: []byte("k"), Value: []byte("for cpam")})
	var all sync.WaitGroup // side by side: refusals take kcat a second or two each
	for _, mechanism := range mechanisms {
		as := func(user, password string, args ...string) []string {
			return append([]string{
				"-q", "-b", e.KafkaAddr(), "-X", "security.protocol=SASL_PLAINTEXT", "-X", "sasl.mechanisms=" + mechanism,
				"-X", "sasl.username=" + user, "-X", "sasl.password=" + password,
			}, args...)
		}
		for _, c := range []struct {
			name, input string
			args        []string
			want        string // "" for nothing but success
			fails       bool
		}{
			{"writes its way in", "cnaf.1:one\n", as("cnaf", cnafPassword, "-P", "-t", "relais.from.cnaf", "-K:"), "", false},
			{"reads its way out", "", as("cnaf", cnafPassword, "-C", "-t", "relais.to.cnaf", "-o", "beginning", "-e"), "for cnaf", false},
			{"reads in a group of its own", "", as("cnaf", cnafPassword, "-G", "cnaf."+strings.ToLower(mechanism), "-c", "1", "-X", "auto.offset.reset=earliest", "relais.to.cnaf"), "for cnaf", false},
			{"does not read another's", "", as("cnaf", cnafPassword, "-C", "-t", "relais.to.cpam", "-o", "beginning", "-e", "-X", "topic.metadata.propagation.max.ms=500"), "", true},
			{"does not write another's", "cnaf.1:one\n", as("cnaf", cnafPassword, "-P", "-t", "relais.from.cpam", "-K:", "-X", "message.timeout.ms=2000", "-X", "topic.metadata.propagation.max.ms=500"), "", true},
			{"does not sign in with another password", "", as("cnaf", "wrong-"+cnafPassword, "-L", "-m", "1"), "", true},
			{"does not sign in as nobody", "", as("nobody", cnafPassword, "-L", "-m", "1"), "", true},
			{"does not come in without", "", []string{"-q", "-b", e.KafkaAddr(), "-L", "-m", "1"}, "", true},
		} {
			all.Go(func() {
				out, err := tool(t, c.input, kcat, c.args...)
				if (err != nil) != c.fails || !strings.Contains(out, c.want) || strings.Contains(out, "for cpam") {
					t.Errorf("%s %s: %v, %s", mechanism, c.name, err, out)
				}
			})
		}
	}
	all.Wait()
	if n := e.TurnedAway(); n[reasonRefused] == 0 || n[reasonNotSignedIn] == 0 {
		t.Errorf("turned away: %v", n)
	}
}

func TestPlainIsRefused(t *testing.T) {
	e := startEmbedded(t, secured)
	admitted(t, own(t, e), "cnaf")
	for _, with := range []plain.Auth{{User: "cnaf", Pass: cnafPassword}, {User: "nobody"}, {User: superuser}} {
		client, err := kgo.NewClient(kgo.SeedBrokers(e.KafkaAddr()), kgo.SASL(with.AsMechanism()), kgo.RetryTimeout(time.Second))
		must(t, err)
		if err := client.Ping(t.Context()); err == nil {
			t.Errorf("%s came in by PLAIN", with.User)
		}
		client.Close()
	}
}

func TestUsersAndRightsSurviveARestart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	// A folder that was made without asking who calls is taken over.
	must(t, startEmbedded(t, inFolder(dir)).Close())
	for run := range 3 {
		e := startEmbedded(t, secured, inFolder(dir))
		b := own(t, e)
		if run == 0 {
			admitted(t, b, "cnaf", "cpam")
			must(t, b.DenyParticipant(t.Context(), "cpam"))
		}
		as := func(user, password string) *broker.Broker {
			b, err := broker.New(broker.Config{Brokers: []string{e.KafkaAddr()}, Login: broker.Login{User: user, Password: broker.Password(password)}, DrainTimeout: time.Second})
			must(t, err)
			t.Cleanup(func() { _ = b.Close() })
			return b
		}
		if _, err := as("cnaf", cnafPassword).Produce(t.Context(), broker.Record{Topic: "relais.from.cnaf", Value: []byte("x")}); err != nil {
			t.Errorf("run %d: cnaf: %v", run, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, err := as("cpam", cnafPassword).Produce(ctx, broker.Record{Topic: "relais.from.cpam", Value: []byte("x")}); err == nil {
			t.Errorf("run %d: cpam has written after its denial", run)
		}
		cancel()
		ctx, cancel = context.WithTimeout(t.Context(), 500*time.Millisecond)
		if err := as("cnaf", "wrong-"+cnafPassword).Ping(ctx); err == nil {
			t.Errorf("run %d: a wrong password is good", run)
		}
		cancel()
		must(t, errors.Join(b.Close(), e.Close()))
	}
	for _, name := range []string{"sasl.json", "acls.json"} {
		if _, err := os.Stat(filepath.Join(dir, "kafka", name)); err != nil {
			t.Errorf("the broker keeps its users and rights elsewhere now: %v", err)
		}
	}
}

func TestTheKafkaDoorSpeaksTLS(t *testing.T) {
	files := enginetest.NewCertificate(t)
	pair, err := certificate.Open(files.CertFile, files.KeyFile, slog.New(slog.DiscardHandler))
	must(t, err)
	e := startEmbedded(t, secured, func(c *EmbeddedConfig) { c.TLS = pair.Server() })
	admitted(t, own(t, e), "cnaf")
	with, err := certificate.Client(files.CertFile, nil)
	must(t, err)
	login := broker.Login{User: "cnaf", Password: broker.Password(cnafPassword), TLS: with}
	b, err := broker.New(broker.Config{Brokers: []string{e.KafkaAddr()}, Login: login})
	must(t, err)
	defer func() { _ = b.Close() }()
	if _, err := b.Produce(t.Context(), broker.Record{Topic: "relais.from.cnaf", Value: []byte("x")}); err != nil {
		t.Error(err)
	}
	login.TLS = nil
	inClear, err := broker.New(broker.Config{Brokers: []string{e.KafkaAddr()}, Login: login})
	must(t, err)
	defer func() { _ = inClear.Close() }()
	if inClear.Ping(t.Context()) == nil {
		t.Error("the door speaks in the clear too")
	}
}

// The most used client of Python, whose library is the one that most languages have.
func TestConfluentsPythonClientSignsIn(t *testing.T) {
	t.Parallel()
	python := enginetest.Python(t, "confluent_kafka")
	e := startEmbedded(t, secured)
	b := own(t, e)
	admitted(t, b, "cnaf")
	produce(t, b, broker.Record{Topic: "relais.to.cnaf", Partition: 1, Value: []byte("for cnaf")})
	out, err := tool(t, pythonClient, python, "-", e.KafkaAddr(), cnafPassword)
	if want := "written\nread for cnaf\nrefused _AUTHENTICATION\n"; err != nil || out != want {
		t.Errorf("got %v:\n%s", err, out)
	}
}

const pythonClient = `
import sys
from confluent_kafka import Producer, Consumer, KafkaException
from confluent_kafka.admin import AdminClient
def config(password, **more):
    return {"bootstrap.servers": sys.argv[1], "security.protocol": "SASL_PLAINTEXT", "sasl.mechanisms": "SCRAM-SHA-512",
            "sasl.username": "cnaf", "sasl.password": password, "log_level": 0, "reconnect.backoff.max.ms": 100, **more}
def delivered(error, message):
    print(error or "written")
p = Producer(config(sys.argv[2]))
p.produce("relais.from.cnaf", b"x", key=b"cnaf.1", on_delivery=delivered)
p.flush(10)
c = Consumer(config(sys.argv[2], **{"group.id": "cnaf.python", "auto.offset.reset": "earliest"}))
c.subscribe(["relais.to.cnaf"])
m = c.poll(15)
print("read", m.value().decode() if m is not None and not m.error() else m and m.error())
c.close()
said = []
wrong = AdminClient({**config("wrong-" + sys.argv[2]), "error_cb": lambda e: said.append(e.name())})
try:
    wrong.list_topics(timeout=1)
    print("came in")
except KafkaException as e:
    wrong.poll(1)
    print("refused", said[0] if said else e)
`
