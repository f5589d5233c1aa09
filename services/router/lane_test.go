package router

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/services/internal/broker"
)

// TestARecipientFoundSlowJustAfterItAnsweredGetsWhatComesNext lets the word that a
// recipient is slow come when its lane has just got rid of everything: a timer that
// has run out waits for the lock that the lane holds.
func TestARecipientFoundSlowJustAfterItAnsweredGetsWhatComesNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r, stop := w.router()
		defer stop()
		want := []string{w.record(0, "cnaf")}
		time.Sleep(10 * time.Second)
		r.waiting.mu.Lock()
		for p := range r.waiting.partitions {
			if p.number == 0 {
				p.mu.Lock()
				p.lane("relais.to.cnaf", broker.PartitionOf([]byte(dossierOn(0)), partitions)).fallBehind()
				p.mu.Unlock()
			}
		}
		r.waiting.mu.Unlock()
		want = append(want, w.record(0, "cnaf"), w.record(0, "cnaf"))
		time.Sleep(10 * time.Second)
		if diff := cmp.Diff(want, w.firsts("relais.to.cnaf")); diff != "" {
			t.Errorf("relais.to.cnaf (-recorded +copied):\n%s", diff)
		}
	})
}
