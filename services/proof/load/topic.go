package load

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/relais-fr/relais/schemas"
)

// kafkaOptions make a plain client: it produces as a simple producer does, without
// idempotence, and reads the operators' topics from their beginning.
func (l *Load) kafkaOptions() []kgo.Opt {
	var topics []string
	for _, id := range Operators() {
		topics = append(topics, l.target.Prefix+".to."+id)
	}
	return []kgo.Opt{
		kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.MaxProduceRequestsInflightPerBroker(1),
		kgo.RecordDeliveryTimeout(10 * time.Second), kgo.ProduceRequestTimeout(5 * time.Second), kgo.ProducerLinger(0),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), kgo.UnknownTopicRetries(-1),
		kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}
}

// publish hands an event in on its participant's topic, once, and waits for the
// broker's word. After an error nobody knows whether it stands there.
func (l *Load) publish(e *Event) error {
	return l.kafka.ProduceSync(l.ctx, &kgo.Record{
		Topic: l.target.Prefix + ".from." + e.By, Key: []byte(schemas.Dossier(e.Subject)), Value: e.wire(),
		Headers: []kgo.RecordHeader{{Key: "content-type", Value: []byte(schemas.StructuredContentType)}},
	}).FirstErr()
}

// read follows the operators' topics: whoever has the last event of a dossier on
// its topic may hand in the next.
func (l *Load) read() {
	for l.ctx.Err() == nil {
		fetches := l.kafka.PollFetches(l.ctx)
		fetches.EachRecord(func(r *kgo.Record) {
			var id, recipient string
			for _, h := range r.Headers {
				switch h.Key {
				case "ce_id":
					id = string(h.Value)
				case "ce_" + schemas.AttrCausationID:
					id = string(h.Value) // of a refusal: the event that it answers
				case "ce_" + schemas.AttrRecipient:
					recipient = string(h.Value)
				}
			}
			l.has(id, recipient)
		})
	}
}

// has says that a recipient has an event on its topic.
func (l *Load) has(id, recipient string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d := l.await[id]; d != nil {
		if d.awaits() == recipient {
			delete(l.await, id)
			l.ready = append(l.ready, d)
		}
		return
	}
	if seen := l.seen[id]; seen != nil {
		seen[recipient] = true
	}
}
