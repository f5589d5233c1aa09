// Package account compares what clients wrote down with what stands on the hub's
// topics, as anybody can read them with a plain consumer: what was acknowledged has
// an outcome, what has an outcome was attempted, each submission has one, and every
// recipient has each of its events once, in the order of its dossier.
//
// It trusts nobody's word but the clients' book and the records themselves.
package account

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/proof/load"
)

// The kinds of difference.
const (
	Lost       = "lost"
	Doubled    = "doubled"
	OutOfOrder = "out of order"
	Foreign    = "not attempted"
	Wrong      = "wrong"
)

// Kinds are all kinds of difference, in the order in which they are told.
var Kinds = []string{Lost, Doubled, OutOfOrder, Foreign, Wrong}

// Account is what a comparison found.
type Account struct {
	Attempted, Acknowledged int
	// Submissions are all on `submitted`; Own are those of the hub's clocks.
	Submissions, Own         int
	Outcomes                 int
	Facts, Refusals, Repeats int
	// Again are outcomes, CopiesAgain copies for recipients that stand on their log
	// once more, and that readers drop by number.
	Again, CopiesAgain int
	// Copies are what recipients have, each once.
	Copies int
	// Counts and Firsts tell the differences by kind: how many, and which was the
	// first.
	Counts map[string]int
	Firsts map[string]string
}

// Clean says whether nothing differs.
func (a *Account) Clean() bool { return len(a.Counts) == 0 }

func (a *Account) differs(kind, format string, args ...any) {
	a.Counts[kind]++
	if a.Firsts[kind] == "" {
		a.Firsts[kind] = fmt.Sprintf(format, args...)
	}
}

// comparison holds what is known while accounts are made up.
type comparison struct {
	*Account
	logs   Logs
	events map[string]load.Event
	// outcomes are those on `recorded` that count, by place.
	outcomes map[schemas.Place]*kgo.Record
	// results are what became of the clients' events: the places of their facts and
	// refusals by the event's id.
	results map[string][]schemas.Place
}

// Compare makes up the accounts.
func Compare(book *load.Book, logs Logs) *Account {
	c := &comparison{
		Account: &Account{Counts: map[string]int{}, Firsts: map[string]string{}},
		logs:    logs, events: book.Events(), outcomes: map[schemas.Place]*kgo.Record{}, results: map[string][]schemas.Place{},
	}
	for _, surprise := range book.Surprises() {
		c.differs(Wrong, "a client was answered what it should not be: %s", surprise)
	}
	c.submissions()
	c.recorded()
	c.clients()
	c.recipients()
	return c.Account
}

// submissions wants each to have been attempted by a client, as it stands there.
func (c *comparison) submissions() {
	for _, partition := range inOrder(c.logs["submitted"]) {
		for _, r := range partition {
			c.Submissions++
			if hubs(r) {
				c.Own++
				continue
			}
			e, known := c.events[header(r, "id")]
			switch {
			case !known || e.Source != header(r, "source"):
				c.differs(Foreign, "%s: nobody handed in %q of %s", at(r), header(r, "id"), header(r, "source"))
			case e.Type != header(r, "type") || e.Subject != header(r, "subject"):
				c.differs(Wrong, "%s: %s stands there as %s about %s", at(r), e.ID, header(r, "type"), header(r, "subject"))
			}
		}
	}
}

// hubs says whether a submission is one of the hub's own.
func hubs(r *kgo.Record) bool {
	participant, _, err := schemas.ParseSource(header(r, "source"))
	return err == nil && participant == schemas.HubParticipant
}

// recorded wants one outcome of each submission, in their order; what stands there
// again has to be the same.
func (c *comparison) recorded() {
	for _, partition := range inOrder(c.logs["recorded"]) {
		next := int64(0)
		for _, r := range partition {
			place, err := placeOf(r)
			if err != nil || place.Partition != int(r.Partition) {
				c.differs(Wrong, "%s: it is the outcome of %v (%v)", at(r), place, err)
				continue
			}
			submitted := c.logs["submitted"][r.Partition]
			switch {
			case place.Offset < next:
				c.Again++
				if first := c.outcomes[place]; first != nil && digest(first) != digest(r) {
					c.differs(Doubled, "%s: a second outcome of %v (%s) that is not the first one, of %s",
						at(r), place, c.submitted(place), at(first))
				}
				continue
			case place.Offset > next:
				missing := schemas.Place{Partition: place.Partition, Offset: next}
				c.differs(Lost, "%s: the outcome of %v follows, and %d before it are missing, the first that of %v (%s)",
					at(r), place, place.Offset-next, missing, c.submitted(missing))
			}
			next = place.Offset + 1
			if place.Offset >= int64(len(submitted)) {
				c.differs(Foreign, "%s: the outcome of %v, where nothing was submitted", at(r), place)
				continue
			}
			c.outcomes[place] = r
			c.judged(r, place, submitted[place.Offset])
		}
	}
	for p, partition := range c.logs["submitted"] {
		for _, r := range partition {
			if place := (schemas.Place{Partition: int(p), Offset: r.Offset}); c.outcomes[place] == nil {
				c.differs(Lost, "%s (%s) has no outcome", at(r), header(r, "id"))
			}
		}
	}
	for id, places := range c.results {
		e := c.events[id]
		if len(places) > 1 && e.Reason != string(schemas.ReasonNotAParty) {
			c.differs(Doubled, "%s became something %d times, at %v and %v", id, len(places), places[0], places[1])
		}
	}
}

