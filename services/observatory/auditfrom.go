package observatory

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/statement"
	"github.com/relais-fr/relais/services/internal/broker"
)

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
