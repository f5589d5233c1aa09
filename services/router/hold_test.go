package router

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/relais-fr/relais/schemas"
)

// long stands for weeks: connections are looked after every few seconds of it.
const long = 30 * time.Minute

func TestASuspendedParticipantGetsNothingAndThenAllOfItOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r, stop := w.router()
		cnaf := []string{w.record(0, "cnaf", "cpam"), w.record(1, "cnaf")}
		cpam := []string{cnaf[0]}
		time.Sleep(time.Second)
		had := w.places("relais.to.cnaf")
		same(t, "cnaf has", had, cnaf)

		w.suspend()
		synctest.Wait()
		var missed []string
		for i := range 40 {
			place := w.record(0, "cnaf", "cpam")
			missed, cpam = append(missed, place), append(cpam, place)
			time.Sleep(100 * time.Millisecond)
			if got := w.places("relais.to.cpam"); !slices.Equal(got, cpam) {
				t.Fatalf("cpam has %v after event %d, want %v", got, i, cpam)
			}
		}
		same(t, "cnaf has, suspended", w.places("relais.to.cnaf"), had)
		same(t, "told", w.told(), map[string]string{})
		state, reason := w.delivery(missed[3], "cnaf")
		same(t, "a delivery that is held back", []string{state, reason}, []string{"queued", "recipient_suspended"})
		same(t, "waits to be copied", r.waiting.ages((*lane).age)["cnaf"], 0.0)
		if age := r.waiting.ages((*lane).heldAge)["cnaf"]; age < 4 || age > 5 {
			t.Errorf("the oldest that is held back has waited %v s", age)
		}

		// Another router takes up where this one ends, long after, and still knows.
		stop()
		time.Sleep(long)
		r, stop = w.router()
		missed = append(missed, w.record(0, "cnaf"))
		time.Sleep(20 * time.Second)
		same(t, "cnaf has, suspended for long", w.places("relais.to.cnaf"), had)
		if age := r.waiting.ages((*lane).heldAge)["cnaf"]; age < long.Seconds() {
			t.Errorf("the oldest that is held back has waited %v s", age)
		}

		resumed := time.Now()
		w.resume()
		live := w.record(0, "cnaf", "cpam")
		time.Sleep(5 * time.Second)
		same(t, "cnaf has in the end", w.of("relais.to.cnaf", 0), slices.Concat(cnaf[:1], missed, []string{live}))
		same(t, "of the other partition", w.of("relais.to.cnaf", 1), cnaf[1:])
		same(t, "told in the end", w.told(), map[string]string{})
		for _, record := range w.records("relais.to.cnaf")[1 : 1+len(missed)] {
			if record.Partition == 0 && record.Time.Before(resumed.Add(-time.Second)) {
				t.Errorf("the topic counts a copy's age from %v", record.Time)
			}
		}
		if age := r.waiting.ages((*lane).age)["cnaf"] + r.waiting.ages((*lane).heldAge)["cnaf"]; age != 0 {
			t.Errorf("something still waits, for %v s", age)
		}
		stop()
	})
}

// TestARouterThatEndsInTheMiddleOfARefillIsFollowedByOneThatGoesOn ends the router
// after each of the requests of a refill.
func TestARouterThatEndsInTheMiddleOfARefillIsFollowedByOneThatGoesOn(t *testing.T) {
	for _, at := range []moment{beforeProduce, afterProduce, beforeCommit, afterCommit} {
		for _, nth := range []int{1, 2, 3} {
			t.Run(fmt.Sprintf("%s, %d", at, nth), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					first := w.record(0, "cnaf")
					_, stop := w.router()
					time.Sleep(5 * time.Second)
					w.suspend()
					all := []string{first}
					for range 5000 {
						all = append(all, w.record(0, "cnaf"))
					}
					time.Sleep(5 * time.Second)
					stop()
					time.Sleep(long)

					victim := &victim{w: w, at: at, topic: []byte("relais.to.cnaf"), left: nth, died: make(chan struct{})}
					_, stop = w.routerOn(victim.open())
					resumed := time.Now()
					w.resume()
					for i := 0; !victim.isDead(); i++ {
						time.Sleep(time.Second)
						if all = append(all, w.record(0, "cnaf")); i > 60 {
							t.Fatal("the router was not killed")
						}
					}
					stop()
					w.router()
					all = append(all, w.record(0, "cnaf"))
					time.Sleep(time.Minute)
					same(t, "cnaf takes in the end", w.firsts("relais.to.cnaf"), all)
					same(t, "told", w.told(), map[string]string{})
					old := 0
					for _, r := range w.records("relais.to.cnaf")[1:] {
						if r.Time.Before(resumed) {
							old++
						}
					}
					if old > 0 {
						t.Errorf("%d copies would be removed for their age", old)
					}
				})
			})
		}
	}
}

