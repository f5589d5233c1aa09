package observatory

import (
	"context"
	"crypto/sha256"
	"errors"
	"strconv"
	"strings"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
)

// outcomes reads the outcomes of the submissions. They are co-partitioned and in the
// same order, so that those of a span lie together.
func (a *audit) outcomes(ctx context.Context, p int, first, next int64, all map[int64]*submission) error {
	topic := a.host.Broker.Topic("recorded")
	r, err := a.host.Broker.RangeOf(ctx, topic, p)
	if err != nil {
		return err
	}
	from, err := a.search(ctx, topic, p, r, first)
	if err != nil {
		return err
	}
	highest := int64(-1)
	var failed error
	err = a.scan(ctx, topic, p, from, r.Next, func(rec *broker.Record) bool {
		n, err := strconv.ParseInt(header(rec, schemas.AttrSubmittedOffset), 10, 64)
		if err != nil || n < first || n >= next {
			return err != nil || n < next+overlap
		}
		failed = a.outcome(rec, p, n, &highest, all[n])
		return failed == nil
	}, func(int64) {})
	return errors.Join(err, failed)
}

// overlap is how many outcomes beyond a span are read on: an old owner's late
// writing may stand behind them.
const overlap = 5000

// outcome looks at one outcome of a submission.
func (a *audit) outcome(r *broker.Record, p int, n int64, highest *int64, s *submission) error {
	if s == nil {
		return nil
	}
	if s.filler && s.outcome == ([sha256.Size]byte{}) {
		a.standIn(r, s)
	}
	what := difference{Participant: participantOf(s.source), Place: placeOf(p, n), Topic: r.Topic, Partition: p, Offset: r.Offset, Source: s.source, ID: s.id}
	sum := digestOf(r, nil)
	switch {
	case s.outcome == sum:
		a.sums.Repeated++
		return nil
	case s.outcome != [sha256.Size]byte{}:
		what.Difference, what.Detail = otherOutcome, "it has a second outcome that is not the first again"
	case n < *highest:
		what.Difference, what.Detail = outcomeOrder, "readers pass over it: a later submission's outcome stands before it"
		s.outcome = sum
	case !answers(r, s):
		what.Difference, what.Detail = strangeOutcome, "it is the outcome of "+header(r, "id")
		s.outcome = sum
	default:
		s.outcome, *highest = sum, n
		s.copy = digestOf(r, stamps)
		for party := range strings.SplitSeq(header(r, schemas.AttrParties), ",") {
			if party != "" {
				s.parties = append(s.parties, party)
			}
		}
		if s.mine {
			a.sums.Outcomes++
		}
		return nil
	}
	if !s.mine {
		return nil
	}
	return a.found(what)
}

// standIn takes for a submission that the log lost what its outcome says of it.
func (a *audit) standIn(r *broker.Record, s *submission) {
	s.source, s.id, s.mine = header(r, "source"), header(r, "id"), a.concerns(r)
	switch header(r, "type") {
	case schemas.TypeSubmissionRefused, schemas.TypeSubmissionRepeated:
		s.id = header(r, schemas.AttrCausationID)
	}
	a.lost[[2]string{header(r, schemas.AttrSubmitter), s.id}]++
}

// answers says whether an outcome is that of the submission, as far as headers tell.
func answers(r *broker.Record, s *submission) bool {
	switch header(r, "type") {
	case schemas.TypeSubmissionRefused, schemas.TypeSubmissionRepeated:
		return header(r, schemas.AttrCausationID) == s.id
	}
	return header(r, "id") == s.id && header(r, "source") == s.source
}

// search finds where on a partition of outcomes, or of copies, the numbers from n on
// begin: they rise with the offsets.
func (a *audit) search(ctx context.Context, topic string, p int, r broker.Range, n int64) (int64, error) {
	low, high := r.First, r.Next
	for low < high {
		middle := low + (high-low)/2
		number := int64(-1)
		at := middle
		err := a.scan(ctx, topic, p, middle, high, func(rec *broker.Record) bool {
			at = rec.Offset
			var err error
			number, err = strconv.ParseInt(header(rec, schemas.AttrSubmittedOffset), 10, 64)
			return err != nil || len(rec.Header("ce_"+schemas.AttrReplay)) > 0
		}, func(int64) {})
		if err != nil {
			return 0, err
		}
		if number >= 0 && number < n {
			low = at + 1
		} else {
			high = middle
		}
	}
	return low, nil
}