// submitted is the id of the event that stands at a place.
func (c *comparison) submitted(p schemas.Place) string {
	if list := c.logs["submitted"][int32(p.Partition)]; p.Offset < int64(len(list)) {
		return header(list[p.Offset], "id")
	}
	return "?"
}

// judged counts an outcome, and wants it to be what the client may expect.
func (c *comparison) judged(r *kgo.Record, place schemas.Place, submission *kgo.Record) {
	c.Outcomes++
	id := header(submission, "id")
	e, known := c.events[id]
	known = known && !hubs(submission)
	switch typ := header(r, "type"); typ {
	case schemas.TypeSubmissionRepeated:
		c.Repeats++
		return
	case schemas.TypeSubmissionRefused:
		c.Refusals++
		if known && e.Reason == "" {
			c.differs(Wrong, "%s: %s (%s) was refused, which should be a fact", at(r), id, e.Type)
		}
	default:
		c.Facts++
		if known && e.Reason != "" {
			c.differs(Wrong, "%s: %s became a fact, which should be refused: %s", at(r), id, e.Reason)
		}
		if typ != header(submission, "type") || header(r, "id") != id {
			c.differs(Wrong, "%s: %s became %s %s", at(r), id, typ, header(r, "id"))
		}
	}
	if known {
		c.results[id] = append(c.results[id], place)
	}
}

// clients wants everything that was acknowledged to have become what it should, and
// everything that clients were told to be true.
func (c *comparison) clients() {
	c.Attempted = len(c.events)
	for id, e := range c.events {
		places := c.results[id]
		if e.Acknowledged.IsZero() {
			c.differs(Lost, "%s %s of %s was never acknowledged, in %d attempts", id, e.Type, e.By, e.Attempts)
			continue
		}
		c.Acknowledged++
		if len(places) == 0 {
			c.differs(Lost, "%s %s of %s was acknowledged (%s) and has no outcome", id, e.Type, e.By, cmp.Or(e.Place, "on its topic"))
			continue
		}
		c.word(e)
	}
}

// word holds what HTTP told a client against the log.
func (c *comparison) word(e load.Event) {
	place, err := schemas.ParsePlace(e.Place)
	if err != nil {
		if !e.Topic {
			c.differs(Wrong, "%s was acknowledged with the place %q", e.ID, e.Place)
		}
		return
	}
	if got := c.submitted(place); got != e.ID {
		c.differs(Wrong, "%s was acknowledged at %v, where %s stands", e.ID, place, got)
		return
	}
	r := c.outcomes[place]
	if r == nil || e.Told == "" || e.Told == "pending" {
		return
	}
	kind, _, _ := strings.Cut(e.Told, " ")
	is := map[string]string{schemas.TypeSubmissionRefused: "refusal", schemas.TypeSubmissionRepeated: "repeat"}[header(r, "type")]
	if is = cmp.Or(is, "fact"); is != kind || is == "fact" && header(r, schemas.AttrSequence) != e.Sequence {
		c.differs(Wrong, "%s: its client was told %q (%s), and it is a %s (%s)", at(r), e.Told, e.Sequence, is, header(r, schemas.AttrSequence))
	}
}

// recipient is a reader: it keeps one number for each submitted partition.
type recipient struct{ topic, who string }

