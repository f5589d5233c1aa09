package observatory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/statement"
	"github.com/relais-fr/relais/services/internal/broker"
)

// fromPartition is a partition of a `from` topic.
type fromPartition struct {
	topic string
	index int
}

// fromPlace is a record of one.
type fromPlace struct {
	fromPartition
	offset int64
}

// fromOf is the record by which a submission came; ok is false for HTTP.
func (a *audit) fromOf(r *broker.Record) (at fromPlace, ok bool) {
	d, err := schemas.ParseDoor(header(r, schemas.AttrDoor))
	if err != nil || d.Topic == "" {
		return fromPlace{}, false
	}
	return fromPlace{fromPartition{a.host.Broker.Topic(d.Topic), d.Partition}, d.Offset}, true
}

// door counts a submission by the door by which it came, and says whether that was
// HTTP.
func (a *audit) door(r *broker.Record) bool {
	a.sums.HandedIn++
	at, ok := a.fromOf(r)
	if !ok {
		a.sums.ByHTTP++
		return true
	}
	a.sums.ByKafka++
	a.handedIn(at)
	return false
}

func (a *audit) handedIn(at fromPlace) {
	if a.handed[at.fromPartition] == nil {
		a.handed[at.fromPartition] = map[int64]bool{}
	}
	a.handed[at.fromPartition][at.offset] = true
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
		if err != nil {
			return true
		}
		// Whenever it was put there: the record that it was may be of the span.
		a.quarantined[fromPlace{fromPartition{from, at.Partition}, at.Offset}] = true
		if a.ownerOf(from) != "" && !rec.Time.Before(a.from) && rec.Time.Before(a.to) {
			a.sums.Quarantined++
		}
		return true
	}, func(int64) {})
}

// fromTopics looks for records of `from` topics that were never handed in: those of
// the span by the time they were written, and all between the first and the last that
// the span's submissions came from.
func (a *audit) fromTopics(ctx context.Context) error {
	names, err := a.host.Broker.Topics(ctx)
	if err != nil {
		return err
	}
	missing := map[fromPlace]difference{}
	for _, topic := range names {
		if a.ownerOf(topic) == "" {
			continue
		}
		ranges, err := a.host.Broker.Ranges(ctx, topic)
		if err != nil {
			return err
		}
		for p := range len(ranges) {
			if err := a.fromPartition(ctx, fromPartition{topic, p}, ranges[p], missing); err != nil {
				return err
			}
		}
	}
	if err := a.beyondTheSpan(ctx, missing); err != nil {
		return err
	}
	for _, at := range slices.SortedFunc(maps.Keys(missing), func(x, y fromPlace) int {
		return cmp.Or(cmp.Compare(x.topic, y.topic), cmp.Compare(x.index, y.index), cmp.Compare(x.offset, y.offset))
	}) {
		if err := a.found(missing[at]); err != nil {
			return err
		}
	}
	return nil
}

// ownerOf is whose `from` topic it is, "" for another topic and for one of somebody
// whom the audit is not about.
func (a *audit) ownerOf(topic string) string {
	owner, ok := strings.CutPrefix(topic, a.host.Broker.Topic("from."))
	if !ok || a.participant != "" && owner != a.participant {
		return ""
	}
	return owner
}

// fromPartition collects the records of a partition that no submission of the span
// names, nor the quarantine, and names what is gone from its end.
func (a *audit) fromPartition(ctx context.Context, on fromPartition, r broker.Range, missing map[fromPlace]difference) error {
	first, next, err := a.stretch(ctx, on.topic, on.index)
	if err != nil {
		return err
	}
	owner, handed, gone := a.ownerOf(on.topic), a.handed[on], 0
	for offset := range handed {
		if offset >= r.Next {
			gone++
			continue
		}
		if first == next {
			first, next = offset, offset
		}
		first, next = min(first, offset), max(next, offset+1)
	}
	if gone > 0 {
		if err := a.found(difference{
			Difference: fromCut, Participant: owner, Topic: on.topic, Partition: on.index, Offset: r.Next,
			Detail: fmt.Sprintf("%d records were handed in that stood at or behind the topic's present end", gone),
		}); err != nil {
			return err
		}
	}
	return a.scan(ctx, on.topic, on.index, max(first, r.First), min(next, r.Next), func(rec *broker.Record) bool {
		at, e := fromPlace{on, rec.Offset}, statement.OnFrom(on.index, rec.Offset, rec.Headers, nil)
		if handed[at.offset] || a.quarantined[at] {
			return true
		}
		if told := [2]string{owner, e.ID}; a.lost[told] > 0 {
			a.lost[told]--
			return true
		}
		missing[at] = difference{
			Difference: neverHandedIn, Participant: owner, Topic: on.topic, Partition: on.index, Offset: rec.Offset, Source: e.Source, ID: e.ID,
			Detail: "it has neither a submission nor a place in the quarantine",
		}
		return true
	}, func(int64) {})
}

// beyondTheSpan strikes off what was handed in before or after the span: a record may
// have been written within it by the sender's clock, or have waited for a gateway. It
// reads all submissions, which is worth it before anybody is alarmed.
func (a *audit) beyondTheSpan(ctx context.Context, missing map[fromPlace]difference) error {
	if len(missing) == 0 {
		return nil
	}
	if err := a.tell(told{Progress: fmt.Sprintf("%d records of from topics have no submission in the span: all submissions are read", len(missing))}); err != nil {
		return err
	}
	submitted := a.host.Broker.Topic("submitted")
	ranges, err := a.host.Broker.Ranges(ctx, submitted)
	if err != nil {
		return err
	}
	for p := range len(ranges) {
		err := a.scan(ctx, submitted, p, ranges[p].First, ranges[p].Next, func(rec *broker.Record) bool {
			if at, ok := a.fromOf(rec); ok {
				delete(missing, at)
			}
			return len(missing) > 0
		}, func(int64) {})
		if err != nil {
			return err
		}
	}
	return nil
}
