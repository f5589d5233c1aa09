package ledger

import (
	"context"
	"encoding/binary"
	"net"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
)

// TestWhatRestsOnItsOwnFaultWaitsUntilThatIsTheFirst lets the broker refuse an
// outcome as too large, and then write the same one late, for an owner of before,
// right before the fault that the ledger records in its place. The late one is the
// first, and all that follows has to rest on it.
func TestWhatRestsOnItsOwnFaultWaitsUntilThatIsTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made := firstOutcome(t)
		h := newHouse(t)
		h.handIn(1, "demo-1", "e1", referral("demo-1", "cnaf"))
		h.handIn(2, "cnaf", "e2", &schemas.ReferralReceived{})
		h.kafka.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "relais.recorded", Err: kerr.MessageTooLarge, Count: 2})
		pen, produces := h.broker, 0
		h.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := h.kafka.Dial(ctx, network, address)
			return &toldOfProduces{c, func() {
				if produces++; produces == 3 { // both together, the first alone, and now the fault
					if _, err := pen.ProduceBatch(t.Context(), made.Topic, made.Partition, []broker.Record{made}); err != nil {
						t.Error(err)
					}
				}
			}}, err
		}
		h.broker = h.newBroker()
		t.Cleanup(func() { _ = pen.Close() })
		h.open()
		want := []string{
			"d1 ReferralMade 0000000001 → offices/demo-1,cnaf",
			"d1 SubmissionRefused  → offices/demo-1", // dropped by its number
			"d1 ReferralReceived 0000000002 → offices/demo-1,cnaf",
		}
		if diff := cmp.Diff(want, h.recorded(3)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		h.stop()
	})
}

// firstOutcome is what a ledger makes of the first of the submissions.
func firstOutcome(t *testing.T) broker.Record {
	h := newHouse(t)
	h.handIn(1, "demo-1", "e1", referral("demo-1", "cnaf"))
	h.open()
	h.recorded(1)
	h.stop()
	batch, err := h.broker.Cursor("relais.recorded", broker.PartitionOf([]byte("d1"), 2), 0).Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return batch.Records[0]
}

// toldOfProduces is a connection that says of each produce when it is about to be
// sent.
type toldOfProduces struct {
	net.Conn
	tell func()
}

func (c *toldOfProduces) Write(b []byte) (int, error) {
	if len(b) >= 6 && kmsg.Key(binary.BigEndian.Uint16(b[4:])) == kmsg.Produce {
		c.tell()
	}
	return c.Conn.Write(b)
}
