package router

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/pause"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// collection watches that participants collect what is on their topics. A
// participant's own consumer groups are those named as it is, or `<id>.` and
// anything: `cnaf`, `cnaf.prod`; its reading of the mailbox is the group
// `relais.mailbox.<id>`. What any of them has passed is collected: a forgotten
// group of a trial alarms nobody.
//
// A topic's partition p is written from recorded/p alone, so that the router that
// owns recorded/p watches it and tells of it.
type collection struct {
	*Router
	// seen is up to where each partition of each topic was looked at, collected how
	// far it was: brokers forget the offsets of groups without members, after seven
	// days by default, and a group that reads again has had what it reads.
	seen, collected map[string]int64
}

const (
	// collectEvery is how often it is looked at: retention is in days.
	collectEvery = 5 * time.Minute
	// collectFirst is how long after the start the first look is: partitions are
	// shared out by then.
	collectFirst = 20 * time.Second
	// collectTimeout bounds one look.
	collectTimeout = time.Minute
	// maxLead is the longest time before its deletion at which a participant is
	// warned of an event that it has not collected; a quarter of the retention where
	// that is shorter.
	maxLead = 7 * 24 * time.Hour
)

// watchCollection looks at all topics until ctx ends.
func (r *Router) watchCollection(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-r.letters.ready:
	}
	select {
	case <-ctx.Done():
		return
	case <-r.host.Directory.Ready():
	}
	c := &collection{Router: r, seen: map[string]int64{}, collected: map[string]int64{}}
	for wait := collectFirst; pause.For(ctx, wait) == nil; wait = collectEvery {
		look, cancel := context.WithTimeout(ctx, collectTimeout)
		err := c.look(look)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			r.host.Log.WarnContext(ctx, "cannot see whether participants collect their events", telemetry.KeyError, err)
		}
	}
}

// look looks at every participant's topic, as far as its partitions are ours.
func (c *collection) look(ctx context.Context) error {
	groups, err := c.host.Broker.Groups(ctx)
	if err != nil {
		return err
	}
	for _, participant := range c.host.Directory.Snapshot().Participants() {
		if !participant.HasTopics() {
			continue
		}
		if err := c.lookAt(ctx, participant, groups); err != nil {
			if ctx.Err() != nil {
				return err
			}
			c.host.Log.WarnContext(ctx, "cannot see whether a participant collects its events", telemetry.KeyParticipant, participant.ID, telemetry.KeyError, err)
		}
	}
	return nil
}

// isGroupOf says whether a consumer group is a participant's.
func (r *Router) isGroupOf(group, participant string) bool {
	return group == participant || strings.HasPrefix(group, participant+".") || group == r.host.Broker.Topic("mailbox."+participant)
}

// position is the furthest that any of a participant's groups has come on each
// partition of its topic.
func (r *Router) position(ctx context.Context, participant string, groups []string) (map[int]int64, error) {
	furthest := map[int]int64{}
	for _, group := range groups {
		if !r.isGroupOf(group, participant) {
			continue
		}
		offsets, err := r.host.Broker.GroupOffsets(ctx, group, r.host.Broker.Topic("to."+participant), r.host.Settings.Partitions)
		if err != nil {
			return nil, err
		}
		for p, at := range offsets {
			furthest[p] = max(furthest[p], at.Offset)
		}
	}
	return furthest, nil
}

func (c *collection) lookAt(ctx context.Context, participant directory.Participant, groups []string) error {
	topic := c.host.Broker.Topic("to." + participant.ID)
	if broker.Gone(c.host.Broker.Reachable(ctx, topic, 0)) {
		return nil // its lanes tell
	}
	keep, ends, err := c.host.Broker.Retention(ctx, topic)
	if err != nil {
		return err
	}
	at, err := c.position(ctx, participant.ID, groups)
	if err != nil {
		return err
	}
	waiting := int64(0)
	var oldest time.Time
	for _, p := range c.waiting.numbers() {
		held, err := c.host.Broker.RangeOf(ctx, topic, p)
		if err != nil {
			return err
		}
		b := box{participant: participant.ID, topic: topic, partition: p, held: held, keep: keep}
		b.collected = min(max(at[p], c.collected[b.name()]),
			// the topic was made anew
			held.Next)
		c.collected[b.name()] = b.collected
		waiting += held.Next - max(b.collected, held.First)
		since, err := c.since(ctx, b)
		if err != nil {
			return err
		}
		// Who is shut out cannot collect, and that is known.
		if participant.Active() && !since.IsZero() && (oldest.IsZero() || since.Before(oldest)) {
			oldest = since
		}
		if !ends {
			continue
		}
		if err := c.lookInto(ctx, b); err != nil {
			return err
		}
	}
	c.metrics.uncollected.WithLabelValues(participant.ID).Set(float64(max(waiting, 0)))
	c.uncollected.set(participant.ID, oldest)
	return nil
}

