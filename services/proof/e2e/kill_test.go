package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/relais-fr/relais/schemas"
)

// kills is how often the hub is killed; RELAIS_KILLS sets another number.
const kills = 3

// TestAcknowledgedEventsSurviveKill kills the hub at the moment at which it
// acknowledges, again and again, while clients hand in by HTTP and by kcat and
// keep a book of what they sent and of what they were told. In the end every
// client hands in again what it heard nothing of, and the books have to agree with
// the log, the operator's topic and the offices' pages.
func TestAcknowledgedEventsSurviveKill(t *testing.T) {
	t.Parallel()
	rounds := kills
	if given := os.Getenv("RELAIS_KILLS"); given != "" {
		var err error
		if rounds, err = strconv.Atoi(given); err != nil {
			t.Fatalf("RELAIS_KILLS=%q: use a number", given)
		}
	}
	dir, b := t.TempDir(), &book{entries: map[string]*entry{}}
	var ready []time.Duration
	for range rounds {
		begun := time.Now()
		h := ownHub(t, dir)
		ready = append(ready, time.Since(begun).Round(time.Millisecond))
		moment := 10 + rand.IntN(150)
		b.killAt(len(b.acknowledged())+moment, h)
		work(t, h, b)
	}
	h := ownHub(t, dir)
	t.Logf("killed %d times: %d events attempted, %d acknowledged; ready after %v", rounds, len(b.entries), len(b.acknowledged()), ready)
	handInAgain(t, h, b)
	facts := checkLog(t, h, b)
	checkOperator(t, h, facts)
	checkPages(t, h, b, facts)
	if err := h.stop(); err != nil {
		t.Error(err)
	}
}

// book is what the clients wrote down. Safe for concurrent use.
type book struct {
	mu      sync.Mutex
	entries map[string]*entry // by the event's id
	acks    int
	limit   int
	victim  *hub
}

// entry is one event that a client handed in.
type entry struct {
	event        event
	who          string
	office       string
	reference    string
	acknowledged bool
	place        string // where HTTP said that it is
}

func (b *book) attempt(e *entry) *entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries[e.event["id"].(string)] = e
	return e
}

// killAt makes the acknowledgement of that number the last thing that the hub
// does.
func (b *book) killAt(limit int, h *hub) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit, b.victim = limit, h
}

func (b *book) acknowledge(e *entry, place string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e.acknowledged, e.place = true, place
	b.acks++
	if b.acks >= b.limit && b.victim != nil {
		_ = b.victim.cmd.Process.Kill()
	}
}

func (b *book) acknowledged() (list []*entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.entries {
		if e.acknowledged {
			list = append(list, e)
		}
	}
	return list
}

// work hands in by several clients until the hub is dead.
func work(t *testing.T, h *hub, b *book) {
	t.Helper()
	limit := time.AfterFunc(time.Minute, func() { _ = h.cmd.Process.Kill() })
	defer limit.Stop()
	var clients sync.WaitGroup
	for n := range 6 {
		clients.Go(func() {
			for office := fmt.Sprintf("demo-%d", 6+n); workHTTP(t, h, b, office, n%2 == 0); {
			}
		})
	}
	if kcat, err := exec.LookPath("kcat"); err == nil {
		clients.Go(func() {
			for workKcat(t, h, b, kcat) {
			}
		})
	}
	clients.Wait()
	if !limit.Stop() {
		t.Error("the clients did not come to their number of acknowledgements in a minute")
	}
	<-h.ended
}

// workHTTP makes a referral for an office, which receives and accepts it, as long as
// the hub answers.
func workHTTP(t *testing.T, h *hub, b *book, office string, wait bool) bool {
	e, reference := newReferral("cnaf", office)
	if !handIn(t, h, b, b.attempt(&entry{event: e, who: "cnaf", office: office, reference: reference}), wait) {
		return false
	}
	for _, typ := range []string{schemas.TypeReferralReceived, schemas.TypeReferralAccepted} {
		answer := newEvent(office, typ, e.subject(), map[string]any{})
		if !handIn(t, h, b, b.attempt(&entry{event: answer, who: office, office: office}), true) {
			return false
		}
	}
	return true
}

// handIn hands one event in and writes down what was said: 202 where nobody waits
// for the outcome, 200 with it.
func handIn(t *testing.T, h *hub, b *book, e *entry, wait bool) bool {
	headers := []string{"Content-Type", structured}
	want := http.StatusAccepted
	if wait {
		headers, want = append(headers, "Prefer", "wait=20"), http.StatusOK
	}
	a, err := h.call(context.Background(), http.MethodPost, "/v1/events", e.who, bytes.NewReader(e.event.json(t)), headers...)
	if err != nil {
		// Nobody knows what became of it: that is what killing means.
		return false
	}
	got := a.told()
	if a.status != want || wait && got.Outcome != "fact" && got.Outcome != "repeat" {
		t.Errorf("%s was answered with %d: %s", e.event["type"], a.status, a.body)
		return false
	}
	b.acknowledge(e, got.Place)
	return true
}

