package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

var (
	// ErrBufferFull says that too much waits to be acknowledged: the record
	// was not taken and will not be written. Answer 503, or pause reading.
	ErrBufferFull = errors.New("broker: too many records wait to be written")
	// ErrClosed is the fate of records that were in line when Close gave up:
	// they may have been written or not.
	ErrClosed = errors.New("broker: closed")
	// ErrOutOfRange says that the log does not hold the offset asked for: it
	// was removed by retention, or the log is shorter than a position of ours.
	ErrOutOfRange = errors.New("broker: the log does not reach there")
	// ErrGenerationOver says that the partition has gone, or is going, to
	// another member of the group: nothing was committed.
	ErrGenerationOver = errors.New("broker: the consumer group's generation is over")
)

// RefusedError is a definite no of the broker: what was asked was not done and
// will not be. Any other error of a produce means that its fate is unknown.
type RefusedError struct {
	Topic     string
	Partition int   // -1 when it is about the whole topic
	Err       error // the broker's answer, a kafka.Error
}

func (e *RefusedError) Error() string {
	if e.Partition < 0 {
		return fmt.Sprintf("topic %s: refused by the broker: %v%s", e.Topic, e.Err, advice(e.Err))
	}
	return fmt.Sprintf("topic %s, partition %d: refused by the broker: %v%s", e.Topic, e.Partition, e.Err, advice(e.Err))
}

func (e *RefusedError) Unwrap() error { return e.Err }

// TooLarge says whether the record, or the batch, exceeds the topic's limit.
func (e *RefusedError) TooLarge() bool {
	return errors.Is(e.Err, kafka.MessageSizeTooLarge) || errors.Is(e.Err, kafka.RecordListTooLarge)
}

// TooFewBrokers says whether fewer brokers are there than copies are asked for: the
// others may still be starting.
func (e *RefusedError) TooFewBrokers() bool { return errors.Is(e.Err, kafka.InvalidReplicationFactor) }

// OfTheRecord says whether it is what was to be written that the broker does not
// want, and not the client, or the topic as it is configured now.
func (e *RefusedError) OfTheRecord() bool { return isOfTheRecord(e.Err) }

// Gone says whether the topic does not exist, or is hidden from us.
func (e *RefusedError) Gone() bool { return isUnknownTopic(e.Err) }

// Code is the broker's answer as a code, such as message_size_too_large.
func (e *RefusedError) Code() string {
	var code kafka.Error
	if !errors.As(e.Err, &code) {
		return "refused"
	}
	return strings.ReplaceAll(strings.ToLower(code.Title()), " ", "_")
}

// Gone says whether an error is that the topic, or the partition, does not exist
// or is hidden from us. Metadata may be a few seconds old: believe it when it has
// been said for a while.
func Gone(err error) bool { return err != nil && isUnknownTopic(err) }

func advice(err error) string {
	switch {
	case errors.Is(err, kafka.TopicAuthorizationFailed):
		return ": the topic's ACL gives this client no such right"
	case errors.Is(err, kafka.GroupAuthorizationFailed):
		return ": the ACLs give this client no right to read in the consumer group"
	case errors.Is(err, kafka.ClusterAuthorizationFailed):
		return ": who signs in for the services is none of the cluster's super users"
	case errors.Is(err, kafka.SecurityDisabled):
		return ": the cluster has no authorizer, so that everybody may do everything; set authorizer.class.name on every broker"
	case errors.Is(err, kafka.SASLAuthenticationFailed):
		return ": the user or its password is not known to the cluster"
	case isUnknownTopic(err):
		return ": the topic is gone, or its ACL hides it from this client"
	}
	return ""
}

// definite are the answers after which a repetition cannot succeed and of
// which the broker says that nothing was written.
var definite = map[kafka.Error]bool{
	kafka.MessageSizeTooLarge:         true,
	kafka.RecordListTooLarge:          true,
	kafka.InvalidTopic:                true,
	kafka.InvalidRequiredAcks:         true,
	kafka.TopicAuthorizationFailed:    true,
	kafka.GroupAuthorizationFailed:    true,
	kafka.ClusterAuthorizationFailed:  true,
	kafka.InvalidTimestamp:            true,
	kafka.UnsupportedForMessageFormat: true,
	kafka.UnsupportedCompressionType:  true,
	kafka.PolicyViolation:             true,
	kafka.InvalidRecord:               true,
	kafka.InvalidGroupId:              true,
	kafka.InconsistentGroupProtocol:   true,
	kafka.InvalidSessionTimeout:       true,
	kafka.SASLAuthenticationFailed:    true,
	kafka.UnsupportedSASLMechanism:    true,
	kafka.SecurityDisabled:            true,
	kafka.UnacceptableCredential:      true,
	kafka.DuplicateResource:           true,
}

// ofTheRecord are the definite answers that one record of a batch can bring
// upon all: the batch is split until the culprit is alone.
var ofTheRecord = map[kafka.Error]bool{
	kafka.MessageSizeTooLarge:         true,
	kafka.RecordListTooLarge:          true,
	kafka.InvalidTimestamp:            true,
	kafka.InvalidRecord:               true,
	kafka.UnsupportedForMessageFormat: true,
	kafka.PolicyViolation:             true,
}

// before are the answers of a broker that did not get as far as writing.
var before = map[kafka.Error]bool{
	kafka.UnknownTopicOrPartition: true,
	kafka.LeaderNotAvailable:      true,
	kafka.NotLeaderForPartition:   true,
	kafka.NotEnoughReplicas:       true,
	kafka.BrokerNotAvailable:      true,
}

// wasNotWritten says whether a produce that is to be repeated surely wrote
// nothing.
func wasNotWritten(err error) bool {
	var code kafka.Error
	var op *net.OpError
	return errors.As(err, &code) && before[code] || isMissingInMetadata(err) ||
		errors.As(err, &op) && op.Op == "dial"
}

// isOfReplicas is true for a leader that is there and has too few replicas at its
// side: other connections, or fresher metadata, would change nothing.
func isOfReplicas(err error) bool {
	return errors.Is(err, kafka.NotEnoughReplicas) || errors.Is(err, kafka.NotEnoughReplicasAfterAppend)
}

func isDefinite(err error) bool {
	var refused *RefusedError
	var code kafka.Error
	return errors.As(err, &refused) || errors.As(err, &code) && definite[code] ||
		errors.Is(err, ErrOutOfRange) || errors.Is(err, ErrGenerationOver)
}

func isOfTheRecord(err error) bool {
	var code kafka.Error
	return errors.As(err, &code) && ofTheRecord[code]
}

// isUnknownTopic is true for the broker's answer and for the library's own,
// when the cluster's metadata does not have the topic. Neither is final at
// first: the metadata may be stale.
func isUnknownTopic(err error) bool {
	return errors.Is(err, kafka.UnknownTopicOrPartition) || isMissingInMetadata(err)
}

func isMissingInMetadata(err error) bool {
	return errors.Is(err, protocol.ErrNoTopic) || errors.Is(err, protocol.ErrNoPartition)
}

// explain finds what is behind the library's "topic not found", which it says
// as well when it could not reach the cluster at all. It asks nobody: the
// library answers from what it knows.
func (b *Broker) explain(ctx context.Context, err error) error {
	if !isMissingInMetadata(err) {
		return err
	}
	if _, unreachable := b.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{}}); unreachable != nil {
		return unreachable
	}
	return err
}
