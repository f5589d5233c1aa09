package schemas

import "time"

// SubmissionRefused is the ledger's answer to a submission that it could not
// record as a fact. It goes to its sender only.
type SubmissionRefused struct {
	// Reason is one of the codes of RefusalReasons.
	Reason     string `avro:"reason" json:"reason"`
	SentenceFR string `avro:"sentence_fr" json:"sentence_fr"`
	SentenceEN string `avro:"sentence_en" json:"sentence_en"`
	RemedyFR   string `avro:"remedy_fr" json:"remedy_fr"`
	RemedyEN   string `avro:"remedy_en" json:"remedy_en"`
	// Detail names the field, code or state at fault; it never repeats content.
	Detail string `avro:"detail" json:"detail,omitempty"`

	SubmissionSource string `avro:"submission_source" json:"submission_source"`
	SubmissionID     string `avro:"submission_id" json:"submission_id"`
	SubmissionType   string `avro:"submission_type" json:"submission_type"`
	// Digest is the SHA-256 of the submission's content, as Digest makes it.
	Digest []byte `avro:"digest" json:"digest,omitempty"`
}

// SubmissionRepeated says that the same submission was handed in before. It
// changes nothing and goes to nobody; a caller who waits gets the first outcome.
type SubmissionRepeated struct {
	SubmissionSource string `avro:"submission_source" json:"submission_source"`
	SubmissionID     string `avro:"submission_id" json:"submission_id"`
	SubmissionType   string `avro:"submission_type" json:"submission_type"`
	Digest           []byte `avro:"digest" json:"digest,omitempty"`
	// FirstPartition and FirstOffset are the place of the first submission.
	FirstPartition int   `avro:"first_partition" json:"first_partition"`
	FirstOffset    int64 `avro:"first_offset" json:"first_offset"`
	// FirstReason is empty when the first outcome was a fact, else the code of
	// its refusal.
	FirstReason string `avro:"first_reason" json:"first_reason,omitempty"`
}

// DeliveryChanged is one step of one event on its way to one recipient.
type DeliveryChanged struct {
	Place     string `avro:"place" json:"place"`
	Recipient string `avro:"recipient" json:"recipient"`
	State     string `avro:"state" json:"state"`
	Channel   string `avro:"channel" json:"channel"`
	Attempt   int    `avro:"attempt" json:"attempt"`

	EventSource string `avro:"event_source" json:"event_source"`
	EventID     string `avro:"event_id" json:"event_id"`
	EventType   string `avro:"event_type" json:"event_type"`
	Subject     string `avro:"subject" json:"subject"`
	// Sender is whom to tell of it, as ledger and router name parties: `cnaf`,
	// or `offices/demo-1`. Nobody when it is nil.
	Sender *string `avro:"sender" json:"sender,omitempty"`

	// Reason is one of the codes of the table delivery_reason.
	Reason    *string `avro:"reason" json:"reason,omitempty"`
	ErrorCode *string `avro:"error_code" json:"error_code,omitempty"`
	// Since is when the recipient's copy was written, or since when it could not
	// be; Deleted is when retention deletes that copy, or did.
	Since       time.Time  `avro:"since" json:"since"`
	Deleted     *time.Time `avro:"deleted" json:"deleted,omitempty"`
	NextAttempt *time.Time `avro:"next_attempt" json:"next_attempt,omitempty"`
	// LatencyMillis is from receivedtime to this step, in milliseconds.
	LatencyMillis *int64 `avro:"latency_millis" json:"latency_millis,omitempty"`
	// RecordedOffset is where the event is on relais.recorded, on the partition
	// of its place.
	RecordedOffset *int64 `avro:"recorded_offset" json:"recorded_offset,omitempty"`
	// CopyOffset is where the recipient's copy is, or was, on its own topic.
	CopyOffset *int64 `avro:"copy_offset" json:"copy_offset,omitempty"`
}

// States of a delivery, codes of the table delivery_state.
const (
	DeliveryQueued       = "queued"
	DeliveryDelivered    = "delivered"
	DeliveryAcknowledged = "acknowledged"
	DeliveryRetrying     = "retrying"
	DeliveryDead         = "dead"
	DeliveryRedriven     = "redriven"
	DeliverySuppressed   = "suppressed"
)

