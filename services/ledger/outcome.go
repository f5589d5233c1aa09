package ledger

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/lifecycle"
	"github.com/relais-fr/relais/services/internal/broker"
)

// outcomes makes the records of relais.recorded, and reads them.
type outcomes struct {
	codec *schemas.Codec
	topic string
	// registryURL is the base of dataschema where the submission names none.
	registryURL string
}

// outcome is what became of a submission: the record and, read, what apply needs.
type outcome struct {
	Place    schemas.Place
	Dossier  string
	Received int64 // clamped
	Rules    int
	Sequence int64 // of a fact; 0 otherwise

	// Fact is the submission, for a fact.
	Fact *submission
	// Refusal is the refusal, for a refusal.
	Refusal *schemas.SubmissionRefused
	// Repeat is the repeat, which changes nothing.
	Repeat *schemas.SubmissionRepeated

	record broker.Record
}

// make builds the outcome of a decision. It is a pure function of the dossier,
// the submission and the decision.
func (o *outcomes) make(ctx context.Context, d *dossier, s *submission, v decision) (*outcome, error) {
	out := &outcome{Place: s.Place, Dossier: s.dossier, Received: clamp(d, s), Rules: rulesFor(d, s)}
	ext := map[string]string{}
	e := schemas.Event{Subject: s.Subject, DataContentType: schemas.AvroContentType, Extensions: ext}
	switch {
	case v.reason != "":
		out.Refusal = refusalOf(s, v)
		e.Type = schemas.TypeSubmissionRefused
		// To its sender only: whom the door knew, and whom the event claims unless
		// the claim was the fault.
		if s.Verdict == "" {
			ext[schemas.AttrParties] = strings.Join(withSubmitter(nil, s), ",")
		} else {
			ext[schemas.AttrParties] = strings.Join(doorParties(s), ",")
		}
	case v.repeat != nil:
		out.Repeat = repeatOf(s, v.repeat)
		e.Type = schemas.TypeSubmissionRepeated
	default:
		return o.makeFact(d, s, v, out)
	}
	for _, name := range []string{schemas.AttrCorrelationID, schemas.AttrTraceParent, schemas.AttrPriority, schemas.AttrHistory, schemas.AttrPartitionKey, schemas.AttrSubmitter} {
		if value := s.Attribute(name); value != nil {
			ext[name] = string(value)
		}
	}
	if s.ID != "" {
		ext[schemas.AttrCausationID] = s.ID
	}
	e.ID, e.Source, e.Time = s.Place.String(), schemas.LedgerSource, time.UnixMilli(out.Received).UTC()
	var payload any = out.Refusal
	if out.Repeat != nil {
		payload = out.Repeat
	}
	data, err := o.codec.Encode(ctx, payload)
	if err != nil {
		return nil, fmt.Errorf("outcome of %s: %w", s.Place, err)
	}
	e.Data = data
	e.DataSchema = o.schemaURI(s, data)
	o.stamp(e, out)
	return out, nil
}

// The headers that a fact has besides its submission's, or instead of them.
var (
	lateKey      = schemas.HeaderKey(schemas.AttrLate)
	partiesKey   = schemas.HeaderKey(schemas.AttrParties)
	receivedKey  = schemas.HeaderKey(schemas.AttrReceivedTime)
	rulesKey     = schemas.HeaderKey(schemas.AttrRules)
	sequenceKey  = schemas.HeaderKey(schemas.AttrSequence)
	offsetKey    = schemas.HeaderKey(schemas.AttrSubmittedOffset)
	partitionKey = schemas.HeaderKey(schemas.AttrSubmittedPartition)
)

