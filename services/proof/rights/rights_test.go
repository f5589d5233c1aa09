// Package rights_test tries every principal on every topic, group and power of
// Kafka, with the raw requests of a client that is not ours, on the embedded broker
// and on Apache Kafka. What is let through must be what the table says, no more and
// no less.
package rights_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// power is one thing that can be asked of Kafka, and whose ACL says no.
type power struct {
	name string
	ask  func(ctx context.Context, c *caller, on string) (code int16, err error)
}

// The table: what a participant may do, and where. `own` stands for its id.
var may = map[string][]string{
	"produce":           {"topic from.own"},
	"describe":          {"topic from.own", "topic to.own"},
	"fetch":             {"topic to.own"},
	"offsets":           {"topic from.own", "topic to.own"}, // where a partition begins and ends
	"join":              {"group own", "group own.x"},
	"commit":            {"group own", "group own.x"},
	"committed":         {"group own", "group own.x"},
	"describe group":    {"group own", "group own.x"},
	"delete group":      {"group own", "group own.x"},
	"become a producer": {"cluster"}, // the idempotent one, which is no right of its own
}

// resources are all that there is, with names as close to the own ones as can be.
func resources(own, other string) map[string][]string {
	topics := []string{
		"from." + own, "to." + own, "from." + other, "to." + other, "from." + own + "x", "to." + own + "x",
		"from.offices", "from.hub", "to.offices", "to.hub", "submitted", "recorded", "deliveries", "quarantine", "directory", "_schemas",
	}
	return map[string][]string{
		"topic":       topics,
		"group":       {own, own + ".x", other, other + ".x", own + "x", "relais.ledger", "ledger"},
		"transaction": {own, own + ".x", other},
		"cluster":     {"cluster"},
	}
}

// allowed says what the table says.
func allowed(who, verb, kind, name string) bool {
	if who != "cnaf" && who != "cpam" {
		return false // nobody in particular, or denied
	}
	if kind == "cluster" {
		return slices.Contains(may[verb], "cluster")
	}
	// A group of a participant is its id, or its id with a dot.
	own := kind + " " + name
	for _, where := range may[verb] {
		if own == strings.ReplaceAll(where, "own", who) {
			return true
		}
	}
	return false
}

// differs says where the embedded broker lets through what Apache Kafka refuses: a
// producer's number, for which any right to write is enough, outlives a denial. It
// is good for nothing: the produce itself is refused.
func (e *engine) differs(who, verb string) bool {
	return e.apache == nil && who == "denied" && verb == "become a producer"
}

func TestNothingIsAllowedAtKafkaThatTheTableDoesNotAllow(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e *engine) {
		e.populate("cnaf", "cpam", "cnafx", "denied")
		e.signUp("nobody") // who signs in, and may do nothing
		must(t, e.hub.DenyParticipant(t.Context(), "denied"))
		e.settle()
		var wrong sync.Map
		tried, let := 0, 0
		for _, how := range e.ways {
			for _, who := range []string{"cnaf", "cpam", "nobody", "denied"} {
				other := "cpam"
				if who == "cpam" {
					other = "cnaf"
				}
				c := e.caller(who, how)
				for kind, names := range resources(who, other) {
					for _, name := range names {
						for _, p := range powers[kind] {
							code, err := p.ask(t.Context(), c, e.full(kind, name))
							if err != nil {
								t.Fatalf("%s by %s: %s %s %s: %v", who, how, p.name, kind, name, err)
							}
							got, want := !isNo(code), allowed(who, p.name, kind, name) || e.differs(who, p.name)
							if tried++; got {
								let++
							}
							if got != want {
								wrong.Store(fmt.Sprintf("%s by %s: %s %s %s: let through %t, and should be %t (code %d)", who, how, p.name, kind, name, got, want, code), true)
							}
						}
					}
				}
				if seen, err := c.visible(t.Context()); err != nil || !slices.Equal(seen, e.shown(who)) {
					t.Errorf("%s by %s sees the topics %v, %v", who, how, seen, err)
				}
				if seen, err := c.groups(t.Context()); err != nil || slices.ContainsFunc(seen, func(g string) bool { return g != who && !strings.HasPrefix(g, who+".") }) {
					t.Errorf("%s by %s sees the groups %v, %v", who, how, seen, err)
				}
			}
		}
		wrong.Range(func(what, _ any) bool { t.Error(what); return true })
		t.Logf("%s: %d requests of 4 principals by %v, %d let through, all as the table says: %t", e.name, tried, e.ways, let, !t.Failed())
	})
}

// A client takes a sign-in that fails to be final, and on Apache Kafka a broker learns
// of a password after the controller has acknowledged it.
func TestAPasswordIsTakenAtOnceWhenItIsSet(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e *engine) {
		const tries = 20
		late := 0
		for range tries {
			fresh := rand.Text()
			must(t, e.hub.SetPassword(t.Context(), "cnaf", fresh))
			if err := e.tryIn(append(e.scram("cnaf", fresh), kgo.SeedBrokers(e.brokers...))...); err != nil {
				late++
				t.Log(err)
			}
		}
		if late > 0 {
			t.Errorf("%s: %d of %d passwords were not taken when they were set", e.name, late, tries)
		}
	})
}

// Who is not asked has no name, and no rights; on Apache Kafka who has no
// certificate of ours does not even come in.
func TestNobodyComesInWithoutAName(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e *engine) {
		e.populate("cnaf")
		for name, opts := range map[string][]kgo.Opt{
			"without signing in": {kgo.SeedBrokers(e.brokers...)},
			"another password":   append(e.scram("cnaf", "wrong-"+password), kgo.SeedBrokers(e.brokers...)),
			"no password":        append(e.scram("cnaf", ""), kgo.SeedBrokers(e.brokers...)),
			"an unknown user":    append(e.scram("stranger", password), kgo.SeedBrokers(e.brokers...)),
			"the hub's name":     append(e.scram("hub", password), kgo.SeedBrokers(e.brokers...)),
			"nobody's name":      append(e.scram("ANONYMOUS", password), kgo.SeedBrokers(e.brokers...)),
		} {
			if err := e.tryIn(opts...); err == nil {
				t.Errorf("%s: came in", name)
			}
		}
		if e.apache == nil {
			return
		}
		for name, opts := range map[string][]kgo.Opt{
			"no certificate":        e.tls(nil),
			"one of another signer": e.tls(e.foreign(t, "cnaf")),
		} {
			if err := e.tryIn(append(opts, kgo.SeedBrokers(e.apache.BrokersTLS...))...); err == nil {
				t.Errorf("%s: came in", name)
			}
		}
	})
}
