package rights_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/relais-fr/relais/services/hub"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/certificate"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

const password = "correct-horse-battery-staple"

// schemasTopic has the same name in every installation.
const schemasTopic = "_schemas"

// The ways to sign in.
const (
	byScram       = "SCRAM"
	byCertificate = "certificate"
)

// engine is a Kafka that asks who calls.
type engine struct {
	t       *testing.T
	name    string
	ways    []string
	brokers []string
	prefix  string
	node    int
	hub     *broker.Broker
	apache  *enginetest.Secured // nil for the embedded one
	topics  []string
	watch   time.Duration // how long who was revoked is watched
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func onEveryEngine(t *testing.T, test func(t *testing.T, e *engine)) {
	t.Run("embedded", func(t *testing.T) {
		embedded, err := hub.StartEmbedded(t.Context(), hub.EmbeddedConfig{KafkaAddr: "127.0.0.1:0", DataDir: t.TempDir(), Secure: true})
		must(t, err)
		t.Cleanup(func() { _ = embedded.Close() })
		e := &engine{t: t, name: "the embedded broker", ways: []string{byScram}, brokers: []string{embedded.KafkaAddr()}, prefix: "relais", watch: 2 * time.Second}
		e.connect(broker.Config{Brokers: e.brokers, Dial: embedded.Dial, Login: embedded.Login()})
		test(t, e)
	})
	t.Run("Apache Kafka", func(t *testing.T) {
		s := enginetest.NewSecured(t)
		e := &engine{
			t: t, name: "Apache Kafka", ways: []string{byScram, byCertificate}, brokers: s.Brokers, node: 1, apache: s,
			prefix: fmt.Sprintf("rights-%d", time.Now().UnixNano()), watch: revokedWithin + time.Second,
		}
		e.connect(broker.Config{Brokers: s.Brokers, Prefix: e.prefix, Login: broker.Login{User: s.User, Password: broker.Password(s.Password)}})
		t.Cleanup(e.remove)
		test(t, e)
	})
}

func (e *engine) connect(cfg broker.Config) {
	b, err := broker.New(cfg)
	must(e.t, err)
	e.hub = b
	e.t.Cleanup(func() { _ = b.Close() })
}

// remove leaves the cluster as it was.
func (e *engine) remove() {
	b, err := broker.New(broker.Config{Brokers: e.apache.Brokers, Prefix: e.prefix, Login: broker.Login{User: e.apache.User, Password: broker.Password(e.apache.Password)}})
	if err != nil {
		e.t.Error(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	errs := []error{b.DeleteTopics(ctx, e.topics...)}
	for _, id := range []string{"cnaf", "cpam", "cnafx", "denied", "nobody"} {
		errs = append(errs, b.ForgetParticipant(ctx, id), b.DeletePassword(ctx, id))
	}
	if err := errors.Join(append(errs, b.Close())...); err != nil {
		e.t.Error(err)
	}
}

// populate makes the hub's topics, and participants with theirs.
func (e *engine) populate(ids ...string) {
	e.t.Helper()
	names := []string{"from.offices", "from.hub", "to.offices", "to.hub", "submitted", "recorded", "deliveries", "quarantine", "directory", schemasTopic}
	all := map[string]bool{}
	for _, id := range append(ids, "nobody", "nobodyx", "cpamx", "deniedx") {
		if !all[id] {
			names = append(names, "from."+id, "to."+id)
		}
		all[id] = true
	}
	var specs []broker.TopicSpec
	for _, name := range names {
		full := e.full("topic", name)
		specs = append(specs, broker.TopicSpec{Name: full, Partitions: 1, Settings: map[string]string{"retention.ms": "-1"}})
		e.topics = append(e.topics, full)
	}
	must(e.t, e.hub.EnsureTopics(e.t.Context(), specs...))
	for _, id := range ids {
		must(e.t, e.hub.AllowParticipant(e.t.Context(), id))
		e.signUp(id)
	}
}

func (e *engine) signUp(id string) { must(e.t, e.hub.SetPassword(e.t.Context(), id, password)) }

// settle waits until every broker knows the rights: a cluster's tell each other.
func (e *engine) settle() {
	e.t.Helper()
	if e.apache == nil {
		return
	}
	ctx, cancel := context.WithTimeout(e.t.Context(), 20*time.Second)
	defer cancel()
	for {
		allowedNow, err := fetch(ctx, e.caller("cnaf", byScram), e.full("topic", "to.cnaf"))
		deniedNow, err2 := fetch(ctx, e.caller("denied", byScram), e.full("topic", "to.denied"))
		if err == nil && err2 == nil && !isNo(allowedNow) && isNo(deniedNow) {
			return
		}
		if ctx.Err() != nil {
			e.t.Fatalf("the rights are not known after 20 s: %v, %v", err, err2)
		}
	}
}

// full is a resource's name at the engine.
func (e *engine) full(kind, name string) string {
	if kind == "topic" && name != schemasTopic {
		return e.hub.Topic(name)
	}
	return name
}

// shown are the topics that somebody may know of.
func (e *engine) shown(who string) []string {
	if who != "cnaf" && who != "cpam" {
		return nil
	}
	return []string{e.hub.Topic("from." + who), e.hub.Topic("to." + who)}
}

func (e *engine) scram(user, password string) []kgo.Opt {
	return []kgo.Opt{kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism())}
}

// tls is by a certificate, or by none.
func (e *engine) tls(files *enginetest.Certificate) []kgo.Opt {
	var pair *certificate.Pair
	if files != nil {
		var err error
		pair, err = certificate.Open(files.CertFile, files.KeyFile, slog.New(slog.DiscardHandler))
		must(e.t, err)
	}
	c, err := certificate.Client(e.apache.CA, pair)
	must(e.t, err)
	c.ServerName = "localhost"
	return []kgo.Opt{kgo.DialTLSConfig(c)}
}

// foreign is a certificate that somebody else has signed.
func (e *engine) foreign(t *testing.T, _ string) *enginetest.Certificate {
	c := enginetest.NewCertificate(t)
	return &c
}

// opts are how somebody signs in.
func (e *engine) opts(who, how string) []kgo.Opt {
	e.t.Helper()
	if how == byCertificate {
		files := e.apache.Certificate(e.t, who)
		return append(e.tls(&files), kgo.SeedBrokers(e.apache.BrokersTLS...))
	}
	return append(e.scram(who, password), kgo.SeedBrokers(e.brokers...))
}

// tryIn asks for what everybody may have who has come in.
func (e *engine) tryIn(opts ...kgo.Opt) error {
	e.t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.RetryTimeout(time.Second), kgo.RequestRetries(0))...)
	if err != nil {
		return err // franz-go itself refuses an empty password
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(e.t.Context(), 5*time.Second)
	defer cancel()
	return c.Ping(ctx)
}

// caller is a client that somebody who is not us has written: raw requests, as of
// Kafka 3.0, when topics still had names in them.
type caller struct {
	e    *engine
	to   *kgo.Broker
	node int
}

func (e *engine) caller(who, how string) *caller {
	e.t.Helper()
	c, err := kgo.NewClient(append(e.opts(who, how), kgo.MaxVersions(kversion.V3_0_0()))...)
	must(e.t, err)
	e.t.Cleanup(c.Close)
	must(e.t, c.Ping(e.t.Context()))
	return &caller{e: e, to: c.Broker(e.node), node: e.node}
}

func ask[A kmsg.Response](ctx context.Context, c *caller, q kmsg.Request) (a A, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	res, err := c.to.Request(ctx, q)
	if err != nil {
		return a, fmt.Errorf("%T: %w", q, err)
	}
	return res.(A), nil
}

// visible are the topics that somebody is shown who asks for all.
func (c *caller) visible(ctx context.Context) (names []string, err error) {
	a, err := ask[*kmsg.MetadataResponse](ctx, c, kmsg.NewPtrMetadataRequest())
	if err != nil {
		return nil, err
	}
	for _, t := range a.Topics {
		names = append(names, *t.Topic)
	}
	slices.Sort(names)
	return names, nil
}

func (c *caller) groups(ctx context.Context) (names []string, err error) {
	a, err := ask[*kmsg.ListGroupsResponse](ctx, c, kmsg.NewPtrListGroupsRequest())
	if err != nil {
		return nil, err
	}
	for _, g := range a.Groups {
		names = append(names, g.Group)
	}
	return names, nil
}
