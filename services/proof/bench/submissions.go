package bench

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
)

// writer prepares submissions as a gateway would have written them: lives of
// referrals, eight events each, with the gateway's own stamps.
type writer struct {
	codec    *schemas.Codec
	registry string
	prefix   string
	steps    []lifeStep
}

// lifeStep is an event of a life. By the office: the referral's sender, which is
// another in each.
type lifeStep struct {
	office bool
	typ    string
	schema string
	data   [][]byte // by office, or the same for all
}

// newWriter encodes what the events of a life carry, which is the same in all.
func newWriter(ctx context.Context, source schemas.SchemaSource, registry, prefix string) (*writer, error) {
	w := &writer{codec: schemas.NewCodec(source), registry: registry, prefix: prefix}
	reference, unit := "2026-0514", "CAF du Morbihan"
	for _, step := range []struct {
		office  bool
		payload any
	}{
		{true, &schemas.ReferralMade{To: "cnaf", Service: "social-famille/demande-ou-actualisation-du-rsa", Reference: "7K3F-92QD", Sealed: make([]byte, 120)}},
		{false, &schemas.ReferralReceived{OwnReference: &reference, Unit: &unit}},
		{false, &schemas.ReviewStarted{Unit: &unit}},
		{false, &schemas.MessagePosted{Audience: "all", Sealed: make([]byte, 120)}},
		{false, &schemas.ReferralAccepted{}},
		{false, &schemas.ReferralStarted{}},
		{false, &schemas.ReferralCompleted{Outcome: "favourable"}},
		{true, &schemas.ReferralClosed{}},
	} {
		s := lifeStep{office: step.office, typ: schemas.TypeOf(step.payload)}
		for office := range sampleOffices {
			made, ok := step.payload.(*schemas.ReferralMade)
			if ok {
				made.From = officeID(office)
			}
			data, err := w.codec.Encode(ctx, step.payload)
			if err != nil {
				return nil, err
			}
			id, _ := schemas.SchemaID(data)
			s.data, s.schema = append(s.data, data), fmt.Sprintf("%s/schemas/ids/%d", registry, id)
			if !ok {
				break
			}
		}
		w.steps = append(w.steps, s)
	}
	return w, nil
}

func officeID(n int) string { return "demo-" + strconv.Itoa(n+1) }

// submission is number n of total: of all lives the first event, then of all the
// second, so that a case's events are far apart, as they are.
func (w *writer) submission(n, total int, received time.Time) broker.Record {
	lives := max((total+len(w.steps)-1)/len(w.steps), 1)
	step, life := &w.steps[n/lives], n%lives
	var space [36]byte
	dossier := string(fmt.Appendf(space[:0], "0198c0de-ac96-774b-bcce-%012d", life))
	received = received.UTC()
	by, role, data := "cnaf", schemas.RoleOperator, step.data[life%len(step.data)]
	if step.office {
		by, role = officeID(life%sampleOffices), schemas.RoleOffice
	}
	e := schemas.Event{
		ID: idPrefix + strconv.Itoa(n), Source: schemas.Source(by, "system"), Type: step.typ, Subject: dossier,
		Time: received.Truncate(time.Second), DataContentType: schemas.AvroContentType, DataSchema: step.schema, Data: data,
		Extensions: map[string]string{
			schemas.AttrPartitionKey: dossier, schemas.AttrReceivedTime: received.Format("2006-01-02T15:04:05.000Z"), schemas.AttrRules: "1",
			schemas.AttrSubmitter: by, schemas.AttrSenderRole: string(role), schemas.AttrRecipientRole: string(schemas.RoleOperator),
			schemas.AttrTraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", schemas.AttrTerritory: "56",
		},
	}
	return broker.Record{
		Topic: w.prefix + ".submitted", Partition: broker.PartitionOf([]byte(dossier), partitions),
		Key: []byte(dossier), Value: data, Headers: schemas.Headers(e), Time: received,
	}
}

const (
	partitions = 12
	idPrefix   = "bench-"
)

// number is what submission made the id of, -1 for another's.
func number(headers []schemas.Header) int {
	for i := range headers {
		if headers[i].Key == "ce_id" {
			if text, ok := strings.CutPrefix(string(headers[i].Value), idPrefix); ok {
				if n, err := strconv.Atoi(text); err == nil {
					return n
				}
			}
			return -1
		}
	}
	return -1
}

// fill writes submissions 0 to total, partition by partition in large batches.
func (w *writer) fill(ctx context.Context, b *broker.Broker, total int) error {
	const most, bytes = 1000, 800_000
	waiting := make([][]broker.Record, partitions)
	sizes := make([]int, partitions)
	var wg sync.WaitGroup
	var once sync.Once
	var failed error
	lines := make([]chan []broker.Record, partitions)
	for p := range lines {
		lines[p] = make(chan []broker.Record, 2)
		wg.Go(func() {
			for batch := range lines[p] {
				if _, err := b.ProduceBatch(ctx, w.prefix+".submitted", p, batch); err != nil {
					once.Do(func() { failed = err })
				}
			}
		})
	}
	send := func(p int) {
		if len(waiting[p]) > 0 {
			lines[p] <- waiting[p]
			waiting[p], sizes[p] = nil, 0
		}
	}
	now := time.Now()
	for n := range total {
		r := w.submission(n, total, now)
		size := len(r.Key) + len(r.Value)
		for _, h := range r.Headers {
			size += len(h.Key) + len(h.Value) + 4
		}
		if sizes[r.Partition] += size + 50; sizes[r.Partition] > bytes || len(waiting[r.Partition]) == most {
			send(r.Partition)
			sizes[r.Partition] = size
		}
		waiting[r.Partition] = append(waiting[r.Partition], r)
	}
	for p := range lines {
		send(p)
		close(lines[p])
	}
	wg.Wait()
	return failed
}
