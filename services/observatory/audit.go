package observatory

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
)

// Kinds of difference that an audit names.
const (
	// neverHandedIn: a record of a `from` topic has neither a submission nor a place
	// in the quarantine.
	neverHandedIn = "never_handed_in"
	// fromCut: a `from` topic is shorter than what was handed in from it.
	fromCut = "from_cut"
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
	// From and To are the span that was looked at.
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
	HandedIn    int64     `json:"handed_in"`
	ByKafka     int64     `json:"by_kafka"`
	ByHTTP      int64     `json:"by_http"`
	Quarantined int64     `json:"quarantined"`
	// Repaired are submissions that a repair of the log wrote: they stand for what was
	// lost, or hand in again what stood there before.
	Repaired int64 `json:"repaired"`
	Outcomes int64 `json:"outcomes"`
	Repeated int64 `json:"written_again"`
	Copies   int64 `json:"copies"`
	// Held are copies that the router holds back because their recipient is suspended;
	// ShutOut were never made, because it is closed, and their senders are told.
	Held        int64 `json:"held"`
	ShutOut     int64 `json:"shut_out"`
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

// repairFiller is the ledger's word, in AttrRepair, for what it wrote in the place of
// a submission that the log lost after it was judged.
const repairFiller = "filler"

// settledAfter is how long what was handed in may be under way before it counts as
// lost.
const settledAfter = 10 * time.Second

// audit compares one span, partition by partition, so that of submissions and
// outcomes no more than one partition's span is in memory, at some 150 bytes an
// event. The offsets of what came by `from` topics are kept throughout.
type audit struct {
	*Observatory
	span
	tell func(told) error
	sums sums
	// handed are the records of `from` topics that the span's submissions name,
	// quarantined those that the quarantine does.
	handed      map[fromPartition]map[int64]bool
	quarantined map[fromPlace]bool
	// lost counts the submissions that only their outcomes tell of, by submitter and
	// id.
	lost map[[2]string]int
}

func (a *audit) run(ctx context.Context) error {
	a.handed, a.quarantined, a.lost = map[fromPartition]map[int64]bool{}, map[fromPlace]bool{}, map[[2]string]int{}
	a.sums.From, a.sums.To = a.from.UTC(), a.to.UTC()
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
	// filler says that a repair wrote it, in the place of one that the log lost.
	filler  bool
	outcome [sha256.Size]byte // of the first outcome; zero before
	parties []string
	copy    [sha256.Size]byte // what a copy must be
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
		if repair := header(r, schemas.AttrRepair); repair != "" {
			s.filler = repair == repairFiller
			a.sums.Repaired++
			return true
		}
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
