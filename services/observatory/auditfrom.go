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

// fromPlace is a record of a `from` topic.
type fromPlace struct {
	topic     string
	partition int
	offset    int64
}

// fromOf is the record by which a submission came; ok is false for HTTP.
func (a *audit) fromOf(r *broker.Record) (at fromPlace, ok bool) {
	d, err := schemas.ParseDoor(header(r, schemas.AttrDoor))
	if err != nil || d.Topic == "" {
		return fromPlace{}, false
	}
	return fromPlace{a.host.Broker.Topic(d.Topic), d.Partition, d.Offset}, true
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
	a.handed[at] = true
	return false
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
			a.handed[fromPlace{from, at.Partition, at.Offset}] = true
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
		owner, ok := strings.CutPrefix(topic, a.host.Broker.Topic("from."))
		if !ok || a.participant != "" && owner != a.participant {
			continue
		}
		ranges, err := a.host.Broker.Ranges(ctx, topic)
		if err != nil {
			return err
		}
		for p := range len(ranges) {
			if err := a.fromPartition(ctx, topic, owner, p, missing); err != nil {
				return err
			}
		}
	}
	if err := a.beyondTheSpan(ctx, missing); err != nil {
		return err
	}
	for _, at := range slices.SortedFunc(maps.Keys(missing), func(x, y fromPlace) int {
		return cmp.Or(cmp.Compare(x.topic, y.topic), cmp.Compare(x.partition, y.partition), cmp.Compare(x.offset, y.offset))
	}) {
		if err := a.found(missing[at]); err != nil {
			return err
		}
	}
	return nil
}

// fromPartition collects the records of a partition that no submission of the span
// names, nor the quarantine.
func (a *audit) fromPartition(ctx context.Context, topic, owner string, p int, missing map[fromPlace]difference) error {
	first, next, err := a.stretch(ctx, topic, p)
	if err != nil {
		return err
	}
	for at := range a.handed {
		if at.topic == topic && at.partition == p {
			if first == next {
				first, next = at.offset, at.offset
			}
			first, next = min(first, at.offset), max(next, at.offset+1)
		}
	}
	return a.scan(ctx, topic, p, first, next, func(rec *broker.Record) bool {
		at, e := fromPlace{topic, p, rec.Offset}, statement.OnFrom(p, rec.Offset, rec.Headers, nil)
		if !a.handed[at] && !a.lost[[2]string{owner, e.ID}] {
			missing[at] = difference{
				Difference: neverHandedIn, Participant: owner, Topic: topic, Partition: p, Offset: rec.Offset, Source: e.Source, ID: e.ID,
				Detail: "it has neither a submission nor a place in the quarantine",
			}
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
