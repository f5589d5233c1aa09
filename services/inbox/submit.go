package inbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/inbox/internal/desk"
	"github.com/relais-fr/relais/services/internal/broker"
)

const (
	// produceLimit is how long a page waits until Kafka has its event.
	produceLimit = 10 * time.Second
	// outcomeLimit is how long a page waits for the outcome before it says "sent".
	outcomeLimit = 2 * time.Second
)

// submission is one event that a page hands in.
type submission struct {
	office, id, typ, subject string
	payload                  any
}

// errNotTaken says that nothing was sent, and will not be.
var errNotTaken = errors.New("the event was not taken")

// handIn puts the event on `from.offices`, once for a double click. The error is a
// *schemas.Refusal for what no ledger needs to see, or wraps errNotTaken; with any
// other the fate is unknown, and the same form may be sent again.
func (in *Inbox) handIn(ctx context.Context, s submission) error {
	if err := schemas.Validate(s.payload); err != nil {
		return err
	}
	one, first := in.sent.begin(s.office+" "+s.id, schemas.Digest(s.typ, s.subject, s.payload))
	if !first {
		select {
		case <-one.done:
			return one.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := in.produce(ctx, s)
	in.sent.end(one, err)
	return err
}

func (in *Inbox) produce(ctx context.Context, s submission) error {
	// What was begun is ended, whether or not the browser still waits: the fate of
	// the event is worth knowing for its second click.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), produceLimit)
	defer cancel()
	data, err := in.codec.Encode(ctx, s.payload)
	if err != nil {
		if _, refused := errors.AsType[*schemas.Refusal](err); refused {
			return err
		}
		return fmt.Errorf("encode %s: %w: %w", s.typ, errNotTaken, err)
	}
	id, _ := schemas.SchemaID(data)
	e := schemas.Event{
		ID: s.id, Source: schemas.Source(s.office, desk.PageSystem), Type: s.typ, Subject: s.subject,
		Time: time.Now().UTC().Truncate(time.Millisecond), DataContentType: schemas.AvroContentType,
		DataSchema: fmt.Sprintf("%s/schemas/ids/%d", in.host.Settings.RegistryURL, id),
		Extensions: extensions(s.payload), Data: data,
	}
	key := []byte(schemas.Dossier(s.subject))
	_, err = in.host.Broker.Produce(ctx, broker.Record{
		Topic: in.from, Partition: broker.PartitionOf(key, in.host.Settings.Partitions),
		Key: key, Value: data, Headers: schemas.Headers(e), Time: e.Time,
	})
	var refused *broker.RefusedError
	if errors.Is(err, broker.ErrBufferFull) || errors.As(err, &refused) {
		return fmt.Errorf("hand in %s: %w: %w", s.typ, errNotTaken, err)
	}
	if err != nil {
		return fmt.Errorf("hand in %s: %w", s.typ, err)
	}
	return nil
}

// extensions are the attributes that a page sets: visits carry no personal data
// and need no legal basis.
func extensions(payload any) map[string]string {
	switch p := payload.(type) {
	case *schemas.VisitRecorded, *schemas.VisitCorrected, *schemas.VisitVoided:
		return nil
	case *schemas.ReferralMade:
		if p.Urgency != nil && *p.Urgency == "immediate" {
			return map[string]string{schemas.AttrLegalBasis: "public-task", schemas.AttrPriority: "urgent"}
		}
	}
	return map[string]string{schemas.AttrLegalBasis: "public-task"}
}

// await waits for the outcome of a submission; nil when it has not come in time.
func (in *Inbox) await(ctx context.Context, office, event string) (*desk.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, outcomeLimit)
	defer cancel()
	poll := time.NewTicker(outcomeLimit / 8)
	defer poll.Stop()
	for {
		changed := in.wake.wait(office)
		found, err := in.outcome(ctx, office, event)
		var building *notYetError
		if found != nil || err != nil && !errors.As(err, &building) && ctx.Err() == nil {
			return found, err
		}
		select {
		case <-changed:
		case <-poll.C:
			// The desk may be another process's, which wakes nobody here.
		case <-ctx.Done():
			return nil, nil
		}
	}
}

// maxSent bounds the submissions remembered for double clicks.
const maxSent = 4096

// sentList remembers what was handed in of late, so that a double click sends
// nothing twice. It is a courtesy: what it has forgotten, or another process has
// sent, the ledger recognises by its id.
type sentList struct {
	mu    sync.Mutex
	all   map[string]*sent
	order []*sent
}

// sent is one submission; err is set before done is closed.
type sent struct {
	key    string
	digest [32]byte
	done   chan struct{}
	err    error
}

func newSentList() *sentList { return &sentList{all: make(map[string]*sent)} }

// begin is first for whoever must send: the same id with other content is another
// submission, which the ledger refuses.
func (l *sentList) begin(key string, digest [32]byte) (s *sent, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.all[key]; s != nil && s.digest == digest {
		return s, false
	}
	s = &sent{key: key, digest: digest, done: make(chan struct{})}
	l.all[key] = s
	l.order = append(l.order, s)
	if len(l.order) > maxSent {
		l.forget(l.order[0])
		l.order = l.order[1:]
	}
	return s, true
}

// end tells what became of it; what failed is forgotten, so that it can be sent
// again.
func (l *sentList) end(s *sent, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.err = err
	close(s.done)
	if err != nil {
		l.forget(s)
	}
}

func (l *sentList) forget(s *sent) {
	if l.all[s.key] == s {
		delete(l.all, s.key)
	}
}