// workKcat publishes some referrals in one go. That kcat ends well means that the
// broker has acknowledged them all.
func workKcat(t *testing.T, h *hub, b *book, kcat string) bool {
	var lines bytes.Buffer
	var sent []*entry
	for range 5 {
		e, reference := newReferral("cnaf", "demo-12")
		sent = append(sent, b.attempt(&entry{event: e, who: "cnaf", office: "demo-12", reference: reference}))
		fmt.Fprintf(&lines, "%s\t%s\n", e.subject(), e.json(t))
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-h.ended:
			cancel() // kcat would wait for the broker for minutes
		case <-ctx.Done():
		}
	}()
	cmd := exec.CommandContext(ctx, kcat, "-P", "-b", h.kafka, "-t", "relais.from.cnaf", "-K", "\t",
		"-H", "content-type="+structured, "-X", "partitioner=murmur2_random")
	cmd.Stdin = &lines
	if err := cmd.Run(); err != nil {
		return false
	}
	for _, e := range sent {
		b.acknowledge(e, "")
	}
	return true
}

// handInAgain hands in again, under the same ids, what nothing was heard of, in
// the order of each dossier, as a client should.
func handInAgain(t *testing.T, h *hub, b *book) {
	t.Helper()
	b.killAt(0, nil)
	for _, typ := range []string{schemas.TypeReferralMade, schemas.TypeReferralReceived, schemas.TypeReferralAccepted} {
		for _, e := range b.entries {
			if !e.acknowledged && e.event["type"] == typ {
				if !handIn(t, h, b, e, true) {
					t.Errorf("%s could not be handed in again", typ)
				}
			}
		}
	}
}

// checkLog holds the book against the log: what was acknowledged has an outcome,
// what has an outcome was attempted, one outcome each, and each event is one fact.
// It returns the facts by their event's id.
func checkLog(t *testing.T, h *hub, b *book) map[string]*kgo.Record {
	t.Helper()
	h.waitJudged(t)
	submitted, recorded := h.records(t, "relais.submitted"), h.records(t, "relais.recorded")
	facts, repeated := map[string]*kgo.Record{}, 0
	for p, outcomes := range recorded {
		kept, again := once(t, outcomes)
		repeated += again
		if len(kept) != len(submitted[p]) {
			t.Errorf("partition %d has %d submissions and %d outcomes", p, len(submitted[p]), len(kept))
			continue
		}
		for i, outcome := range kept {
			if at := (place{p, int64(i)}); placeOf(t, outcome) != at {
				t.Fatalf("where the outcome of %v should be is that of %v", at, placeOf(t, outcome))
			}
			submission := submitted[p][i]
			id := header(submission, "ce_id")
			if b.entries[id] == nil {
				t.Errorf("nobody handed in what stands at %d-%d", p, i)
			}
			switch header(outcome, "ce_type") {
			case header(submission, "ce_type"):
				if facts[id] != nil {
					t.Errorf("an event is a fact twice, at %v and %v", placeOf(t, facts[id]), placeOf(t, outcome))
				}
				facts[id] = outcome
			case schemas.TypeSubmissionRepeated:
			default:
				t.Errorf("%s became %s", header(submission, "ce_type"), header(outcome, "ce_type"))
			}
		}
	}
	for id, e := range b.entries {
		if facts[id] == nil {
			t.Errorf("%s was acknowledged (%q) and is no fact", e.event["type"], e.place)
		}
		if at, err := schemas.ParsePlace(e.place); err == nil && header(submitted[int32(at.Partition)][at.Offset], "ce_id") != id {
			t.Errorf("at %s stands another event than the one that was acknowledged there", e.place)
		}
	}
	t.Logf("%d facts; %d outcomes stand in the log again", len(facts), repeated)
	return facts
}

