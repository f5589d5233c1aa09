package schemas

import (
	"math"
	"strings"

	"github.com/relais-fr/relais/schemas/internal/personal"
)

// hubEvent checks one of the hub's own events; false for any other payload.
func (c *checker) hubEvent(payload any) bool {
	switch p := payload.(type) {
	case *SubmissionRefused:
		c.submissionRefused(p)
	case *SubmissionRepeated:
		c.submission(p.SubmissionSource, p.SubmissionID, p.SubmissionType, p.Digest)
		c.between("first_partition", int64(p.FirstPartition), 0, math.MaxInt32)
		c.between("first_offset", p.FirstOffset, 0, math.MaxInt64)
		if p.FirstReason != "" {
			c.code("first_reason", TableHubRefusalReason, p.FirstReason)
		}
	case *DeliveryChanged:
		c.deliveryChanged(p)
	case *StatementIssued:
		c.statementIssued(p)
	case *ProbeSent:
		c.time("sent", p.Sent)
	default:
		return false
	}
	return true
}

func (c *checker) submissionRefused(p *SubmissionRefused) {
	c.code("reason", TableHubRefusalReason, p.Reason)
	c.text("sentence_fr", p.SentenceFR, MaxSentenceBytes)
	c.text("sentence_en", p.SentenceEN, MaxSentenceBytes)
	c.text("remedy_fr", p.RemedyFR, MaxSentenceBytes)
	c.text("remedy_en", p.RemedyEN, MaxSentenceBytes)
	c.line("detail", p.Detail, MaxSentenceBytes)
	c.submission(p.SubmissionSource, p.SubmissionID, p.SubmissionType, p.Digest)
}

// submission checks what a refusal and a repeat say of the submission.
func (c *checker) submission(source, id, typ string, digest []byte) {
	c.text("submission_source", source, MaxHeaderBytes)
	c.text("submission_id", id, MaxHeaderBytes)
	c.text("submission_type", typ, MaxHeaderBytes)
	c.optSHA256("digest", digest)
}

func (c *checker) deliveryChanged(p *DeliveryChanged) {
	c.place("place", p.Place)
	c.id("recipient", p.Recipient)
	c.code("state", TableDeliveryState, p.State)
	c.code("channel", TableDeliveryChannel, p.Channel)
	c.between("attempt", int64(p.Attempt), 0, math.MaxInt32)
	c.text("event_source", p.EventSource, MaxHeaderBytes)
	c.text("event_id", p.EventID, MaxHeaderBytes)
	c.text("event_type", p.EventType, MaxHeaderBytes)
	c.text("subject", p.Subject, MaxHeaderBytes)
	if p.Sender != nil {
		c.id("sender", strings.TrimPrefix(*p.Sender, OfficesParticipant+"/"))
	}
	c.optCode("reason", TableDeliveryReason, p.Reason)
	if p.ErrorCode != nil && !personal.CodeShaped(*p.ErrorCode) {
		c.faultIn("error_code", *p.ErrorCode, "it is not a code such as http_503")
	}
	c.time("since", p.Since)
	c.optTime("deleted", p.Deleted)
	c.optTime("next_attempt", p.NextAttempt)
	if p.LatencyMillis != nil {
		c.between("latency_millis", *p.LatencyMillis, 0, math.MaxInt64)
	}
	if p.RecordedOffset != nil {
		c.between("recorded_offset", *p.RecordedOffset, 0, math.MaxInt64)
	}
	if p.CopyOffset != nil {
		c.between("copy_offset", *p.CopyOffset, 0, math.MaxInt64)
	}
}

func (c *checker) statementIssued(p *StatementIssued) {
	c.id("participant", p.Participant)
	c.between("number", p.Number, 1, math.MaxInt64)
	c.time("span_start", p.SpanStart)
	c.after("span_end", &p.SpanEnd, "span_start", p.SpanStart)
	c.optID("predecessor", p.Predecessor)
	c.optSHA256("predecessor_hash", p.PredecessorHash)
	if (p.Predecessor == nil) != (len(p.PredecessorHash) == 0) || (p.Predecessor == nil) != (p.Number == 1) {
		c.fault("predecessor", "the first statement has none, any other has its id and hash")
	}
	c.length("ranges", len(p.Ranges), 0, MaxListItems)
	c.length("positions", len(p.Positions), 0, MaxListItems)
	if c.refusal != nil {
		return
	}
	entries := 0
	for i, r := range p.Ranges {
		c.at("ranges", i)
		c.code("book", TableStatementBook, r.Book)
		c.text("topic", r.Topic, MaxStringBytes)
		c.between("partition", int64(r.Partition), 0, math.MaxInt32)
		c.between("first", r.First, 0, math.MaxInt64)
		c.between("next", r.Next, r.First, math.MaxInt64)
		c.between("highest", r.Highest, -1, math.MaxInt64)
		c.between("events", r.Events, 0, r.Next-r.First)
		c.sha256("digest", r.Digest)
		if entries += len(r.Entries); entries > MaxStatementEntries {
			c.fault("entries", "the statement has more than a statement holds")
		}
	}
	c.statementPositions(p.Positions)
	c.at("", 0)
	c.id("key_id", p.KeyID)
	if len(p.Signature) == 0 || len(p.Signature) > MaxSignatureBytes {
		c.fault("signature", "it is empty or too long")
	}
}

func (c *checker) statementPositions(all []StatementPosition) {
	for i, p := range all {
		c.at("positions", i)
		c.code("book", TableStatementBook, p.Book)
		c.text("topic", p.Topic, MaxStringBytes)
		c.length("next", len(p.Next), 0, MaxListItems)
		c.length("highest", len(p.Highest), 0, MaxListItems)
		for _, n := range p.Next {
			c.between("next", n, 0, math.MaxInt64)
		}
		for _, n := range p.Highest {
			c.between("highest", n, -1, math.MaxInt64)
		}
	}
}
