package observatory

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/statement"
	"github.com/relais-fr/relais/services/internal/broker"
)

// Kinds of difference that an audit names.
const (
	// neverHandedIn: a record of a `from` topic has neither a submission nor a place
	// in the quarantine.
	neverHandedIn = "never_handed_in"
	// noOutcome: a submission has no outcome.
	noOutcome = "outcome_missing"
	// otherOutcome: a submission has a second outcome that is not the first again.
	otherOutcome = "outcome_doubled"
	// strangeOutcome: an outcome answers another submission than the one at its place.
	strangeOutcome = "outcome_of_another"
	// outcomeOrder: an outcome stands after that of a later submission.
	outcomeOrder = "outcome_out_of_order"
	// noCopy: a party named on an outcome has no copy of it.
	noCopy = "copy_missing"
	// otherCopy: a party's copy is not what the outcome is.
	otherCopy = "copy_changed"
	// extraCopy: a party has a copy that no outcome names it for.
	extraCopy = "copy_extra"
	// copyOrder: a party got an event after a later one of the same partition.
	copyOrder = "copy_out_of_order"
)

// span is what an audit is about: the submissions received between two times, of
// one participant or of all.
type span struct {
	from, to    time.Time
	participant string
	// receipts asks for every submission by HTTP too.
	receipts bool
}

// difference is one thing that an audit found.
type difference struct {
	Difference  string `json:"difference"`
	Participant string `json:"participant,omitempty"`
	Place       string `json:"place,omitempty"`
	Topic       string `json:"topic,omitempty"`
	Partition   int    `json:"partition"`
	Offset      int64  `json:"offset"`
	Source      string `json:"source,omitempty"`
	ID          string `json:"id,omitempty"`
	Detail      string `json:"detail,omitempty"`
}

// sums are what an audit counted.
type sums struct {
	HandedIn    int64 `json:"handed_in"`
	ByKafka     int64 `json:"by_kafka"`
	ByHTTP      int64 `json:"by_http"`
	Quarantined int64 `json:"quarantined"`
	Outcomes    int64 `json:"outcomes"`
	Repeated    int64 `json:"written_again"`
	Copies      int64 `json:"copies"`
	Differences int64 `json:"differences"`
}

// told is a line of an audit's answer: one of the four.
type told struct {
	Progress   string      `json:"progress,omitempty"`
	Receipt    *receipt    `json:"receipt,omitempty"`
	Difference *difference `json:"found,omitempty"`
	Sums       *sums       `json:"sums,omitempty"`
}

// receipt is a submission by HTTP, for whoever compares its own book of them.
type receipt struct {
	Place  string `json:"place"`
	Source string `json:"source"`
	ID     string `json:"id"`
}

// settledAfter is how long what was handed in may be under way before it counts as
// lost.
const settledAfter = 10 * time.Second

// audit compares one span, partition by partition, so that no more than one
// partition's span is in memory, at some 150 bytes an event.
type audit struct {
	*Observatory
	span
	tell func(told) error
	sums sums
	// handed are the records of `from` topics that a submission or the quarantine
	// names, by topic and partition.
	handed map[string]map[int64]bool
}

func (a *audit) run(ctx context.Context) error {
	a.handed = map[string]map[int64]bool{}
	ends, err := a.host.Broker.Ranges(ctx, a.host.Broker.Topic("submitted"))
	if err != nil {
		return err
	}
	for p := range len(ends) {
		if err := a.partition(ctx, p); err != nil {
			return err
		}
		if err := a.tell(told{Progress: fmt.Sprintf("partition %d of %d: %d handed in, %d outcomes, %d copies, %d differences",
			p+1, len(ends), a.sums.HandedIn, a.sums.Outcomes, a.sums.Copies, a.sums.Differences)}); err != nil {
			return err
		}
	}
	if err := a.quarantine(ctx); err != nil {
		return err
	}
	if err := a.fromTopics(ctx); err != nil {
		return err
	}
	return a.tell(told{Sums: &a.sums})
}

func (a *audit) found(d difference) error {
	a.sums.Differences++
	return a.tell(told{Difference: &d})
}

// submission is what is kept of one while its partition is looked at.
type submission struct {
	source, id string
	mine       bool
	outcome    [sha256.Size]byte // of the first outcome; zero before
	parties    []string
	copy       [sha256.Size]byte // what a copy must be
}

// partition compares one partition: submissions, outcomes, copies.
func (a *audit) partition(ctx context.Context, p int) error {
	submitted := a.host.Broker.Topic("submitted")
	all := map[int64]*submission{}
	first, next, err := a.stretch(ctx, submitted, p)
	if err != nil || first == next {
		return err
	}
	var failed error
	err = a.scan(ctx, submitted, p, first, next, func(r *broker.Record) bool {
		s := &submission{source: header(r, "source"), id: header(r, "id"), mine: a.concerns(r)}
		all[r.Offset] = s
		if s.mine && a.door(r) && a.receipts {
			failed = a.tell(told{Receipt: &receipt{placeOf(p, r.Offset), s.source, s.id}})
		}
		return failed == nil
	}, func(int64) {})
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	if err := a.outcomes(ctx, p, first, next, all); err != nil {
		return err
	}
	for n := first; n < next; n++ {
		if s := all[n]; s != nil && s.mine && s.outcome == ([sha256.Size]byte{}) {
			if err := a.found(difference{Difference: noOutcome, Participant: participantOf(s.source), Place: placeOf(p, n), Topic: submitted, Partition: p, Offset: n, Source: s.source, ID: s.id}); err != nil {
				return err
			}
		}
	}
	return a.copies(ctx, p, first, next, all)
}