// recipients wants each to have what concerns it, once, in the order of its
// dossier, and nothing else.
func (c *comparison) recipients() {
	due := c.due()
	got := map[recipient]map[schemas.Place]*kgo.Record{}
	for topic, log := range c.logs {
		if !strings.HasPrefix(topic, "to.") {
			continue
		}
		highest := map[recipient]map[int]int64{}
		steps := map[recipient]map[int]*kgo.Record{}
		for _, partition := range inOrder(log) {
			for _, r := range partition {
				place, err := placeOf(r)
				if err != nil {
					c.differs(Wrong, "%v", err)
					continue
				}
				reader := recipient{topic, header(r, schemas.AttrRecipient)}
				if highest[reader] == nil {
					highest[reader], got[reader], steps[reader] = map[int]int64{}, map[schemas.Place]*kgo.Record{}, map[int]*kgo.Record{}
				}
				if last, seen := highest[reader][place.Partition]; seen && place.Offset <= last {
					c.CopiesAgain++
					if first := got[reader][place]; first == nil {
						c.differs(OutOfOrder, "%s: %s of %v comes after %v, and every reader drops it", at(r), header(r, "id"), place, last)
					} else if digest(first) != digest(r) {
						c.differs(Doubled, "%s: a second copy of %v that is not the first one, of %s", at(r), place, at(first))
					}
					continue
				}
				highest[reader][place.Partition] = place.Offset
				got[reader][place] = r
				c.Copies++
				c.concerns(due, reader, r, place)
				c.inOrder(steps[reader], reader, r, place)
			}
		}
	}
	for reader, places := range due {
		for place := range places {
			if got[reader][place] == nil {
				c.differs(Lost, "%s of %s has nothing of %v (%s)", reader.topic, reader.who, place, c.submitted(place))
			}
		}
	}
}

// due is what each recipient should have: by the ledger's word for the hub's own
// events, by the clients' book for all others.
func (c *comparison) due() map[recipient]map[schemas.Place]bool {
	due := map[recipient]map[schemas.Place]bool{}
	add := func(party string, place schemas.Place) {
		reader := recipient{"to." + party, party}
		if office, ok := strings.CutPrefix(party, schemas.OfficesParticipant+"/"); ok {
			reader = recipient{"to." + schemas.OfficesParticipant, office}
		}
		if due[reader] == nil {
			due[reader] = map[schemas.Place]bool{}
		}
		due[reader][place] = true
	}
	for place, r := range c.outcomes {
		submission := c.logs["submitted"][int32(place.Partition)][place.Offset]
		e, known := c.events[header(submission, "id")]
		switch {
		case !known || hubs(submission):
			for party := range strings.SplitSeq(header(r, schemas.AttrParties), ",") {
				if party != "" {
					add(party, place)
				}
			}
		case header(r, "type") != schemas.TypeSubmissionRepeated:
			for _, party := range e.Parties {
				add(party, place)
			}
		}
	}
	return due
}

// concerns wants a copy to be one of an outcome that is due to the reader.
func (c *comparison) concerns(due map[recipient]map[schemas.Place]bool, reader recipient, r *kgo.Record, place schemas.Place) {
	outcome := c.outcomes[place]
	switch {
	case outcome == nil:
		c.differs(Foreign, "%s: a copy of %v, which has no outcome", at(r), place)
	case !due[reader][place]:
		c.differs(Foreign, "%s: %v (%s) does not concern %s", at(r), place, c.submitted(place), reader.who)
	case string(outcome.Value) != string(r.Value) || header(outcome, "id") != header(r, "id") || header(outcome, schemas.AttrSequence) != header(r, schemas.AttrSequence):
		c.differs(Wrong, "%s: it is not what stands in %s", at(r), at(outcome))
	}
}

// inOrder wants the facts of a dossier to come to a reader in the order in which
// their client handed them in, and in that of their sequence.
func (c *comparison) inOrder(last map[int]*kgo.Record, reader recipient, r *kgo.Record, place schemas.Place) {
	submission := c.logs["submitted"][int32(place.Partition)]
	if place.Offset >= int64(len(submission)) || header(r, schemas.AttrSequence) == "" {
		return
	}
	e, known := c.events[header(r, "id")]
	if !known {
		return
	}
	if before := last[e.Dossier]; before != nil {
		if b := c.events[header(before, "id")]; b.Step >= e.Step || header(before, schemas.AttrSequence) >= header(r, schemas.AttrSequence) {
			c.differs(OutOfOrder, "%s: %s (%s) comes to %s after %s (%s)", at(r), e.ID, header(r, schemas.AttrSequence), reader.who, b.ID, header(before, schemas.AttrSequence))
		}
	}
	last[e.Dossier] = r
}

// inOrder are the partitions of a topic by number.
func inOrder(log map[int32][]*kgo.Record) (partitions [][]*kgo.Record) {
	var numbers []int32
	for p := range log {
		numbers = append(numbers, p)
	}
	slices.Sort(numbers)
	for _, p := range numbers {
		partitions = append(partitions, log[p])
	}
	return partitions
}

// Differences are sentences, by kind: how many, and the first of each.
func (a *Account) Differences() (list []string) {
	for _, kind := range Kinds {
		if n := a.Counts[kind]; n > 0 {
			list = append(list, strconv.Itoa(n)+" "+kind+", the first: "+a.Firsts[kind])
		}
	}
	return list
}
