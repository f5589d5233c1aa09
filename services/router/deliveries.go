package router

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/logbook"
	"github.com/relais-fr/relais/services/internal/problem"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

const deliveriesPath = "/v1/deliveries"

const (
	defaultPage = 50
	maxPage     = 500
	// lookTimeout bounds what one delivery may be searched for.
	lookTimeout = 10 * time.Second
)

// choice narrows the letters down. What is left out does not.
type choice struct {
	Reason    string     `json:"reason,omitempty"`
	Recipient string     `json:"recipient,omitempty"`
	Sender    string     `json:"sender,omitempty"`
	Before    *time.Time `json:"before,omitempty"` // since when it has waited
	Places    []string   `json:"places,omitempty"`
}

// maxPlaces bounds the list of a choice.
const maxPlaces = 1000

func (c choice) check() error {
	if _, ok := schemas.LookupCode(schemas.TableDeliveryReason, c.Reason); c.Reason != "" && !ok {
		return fmt.Errorf("reason: %.80q is no code of the table %s", c.Reason, schemas.TableDeliveryReason)
	}
	for name, id := range map[string]string{"recipient": c.Recipient, "sender": strings.TrimPrefix(c.Sender, officesPrefix)} {
		if id != "" && !schemas.ValidID(id) {
			return fmt.Errorf("%s: %.80q is no participant's id", name, id)
		}
	}
	if len(c.Places) > maxPlaces {
		return fmt.Errorf("places: %d of them; give at most %d", len(c.Places), maxPlaces)
	}
	for _, place := range c.Places {
		if _, err := schemas.ParsePlace(place); err != nil {
			return fmt.Errorf("places: %.80q is no place such as 3-1042", place)
		}
	}
	return nil
}

// fits says whether a letter is one of those.
func (c choice) fits(l *letter) bool {
	return (c.Reason == "" || l.reason() == c.Reason) &&
		(c.Recipient == "" || l.Recipient == c.Recipient) &&
		(c.Sender == "" || l.sender() == strings.TrimPrefix(c.Sender, officesPrefix)) &&
		(c.Before == nil || l.Since.Before(*c.Before)) &&
		(len(c.Places) == 0 || slices.Contains(c.Places, l.Place))
}

// sender is the participant who is told of it; "" for nobody.
func (l *letter) sender() string {
	if l.Sender == nil {
		return ""
	}
	return strings.TrimPrefix(*l.Sender, officesPrefix)
}

// may says whether somebody may see a letter: its recipient, its sender, an admin.
func may(by auth.Principal, l *letter) bool {
	return by.IsAdmin() || l.Recipient == by.ID || l.sender() == by.ID
}

// group are the letters of one reason and one recipient.
type group struct {
	Reason    string    `json:"reason"`
	State     string    `json:"state"`
	Recipient string    `json:"recipient"`
	Senders   int       `json:"senders"`
	Count     int       `json:"count"`
	Oldest    time.Time `json:"oldest"`
	Newest    time.Time `json:"newest"`
}

func groupsOf(all []*letter) []*group {
	groups := []*group{}
	senders := map[*group]map[string]bool{}
	for _, l := range all {
		i := slices.IndexFunc(groups, func(g *group) bool { return g.Reason == l.reason() && g.State == l.State && g.Recipient == l.Recipient })
		if i < 0 {
			i = len(groups)
			g := &group{Reason: l.reason(), State: l.State, Recipient: l.Recipient, Oldest: l.Since, Newest: l.Since}
			groups, senders[g] = append(groups, g), map[string]bool{}
		}
		g := groups[i]
		g.Count++
		senders[g][l.sender()] = true
		g.Senders = len(senders[g])
		if l.Since.Before(g.Oldest) {
			g.Oldest = l.Since
		}
		if l.Since.After(g.Newest) {
			g.Newest = l.Since
		}
	}
	slices.SortFunc(groups, func(a, b *group) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.Reason+" "+a.Recipient, b.Reason+" "+b.Recipient)
	})
	return groups
}

// listing is the answer of GET /v1/deliveries: what waits for somebody to look at
// it, in groups, and the letters from a cursor on.
type listing struct {
	Groups []*group                   `json:"groups"`
	Items  []*schemas.DeliveryChanged `json:"items"`
	Next   string                     `json:"next,omitempty"`
}

