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
	schemas.Written
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

	// What the gateway stamped: whose dossier it is, who handed it in, and whether
	// sender and recipient are offices.
	dossier, submitter            string
	senderOffice, recipientOffice bool
}

// newSubmission is the submission without what its data says.
func newSubmission(w schemas.Written, place schemas.Place) *submission {
	s := &submission{
		Written: w, Place: place,
		Verdict: schemas.Reason(w.Attribute(schemas.AttrVerdict)), VerdictDetail: string(w.Attribute(schemas.AttrVerdictDetail)),
		submitter:       string(w.Attribute(schemas.AttrSubmitter)),
		senderOffice:    string(w.Attribute(schemas.AttrSenderRole)) == string(schemas.RoleOffice),
		recipientOffice: string(w.Attribute(schemas.AttrRecipientRole)) == string(schemas.RoleOffice),
	}
	if dossier := w.Attribute(schemas.AttrPartitionKey); string(dossier) == w.Subject {
		s.dossier = w.Subject
	} else {
		s.dossier = string(dossier)
	}
	return s
}

// errNoAnswer says that the registry did not answer: it will, later.
var errNoAnswer = errors.New("no answer from the schema registry")

// readSubmission reads what a gateway wrote. An error but
// errNoAnswer means that no gateway of ours wrote it; nothing can be decided then.
func readSubmission(ctx context.Context, codec *schemas.Codec, r broker.Record) (*submission, error) {
	s, err := readHeaders(r)
	if err != nil {
		return nil, err
	}
	return s, s.read(ctx, codec)
}

// read reads the data, of a submission that the gateway did not refuse.
func (s *submission) read(ctx context.Context, codec *schemas.Codec) error {
	if s.Verdict != "" {
		return nil
	}
	err := s.open(ctx, codec)
	var refusal *schemas.Refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refusal):
		return fmt.Errorf("submission %s: %w", s.Place, err)
	}
	return fmt.Errorf("submission %s: %w: %w", s.Place, errNoAnswer, err)
}

// readHeaders reads all of a submission but its data.
func readHeaders(r broker.Record) (*submission, error) {
	place := schemas.Place{Partition: r.Partition, Offset: r.Offset}
	w, err := schemas.ReadWritten(r.Headers, r.Value)
	if err != nil {
		return nil, fmt.Errorf("submission %s: %w", place, err)
	}
	s := newSubmission(w, place)
	received, err := time.Parse(time.RFC3339Nano, string(w.Attribute(schemas.AttrReceivedTime)))
	if err != nil {
		return nil, fmt.Errorf("submission %s: receivedtime: %w", place, err)
	}
	s.Received = received.UnixMilli()
	if s.Rules, err = strconv.Atoi(string(w.Attribute(schemas.AttrRules))); err != nil {
		return nil, fmt.Errorf("submission %s: rules: %w", place, err)
	}
	if s.dossier != string(r.Key) {
		return nil, fmt.Errorf("submission %s: its key is not its dossier", place)
	}
	return s, nil
}

// open reads the data.
func (s *submission) open(ctx context.Context, codec *schemas.Codec) (err error) {
	if s.Payload, err = codec.Decode(ctx, s.Type, s.Data); err != nil {
		return err
	}
	digest := schemas.Digest(s.Type, s.Subject, s.Payload)
	s.Digest = digest[:]
	return nil
}
