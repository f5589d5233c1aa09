package gateway

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/pause"
)

// finding is something at odds that keeps the doors shut until people mend it.
type finding struct{ sentence string }

func (f *finding) Error() string { return f.sentence }

// checkLogs looks, before the first event is taken, whether keys would be placed
// as ever and whether an offset could be used twice: the last submission that
// both logs have must be the same on both, and `submitted` not the shorter.
func (g *Gateway) checkLogs(ctx context.Context) error {
	if n, ok := g.host.Directory.Setting(directory.SettingPartitions); ok && n != strconv.Itoa(g.partitions) {
		return &finding{fmt.Sprintf("This hub was made with %s partitions and is started with %d: start it with --partitions %s.", n, g.partitions, n)}
	}
	for _, topic := range []string{g.submitted, g.recorded} {
		n, err := g.broker.Partitions(ctx, topic)
		if err != nil {
			return err
		}
		if n != g.partitions {
			return &finding{fmt.Sprintf("Topic %s has %d partitions where %d are needed: a dossier's order would be lost.", topic, n, g.partitions)}
		}
	}
	for p := range g.partitions {
		if err := g.checkPartition(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (g *Gateway) checkPartition(ctx context.Context, partition int) error {
	outcome, offset, err := g.lastOutcome(ctx, partition)
	if err != nil || offset < 0 {
		return err
	}
	submitted, err := g.broker.RangeOf(ctx, g.submitted, partition)
	if err != nil {
		return err
	}
	if offset >= submitted.Next {
		return &finding{fmt.Sprintf("%s/%d ends at %d, but submission %d has an outcome: the log has lost its tail. hubctl repair says what it would do about it.", g.submitted, partition, submitted.Next, offset)}
	}
	if offset < submitted.First {
		return nil
	}
	submission, err := g.recordAt(ctx, g.submitted, partition, offset)
	if err != nil {
		return err
	}
	same, err := g.sameSubmission(ctx, &submission, &outcome)
	if err == nil && !same {
		return &finding{fmt.Sprintf("Submission %d-%d is another on %s than on %s: an offset was used twice. hubctl repair says what it would do about it.", partition, offset, g.submitted, g.recorded)}
	}
	if err != nil {
		return err
	}
	// Only a repair records a repeat of a later submission, and it ends with a fact.
	if o, err := g.outcomes.read(ctx, &outcome); err != nil || o.kind == outcomeRepeat && o.first.Partition == partition && o.first.Offset > offset {
		if err != nil {
			return err
		}
		return &finding{fmt.Sprintf("A repair of partition %d was broken off after submission %d. Run hubctl repair again.", partition, offset)}
	}
	return nil
}

// repeatedAtMost bounds the records at the end of `recorded` that are looked at: what
// an old owner still wrote there, a batch of outcomes from before, is less.
const repeatedAtMost = 4096

// lastOutcome is the outcome of the highest submission that has one; the offset is -1
// when there is none. The log may end in outcomes that were written again.
func (g *Gateway) lastOutcome(ctx context.Context, partition int) (last broker.Record, offset int64, err error) {
	offset = -1
	held, err := g.broker.RangeOf(ctx, g.recorded, partition)
	if err != nil {
		return last, offset, err
	}
	at := max(held.First, held.Next-repeatedAtMost)
	cursor := g.broker.Cursor(g.recorded, partition, at)
	for at < held.Next {
		batch, err := cursor.Fetch(ctx)
		if err != nil {
			return last, offset, fmt.Errorf("read %s/%d-%d: %w", g.recorded, partition, at, err)
		}
		for _, rec := range batch.Records {
			n, err := strconv.ParseInt(string(rec.Header(headerSubmittedOffset)), 10, 64)
			if err != nil {
				return last, offset, &finding{fmt.Sprintf("Record %d of %s/%d is no outcome: its submittedoffset is missing.", rec.Offset, g.recorded, partition)}
			}
			if n > offset {
				last, offset = rec, n
			}
		}
		at = batch.Next
	}
	return last, offset, nil
}

// sameSubmission says whether the outcome is that of the submission.
func (g *Gateway) sameSubmission(ctx context.Context, submission, outcome *broker.Record) (bool, error) {
	source, id := string(submission.Header(headerPrefix+"source")), string(submission.Header(headerPrefix+"id"))
	typ := string(outcome.Header(headerType))
	if typ != schemas.TypeSubmissionRefused && typ != schemas.TypeSubmissionRepeated {
		return string(outcome.Header(headerPrefix+"source")) == source && string(outcome.Header(headerPrefix+"id")) == id, nil
	}
	for {
		payload, err := g.codec.Decode(ctx, typ, outcome.Value)
		var refusal *schemas.Refusal
		switch {
		case err == nil:
			switch p := payload.(type) {
			case *schemas.SubmissionRefused:
				return p.SubmissionSource == source && p.SubmissionID == id, nil
			case *schemas.SubmissionRepeated:
				return p.SubmissionSource == source && p.SubmissionID == id, nil
			}
			return false, nil
		case errors.As(err, &refusal):
			return false, nil
		}
		if err := pause.For(ctx, registryPause); err != nil {
			return false, err
		}
	}
}

// recordAt reads one record that stands in the partition.
func (g *Gateway) recordAt(ctx context.Context, topic string, partition int, offset int64) (broker.Record, error) {
	cursor := g.broker.Cursor(topic, partition, offset)
	for {
		batch, err := cursor.Fetch(ctx)
		if err != nil {
			return broker.Record{}, fmt.Errorf("read %s/%d-%d: %w", topic, partition, offset, err)
		}
		if len(batch.Records) > 0 {
			return batch.Records[0], nil
		}
	}
}