// makeFact stamps the submission. Its headers are taken over as they stand: most
// outcomes are facts, and making them anew costs more than the decision.
func (o *outcomes) makeFact(d *dossier, s *submission, v decision, out *outcome) (*outcome, error) {
	out.Sequence, out.Fact = d.Sequence+1, s
	stamps := stamper{headers: make([]schemas.Header, 0, 7), values: make([]byte, 0, 96+64*len(v.parties))}
	if v.late {
		stamps.end(lateKey, append(stamps.values, "true"...))
	}
	parties := stamps.values
	for i, party := range v.parties {
		if i > 0 {
			parties = append(parties, ',')
		}
		parties = append(parties, party...)
	}
	stamps.end(partiesKey, parties)
	stamps.end(receivedKey, appendMillis(stamps.values, out.Received))
	stamps.end(rulesKey, strconv.AppendInt(stamps.values, int64(out.Rules), 10))
	stamps.end(sequenceKey, appendSequence(stamps.values, out.Sequence))
	stamps.end(offsetKey, strconv.AppendInt(stamps.values, out.Place.Offset, 10))
	stamps.end(partitionKey, strconv.AppendInt(stamps.values, int64(out.Place.Partition), 10))
	o.record(out, s.Data, s.Stamped(stamps.headers))
	return out, nil
}

// stamper collects headers whose values stand in one piece of memory.
type stamper struct {
	headers []schemas.Header
	values  []byte
}

// end makes a header of what was appended to the values.
func (s *stamper) end(key string, values []byte) {
	start := len(s.values)
	s.values = values
	s.headers = append(s.headers, schemas.Header{Key: key, Value: values[start:len(values):len(values)]})
}

// appendSequence writes a sequence with its ten digits, which sort as texts.
func appendSequence(b []byte, n int64) []byte {
	for limit := int64(1_000_000_000); limit > max(n, 1); limit /= 10 {
		b = append(b, '0')
	}
	return strconv.AppendInt(b, n, 10)
}

func (o *outcomes) stamp(e schemas.Event, out *outcome) {
	e.Extensions[schemas.AttrReceivedTime] = formatMillis(out.Received)
	e.Extensions[schemas.AttrRules] = strconv.Itoa(out.Rules)
	e.Extensions[schemas.AttrSubmittedPartition] = strconv.Itoa(out.Place.Partition)
	e.Extensions[schemas.AttrSubmittedOffset] = strconv.FormatInt(out.Place.Offset, 10)
	o.record(out, e.Data, schemas.Headers(e))
}

func (o *outcomes) record(out *outcome, data []byte, headers []schemas.Header) {
	out.record = broker.Record{
		Topic: o.topic, Partition: out.Place.Partition, Key: []byte(out.Dossier),
		Value: data, Headers: headers, Time: time.UnixMilli(out.Received).UTC(),
	}
}

// schemaURI names the schema of data at the registry that the submission names.
func (o *outcomes) schemaURI(s *submission, data []byte) string {
	base, _, ok := strings.Cut(string(s.DataSchema()), "/schemas/ids/")
	if !ok {
		base = o.registryURL
	}
	return fmt.Sprintf("%s/schemas/ids/%d", base, binary.BigEndian.Uint32(data[1:5]))
}

func refusalOf(s *submission, v decision) *schemas.SubmissionRefused {
	code := v.reason.Code()
	return &schemas.SubmissionRefused{
		Reason: string(v.reason), SentenceFR: code.French, SentenceEN: code.English, RemedyFR: code.RemedyFR, RemedyEN: code.RemedyEN,
		Detail: v.detail, SubmissionSource: s.Source, SubmissionID: s.ID, SubmissionType: s.Type, Digest: s.Digest,
	}
}

func repeatOf(s *submission, first *seen) *schemas.SubmissionRepeated {
	place, err := schemas.ParsePlace(first.Place)
	if err != nil {
		panic(err) // it was written by Place.String
	}
	return &schemas.SubmissionRepeated{
		SubmissionSource: s.Source, SubmissionID: s.ID, SubmissionType: s.Type, Digest: s.Digest,
		FirstPartition: place.Partition, FirstOffset: place.Offset, FirstReason: string(first.Reason),
	}
}