// since is when the first event that is not collected came; the zero time when all
// are.
func (c *collection) since(ctx context.Context, b box) (time.Time, error) {
	from := max(b.collected, b.held.First)
	if from >= b.held.Next {
		return time.Time{}, nil
	}
	batch, err := c.host.Broker.Cursor(b.topic, b.partition, from).Fetch(ctx)
	if err != nil || len(batch.Records) == 0 {
		return time.Time{}, err
	}
	return batch.Records[0].Time, nil
}

// box is one partition of a participant's topic.
type box struct {
	participant, topic string
	partition          int
	held               broker.Range
	collected          int64 // the offset up to which it was
	keep               time.Duration
}

func (b box) name() string { return b.topic + "/" + strconv.Itoa(b.partition) }

// lead is how long before its deletion the participant is warned of an event.
func (b box) lead() time.Duration { return min(b.keep/4, maxLead) }

// lookInto tells what was collected after all, what was deleted before it was, and
// what soon will be.
func (c *collection) lookInto(ctx context.Context, b box) error {
	warned := c.letters.choose(func(l *letter) bool {
		return l.Recipient == b.participant && l.at.Partition == b.partition && l.CopyOffset != nil &&
			(l.reason() == schemas.DeliveryNotCollected || l.reason() == schemas.DeliveryDeleted)
	})
	told := b.collected
	changes, deleted := c.redriven(b)
	again := int64(deleted) // they are among those that are gone, and have been told of
	for _, l := range warned {
		told = max(told, *l.CopyOffset+1)
		d := *l.DeliveryChanged
		switch {
		case l.reason() == schemas.DeliveryDeleted:
			continue
		case *l.CopyOffset < b.collected:
			d.State, d.Deleted = schemas.DeliveryAcknowledged, nil // the reason says that its sender was told
		case *l.CopyOffset < b.held.First:
			d.State, d.Reason = schemas.DeliveryDead, new(schemas.DeliveryDeleted)
			deleted++
		default:
			continue
		}
		changes = append(changes, &d)
	}
	if number := b.held.First - told - again; number > 0 {
		unwarned, err := c.unwarned(ctx, b, number)
		if err != nil {
			return err
		}
		deleted += len(unwarned)
		changes = append(changes, unwarned...)
	}
	if err := c.publish(ctx, changes); err != nil {
		return err
	}
	if deleted > 0 {
		c.metrics.deleted.WithLabelValues(b.participant).Add(float64(deleted))
		c.host.Log.ErrorContext(ctx, "events were deleted before their recipient collected them", telemetry.KeyParticipant, b.participant,
			telemetry.KeyTopic, b.topic, telemetry.KeyPartition, b.partition, telemetry.KeyCount, deleted)
	}
	return c.warn(ctx, b, max(told, b.held.First))
}

// redriven tells of redriven copies, which carry no number and of which nobody is
// warned, that they were collected, or that they were deleted before they were: the
// sender was told that they are there.
func (c *collection) redriven(b box) (changes []*schemas.DeliveryChanged, deleted int) {
	for _, l := range c.letters.redrivenTo(b.participant, b.partition) {
		d := *l.DeliveryChanged
		switch {
		case *l.CopyOffset < b.collected:
			d.State, d.Reason = schemas.DeliveryAcknowledged, nil
		case *l.CopyOffset < b.held.First:
			d.State, d.Reason = schemas.DeliveryDead, new(schemas.DeliveryDeleted)
			deleted++
		default:
			continue
		}
		changes = append(changes, &d)
	}
	return changes, deleted
}