// listDeliveries answers GET /v1/deliveries.
func (r *Router) listDeliveries(w http.ResponseWriter, req *http.Request) {
	by, refusal := r.enter(req)
	if refusal != nil {
		problem.Write(w, *refusal)
		return
	}
	query := req.URL.Query()
	c, limit, from, err := readList(query)
	if err != nil {
		problem.Write(w, problem.New(schemas.ReasonMalformed, err.Error()))
		return
	}
	all := r.letters.choose(func(l *letter) bool { return c.fits(l) && may(by, l) })
	answer := listing{Groups: groupsOf(all), Items: []*schemas.DeliveryChanged{}}
	for _, l := range all {
		if from != "" {
			if l.key == from {
				from = ""
			}
			continue
		}
		if len(answer.Items) == limit {
			answer.Next = keyOf(answer.Items[limit-1])
			break
		}
		answer.Items = append(answer.Items, l.DeliveryChanged)
	}
	writeJSON(w, answer)
}

// readList reads the query of a list. The cursor is the key of the last letter.
func readList(query url.Values) (c choice, limit int, from string, err error) {
	c = choice{Reason: query.Get("reason"), Recipient: query.Get("recipient"), Sender: query.Get("sender")}
	limit, from = defaultPage, query.Get("cursor")
	for name := range query {
		if !slices.Contains([]string{"reason", "recipient", "sender", "before", "limit", "cursor"}, name) {
			return c, 0, "", fmt.Errorf("%.80q is not understood; use reason, recipient, sender, before, limit and cursor", name)
		}
	}
	if text := query.Get("before"); text != "" {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return c, 0, "", errors.New("before: a time such as 2026-05-14T09:30:00Z is needed")
		}
		c.Before = &t
	}
	if text := query.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxPage {
			return c, 0, "", fmt.Errorf("limit: 1 to %d", maxPage)
		}
	}
	if place, _, ok := strings.Cut(from, "/"); from != "" {
		if _, err := schemas.ParsePlace(place); err != nil || !ok {
			return c, 0, "", errors.New("cursor: what `next` said, such as 3-1042/cnaf")
		}
	}
	return c, limit, from, c.check()
}

// enter finds out who asks, once there is something to tell.
func (r *Router) enter(req *http.Request) (auth.Principal, *problem.Document) {
	refuse := func(d problem.Document) (auth.Principal, *problem.Document) { return auth.Principal{}, &d }
	if !r.host.Directory.IsReady() || !r.letters.isReady() {
		return refuse(problem.New(schemas.ReasonNotReady, "the directory or the deliveries are still being read"))
	}
	by, err := r.host.Auth.Authenticate(req)
	if err != nil {
		return refuse(problem.From(err))
	}
	return by, nil
}

// delivery is the answer of GET /v1/deliveries/{place}/{recipient}.
type delivery struct {
	*schemas.DeliveryChanged
	// Recorded says that the step stands on relais.deliveries; else it is found out
	// from the recipient's topic and how far that was collected.
	Recorded bool `json:"recorded"`
}

// showDelivery answers GET /v1/deliveries/{place}/{recipient}.
func (r *Router) showDelivery(w http.ResponseWriter, req *http.Request) {
	by, refusal := r.enter(req)
	if refusal != nil {
		problem.Write(w, *refusal)
		return
	}
	place, err := schemas.ParsePlace(req.PathValue("place"))
	if err != nil || place.Partition >= r.host.Settings.Partitions || !schemas.ValidID(req.PathValue("recipient")) {
		problem.Write(w, problem.New(schemas.ReasonMalformed, "a place and a recipient are needed, such as 3-1042/cnaf"))
		return
	}
	recipient := req.PathValue("recipient")
	ctx, cancel := context.WithTimeout(req.Context(), lookTimeout)
	defer cancel()
	if l, ok := r.letters.find(place.String() + "/" + recipient); ok && may(by, l) {
		writeJSON(w, delivery{l.DeliveryChanged, true})
		return
	}
	d, err := r.derive(ctx, place, recipient)
	switch {
	case err != nil:
		r.host.Log.WarnContext(ctx, "a delivery cannot be looked up", telemetry.KeyPlace, place.String(), telemetry.KeyError, err)
		problem.Write(w, problem.New(schemas.ReasonNotReady, "The log does not answer at present."))
	case d == nil, !may(by, &letter{DeliveryChanged: d}):
		// Whether it exists is told to nobody else.
		problem.Write(w, problem.New(problem.CodeNotFound, "no such delivery, or it is not yours"))
	default:
		writeJSON(w, delivery{d, false})
	}
}

