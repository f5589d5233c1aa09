package broker_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

const ownPassword = "the services' own"

// newGuarded is an embedded broker that asks who calls, and the services' client.
func newGuarded(t *testing.T) (*enginetest.Kafka, *broker.Broker) {
	t.Helper()
	k := enginetest.NewKafka(t, kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("SCRAM-SHA-512", "hub", ownPassword))
	return k, as(t, k, "hub", ownPassword)
}

// as is a client that signs in.
func as(t *testing.T, k *enginetest.Kafka, user, password string) *broker.Broker {
	t.Helper()
	return newBroker(t, k, func(c *broker.Config) { c.Login = broker.Login{User: user, Password: broker.Password(password)} })
}

func rightsOf(t *testing.T, b *broker.Broker, id string) []string {
	t.Helper()
	rights, err := b.Rights(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, r := range rights {
		line := r.Verb + " " + r.Resource
		if r.Denied {
			line = "no " + line
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

func TestAParticipantHasItsRightsUntilTheyAreDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, b := newGuarded(t)
		allowed := []string{
			"Delete group cnaf", "Delete group cnaf.*", "Describe group cnaf", "Describe group cnaf.*",
			"Describe topic relais.from.cnaf", "Describe topic relais.to.cnaf",
			"Read group cnaf", "Read group cnaf.*", "Read topic relais.to.cnaf", "Write topic relais.from.cnaf",
		}
		denied := []string{"no All cluster kafka-cluster", "no All group *", "no All topic *", "no All transactionalid *"}
		steps := []struct {
			name string
			do   func() error
			want []string
		}{
			{"nothing is said of it at first", func() error { return nil }, nil},
			{"allowed", func() error { return b.AllowParticipant(t.Context(), "cnaf") }, allowed},
			{"allowed again", func() error { return b.AllowParticipant(t.Context(), "cnaf") }, allowed},
			{"denied", func() error { return b.DenyParticipant(t.Context(), "cnaf") }, slices.Concat(allowed, denied)},
			{"denied again", func() error { return b.DenyParticipant(t.Context(), "cnaf") }, slices.Concat(allowed, denied)},
			{"allowed after a denial", func() error { return b.AllowParticipant(t.Context(), "cnaf") }, allowed},
			{"another is forgotten", func() error { return b.ForgetParticipant(t.Context(), "cpam") }, allowed},
			{"forgotten", func() error { return b.ForgetParticipant(t.Context(), "cnaf") }, nil},
			{"forgotten again", func() error { return b.ForgetParticipant(t.Context(), "cnaf") }, nil},
		}
		for _, s := range steps {
			if err := s.do(); err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
			if diff := cmp.Diff(s.want, rightsOf(t, b, "cnaf")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", s.name, diff)
			}
		}
	})
}

func TestAParticipantSignsInUntilItsPasswordIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, b := newGuarded(t)
		const first, second = "correct-horse-battery", "staple-horse-battery"
		signsIn := func(password string) bool { return as(t, k, "cnaf", password).Ping(t.Context()) == nil }
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		if signsIn(first) {
			t.Error("it signs in before it has a password")
		}
		must(b.SetPassword(t.Context(), "cnaf", first))
		if !signsIn(first) || signsIn(second) || signsIn("") {
			t.Error("it does not sign in with its password, or does with another")
		}
		must(b.SetPassword(t.Context(), "cnaf", second))
		if signsIn(first) || !signsIn(second) {
			t.Error("the old password is good after a new one, or the new one is not")
		}
		must(b.DeletePassword(t.Context(), "cnaf"))
		must(b.DeletePassword(t.Context(), "cnaf"))
		if signsIn(second) {
			t.Error("it signs in with a password that was deleted")
		}
	})
}

func TestWhoIsNoParticipantGetsNoRights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, b := newGuarded(t)
		for _, id := range []string{"", "*", "hub", "offices", "ANONYMOUS", "anonymous", "Admin", "a.b", "a b", "a,CN=b", "relais", strings.Repeat("a", 129)} {
			for what, err := range map[string]error{
				"allow": b.AllowParticipant(t.Context(), id), "deny": b.DenyParticipant(t.Context(), id), "forget": b.ForgetParticipant(t.Context(), id),
				"password": b.SetPassword(t.Context(), id, "correct-horse-battery"), "no password": b.DeletePassword(t.Context(), id),
			} {
				if !errors.Is(err, broker.ErrNoParticipant) {
					t.Errorf("%s %q: got %v", what, id, err)
				}
			}
		}
		for _, password := range []string{"", "short", "with a space in it", "été-été-été-été", strings.Repeat("a", 201)} {
			if err := b.SetPassword(t.Context(), "cnaf", password); err == nil {
				t.Errorf("the password %q was taken", password)
			}
		}
	})
}

func TestWhoIsNoSuperUserIsToldSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, b := newGuarded(t)
		if err := b.SetPassword(t.Context(), "cnaf", "correct-horse-battery"); err != nil {
			t.Fatal(err)
		}
		cnaf := as(t, k, "cnaf", "correct-horse-battery")
		for what, err := range map[string]error{
			"allow": cnaf.AllowParticipant(t.Context(), "cpam"), "deny": cnaf.DenyParticipant(t.Context(), "cpam"), "forget": cnaf.ForgetParticipant(t.Context(), "cpam"),
			"password": cnaf.SetPassword(t.Context(), "cpam", "correct-horse-battery"), "no password": cnaf.DeletePassword(t.Context(), "cpam"),
		} {
			if !errors.Is(err, kafka.ClusterAuthorizationFailed) || !strings.Contains(err.Error(), "super users") {
				t.Errorf("%s: got %v", what, err)
			}
		}
	})
}

func TestAPasswordThatChangesIsUsedByTheNextConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, b := newGuarded(t)
		const first, second = "correct-horse-battery", "staple-horse-battery"
		password := first
		if err := b.SetPassword(t.Context(), "cnaf", first); err != nil {
			t.Fatal(err)
		}
		cnaf := newBroker(t, k, func(c *broker.Config) {
			c.Login = broker.Login{User: "cnaf", Password: func() (string, error) { return password, nil }}
		})
		if err := cnaf.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := b.SetPassword(t.Context(), "cnaf", second); err != nil {
			t.Fatal(err)
		}
		if password = second; cnaf.Ping(t.Context()) != nil {
			t.Error("the new password is not used")
		}
	})
}
