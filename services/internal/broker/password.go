package broker

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/relais-fr/relais/services/internal/pause"
)

// scramIterations is Kafka's least, and the only number that the embedded broker
// can do. The passwords are random ones of ours: nobody guesses them.
const scramIterations = 4096

// SetPassword lets a participant sign in by SCRAM, with SHA-512 or SHA-256. The
// cluster keeps what a password can be checked with, and never sees it. Who is
// signed in stays so. When it returns, every broker that can be reached takes the
// password.
func (b *Broker) SetPassword(ctx context.Context, id, password string) error {
	err := b.mayBeParticipant(id)
	if err == nil {
		err = b.setPassword(ctx, id, password)
	}
	if err == nil {
		err = b.awaitPassword(ctx, id, password)
	}
	return about("set the password of", id, err)
}

// awaitPassword waits until the brokers take a password: the controller acknowledges
// it, and they learn it from the controller's log a moment later. Clients take a
// sign-in that fails to be final. It signs in where the hub itself does; a hub without
// a password of its own knows no such place, and does not wait.
func (b *Broker) awaitPassword(ctx context.Context, id, password string) error {
	if b.cfg.Login.User == "" {
		return nil
	}
	mechanism, err := scram.Mechanism(scram.SHA512, id, password)
	if err != nil {
		return err
	}
	cluster, err := b.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{}})
	if err != nil {
		return fmt.Errorf("the brokers: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, passwordPatience)
	defer cancel()
	for _, at := range cluster.Brokers {
		address := net.JoinHostPort(at.Host, strconv.Itoa(at.Port))
		for !b.mayTake(ctx, address, mechanism) {
			if pause.For(ctx, 20*time.Millisecond) != nil {
				return fmt.Errorf("%s does not take it yet: %w", address, context.Cause(ctx))
			}
		}
	}
	return nil
}

// passwordPatience is how long brokers may take to learn a password; a few
// milliseconds are usual.
const passwordPatience = 10 * time.Second

// mayTake says whether a broker takes a sign-in, or cannot be asked.
func (b *Broker) mayTake(ctx context.Context, address string, mechanism sasl.Mechanism) bool {
	dialer := kafka.Dialer{ClientID: b.cfg.ClientID, DialFunc: b.cfg.Dial, Timeout: 5 * time.Second, TLS: b.cfg.Login.TLS, SASLMechanism: mechanism}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return !errors.Is(err, kafka.SASLAuthenticationFailed)
	}
	_ = conn.Close()
	return true
}

func (b *Broker) setPassword(ctx context.Context, id, password string) error {
	if err := plainText(password); err != nil {
		return err
	}
	for _, mechanism := range mechanisms {
		salt := make([]byte, 24)
		_, _ = rand.Read(salt) // never fails
		salted, err := salted(mechanism, password, salt)
		if err != nil {
			return err
		}
		// One by one: the embedded broker takes two for one user to be a mistake.
		if err := b.alterPassword(ctx, passwordExchange{user: id, mechanism: mechanism, salt: salt, salted: salted}); err != nil {
			return err
		}
	}
	return nil
}

var mechanisms = []kafka.ScramMechanism{kafka.ScramMechanismSha256, kafka.ScramMechanismSha512}

func salted(mechanism kafka.ScramMechanism, password string, salt []byte) ([]byte, error) {
	if mechanism == kafka.ScramMechanismSha256 {
		return pbkdf2.Key(sha256.New, password, salt, scramIterations, sha256.Size)
	}
	return pbkdf2.Key(sha512.New, password, salt, scramIterations, sha512.Size)
}

// plainText refuses what client libraries normalize each in its own way.
func plainText(password string) error {
	if len(password) < 12 || len(password) > 200 {
		return errors.New("a password has 12 to 200 characters")
	}
	for _, c := range []byte(password) {
		if c <= ' ' || c > '~' {
			return errors.New("a password is of visible ASCII characters")
		}
	}
	return nil
}

// DeletePassword keeps a participant from signing in. Who is signed in stays so:
// deny first. One without a password is no error.
func (b *Broker) DeletePassword(ctx context.Context, id string) error {
	err := b.mayBeParticipant(id)
	if err == nil {
		for _, mechanism := range mechanisms {
			if err = b.alterPassword(ctx, passwordExchange{user: id, mechanism: mechanism}); err != nil {
				break
			}
		}
	}
	return about("delete the password of", id, err)
}

func (b *Broker) alterPassword(ctx context.Context, x passwordExchange) error {
	x.clientID = b.cfg.ClientID
	return b.retry(ctx, "alter_scram_credentials", func(ctx context.Context) error {
		m, err := b.transport.RoundTrip(ctx, b.addr, &x)
		if err != nil {
			return err
		}
		a, ok := m.(*passwordAnswer)
		switch {
		case !ok:
			return fmt.Errorf("unexpected answer %T", m)
		case a.code == 0, kafka.Error(a.code) == kafka.ResourceNotFound && x.salted == nil:
			return nil
		case a.words == "":
			return kafka.Error(a.code)
		}
		return fmt.Errorf("%w (%s)", kafka.Error(a.code), a.words)
	})
}
