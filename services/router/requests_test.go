package router

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/relais-fr/relais/services/internal/pause"
)

// TestABurstCostsOneRequestForEachPartitionItComesFrom counts the requests that bring
// a burst to one office and to one participant.
func TestABurstCostsOneRequestForEachPartitionItComesFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for range 100 {
			for p := range partitions {
				w.record(p, "offices/demo-1", "cnaf")
			}
		}
		var mu sync.Mutex
		requests := map[string]int{}
		w.kafka.Cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
			w.kafka.Cluster.KeepControl()
			mu.Lock()
			defer mu.Unlock()
			for _, topic := range req.(*kmsg.ProduceRequest).Topics {
				requests[topic.Topic] += len(topic.Partitions)
			}
			return nil, nil, false
		})
		w.router()
		_ = pause.For(t.Context(), 30*time.Second)
		mu.Lock()
		defer mu.Unlock()
		same(t, "offices have", len(slices.Compact(w.firsts("relais.to.offices"))), 100*partitions)
		t.Log(requests)
		// A request holds up to 2000 records; the fetch may have been answered in two.
		for _, topic := range []string{"relais.to.offices", "relais.to.cnaf"} {
			if n := requests[topic]; n > 2*partitions {
				t.Errorf("%d requests brought %d events to %s", n, 100*partitions, topic)
			}
		}
	})
}