// Why a delivery is not as it should be, codes of the table delivery_reason.
const (
	DeliveryTopicGone    = "topic_gone"
	DeliveryRefused      = "refused"
	DeliveryUnavailable  = "unavailable"
	DeliveryUnreadable   = "unreadable"
	DeliveryNotCollected = "not_collected"
	DeliveryDeleted      = "deleted_uncollected"
	DeliverySuspended    = "recipient_suspended"
	DeliveryClosed       = "recipient_closed"
)

// Ways of a delivery, codes of the table delivery_channel.
const (
	ChannelKafka   = "kafka"
	ChannelWebhook = "webhook"
	ChannelMailbox = "mailbox"
	ChannelPage    = "page"
)

// Undelivered says whether the sender is to be told: the recipient will not have
// the event, or has not collected it and soon cannot.
func (d *DeliveryChanged) Undelivered() bool {
	return d.State == DeliveryDead || d.State == DeliveryDelivered && d.isUncollected()
}

// Recovered says whether the sender, who was told that the event is undelivered, is
// to be told that it is delivered after all.
func (d *DeliveryChanged) Recovered() bool {
	return d.State == DeliveryRedriven || d.State == DeliveryAcknowledged && d.isUncollected()
}

func (d *DeliveryChanged) isUncollected() bool {
	return d.Reason != nil && *d.Reason == DeliveryNotCollected
}

// StatementIssued is the hub's signed account, to one participant, of what it
// handed in and what it was given over a span. Package statement says what its
// digests are made of, and checks one against a participant's own log.
type StatementIssued struct {
	Participant string `avro:"participant" json:"participant"`
	// Number counts the participant's statements, from 1.
	Number    int64     `avro:"number" json:"number"`
	SpanStart time.Time `avro:"span_start" json:"span_start"`
	SpanEnd   time.Time `avro:"span_end" json:"span_end"`
	// Predecessor is the event id of the participant's statement before this one,
	// and PredecessorHash that statement's hash; neither is there for the first.
	Predecessor     *string `avro:"predecessor" json:"predecessor,omitempty"`
	PredecessorHash []byte  `avro:"predecessor_hash" json:"predecessor_hash,omitempty"`
	// Complete is false when more of the span follows in the next statement.
	Complete  bool                `avro:"complete" json:"complete"`
	Ranges    []StatementRange    `avro:"ranges" json:"ranges"`
	Positions []StatementPosition `avro:"positions" json:"positions"`
	KeyID     string              `avro:"key_id" json:"key_id"`
	Signature []byte              `avro:"signature" json:"signature"`
}

// StatementRange is the account of the first occurrences on one partition of one
// topic, at the offsets from First up to, not including, Next.
type StatementRange struct {
	// Book is a code of the table statement_book.
	Book      string `avro:"book" json:"book"`
	Topic     string `avro:"topic" json:"topic"`
	Partition int    `avro:"partition" json:"partition"`
	First     int64  `avro:"first" json:"first"`
	Next      int64  `avro:"next" json:"next"`
	// Highest is the highest number that a reader of a `to` topic had seen before
	// First; -1 for none.
	Highest int64 `avro:"highest" json:"highest"`
	Events  int64 `avro:"events" json:"events"`
	// Digest is over all events in their order; Entries has each one's offset,
	// number and a short digest.
	Digest  []byte `avro:"digest" json:"digest"`
	Entries []byte `avro:"entries" json:"entries"`
}

// StatementPosition is where the account of one topic stands after a statement:
// where the next one goes on.
type StatementPosition struct {
	Book  string `avro:"book" json:"book"`
	Topic string `avro:"topic" json:"topic"`
	// Next is the first offset of each partition that is not accounted for yet.
	Next []int64 `avro:"next" json:"next"`
	// Highest is the highest number seen on each partition of a `to` topic; -1 for
	// none, and in the other books.
	Highest []int64 `avro:"highest" json:"highest"`
}

// ProbeSent travels the whole road every few seconds, to nobody but the metric.
type ProbeSent struct {
	Sent time.Time `avro:"sent" json:"sent"`
}