// derive finds out how far a delivery is: the outcome names its recipients, the
// router's position says whether it was copied, the recipient's whether it was
// collected. Nil when there is no such delivery.
func (r *Router) derive(ctx context.Context, place schemas.Place, recipient string) (*schemas.DeliveryChanged, error) {
	record, ok, err := r.outcome(ctx, place)
	if err != nil || !ok {
		return nil, err
	}
	for _, c := range r.copies(record, place, broker.Pair{}) {
		if c.recipient() != recipient {
			continue
		}
		d := c.change(schemas.DeliveryQueued, "")
		d.Since, d.Attempt, d.LatencyMillis = c.received, 0, nil
		return d, r.deriveCopy(ctx, c, d)
	}
	return nil, nil
}

// deriveCopy looks for the copy, and whether it was collected.
func (r *Router) deriveCopy(ctx context.Context, c *copied, d *schemas.DeliveryChanged) error {
	copied, err := r.isCopied(ctx, c)
	if err != nil {
		return err
	}
	if !copied {
		if r.standing(c.party) == suspended {
			d.Reason = new(schemas.DeliverySuspended)
		}
		return nil
	}
	d.State, d.Attempt = schemas.DeliveryDelivered, 1
	if d.Channel == schemas.ChannelPage || broker.Gone(r.host.Broker.Reachable(ctx, c.record.Topic, c.record.Partition)) {
		return nil
	}
	// Copies have the outcome's timestamp.
	start, err := r.host.Broker.OffsetAt(ctx, c.record.Topic, c.record.Partition, c.record.Time)
	if err != nil {
		return err
	}
	held, err := r.host.Broker.RangeOf(ctx, c.record.Topic, c.record.Partition)
	if err != nil {
		return err
	}
	found, ok, err := r.search(ctx, c.record.Topic, c.record.Partition, start, held.Next, c.place)
	if err != nil || !ok {
		return err
	}
	d.CopyOffset = &found.Offset
	groups, err := r.host.Broker.Groups(ctx)
	if err != nil {
		return err
	}
	at, err := r.position(ctx, c.party, groups)
	if err == nil && found.Offset < at[c.record.Partition] {
		d.State = schemas.DeliveryAcknowledged
	}
	return err
}

// isCopied says whether the router has brought the copy to its topic, by what it
// has committed.
func (r *Router) isCopied(ctx context.Context, c *copied) (bool, error) {
	books, err := logbook.Of(ctx, r.host.Broker, r.host.Settings.Partitions)
	if err != nil {
		return false, err
	}
	b, ok := books[c.place.Partition]
	if !ok {
		return false, nil // nothing is committed yet
	}
	short, _ := r.host.Broker.ShortName(c.record.Topic)
	return b.HasCopied(logbook.Name(short, c.record.Partition), c.place.Offset), nil
}

// outcome is the first one on recorded of the submission at a place. It stands at
// the submission's offset or after it.
func (r *Router) outcome(ctx context.Context, place schemas.Place) (broker.Record, bool, error) {
	held, err := r.host.Broker.RangeOf(ctx, r.recorded, place.Partition)
	if err != nil || place.Offset >= held.Next {
		return broker.Record{}, false, err
	}
	return r.search(ctx, r.recorded, place.Partition, place.Offset, held.Next, place)
}

// search reads a partition until it finds the record of a place.
func (r *Router) search(ctx context.Context, topic string, partition int, from, to int64, place schemas.Place) (broker.Record, bool, error) {
	for cursor := r.host.Broker.Cursor(topic, partition, from); cursor.Position() < to; {
		batch, err := cursor.Fetch(ctx)
		if err != nil {
			return broker.Record{}, false, err
		}
		for _, record := range batch.Records {
			if at, err := placeOf(record); err == nil && at == place {
				return record, true, nil
			}
		}
	}
	return broker.Record{}, false, nil
}

func writeJSON(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(answer)
}
