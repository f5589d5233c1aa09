package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
)

// submission is one record of relais.submitted, read: all that a decision may
// depend on besides the dossier.
type submission struct {
	schemas.Event
	// headers are those that the event was read from.
	headers []schemas.Header
	Place   schemas.Place
	Payload any
	Digest  []byte
	// Received is when the gateway received it, not yet clamped, in Unix
	// milliseconds.
	Received int64
	Rules    int
	// Verdict is the gateway's refusal; empty when it passed.
	Verdict       schemas.Reason
	VerdictDetail string
}

func (s *submission) dossier() string { return s.Extensions[schemas.AttrPartitionKey] }

func (s *submission) submitter() string { return s.Extensions[schemas.AttrSubmitter] }

func (s *submission) senderOffice() bool {
	return s.Extensions[schemas.AttrSenderRole] == string(schemas.RoleOffice)
}

// errNoAnswer says that the registry did not answer: it will, later.
var errNoAnswer = errors.New("no answer from the schema registry")

// readSubmission reads what a gateway wrote. An error but
// errNoAnswer means that no gateway of ours wrote it; nothing can be decided then.
func readSubmission(ctx context.Context, codec *schemas.Codec, r broker.Record) (*submission, error) {
	place := schemas.Place{Partition: r.Partition, Offset: r.Offset}
	e, err := schemas.FromRecord(r.Headers, r.Value)
	if err != nil {
		return nil, fmt.Errorf("submission %s: %w", place, err)
	}
	s := &submission{Event: e, headers: r.Headers, Place: place}
	s.Verdict = schemas.Reason(e.Extensions[schemas.AttrVerdict])
	s.VerdictDetail = e.Extensions[schemas.AttrVerdictDetail]
	received, err := time.Parse(time.RFC3339Nano, e.Extensions[schemas.AttrReceivedTime])
	if err != nil {
		return nil, fmt.Errorf("submission %s: receivedtime: %w", place, err)
	}
	s.Received = received.UnixMilli()
	if s.Rules, err = strconv.Atoi(e.Extensions[schemas.AttrRules]); err != nil {
		return nil, fmt.Errorf("submission %s: rules: %w", place, err)
	}
	if s.dossier() != string(r.Key) {
		return nil, fmt.Errorf("submission %s: its key is not its dossier", place)
	}
	if s.Verdict != "" {
		return s, nil
	}
	if s.Payload, err = codec.Decode(ctx, e.Type, e.Data); err != nil {
		if refusal := (*schemas.Refusal)(nil); errors.As(err, &refusal) {
			return nil, fmt.Errorf("submission %s: %w", place, err)
		}
		return nil, fmt.Errorf("submission %s: %w: %w", place, errNoAnswer, err)
	}
	digest := schemas.Digest(e.Type, e.Subject, s.Payload)
	s.Digest = digest[:]
	return s, nil
}