// stretch is the offsets of the span on a partition of submissions.
func (a *audit) stretch(ctx context.Context, topic string, p int) (first, next int64, err error) {
	if first, err = a.host.Broker.OffsetAt(ctx, topic, p, a.from); err != nil {
		return 0, 0, err
	}
	next, err = a.host.Broker.OffsetAt(ctx, topic, p, a.to)
	return first, max(first, next), err
}

// concerns says whether a submission is the participant's that is asked about.
func (a *audit) concerns(r *broker.Record) bool {
	return a.participant == "" || header(r, schemas.AttrSubmitter) == a.participant || participantOf(header(r, "source")) == a.participant
}

func participantOf(source string) string {
	p, _, _ := schemas.ParseSource(source)
	return p
}

func placeOf(partition int, offset int64) string {
	return schemas.Place{Partition: partition, Offset: offset}.String()
}

func header(r *broker.Record, attribute string) string { return string(r.Header("ce_" + attribute)) }

// door notes by which door a submission came, and says whether that was HTTP.
func (a *audit) door(r *broker.Record) bool {
	a.sums.HandedIn++
	d, err := schemas.ParseDoor(header(r, schemas.AttrDoor))
	if err != nil || d.Topic == "" {
		a.sums.ByHTTP++
		return true
	}
	a.sums.ByKafka++
	a.handedIn(a.host.Broker.Topic(d.Topic), d.Partition, d.Offset)
	return false
}

func (a *audit) handedIn(topic string, partition int, offset int64) {
	key := topic + "/" + strconv.Itoa(partition)
	if a.handed[key] == nil {
		a.handed[key] = map[int64]bool{}
	}
	a.handed[key][offset] = true
}

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

// stamps are the headers that a copy does not have, or has of its own.
var stamps = map[string]bool{
	"ce_" + schemas.AttrParties: true, "ce_" + schemas.AttrSenderRole: true, "ce_" + schemas.AttrRecipientRole: true,
	"ce_" + schemas.AttrSubmitter: true, "ce_" + schemas.AttrDoor: true, "ce_" + schemas.AttrRecipient: true,
}

// digestOf is a record's digest, but for some headers.
func digestOf(r *broker.Record, without map[string]bool) [sha256.Size]byte {
	h := sha256.New()
	put := func(b []byte) { fmt.Fprintf(h, "%d:%s,", len(b), b) }
	for _, x := range r.Headers {
		if !without[x.Key] {
			put([]byte(x.Key))
			put(x.Value)
		}
	}
	put(r.Value)
	return [sha256.Size]byte(h.Sum(nil))
}

