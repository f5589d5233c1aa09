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

// waitingSince is when the event was received whose delivery is told of.
var waitingSince = time.Date(1999, 12, 31, 23, 59, 0, 0, time.UTC)

func step(state string, reason *string, sender *string) *schemas.DeliveryChanged {
	return &schemas.DeliveryChanged{
		Place: "1-0", Recipient: "cnaf", State: state, Channel: schemas.ChannelKafka, Attempt: 1,
		EventSource: schemas.Source("demo-1", "test"), EventID: "e1", EventType: schemas.TypeReferralMade, Subject: "d1",
		Sender: sender, Reason: reason, Since: time.Now(), LatencyMillis: new(time.Since(waitingSince).Milliseconds()),
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
	)
}

func TestASenderWhoWasToldOfADeathIsToldOfTheRecoveryAndOfNothingBetween(t *testing.T) {
	office := new("offices/demo-1")
	attempt := func(n int, d *schemas.DeliveryChanged) *schemas.DeliveryChanged {
		d.Attempt = n
		return d
	}
	story(t, func(h *house, _ time.Time) {
		h.judge()
		_, stop := h.wind()
		h.submit("demo-1", "d1", made())
		wait(time.Second)
		h.deliver(step(schemas.DeliveryDead, new(schemas.DeliveryRefused), office))
		wait(time.Second)
		// A redrive is refused again, a second one is not.
		still := attempt(2, step(schemas.DeliveryDead, new(schemas.DeliveryRefused), office))
		still.ErrorCode = new("message_size_too_large")
		h.deliver(still)
		wait(time.Second)
		h.deliver(attempt(3, step(schemas.DeliveryRedriven, new(schemas.DeliveryRefused), office)))
		wait(time.Second)
		// The redriven copy was deleted before anybody collected it, and is brought again.
		h.deliver(attempt(3, step(schemas.DeliveryDead, new(schemas.DeliveryDeleted), office)))
		wait(time.Second)
		h.deliver(attempt(4, step(schemas.DeliveryRedriven, new(schemas.DeliveryDeleted), office)))
		wait(time.Second)
		stop()
		// Its writer crashed before it knew, and tells it again with another copy.
		again := attempt(4, step(schemas.DeliveryRedriven, new(schemas.DeliveryDeleted), office))
		again.CopyOffset = new(int64(17))
		h.deliver(again)
		h.wind()
		wait(time.Second)
		// Collected: as it should be, and nobody was warned.
		h.deliver(attempt(4, step(schemas.DeliveryAcknowledged, nil, office)))
		wait(20 * time.Second)
	},
		"d1 ReferralMade",
		"d1 DeliveryChanged dead refused after 0s",
		"d1 DeliveryChanged redriven refused after 0s",
		"d1 DeliveryChanged dead deleted_uncollected after 0s",
		"d1 DeliveryChanged redriven deleted_uncollected after 0s",
	)
}

func TestASenderWhoWasWarnedIsToldThatTheEventWasCollected(t *testing.T) {
	office := new("offices/demo-1")
	story(t, func(h *house, _ time.Time) {
		h.judge()
		h.wind()
		h.submit("demo-1", "d1", made())
		wait(time.Second)
		h.deliver(step(schemas.DeliveryDelivered, new(schemas.DeliveryNotCollected), office))
		wait(time.Second)
		h.deliver(step(schemas.DeliveryAcknowledged, new(schemas.DeliveryNotCollected), office))
		wait(20 * time.Second)
	},
		"d1 ReferralMade",
		"d1 DeliveryChanged delivered not_collected after 0s",
		"d1 DeliveryChanged acknowledged not_collected after 0s",
	)
}
