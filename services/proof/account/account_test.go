package account_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/proof/account"
	"github.com/relais-fr/relais/services/proof/load"
)

// logs writes a small log: two events of one dossier, handed in by cnaf for ft.
type logs struct{ account.Logs }

func (l logs) add(topic string, headers ...string) *kgo.Record {
	if l.Logs[topic] == nil {
		l.Logs[topic] = map[int32][]*kgo.Record{}
	}
	r := &kgo.Record{Topic: "relais." + topic, Partition: 1, Offset: int64(len(l.Logs[topic][1])), Key: []byte("d"), Value: []byte("v")}
	for i := 0; i < len(headers); i += 2 {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: "ce_" + headers[i], Value: []byte(headers[i+1])})
	}
	l.Logs[topic][1] = append(l.Logs[topic][1], r)
	return r
}

func (l logs) submit(id string) {
	l.add("submitted", "id", id, "source", "/participants/cnaf/proof", "type", schemas.TypeMessagePosted, "subject", "d")
}

// outcome appends the fact of the submission at an offset.
func (l logs) outcome(id string, number, sequence int) {
	l.add("recorded", fact(id, number, sequence)...)
}

func (l logs) copyTo(party, id string, number, sequence int) {
	l.add("to."+party, append(fact(id, number, sequence), "recipient", party)...)
}

func fact(id string, number, sequence int) []string {
	return []string{
		"id", id, "type", schemas.TypeMessagePosted, "submittedpartition", "1", "submittedoffset", fmt.Sprint(number),
		"sequence", fmt.Sprintf("%010d", sequence), "parties", "cnaf,ft",
	}
}

// whole is the log of a and b, as it should be.
func whole() logs {
	l := logs{account.Logs{}}
	l.submit("a")
	l.submit("b")
	l.outcome("a", 0, 1)
	l.outcome("b", 1, 2)
	for _, party := range []string{"cnaf", "ft"} {
		l.copyTo(party, "a", 0, 1)
		l.copyTo(party, "b", 1, 2)
	}
	return l
}

func event(id string, step int) load.Event {
	return load.Event{
		ID: id, Source: "/participants/cnaf/proof", Type: schemas.TypeMessagePosted, Subject: "d", By: "cnaf", Topic: true,
		Parties: []string{"cnaf", "ft"}, Dossier: 1, Step: step,
	}
}

func TestWhatDiffersIsNamed(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(l logs)
		counts map[string]int
		first  string
	}{
		"nothing": {change: func(logs) {}},
		"outcomes and copies that stand there again, the same, do not count": {change: func(l logs) {
			l.outcome("a", 0, 1)
			l.copyTo("ft", "b", 1, 2)
		}},
		"an outcome is missing at the end": {
			func(l logs) { l.Logs["recorded"][1] = l.Logs["recorded"][1][:1] },
			map[string]int{account.Lost: 2, account.Foreign: 2},
			"relais.submitted/1 at 1 (b) has no outcome",
		},
		"an outcome is missing in between": {
			func(l logs) { l.Logs["recorded"][1] = l.Logs["recorded"][1][1:] },
			map[string]int{account.Lost: 3, account.Foreign: 2},
			"the first that of 1-0 (a)",
		},
		"an event became a fact twice": {
			func(l logs) {
				l.submit("b")
				l.outcome("b", 2, 3)
				l.copyTo("cnaf", "b", 2, 3)
				l.copyTo("ft", "b", 2, 3)
			},
			map[string]int{account.Doubled: 1, account.OutOfOrder: 2},
			"b became something 2 times, at 1-1 and 1-2",
		},
		"a second outcome of a submission is another": {
			func(l logs) { l.outcome("b", 1, 9) },
			map[string]int{account.Doubled: 1},
			"relais.recorded/1 at 2: a second outcome of 1-1 (b) that is not the first one, of relais.recorded/1 at 1",
		},
		"a recipient has nothing": {
			func(l logs) { l.Logs["to.ft"][1] = l.Logs["to.ft"][1][:1] },
			map[string]int{account.Lost: 1},
			"to.ft of ft has nothing of 1-1 (b)",
		},
		"a recipient has it late, when its readers drop it": {
			func(l logs) { r := l.Logs["to.ft"][1]; r[0], r[1] = r[1], r[0] },
			map[string]int{account.Lost: 1, account.OutOfOrder: 1},
			"comes after 1, and every reader drops it",
		},
		"a recipient has what does not concern it": {
			func(l logs) { l.copyTo("cnam", "b", 1, 2) },
			map[string]int{account.Foreign: 1},
			"relais.to.cnam/1 at 0: 1-1 (b) does not concern cnam",
		},
		"nobody handed in what stands there": {
			func(l logs) { l.submit("x"); l.outcome("x", 2, 3) },
			map[string]int{account.Foreign: 1, account.Lost: 2},
			`nobody handed in "x"`,
		},
		"a later event of the dossier comes first": {
			func(l logs) {
				for _, topic := range []string{"submitted", "recorded", "to.cnaf", "to.ft"} {
					for i, id := range []string{"b", "a"} {
						l.Logs[topic][1][i].Headers[0].Value = []byte(id)
					}
				}
			},
			map[string]int{account.OutOfOrder: 2},
			"a (0000000002) comes to",
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := whole()
			tc.change(l)
			if tc.counts == nil {
				tc.counts = map[string]int{}
			}
			a := account.Compare(load.BookOf(event("a", 0), event("b", 1)), l.Logs)
			if diff := cmp.Diff(tc.counts, a.Counts); diff != "" {
				t.Errorf("differences (-want +got):\n%s\n%s", diff, strings.Join(a.Differences(), "\n"))
			}
			if said := strings.Join(a.Differences(), "\n"); !strings.Contains(said, tc.first) {
				t.Errorf("%q is not said in\n%s", tc.first, said)
			}
		})
	}
}

func TestWhatWasNeverAcknowledgedIsLost(t *testing.T) {
	a := account.Compare(load.BookOf(), account.Logs{})
	if !a.Clean() {
		t.Errorf("an empty book differs from an empty log: %v", a.Differences())
	}
	book := load.BookOf()
	book.Attempted(event("a", 0))
	a = account.Compare(book, account.Logs{})
	if a.Counts[account.Lost] != 1 || !strings.Contains(a.Firsts[account.Lost], "never acknowledged") {
		t.Errorf("got %v", a.Differences())
	}
}