// doorParties is who came through the door, for a submission that the gateway
// refused: the event's own claim cannot be trusted then.
func doorParties(s *submission) []string {
	submitter, sender := s.submitter, s.Participant()
	switch {
	case submitter == "" || submitter == schemas.OfficesParticipant || submitter == schemas.HubParticipant:
		return nil
	case submitter == sender:
		return []string{lifecycle.PartyName(sender, s.senderOffice)}
	case s.Verdict == schemas.ReasonNotYourParticipant || sender == "":
		return []string{submitter}
	}
	return withSubmitter(nil, s)
}

// read reads a record of relais.recorded back.
func (o *outcomes) read(ctx context.Context, r broker.Record) (*outcome, error) {
	w, err := schemas.ReadWritten(r.Headers, r.Value)
	if err != nil {
		return nil, fmt.Errorf("outcome at %d/%d: %w", r.Partition, r.Offset, err)
	}
	out := &outcome{Dossier: string(r.Key), record: r}
	number := func(name string) int64 {
		n, nerr := strconv.ParseInt(string(w.Attribute(name)), 10, 64)
		if nerr != nil && err == nil {
			err = fmt.Errorf("outcome at %d/%d: %s: %w", r.Partition, r.Offset, name, nerr)
		}
		return n
	}
	out.Place = schemas.Place{Partition: int(number(schemas.AttrSubmittedPartition)), Offset: number(schemas.AttrSubmittedOffset)}
	out.Rules = int(number(schemas.AttrRules))
	received, terr := time.Parse(time.RFC3339Nano, string(w.Attribute(schemas.AttrReceivedTime)))
	if terr != nil {
		return nil, fmt.Errorf("outcome at %d/%d: receivedtime: %w", r.Partition, r.Offset, terr)
	}
	out.Received = received.UnixMilli()
	switch w.Type {
	case schemas.TypeSubmissionRepeated, schemas.TypeSubmissionRefused:
		payload, derr := o.codec.Decode(ctx, w.Type, w.Data)
		if derr != nil {
			return nil, fmt.Errorf("outcome at %d/%d: %w", r.Partition, r.Offset, derr)
		}
		out.Refusal, _ = payload.(*schemas.SubmissionRefused)
		out.Repeat, _ = payload.(*schemas.SubmissionRepeated)
		return out, err
	}
	out.Sequence = number(schemas.AttrSequence)
	out.Fact = newSubmission(w, out.Place)
	out.Fact.Received, out.Fact.Rules = out.Received, out.Rules
	if derr := out.Fact.open(ctx, o.codec); derr != nil {
		return nil, fmt.Errorf("outcome at %d/%d: %w", r.Partition, r.Offset, derr)
	}
	return out, err
}

// apply changes the dossier as the outcome says.
func apply(d *dossier, out *outcome) {
	d.Rules = max(d.Rules, out.Rules)
	switch {
	case out.Fact != nil:
		if out.transient() {
			return
		}
		applyFact(d, out.Fact, out.Received)
		d.Sequence = out.Sequence
		d.remember(seen{Source: out.Fact.Source, ID: out.Fact.ID, Digest: out.Fact.Digest, Place: out.Place.String()})
	case out.Refusal != nil:
		reason := schemas.Reason(out.Refusal.Reason)
		if rememberable(reason) {
			d.remember(seen{
				Source: out.Refusal.SubmissionSource, ID: out.Refusal.SubmissionID, Digest: out.Refusal.Digest,
				Place: out.Place.String(), Reason: reason,
			})
		}
	}
	if len(d.Cases) > 0 {
		d.Last = max(d.Last, out.Received)
	}
	if !d.known() {
		// It is not kept, so that nothing of it may tell a later decision of the
		// same step from one of the next.
		*d = dossier{}
	}
}

// transient is a fact that leaves nothing to remember: a probe.
func (o *outcome) transient() bool { return o.Fact.Type == schemas.TypeProbeSent }

// known says whether there is anything to keep of the dossier: what strangers
// tried on a dossier that does not exist leaves no trace in the state.
func (d *dossier) known() bool { return len(d.Cases) > 0 || len(d.Seen) > 0 }

func formatMillis(ms int64) string { return string(appendMillis(nil, ms)) }

func appendMillis(b []byte, ms int64) []byte {
	return time.UnixMilli(ms).UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
}
