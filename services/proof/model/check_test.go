package model

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
)

// check holds what is there against what must be.
func (w *world) check(load []submission, acked map[string]bool) {
	first := w.outcomes()
	calm := w.undisturbed(first)
	defer calm.end()
	w.checkSets(load, acked, first)
	w.checkOrderOfDoors(load)
	w.checkRepeats(first)
	w.checkJudging(first, calm)
	w.checkEffects(first)
	w.checkProjections(calm)
}

// outcomes are those that count, by partition and number: the first of each.
func (w *world) outcomes() [][]record {
	all := make([][]record, partitions)
	for p := range partitions {
		seen := broker.NewDedup(broker.Beginning())
		for _, r := range w.kafka.records(topicRecorded, p) {
			fresh, err := seen.Take(r.offset, r.number())
			switch {
			case err != nil:
				w.problem("recorded/%d has a gap at %d, before %s: %v", p, r.offset, r, err)
				return all
			case fresh:
				if r.number() != int64(len(all[p])) {
					w.problem("recorded/%d: a reader takes %s twice", p, r)
					return all
				}
				all[p] = append(all[p], r)
			case !r.same(all[p][r.number()]):
				w.problem("recorded/%d has two outcomes of %s, at %d and %d, that differ:\n%s", p, r.place(), all[p][r.number()].offset, r.offset, differ(all[p][r.number()], r))
			}
		}
		if n := w.ending(topicSubmitted, p); int64(len(all[p])) != n {
			w.problem("submitted/%d holds %d submissions, and recorded outcomes of %d", p, n, len(all[p]))
		}
	}
	return all
}

func differ(want, got record) string {
	if diff := cmp.Diff(want.headers, got.headers); diff != "" {
		return diff
	}
	return fmt.Sprintf("values %q and %q", want.value, got.value)
}

// submissionKey is what a client's own retry of it is recognised by.
func submissionKey(submitted record) string {
	return submitted.key + " " + submitted.attrs["source"] + " " + submitted.attrs["id"]
}

// checkSets: acknowledged ⊆ outcomes ⊆ attempted.
func (w *world) checkSets(load []submission, acked map[string]bool, first [][]record) {
	attempted, decided := map[string]bool{}, map[string]bool{}
	for _, s := range load {
		attempted[s.key()] = true
	}
	for p := range partitions {
		submitted := w.kafka.records(topicSubmitted, p)
		for i := range min(len(first[p]), len(submitted)) {
			key := submissionKey(submitted[i])
			decided[key] = true
			if !attempted[key] {
				w.problem("%s has an outcome, and nobody handed it in", key)
			}
		}
	}
	for key := range acked {
		if !decided[key] {
			w.problem("%s was acknowledged, and has no outcome", key)
		}
	}
}

// checkOrderOfDoors: what a participant hands in of one dossier is submitted in
// that order; repetitions come after.
func (w *world) checkOrderOfDoors(load []submission) {
	at := map[string]int{}
	for p := range partitions {
		for i, r := range w.kafka.records(topicSubmitted, p) {
			if _, ok := at[submissionKey(r)]; !ok {
				at[submissionKey(r)] = i
			}
		}
	}
	type lane struct{ by, dossier string }
	last := map[lane]submission{}
	handed := map[string]bool{}
	sorted := slices.Clone(load)
	slices.SortStableFunc(sorted, func(a, b submission) int { return int(a.at - b.at) })
	for _, s := range sorted {
		if handed[s.key()] {
			continue
		}
		handed[s.key()] = true
		l := lane{s.by, s.dossier}
		if before, ok := last[l]; ok && at[before.key()] > at[s.key()] {
			w.problem("%s was handed in before %s by %s, and is submitted after it", before.id, s.id, s.by)
		}
		last[l] = s
	}
}

// checkRepeats: an id makes one fact at most, and a repeat names an earlier fact
// or a refusal that is remembered.
func (w *world) checkRepeats(first [][]record) {
	for p := range partitions {
		submitted := w.kafka.records(topicSubmitted, p)
		facts := map[string]string{}
		for i, r := range first[p] {
			if i >= len(submitted) {
				break
			}
			key := submissionKey(submitted[i])
			switch r.attrs["type"] {
			case schemas.TypeSubmissionRefused:
			case schemas.TypeSubmissionRepeated:
				w.checkRepeat(r, key, first[p][:i], submitted)
			default:
				if facts[key] != "" {
					w.problem("%s made two facts, %s and %s", key, facts[key], r.place())
				}
				facts[key] = r.place()
			}
		}
	}
}

