package router

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// collect lets a consumer group of cpam's pass the records of partition 0 before
// an offset.
func (w *world) collect(group string, offset int64) {
	w.t.Helper()
	if err := w.broker.CommitGroup(w.t.Context(), group, "relais.to.cpam", map[int]int64{0: offset}); err != nil {
		w.t.Fatal(err)
	}
}

func TestWhatIsNotCollectedIsToldBeforeAndAfterItIsDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r, stop := w.router()
		w.record(0, "cpam", "offices/demo-1")
		second := w.record(0, "cpam", "offices/demo-1")
		third := w.record(0, "cpam", "offices/demo-1")
		// Another's group, whatever its name begins with, collects nothing for cpam.
		w.collect("cpam-other", 3)
		w.collect("cpam.prod", 1)
		time.Sleep(cpamKeeps*3/4 - time.Minute)
		same(t, "told too early", w.told(), map[string]string{})
		time.Sleep(7 * time.Minute)
		soon := map[string]string{second + "/cpam": "delivered not_collected", third + "/cpam": "delivered not_collected"}
		same(t, "told before", w.told(), soon)
		if age := r.uncollected.ages()["cpam"]; time.Duration(age)*time.Second < cpamKeeps*3/4 {
			t.Errorf("the oldest is said to have waited %v s", age)
		}
		letter, ok := r.letters.find(second + "/cpam")
		if !ok || letter.Sender == nil || *letter.Sender != "offices/demo-1" || letter.Deleted == nil || letter.Deleted.Sub(letter.Since) != cpamKeeps {
			t.Errorf("the letter is %+v", letter)
		}
		same(t, "the depth", r.letters.depth()["not_collected"], 2.0)

		// One of them is collected in time, by another group; a router that starts
		// anew tells nothing twice.
		w.collect("cpam", 2)
		stop()
		r, _ = w.router()
		records := len(w.records("relais.deliveries"))
		time.Sleep(6 * time.Minute)
		if n := len(w.records("relais.deliveries")); n != records+1 {
			t.Errorf("%d steps were told where one was to be", n-records)
		}
		time.Sleep(cpamKeeps / 4)
		w.kafka.Cluster.ApplyRetention()
		time.Sleep(collectEvery)
		same(t, "told after", w.told(), map[string]string{second + "/cpam": "acknowledged not_collected", third + "/cpam": "dead deleted_uncollected"})
		same(t, "the depth", r.letters.depth()["deleted_uncollected"], 1.0)
	})
}

func TestWhatWasDeletedWithoutAWarningIsToldAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		_, stop := w.router()
		var all []string
		for range 3 {
			all = append(all, w.record(0, "cpam"))
			w.record(0, "cnaf")
		}
		time.Sleep(time.Second)
		w.collect("cpam", 1)
		stop()
		time.Sleep(cpamKeeps + time.Minute)
		w.kafka.Cluster.ApplyRetention()
		for range 2 {
			_, stop := w.router()
			time.Sleep(2 * time.Minute)
			stop()
		}
		same(t, "told", w.told(), map[string]string{all[1] + "/cpam": "dead deleted_uncollected", all[2] + "/cpam": "dead deleted_uncollected"})
		if n := len(w.records("relais.deliveries")); n != 2 {
			t.Errorf("it was told %d times", n)
		}
	})
}

func TestARedrivenCopyIsWatchedUntilItIsCollected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r, _ := w.router()
		w.refuse("relais.to.cpam", kerr.InvalidRecord)
		first, second := w.record(0, "cpam", "offices/demo-1"), w.record(0, "cpam", "offices/demo-1")
		time.Sleep(time.Second)
		w.refuse("relais.to.cpam", nil)
		same(t, "a redrive", w.redrive(`{"dry_run":false}`), redriven{Letters: 2, Redriven: 2, Done: true})
		w.collect("cpam", 1)
		time.Sleep(collectEvery + time.Minute)
		same(t, "one is collected", w.told(), map[string]string{first + "/cpam": "acknowledged", second + "/cpam": "redriven refused"})

		// The other one is deleted, as if it had never been brought.
		time.Sleep(cpamKeeps)
		w.kafka.Cluster.ApplyRetention()
		time.Sleep(collectEvery + time.Minute)
		same(t, "the other is deleted", w.told(), map[string]string{first + "/cpam": "acknowledged", second + "/cpam": "dead deleted_uncollected"})
		same(t, "its second redrive", w.redrive(`{"dry_run":false}`), redriven{Letters: 1, Redriven: 1, Done: true})
		w.collect("cpam", 3)
		time.Sleep(collectEvery + time.Minute)
		same(t, "what is left to collect", r.uncollected.ages()["cpam"], 0.0)
		same(t, "all are collected", w.told(), map[string]string{first + "/cpam": "acknowledged", second + "/cpam": "acknowledged"})
	})
}