// warn tells of what is not collected and is soon deleted.
func (c *collection) warn(ctx context.Context, b box, from int64) error {
	limit := time.Now().Add(b.lead() - b.keep)
	var changes []*schemas.DeliveryChanged
	cursor := c.host.Broker.Cursor(b.topic, b.partition, max(from, c.seen[b.name()]))
read:
	for cursor.Position() < b.held.Next {
		batch, err := cursor.Fetch(ctx)
		if err != nil {
			return err
		}
		for _, record := range batch.Records {
			if record.Time.After(limit) {
				break read
			}
			if header(record, schemas.AttrReplay) != "" {
				continue
			}
			d, err := c.step(record, b, schemas.DeliveryDelivered, schemas.DeliveryNotCollected)
			if err != nil {
				continue // not ours to read: the router writes no such record
			}
			changes = append(changes, d)
		}
		if len(batch.Records) == 0 {
			break
		}
	}
	if len(changes) == 0 {
		return nil
	}
	if err := c.publish(ctx, changes); err != nil {
		return err
	}
	c.seen[b.name()] = *changes[len(changes)-1].CopyOffset + 1
	c.host.Log.WarnContext(ctx, "events are not collected and will be deleted", telemetry.KeyParticipant, b.participant, telemetry.KeyTopic, b.topic,
		telemetry.KeyPartition, b.partition, telemetry.KeyCount, len(changes), "from", *changes[0].Deleted)
	return nil
}

// step is the step of a copy that stands, or stood, on its recipient's topic.
func (c *collection) step(record broker.Record, b box, state, reason string) (*schemas.DeliveryChanged, error) {
	place, err := placeOf(record)
	if err != nil {
		return nil, err
	}
	return &schemas.DeliveryChanged{
		Place: place.String(), Recipient: b.participant, State: state, Reason: &reason, Channel: schemas.ChannelKafka, Attempt: 1,
		EventSource: header(record, "source"), EventID: header(record, "id"), EventType: header(record, "type"), Subject: header(record, "subject"),
		Sender: c.senderFrom(record, b.participant), Since: record.Time, Deleted: new(record.Time.Add(b.keep)), CopyOffset: new(record.Offset),
	}, nil
}

// senderFrom is whom to tell of an event, by its source: parties are not on the
// copy.
func (c *collection) senderFrom(record broker.Record, recipient string) *string {
	e := schemas.Event{Source: header(record, "source")}
	id := e.Participant()
	if id == "" || id == schemas.HubParticipant || id == recipient {
		return nil
	}
	if p, ok := c.host.Directory.Participant(id); ok && p.Role == schemas.RoleOffice {
		id = officesPrefix + id
	}
	return &id
}

// unwarned are the so many events that were deleted without a warning, because no router
// ran or because the retention was made shorter. Their copies are gone: they are
// the last ones on recorded before the first that is left.
func (c *collection) unwarned(ctx context.Context, b box, number int64) ([]*schemas.DeliveryChanged, error) {
	left := int64(-1) // the number of the first that is left
	cursor := c.host.Broker.Cursor(b.topic, b.partition, b.held.First)
	for left < 0 && cursor.Position() < b.held.Next {
		batch, err := cursor.Fetch(ctx)
		if err != nil {
			return nil, err
		}
		for _, record := range batch.Records {
			if place, err := placeOf(record); err == nil && header(record, schemas.AttrReplay) == "" {
				left = place.Offset
				break
			}
		}
	}
	var last []broker.Record
	end, err := c.host.Broker.RangeOf(ctx, c.recorded, b.partition)
	if err != nil {
		return nil, err
	}
	highest := int64(-1)
	for cursor := c.host.Broker.Cursor(c.recorded, b.partition, end.First); cursor.Position() < end.Next; {
		batch, err := cursor.Fetch(ctx)
		if err != nil {
			return nil, err
		}
		for _, record := range batch.Records {
			place, err := placeOf(record)
			if err != nil {
				return nil, err
			}
			if place.Offset <= highest || left >= 0 && place.Offset >= left {
				continue
			}
			highest = place.Offset
			if slices.Contains(strings.Split(header(record, schemas.AttrParties), ","), b.participant) {
				last = append(last, record)
			}
		}
		if n := int64(len(last)) - number; n > 0 {
			last = slices.Clone(last[n:])
		}
	}
	var changes []*schemas.DeliveryChanged
	for i, record := range last {
		d, err := c.step(record, b, schemas.DeliveryDead, schemas.DeliveryDeleted)
		if err != nil {
			return nil, err
		}
		d.Sender, d.RecordedOffset = senderOf(record, b.participant), new(record.Offset)
		d.CopyOffset = new(b.held.First - int64(len(last)-i))
		changes = append(changes, d)
	}
	return changes, nil
}