func (w *world) checkRepeat(r record, key string, before, submitted []record) {
	for i, b := range slices.Backward(before) {
		if submissionKey(submitted[i]) != key {
			continue
		}
		switch b.attrs["type"] {
		case schemas.TypeSubmissionRepeated:
			continue
		case schemas.TypeSubmissionRefused:
			if !strings.Contains(b.value, string(schemas.ReasonTransitionNotAllowed)) {
				continue
			}
		}
		return
	}
	w.problem("%s is called a repeat, and nothing that is remembered came before", r)
}

// undisturbed is a ledger, and an inbox, to which nothing happens: it judges what
// is submitted, and reads what offices were sent. Where an outcome was refused for
// good, so that the hub's own fault is recorded, it is refused that too.
func (w *world) undisturbed(first [][]record) *world {
	calm := newWorld(w.seed)
	faults := map[string]bool{}
	for p := range partitions {
		for _, r := range first[p] {
			if w.kafka.refused[r.place()] && r.attrs["type"] == schemas.TypeSubmissionRefused && strings.Contains(r.value, string(schemas.ReasonHubError)) {
				faults[r.place()] = true
			}
		}
		for _, topic := range []string{topicSubmitted, topicToOffices} {
			calm.kafka.topics[topic][p].batches = w.kafka.topics[topic][p].batches
			calm.kafka.topics[topic][p].next = w.kafka.topics[topic][p].next
		}
	}
	calm.refuses = func(_ string, data []byte) bool {
		for _, r := range read(data) {
			if faults[r.place()] && !strings.Contains(r.value, string(schemas.ReasonHubError)) {
				return true
			}
		}
		return false
	}
	calm.start("ledger", 0)
	calm.start("inbox", 0)
	for until := time.Now().Add(quietWithin); time.Now().Before(until); pause(calm.ctx, 50*time.Millisecond) {
		done := true
		for p := range partitions {
			done = done && calm.stored("ledger", p).highest == calm.ending(topicSubmitted, p)-1 && calm.stored("inbox", p).next == calm.ending(topicToOffices, p)
		}
		if done {
			return calm
		}
	}
	w.problem("an undisturbed hub does not come to rest: %s", calm.standing())
	return calm
}

// checkJudging: outcomes are those of one undisturbed judge, byte for byte.
func (w *world) checkJudging(first [][]record, calm *world) {
	for p := range partitions {
		want := calm.outcomes()[p]
		for i := range min(len(want), len(first[p])) {
			if !first[p][i].same(want[i]) {
				w.problem("an undisturbed ledger makes another outcome of submission %d-%d (-undisturbed +recorded):\n%s", p, i, differ(want[i], first[p][i]))
				break
			}
		}
	}
	for _, p := range calm.problems {
		w.problem("undisturbed: %s", p)
	}
}

// checkEffects: each recipient that drops by number has every outcome that
// concerns it, once, and each dossier in order.
func (w *world) checkEffects(first [][]record) {
	type inbox struct{ recipient, dossier string }
	want, got := map[inbox][]string{}, map[inbox][]string{}
	for p := range partitions {
		for _, r := range first[p] {
			for party := range strings.SplitSeq(r.attrs[schemas.AttrParties], ",") {
				if party != "" && party != schemas.HubParticipant {
					to := inbox{party, r.key}
					want[to] = append(want[to], r.place())
				}
			}
		}
	}
	for _, to := range append([]string{"offices"}, operators...) {
		for p := range partitions {
			numbers := map[string]broker.Numbers{}
			for _, r := range w.kafka.records("relais.to."+to, p) {
				place, err := schemas.ParsePlace(r.place())
				if err != nil {
					w.problem("to.%s/%d at %d: %v", to, p, r.offset, err)
					continue
				}
				name := to
				if to == "offices" {
					name = "offices/" + r.key
				}
				if numbers[name] == nil {
					numbers[name] = broker.Numbers{}
				}
				if numbers[name].Take(place.Partition, place.Offset) {
					dossier := schemas.Dossier(r.attrs["subject"])
					got[inbox{name, dossier}] = append(got[inbox{name, dossier}], r.place())
				}
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.problem("what recipients have is not what concerns them (-want +got):\n%s", diff)
	}
}

// checkProjections: what is stored is what a rebuild makes.
func (w *world) checkProjections(calm *world) {
	for _, owner := range []string{"ledger", "inbox"} {
		if diff := cmp.Diff(calm.memory.projection(owner), w.memory.projection(owner)); diff != "" {
			w.problem("the projection of %s is not what a rebuild makes (-rebuilt +stored):\n%s", owner, diff)
		}
	}
}
