package gateway

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/directory"
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
	recorded, err := g.broker.RangeOf(ctx, g.recorded, partition)
	if err != nil || recorded.Next == recorded.First {
		return err
	}
	outcome, err := g.recordAt(ctx, g.recorded, partition, recorded.Next-1)
	if err != nil {
		return err
	}
	offset, err := strconv.ParseInt(string(outcome.Header(headerSubmittedOffset)), 10, 64)
	if err != nil {
		return &finding{fmt.Sprintf("The last record of %s/%d is no outcome: its submittedoffset is missing.", g.recorded, partition)}
	}
	submitted, err := g.broker.RangeOf(ctx, g.submitted, partition)
	if err != nil {
		return err
	}
	if offset >= submitted.Next {
		return &finding{fmt.Sprintf("%s/%d ends at %d, but submission %d has an outcome: the log has lost its tail. Restore the log from where it is whole.", g.submitted, partition, submitted.Next, offset)}
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
		return &finding{fmt.Sprintf("Submission %d-%d is another on %s than on %s: an offset was used twice. Restore the log from where it is whole.", partition, offset, g.submitted, g.recorded)}
	}
	return err
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
		if err := pause(ctx, registryPause); err != nil {
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
