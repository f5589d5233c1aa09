package observatory

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/logbook"
)

// stamps are the headers that a copy does not have, or has of its own.
var stamps = map[string]bool{
	"ce_" + schemas.AttrParties: true, "ce_" + schemas.AttrSenderRole: true, "ce_" + schemas.AttrRecipientRole: true,
	"ce_" + schemas.AttrSubmitter: true, "ce_" + schemas.AttrDoor: true, "ce_" + schemas.AttrRepair: true, "ce_" + schemas.AttrRecipient: true,
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
	// Looked at before the copies: what is held back now and copied meanwhile is seen.
	books, err := logbook.Of(ctx, a.host.Broker, a.partitions())
	if err != nil {
		return err
	}
	seen, last := map[string]map[int64]bool{}, map[string]int64{}
	for name, partitions := range topics {
		for _, at := range partitions {
			if last[name], err = a.copiesOn(ctx, name, at, p, first, next, all, seen); err != nil {
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
				if books[p].Holds(logbook.Name("to."+party, p), n) {
					a.sums.Held++
					continue
				}
				if n > last[party] && a.isClosed(party) {
					a.sums.ShutOut++
					continue
				}
				if err := a.found(difference{Difference: noCopy, Participant: party, Place: placeOf(p, n), Topic: a.topicOf(party), Partition: p, Offset: -1, Source: s.source, ID: s.id}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// isClosed says whether a party is a participant that was closed: it has no copy of
// what came later.
func (a *audit) isClosed(party string) bool {
	p, ok := a.host.Directory.Participant(party)
	return ok && p.Closed()
}

func (a *audit) topicOf(party string) string {
	if strings.HasPrefix(party, schemas.OfficesParticipant+"/") {
		party = schemas.OfficesParticipant
	}
	return a.host.Broker.Topic("to." + party)
}

// copiesOn reads the copies of one submitted partition on one partition of a `to`
// topic, and tells the highest number that the topic has.
func (a *audit) copiesOn(ctx context.Context, name string, at, p int, first, next int64, all map[int64]*submission, seen map[string]map[int64]bool) (last int64, err error) {
	last = -1
	topic := a.host.Broker.Topic("to." + name)
	r, err := a.host.Broker.RangeOf(ctx, topic, at)
	if err != nil {
		return last, err
	}
	from, err := a.copiesFrom(ctx, name, topic, at, r, first)
	if err != nil {
		return last, err
	}
	highest := map[string]int64{}
	var failed error
	err = a.scan(ctx, topic, at, from, r.Next, func(rec *broker.Record) bool {
		submittedPartition, perr := strconv.Atoi(header(rec, schemas.AttrSubmittedPartition))
		n, nerr := strconv.ParseInt(header(rec, schemas.AttrSubmittedOffset), 10, 64)
		if errors.Join(perr, nerr) != nil || submittedPartition != p || len(rec.Header("ce_"+schemas.AttrReplay)) > 0 {
			return true
		}
		if last = max(last, n); n < first || n >= next {
			return true
		}
		party := name
		if name == schemas.OfficesParticipant {
			party += "/" + string(rec.Key)
		}
		failed = a.copyOf(rec, party, p, n, all[n], highest, seen)
		return failed == nil
	}, func(int64) {})
	return last, errors.Join(err, failed)
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