// TestASuspensionEndsWhatIsTriedAgain suspends a participant whose topic takes
// nothing at that moment: what was tried is not written once the topic takes again.
func TestASuspensionEndsWhatIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.router()
		time.Sleep(time.Second)
		w.refuse("relais.to.cnaf", kerr.NotEnoughReplicas)
		all := []string{w.record(0, "cnaf"), w.record(0, "cnaf")}
		time.Sleep(10 * time.Second)
		w.suspend()
		time.Sleep(2 * time.Second)
		w.refuse("relais.to.cnaf", nil)
		time.Sleep(time.Minute)
		same(t, "cnaf has, suspended", w.places("relais.to.cnaf"), []string(nil))
		w.resume()
		time.Sleep(time.Second)
		same(t, "cnaf has", w.places("relais.to.cnaf"), all)
	})
}

func TestASuspensionThatComesAndGoesLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.router()
		w.router()
		var all []string
		for i := range 60 {
			switch i % 6 {
			case 2:
				w.suspend()
			case 5:
				w.resume()
			}
			all = append(all, w.record(0, "cnaf", "cpam"), w.record(0, "cnaf"))
			time.Sleep(time.Duration(7*i) * time.Millisecond)
		}
		w.resume()
		time.Sleep(20 * time.Second)
		same(t, "cnaf takes in the end", w.firsts("relais.to.cnaf"), all)
		same(t, "told", w.told(), map[string]string{})
	})
}

func TestOneWhoIsClosedGetsNothingAndSendersAreTold(t *testing.T) {
	for _, before := range []bool{false, true} {
		t.Run(fmt.Sprintf("suspended before: %t", before), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.router()
				time.Sleep(time.Second)
				var held []string
				if before {
					w.suspend()
					held = append(held, w.record(0, "cnaf", "offices/demo-1"), w.record(1, "cnaf", "offices/demo-1"))
					time.Sleep(time.Hour)
				}
				w.shut()
				held = append(held, w.record(0, "cnaf", "offices/demo-1"), w.record(1, "cnaf", "cpam"))
				time.Sleep(10 * time.Second)
				same(t, "cnaf has", w.places("relais.to.cnaf"), []string(nil))
				same(t, "cpam has", w.places("relais.to.cpam"), held[len(held)-1:])
				dead := map[string]string{}
				for _, place := range held {
					dead[place+"/cnaf"] = "dead recipient_closed"
				}
				same(t, "told", w.told(), dead)
				code, answer := w.ask("admin", "POST", redrivesPath, `{"dry_run":false}`)
				if code != 200 || !strings.Contains(answer, fmt.Sprintf(`"shut":%d`, len(held))) {
					t.Errorf("redriven: %d %s", code, answer)
				}
				same(t, "cnaf has after a redrive", w.places("relais.to.cnaf"), []string(nil))
			})
		})
	}
}

func TestNothingIsReplayedForASuspendedParticipant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.router()
		all := []string{w.record(0, "cnaf"), w.record(0, "cnaf")}
		time.Sleep(time.Second)
		w.suspend()
		ask := `{"participant":"cnaf","dry_run":false}`
		if code, answer := w.ask("admin", "POST", replaysPath, ask); code != 409 || !strings.Contains(answer, "resume it first") {
			t.Errorf("suspended: %d %s", code, answer)
		}
		if code, answer := w.ask("admin", "POST", replaysPath, `{"participant":"cnaf"}`); code != 200 || !strings.Contains(answer, `"events":2`) {
			t.Errorf("suspended, a dry run: %d %s", code, answer)
		}
		same(t, "cnaf has", w.places("relais.to.cnaf"), all)
		w.resume()
		go func() {
			time.Sleep(500 * time.Millisecond)
			w.suspend()
		}()
		if code, answer := w.ask("admin", "POST", replaysPath, `{"participant":"cnaf","dry_run":false,"rate":1}`); code != 200 || !strings.Contains(answer, "is suspended") {
			t.Errorf("suspended meanwhile: %d %s", code, answer)
		}
		same(t, "cnaf has, suspended meanwhile", w.places("relais.to.cnaf"), append(all, all[0]))
	})
}

// of are the places on a partition of a topic.
func (w *world) of(topic string, partition int) []string {
	w.t.Helper()
	prefix := fmt.Sprintf("%d-", partition)
	return slices.DeleteFunc(w.places(topic), func(place string) bool { return !strings.HasPrefix(place, prefix) })
}

// delivery is the state and the reason of a delivery, as an admin is told.
func (w *world) delivery(place, recipient string) (state, reason string) {
	w.t.Helper()
	code, answer := w.ask("admin", "GET", deliveriesPath+"/"+place+"/"+recipient, "")
	var d schemas.DeliveryChanged
	if err := json.Unmarshal([]byte(answer), &d); err != nil || code != 200 {
		w.t.Fatalf("%s/%s: %d %s", place, recipient, code, answer)
	}
	if d.Reason != nil {
		reason = *d.Reason
	}
	return d.State, reason
}

func (v *victim) isDead() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.dead
}
