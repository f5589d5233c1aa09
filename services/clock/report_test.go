package clock

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
)

// deliver tells a step of a delivery, as its writer would.
func (h *house) deliver(d *schemas.DeliveryChanged) {
	h.t.Helper()
	data, err := h.codec.Encode(h.t.Context(), d)
	if err != nil {
		h.t.Fatal(err)
	}
	key := d.Place + "/" + d.Recipient
	if _, err := h.broker.Produce(h.t.Context(), broker.Record{
		Topic: "relais.deliveries", Partition: broker.PartitionOf([]byte(key), testPartitions), Key: []byte(key), Value: data,
	}); err != nil {
		h.t.Fatal(err)
	}
}

func step(state string, reason *string, sender *string) *schemas.DeliveryChanged {
	return &schemas.DeliveryChanged{
		Place: "1-0", Recipient: "cnaf", State: state, Channel: schemas.ChannelKafka, Attempt: 1,
		EventSource: schemas.Source("demo-1", "test"), EventID: "e1", EventType: schemas.TypeReferralMade, Subject: "d1",
		Sender: sender, Reason: reason, Since: time.Now(),
	}
}

func TestWhatIsDeadOrWasNotCollectedIsReportedToItsSenderOnce(t *testing.T) {
	office := new("offices/demo-1")
	story(t, func(h *house, _ time.Time) {
		h.judge()
		c, stop := h.wind()
		h.submit("demo-1", "d1", made())
		wait(time.Second)
		h.deliver(step(schemas.DeliveryDelivered, nil, office))
		h.deliver(step(schemas.DeliveryDead, new(schemas.DeliveryTopicGone), nil))
		h.deliver(step(schemas.DeliveryDelivered, new(schemas.DeliveryNotCollected), office))
		h.deliver(step(schemas.DeliveryDead, new(schemas.DeliveryTopicGone), office))
		wait(20 * time.Second)
		if n := testutil.ToFloat64(c.metrics.reports); n != 2 {
			h.t.Errorf("%v reports", n)
		}
		stop()
		// Its writer tells it again after a crash, a little later.
		h.deliver(step(schemas.DeliveryDead, new(schemas.DeliveryTopicGone), office))
		h.wind()
		wait(20 * time.Second)
	},
		"d1 ReferralMade",
		"d1 DeliveryChanged delivered not_collected after 0s",
		"d1 DeliveryChanged dead topic_gone after 0s",
		"d1 SubmissionRefused DeliveryChanged duplicate_id_other_content",
	)
}
