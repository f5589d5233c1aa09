package topic

import (
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// errNothing is an answer that has nothing, although there is something.
var errNothing = errors.New("the broker brings nothing of what it has")

// awayError is a cluster of which nobody answers as asked.
type awayError struct{ err error }

func (e *awayError) Error() string { return e.err.Error() }
func (e *awayError) Unwrap() error { return e.err }

// ownError is what the caller found, and no fault of the cluster.
type ownError struct{ err error }

func (e *ownError) Error() string { return e.err.Error() }
func (e *ownError) Unwrap() error { return e.err }

// explain says what is wrong and what to do, by the flags of hubctl.
func (r *reader) explain(err error) error {
	var own *ownError
	var away *awayError
	at := strings.Join(r.cfg.Bootstrap, ",")
	switch {
	case errors.As(err, &own):
		return own.err
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return fmt.Errorf("kafka at %s does not let %s in: give the password that `hubctl participant add` or `rotate` printed last, and a user that is not suspended (%w)", at, r.who(), err)
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return fmt.Errorf("%s may not read the topic %s: a participant reads its own, relais.to.<participant>, and no other; sign in as that participant with --kafka-user or --kafka-cert, or give its topic with --topic (%w)", r.who(), r.cfg.Topic, err)
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return fmt.Errorf("there is no topic %s at %s: the hub makes relais.to.<participant> when a participant is let in; check --topic and --bootstrap (%w)", r.cfg.Topic, at, err)
	case errors.As(err, &away) && r.cfg.User != "":
		return fmt.Errorf("no Kafka broker lets %s in at %s: look at the password, for some brokers only hang up on a wrong one, at --bootstrap, and at --kafka-ca where it speaks TLS (%w)", r.who(), at, err)
	case errors.As(err, &away):
		return fmt.Errorf("no Kafka broker answers at %s: give its address with --bootstrap, --kafka-ca where it speaks TLS, and --kafka-user or --kafka-cert where it asks who calls (%w)", at, err)
	}
	return fmt.Errorf("read the topic %s at %s: %w", r.cfg.Topic, at, err)
}

// who is the caller, as the cluster knows it.
func (r *reader) who() string {
	switch {
	case r.cfg.User != "":
		return r.cfg.User
	case r.cfg.TLS != nil && len(r.cfg.TLS.Certificates) > 0:
		return "the certificate's owner"
	}
	return "who does not sign in"
}
