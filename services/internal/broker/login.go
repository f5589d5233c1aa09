package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// Login is how a client proves to the cluster who it is. The zero value proves
// nothing, in the clear.
type Login struct {
	// User signs in by SCRAM-SHA-512; "" does not.
	User string
	// Password is asked for whenever a connection is made, so that a new one is used
	// as soon as it is there.
	Password func() (string, error)
	// TLS encrypts the connections, and signs in with the certificate that it has;
	// nil does neither.
	TLS *tls.Config
}

// Password is a password that stays.
func Password(p string) func() (string, error) { return func() (string, error) { return p, nil } }

// signIn is the login as the library wants it; nil without a user.
func (l Login) signIn() (sasl.Mechanism, error) {
	if l.User == "" {
		return nil, nil
	}
	if l.Password == nil {
		return nil, errors.New("broker: a user to sign in as, and no password")
	}
	return &signIn{login: l}, nil
}

type signIn struct {
	login Login

	mu       sync.Mutex
	password string
	with     sasl.Mechanism // of that password: it keeps what is costly to compute
}

// Name implements sasl.Mechanism.
func (*signIn) Name() string { return scram.SHA512.Name() }

// Start implements sasl.Mechanism.
func (s *signIn) Start(ctx context.Context) (sasl.StateMachine, []byte, error) {
	with, err := s.mechanism()
	if err != nil {
		return nil, nil, fmt.Errorf("sign in to Kafka as %s: %w", s.login.User, err)
	}
	return with.Start(ctx)
}

func (s *signIn) mechanism() (sasl.Mechanism, error) {
	password, err := s.login.Password()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.with == nil || s.password != password {
		with, err := scram.Mechanism(scram.SHA512, s.login.User, password)
		if err != nil {
			return nil, err
		}
		s.with, s.password = with, password
	}
	return s.with, nil
}
