package router

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/relais-fr/relais/schemas"
)

// redrive asks for a redrive and reads the last line of the answer.
func (w *world) redrive(body string) redriven {
	w.t.Helper()
	status, text := w.ask("admin", "POST", redrivesPath, body)
	lines := strings.Split(strings.TrimSpace(text), "\n")
	var last redriven
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || status != 200 {
		w.t.Fatalf("%d %s: %v", status, text, err)
	}
	last.Redrive = ""
	return last
}

func (w *world) list(who, query string) listing {
	w.t.Helper()
	status, text := w.ask(who, "GET", deliveriesPath+query, "")
	var l listing
	if err := json.Unmarshal([]byte(text), &l); err != nil || status != 200 {
		w.t.Fatalf("%d %s: %v", status, text, err)
	}
	return l
}

func placesOf(l listing) []string {
	all := []string{}
	for _, d := range l.Items {
		all = append(all, d.Place)
	}
	return all
}

func TestDeadLettersAreRedrivenInOrderAndMarked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.router()
		w.refuse("relais.to.cnaf", kerr.InvalidRecord)
		var dead []string
		for p := range partitions {
			for range 3 {
				dead = append(dead, w.record(p, "cnaf", "offices/demo-1"))
			}
		}
		time.Sleep(time.Second)
		w.refuse("relais.to.cnaf", nil)
		live := w.record(0, "cnaf")
		time.Sleep(time.Second)

		all := w.list("admin", "")
		same(t, "the letters", placesOf(all), dead)
		if len(all.Groups) != 1 || all.Groups[0].Count != 6 || all.Groups[0].Recipient != "cnaf" || all.Groups[0].Reason != "refused" || all.Groups[0].Senders != 1 {
			t.Errorf("the groups are %+v", all.Groups[0])
		}
		first := w.list("admin", "?limit=4&recipient=cnaf&reason=refused&sender=demo-1")
		same(t, "a page", placesOf(first), dead[:4])
		same(t, "the next page", placesOf(w.list("admin", "?limit=4&cursor="+first.Next)), dead[4:])
		same(t, "what its sender sees", placesOf(w.list("demo-1", "")), dead)
		same(t, "what another sees", placesOf(w.list("cpam", "")), []string{})
		same(t, "those of before", placesOf(w.list("admin", "?before=2000-01-01T00:00:00Z")), []string{})

		same(t, "a dry run", w.redrive(`{}`), redriven{DryRun: true, Letters: 6, Redriven: 6, Done: true})
		same(t, "of a place without", w.redrive(`{"places":["0-0","0-999"]}`), redriven{DryRun: true, Letters: 1, Redriven: 1, Unknown: []string{"0-999"}, Done: true})
		same(t, "of others", w.redrive(`{"recipient":"cpam"}`), redriven{DryRun: true, Done: true})
		same(t, "cnaf has", w.places("relais.to.cnaf"), []string{live})

		started := time.Now()
		same(t, "one", w.redrive(`{"dry_run":false,"places":["`+dead[5]+`"]}`), redriven{Letters: 1, Redriven: 1, Done: true})
		same(t, "the others", w.redrive(`{"dry_run":false,"rate":1}`), redriven{Letters: 5, Redriven: 5, Done: true})
		if took := time.Since(started); took < 4*time.Second || took > 6*time.Second {
			t.Errorf("five at one a second took %v", took)
		}
		time.Sleep(time.Second)
		same(t, "afterwards", w.redrive(`{"dry_run":false}`), redriven{Done: true})
		same(t, "the depth", w.list("admin", "").Groups, []*group{})
		var got []string
		for _, r := range w.records("relais.to.cnaf") {
			place, err := placeOf(r)
			if err != nil {
				t.Fatal(err)
			}
			if marked := header(r, schemas.AttrReplay) != ""; marked == (place.String() == live) {
				t.Errorf("%v is marked: %v", place, marked)
			}
			if string(r.Key) != dossierOn(place.Partition) || header(r, "id") != "evt-"+place.String() {
				t.Errorf("%v has key %s and id %s", place, r.Key, header(r, "id"))
			}
			got = append(got, place.String())
		}
		same(t, "cnaf has", got, []string{live, dead[0], dead[1], dead[2], dead[5], dead[3], dead[4]})
		for _, place := range dead {
			if step := w.told()[place+"/cnaf"]; step != "redriven refused" {
				t.Errorf("%s is %s", place, step)
			}
		}
	})
}

func TestARefusalOfARedriveStaysADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.router()
		w.refuse("relais.to.cnaf", kerr.InvalidRecord)
		place := w.record(0, "cnaf", "offices/demo-1")
		time.Sleep(time.Second)
		same(t, "a redrive", w.redrive(`{"dry_run":false}`), redriven{Letters: 1, Refused: 1, Done: true})
		time.Sleep(time.Second)
		l := w.list("admin", "")
		if same(t, "the letters", placesOf(l), []string{place}); l.Items[0].Attempt != 2 || *l.Items[0].ErrorCode != "invalid_record" {
			t.Errorf("the letter is %+v", l.Items[0])
		}
	})
}

func TestADeliveryIsFoundOutFromTheTopicAndHowFarItWasCollected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.router()
		w.record(0, "cnaf")
		place := w.record(0, "cpam", "offices/demo-1")
		time.Sleep(time.Second)
		state := func(who, recipient string) string {
			status, text := w.ask(who, "GET", deliveriesPath+"/"+place+"/"+recipient, "")
			if status != 200 {
				return text[strings.Index(text, `"code":"`)+8:][:9]
			}
			var d delivery
			if err := json.Unmarshal([]byte(text), &d); err != nil {
				t.Fatal(err)
			}
			return d.State
		}
		same(t, "copied", state("admin", "cpam"), "delivered")
		same(t, "on the page", state("demo-1", "demo-1"), "delivered")
		w.collect("cpam.prod", 1)
		same(t, "collected", state("cpam", "cpam"), "acknowledged")
		same(t, "the sender asks", state("demo-1", "cpam"), "acknowledged")
		same(t, "a stranger asks", state("cnaf", "cpam"), "not_found")
		same(t, "no recipient", state("admin", "cnaf"), "not_found")

		w.refuse("relais.to.cnaf", kerr.NotEnoughReplicas)
		place = w.record(0, "cnaf", "cpam")
		time.Sleep(3 * time.Second)
		same(t, "on its way", state("admin", "cnaf"), "queued")
		same(t, "the other's", state("admin", "cpam"), "delivered")
		place = "0-999"
		same(t, "no event", state("admin", "cpam"), "not_found")
	})
}

func TestTheDoorsOfDeliveriesRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.router()
		time.Sleep(time.Second)
		for _, tt := range []struct {
			name, who, method, path, body, code string
			status                              int
		}{
			{"nobody", "", "GET", deliveriesPath, "", "not_signed_in", 401},
			{"a reason that is none", "admin", "GET", deliveriesPath + "?reason=lost", "", "malformed", 400},
			{"a limit that is none", "admin", "GET", deliveriesPath + "?limit=0", "", "malformed", 400},
			{"a time that is none", "admin", "GET", deliveriesPath + "?before=yesterday", "", "malformed", 400},
			{"a cursor that is none", "admin", "GET", deliveriesPath + "?cursor=7", "", "malformed", 400},
			{"a question that is none", "admin", "GET", deliveriesPath + "?owner=cnaf", "", "malformed", 400},
			{"an id that is none", "admin", "GET", deliveriesPath + "?recipient=%20", "", "malformed", 400},
			{"a place that is none", "admin", "GET", deliveriesPath + "/x/cnaf", "", "malformed", 400},
			{"a place beyond the partitions", "admin", "GET", deliveriesPath + "/77-1/cnaf", "", "malformed", 400},
			{"a participant redrives", "cnaf", "POST", redrivesPath, "{}", "forbidden", 403},
			{"no JSON", "admin", "POST", redrivesPath, "now!", "malformed", 400},
			{"an unknown member", "admin", "POST", redrivesPath, `{"all":true}`, "malformed", 400},
			{"more than one object", "admin", "POST", redrivesPath, `{}{}`, "malformed", 400},
			{"a rate that is none", "admin", "POST", redrivesPath, `{"rate":-1}`, "malformed", 400},
			{"a rate at which nothing comes", "admin", "POST", redrivesPath, `{"rate":0}`, "malformed", 400},
			{"a rate beyond the bound", "admin", "POST", redrivesPath, `{"rate":5001}`, "malformed", 400},
			{"a place that is none", "admin", "POST", redrivesPath, `{"places":["1"]}`, "malformed", 400},
			{"too much", "admin", "POST", redrivesPath, `{"reason":"` + strings.Repeat("x", maxAsk) + `"}`, "malformed", 400},
		} {
			if status, text := w.ask(tt.who, tt.method, tt.path, tt.body); status != tt.status || !strings.Contains(text, `"code":"`+tt.code+`"`) {
				t.Errorf("%s: %d %s", tt.name, status, text)
			}
		}
	})
}