// copies looks at what each party has of the partition's outcomes.
func (a *audit) copies(ctx context.Context, p int, first, next int64, all map[int64]*submission) error {
	parties := map[string]bool{}
	for _, s := range all {
		for _, party := range s.parties {
			if s.mine || party == a.participant {
				parties[party] = true
			}
		}
	}
	topics := map[string][]int{}
	for party := range parties {
		if office, ok := strings.CutPrefix(party, schemas.OfficesParticipant+"/"); ok {
			at := broker.PartitionOf([]byte(office), a.partitions())
			if !slices.Contains(topics[schemas.OfficesParticipant], at) {
				topics[schemas.OfficesParticipant] = append(topics[schemas.OfficesParticipant], at)
			}
		} else {
			topics[party] = []int{p}
		}
	}
	seen := map[string]map[int64]bool{}
	for name, partitions := range topics {
		for _, at := range partitions {
			if err := a.copiesOn(ctx, name, at, p, first, next, all, seen); err != nil {
				return err
			}
		}
	}
	for n := first; n < next; n++ {
		s := all[n]
		if s == nil {
			continue
		}
		for _, party := range s.parties {
			if parties[party] && (s.mine || party == a.participant) && !seen[party][n] {
				if err := a.found(difference{Difference: noCopy, Participant: party, Place: placeOf(p, n), Topic: a.topicOf(party), Partition: p, Offset: -1, Source: s.source, ID: s.id}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (a *audit) topicOf(party string) string {
	if strings.HasPrefix(party, schemas.OfficesParticipant+"/") {
		party = schemas.OfficesParticipant
	}
	return a.host.Broker.Topic("to." + party)
}

// copiesOn reads the copies of one submitted partition on one partition of a `to`
// topic.
func (a *audit) copiesOn(ctx context.Context, name string, at, p int, first, next int64, all map[int64]*submission, seen map[string]map[int64]bool) error {
	topic := a.host.Broker.Topic("to." + name)
	r, err := a.host.Broker.RangeOf(ctx, topic, at)
	if err != nil {
		return err
	}
	from, err := a.copiesFrom(ctx, name, topic, at, r, first)
	if err != nil {
		return err
	}
	highest := map[string]int64{}
	var failed error
	err = a.scan(ctx, topic, at, from, r.Next, func(rec *broker.Record) bool {
		submittedPartition, perr := strconv.Atoi(header(rec, schemas.AttrSubmittedPartition))
		n, nerr := strconv.ParseInt(header(rec, schemas.AttrSubmittedOffset), 10, 64)
		if errors.Join(perr, nerr) != nil || submittedPartition != p || n < first || n >= next || len(rec.Header("ce_"+schemas.AttrReplay)) > 0 {
			return true
		}
		party := name
		if name == schemas.OfficesParticipant {
			party += "/" + string(rec.Key)
		}
		failed = a.copyOf(rec, party, p, n, all[n], highest, seen)
		return failed == nil
	}, func(int64) {})
	return errors.Join(err, failed)
}

// copiesFrom is where copies of the span can begin: on a topic of a participant's
// own by number, on the offices' by the time they were received, which stands on the
// copies too.
func (a *audit) copiesFrom(ctx context.Context, name, topic string, at int, r broker.Range, first int64) (int64, error) {
	if name != schemas.OfficesParticipant {
		return a.search(ctx, topic, at, r, first)
	}
	return a.host.Broker.OffsetAt(ctx, topic, at, a.from)
}

// copyOf looks at one copy.
func (a *audit) copyOf(r *broker.Record, party string, p int, n int64, s *submission, highest map[string]int64, seen map[string]map[int64]bool) error {
	if s == nil || !s.mine && party != a.participant {
		return nil
	}
	what := difference{Participant: party, Place: placeOf(p, n), Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Source: s.source, ID: s.id}
	last, any := highest[party]
	switch {
	case seen[party][n]:
		a.sums.Repeated++ // readers drop it by its number
		return nil
	case any && n < last:
		what.Difference, what.Detail = copyOrder, "readers pass over it: a later event stands before it"
	case !slices.Contains(s.parties, party):
		what.Difference, what.Detail = extraCopy, "its outcome does not name this party"
	case digestOf(r, stamps) != s.copy:
		what.Difference, what.Detail = otherCopy, "it is not what the outcome is"
	}
	if seen[party] == nil {
		seen[party] = map[int64]bool{}
	}
	seen[party][n], highest[party] = true, max(n, last)
	if what.Difference != "" {
		return a.found(what)
	}
	a.sums.Copies++
	return nil
}

// headerOrigin is where a quarantined record came from, `<topic>/<partition>-<offset>`.
const headerOrigin = "relais-origin"

// quarantine notes what of the `from` topics could not be read at all.
func (a *audit) quarantine(ctx context.Context) error {
	topic := a.host.Broker.Topic("quarantine")
	r, err := a.host.Broker.RangeOf(ctx, topic, 0)
	if err != nil {
		return err
	}
	return a.scan(ctx, topic, 0, r.First, r.Next, func(rec *broker.Record) bool {
		origin := ""
		for _, h := range rec.Headers { // the gateway's is the last
			if h.Key == headerOrigin {
				origin = string(h.Value)
			}
		}
		from, place, _ := strings.Cut(origin, "/")
		at, err := schemas.ParsePlace(place)
		if err == nil && !rec.Time.Before(a.from) {
			a.handedIn(from, at.Partition, at.Offset)
			a.sums.Quarantined++
		}
		return true
	}, func(int64) {})
}

// fromTopics looks for records of `from` topics that were never handed in: between
// the first and the last that were in the span, and up to what the gateway has
// long had time for.
func (a *audit) fromTopics(ctx context.Context) error {
	for key, offsets := range a.handed {
		at := strings.LastIndexByte(key, '/')
		topic := key[:at]
		partition, err := strconv.Atoi(key[at+1:])
		if err != nil {
			return err
		}
		owner := strings.TrimPrefix(topic, a.host.Broker.Topic("from."))
		if a.participant != "" && owner != a.participant {
			continue
		}
		first, last := int64(-1), int64(-1)
		for o := range offsets {
			if first < 0 || o < first {
				first = o
			}
			last = max(last, o)
		}
		var failed error
		err = a.scan(ctx, topic, partition, first, last, func(rec *broker.Record) bool {
			if !offsets[rec.Offset] {
				e := statement.OnFrom(partition, rec.Offset, rec.Headers, nil)
				failed = a.found(difference{Difference: neverHandedIn, Participant: owner, Topic: topic, Partition: partition, Offset: rec.Offset, Source: e.Source, ID: e.ID, Detail: "it has neither a submission nor a place in the quarantine"})
			}
			return failed == nil
		}, func(int64) {})
		if err := errors.Join(err, failed); err != nil {
			return err
		}
	}
	return nil
}