// waitJudged waits until every submission has an outcome and every outcome has
// gone to the operator.
func (h *hub) waitJudged(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(kafkaLimit)
	for before := ""; ; {
		var ends []string
		count, ids := map[string]int{}, map[string]map[string]bool{}
		for _, topic := range []string{"relais.from.cnaf", "relais.submitted", "relais.recorded", "relais.to.cnaf"} {
			ids[topic] = map[string]bool{}
			for p, records := range h.records(t, topic) {
				count[topic] += len(records)
				ends = append(ends, fmt.Sprint(topic, p, len(records)))
				for _, r := range records {
					if header(r, "ce_type") != schemas.TypeSubmissionRepeated {
						ids[topic][idOf(r)] = true
					}
				}
			}
		}
		slices.Sort(ends)
		now := strings.Join(ends, " ")
		taken, gone := within(ids["relais.from.cnaf"], ids["relais.submitted"]), within(ids["relais.recorded"], ids["relais.to.cnaf"])
		if now == before && taken && gone && count["relais.recorded"] >= count["relais.submitted"] {
			return
		}
		before = now
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("the hub has not come to rest in %v: %v", kafkaLimit, count)
		}
	}
}

// within says whether all of the one are among the other.
func within(one, other map[string]bool) bool {
	for id := range one {
		if !other[id] {
			return false
		}
	}
	return true
}

// once keeps the outcomes whose number is above all before, as every reader has
// to; again is how many it drops. One that is dropped has to be the same as the
// first.
func once(t *testing.T, records []*kgo.Record) (kept []*kgo.Record, again int) {
	t.Helper()
	highest := map[int32]int64{}
	first := map[place][32]byte{}
	for _, r := range records {
		at := placeOf(t, r)
		if last, seen := highest[at.partition]; seen && at.offset <= last {
			again++
			if digest(r) != first[at] {
				t.Errorf("%s %d-%d is not the same as the first outcome of %v", r.Topic, r.Partition, r.Offset, at)
			}
			continue
		}
		highest[at.partition], first[at] = at.offset, digest(r)
		kept = append(kept, r)
	}
	return kept, again
}

// digest is of all that may not differ between two copies of an outcome.
func digest(r *kgo.Record) [32]byte {
	var text bytes.Buffer
	fmt.Fprintf(&text, "%q %q", r.Key, r.Value)
	for _, h := range r.Headers {
		if strings.HasPrefix(h.Key, "ce_") {
			fmt.Fprintf(&text, " %q %q", h.Key, h.Value)
		}
	}
	return sha256.Sum256(text.Bytes())
}

// checkOperator wants the operator's topic to have each fact once by number, and
// those of a dossier in their order.
func checkOperator(t *testing.T, h *hub, facts map[string]*kgo.Record) {
	t.Helper()
	got, sequences := map[string]int{}, map[string][]string{}
	for _, records := range h.records(t, "relais.to.cnaf") {
		kept, _ := once(t, records)
		for _, r := range kept {
			got[header(r, "ce_id")]++
			sequences[string(r.Key)] = append(sequences[string(r.Key)], header(r, "ce_sequence"))
		}
	}
	for id := range facts {
		if got[id] != 1 {
			t.Errorf("a fact is %d times on the operator's topic", got[id])
		}
	}
	if len(got) != len(facts) {
		t.Errorf("%d events are on the operator's topic and %d are facts", len(got), len(facts))
	}
	for dossier, list := range sequences {
		for i, sequence := range list {
			if sequence != fmt.Sprintf("%010d", i+1) {
				t.Errorf("the facts of %s come in the order %v", dossier, list)
				break
			}
		}
	}
}

// checkPages opens the page of every case and wants all of its facts there.
func checkPages(t *testing.T, h *hub, b *book, facts map[string]*kgo.Record) {
	t.Helper()
	events := map[string]int{}
	for _, fact := range facts {
		events[header(fact, "ce_subject")]++
	}
	limit := time.After(kafkaLimit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for _, e := range b.entries {
		if e.reference == "" {
			continue
		}
		// The page follows the log, a moment behind it.
		for a, shown := h.timeline(t, e); shown != events[e.event.subject()]; a, shown = h.timeline(t, e) {
			select {
			case <-tick.C:
				continue
			case <-limit:
			}
			t.Fatalf("the page of a case has %d events of %d; it is answered with %d: %s", shown, events[e.event.subject()], a.status, a.body)
		}
	}
}

// timeline opens the page of a referral's case and counts its events, none where the
// referral is not there.
func (h *hub) timeline(t *testing.T, e *entry) (a answer, events int) {
	t.Helper()
	a, err := h.call(t.Context(), http.MethodGet, "/offices/"+e.office+"/cases/"+e.event.subject(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, timeline, found := strings.Cut(string(a.body), `class="timeline"`)
	if !found || a.status != http.StatusOK || !bytes.Contains(a.body, []byte(e.reference)) {
		return a, 0
	}
	list, _, _ := strings.Cut(timeline, "</ol>")
	return a, strings.Count(list, "<li")
}
