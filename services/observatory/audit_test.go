package observatory

import (
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/directory/directorytest"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

// scene is a log that a test writes by hand, and the audit of it.
type scene struct {
	t         *testing.T
	broker    *broker.Broker
	directory *directory.View
}

func newScene(t *testing.T) *scene {
	t.Helper()
	kafka := enginetest.NewKafka(t)
	b, err := broker.New(broker.Config{Brokers: []string{kafka.Addr}, Dial: kafka.Dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	settings := config.Default("127.0.0.1:0")
	settings.Partitions = 1
	topics := append(services.HubTopics(settings), services.ParticipantTopics(settings, "cnaf")...)
	if err := b.EnsureTopics(t.Context(), append(topics, services.ParticipantTopics(settings, "cnam")...)...); err != nil {
		t.Fatal(err)
	}
	view := directorytest.View(t, directory.Participant{ID: "cnaf", Role: directory.RoleOperator}, directory.Participant{ID: "cnam", Role: directory.RoleOperator})
	return &scene{t: t, broker: b, directory: view}
}

// write writes a record of attributes, `name=value`, and returns where it stands.
func (s *scene) write(topic, value string, attributes ...string) int64 {
	s.t.Helper()
	rec := broker.Record{Topic: s.broker.Topic(topic), Key: []byte("demo-1"), Value: []byte(value), Time: time.Now()}
	for _, a := range attributes {
		name, text, _ := strings.Cut(a, "=")
		if name != headerOrigin {
			name = "ce_" + name
		}
		rec.Headers = append(rec.Headers, schemas.Header{Key: name, Value: []byte(text)})
	}
	offset, err := s.broker.Produce(s.t.Context(), rec)
	if err != nil {
		s.t.Fatal(err)
	}
	return offset
}

// event is the attributes of the event of that number.
func event(n int) []string {
	return []string{"id=evt-" + strconv.Itoa(n), "source=/participants/cnaf/si", "type=" + schemas.TypeReferralMade}
}

// steps are what happens to the event of that number, each by a name of its own, so
// that a test can leave one out or do it otherwise.
func (s *scene) steps(n int) map[string]func() {
	number := []string{"submittedpartition=0", "submittedoffset=" + strconv.Itoa(n)}
	value := "value " + strconv.Itoa(n)
	return map[string]func(){
		"from": func() { s.write("from.cnaf", value, event(n)...) },
		"submitted": func() {
			s.write("submitted", value, append(event(n), "submitter=cnaf", fmt.Sprintf("door=from.cnaf/0/%d", n))...)
		},
		"recorded": func() {
			s.write("recorded", value, slices.Concat(event(n), number, []string{"parties=cnaf,cnam,offices/demo-1", "submitter=cnaf"})...)
		},
		"cnaf":   func() { s.write("to.cnaf", value, slices.Concat(event(n), number, []string{"recipient=cnaf"})...) },
		"cnam":   func() { s.write("to.cnam", value, slices.Concat(event(n), number, []string{"recipient=cnam"})...) },
		"office": func() { s.write("to.offices", value, slices.Concat(event(n), number, []string{"recipient=demo-1"})...) },
	}
}

// audit is what an audit of all that was written finds.
func (s *scene) audit(participant string) (found []string, total sums) {
	s.t.Helper()
	return s.auditOf(span{from: time.Now().Add(-time.Hour), to: time.Now().Add(time.Hour), participant: participant})
}

// auditOf is what an audit of a span finds.
func (s *scene) auditOf(over span) (found []string, total sums) {
	s.t.Helper()
	settings := config.Default("127.0.0.1:0")
	settings.Partitions = 1
	o := &Observatory{host: services.Host{Broker: s.broker, Directory: s.directory, Settings: settings, Log: slog.New(slog.DiscardHandler)}}
	a := &audit{Observatory: o, span: over, tell: func(t told) error {
		if d := t.Difference; d != nil {
			found = append(found, fmt.Sprintf("%s %s %s/%d/%d %s", d.Difference, d.Participant, strings.TrimPrefix(d.Topic, "relais."), d.Partition, d.Offset, d.ID))
		}
		return nil
	}}
	if err := a.run(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return found, a.sums
}

// TestEveryDefectIsNamed writes a log of five events with one defect put in by hand.
func TestEveryDefectIsNamed(t *testing.T) {
	order := []string{"from", "submitted", "recorded", "cnaf", "cnam", "office"}
	tests := []struct {
		name string
		// do is what happens at a step of event 2 or 3 instead; nil for as it should be.
		do   func(s *scene, n int, step string, rightly func()) bool
		want []string
	}{
		{"nothing is wrong", nil, nil},
		{
			"the ledger and the router write again what they wrote",
			func(_ *scene, n int, step string, rightly func()) bool {
				if n == 2 && step != "from" && step != "submitted" {
					rightly()
				}
				return false
			}, nil,
		},
		{"an outcome is lost", without(2, "recorded", "cnaf", "cnam", "office"), []string{"outcome_missing cnaf submitted/0/2 evt-2"}},
		{
			"a second outcome with another content", func(s *scene, n int, step string, _ func()) bool {
				if n == 3 && step == "from" {
					s.write("recorded", "another", append(event(2), "submittedpartition=0", "submittedoffset=2", "parties=cnaf")...)
				}
				return false
			}, []string{"outcome_doubled cnaf recorded/0/3 evt-2"},
		},
		{
			"an outcome of another submission", func(s *scene, n int, step string, _ func()) bool {
				if n != 2 || step != "recorded" {
					return n == 2 && step != "from" && step != "submitted"
				}
				s.write("recorded", "another", append(event(7), "submittedpartition=0", "submittedoffset=2")...)
				return true
			}, []string{"outcome_of_another cnaf recorded/0/2 evt-2"},
		},
		{"a copy is missing", without(2, "cnam"), []string{"copy_missing cnam to.cnam/0/-1 evt-2"}},
		{"an office's copy is missing", without(3, "office"), []string{"copy_missing offices/demo-1 to.offices/0/-1 evt-3"}},
		{
			"a copy has other content", func(s *scene, n int, step string, _ func()) bool {
				if n != 2 || step != "cnam" {
					return false
				}
				s.write("to.cnam", "another", append(event(2), "submittedpartition=0", "submittedoffset=2")...)
				return true
			}, []string{"copy_changed cnam to.cnam/0/2 evt-2"},
		},
		{
			"two copies are swapped", func(s *scene, n int, step string, rightly func()) bool {
				if step != "cnam" || n != 2 && n != 3 {
					return false
				}
				if n == 3 {
					rightly()
					s.steps(2)["cnam"]()
				}
				return true
			}, []string{"copy_out_of_order cnam to.cnam/0/3 evt-2"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t)
				for n := range 5 {
					steps := s.steps(n)
					for _, step := range order {
						if tt.do == nil || !tt.do(s, n, step, steps[step]) {
							steps[step]()
						}
					}
				}
				found, total := s.audit("")
				if diff := cmp.Diff(tt.want, found); diff != "" {
					t.Errorf("differences (-want +got):\n%s", diff)
				}
				if total.HandedIn != 5 || total.ByKafka != 5 {
					t.Errorf("got %+v", total)
				}
			})
		})
	}
}

// without leaves steps of an event out.
func without(number int, left ...string) func(*scene, int, string, func()) bool {
	return func(_ *scene, n int, step string, _ func()) bool { return n == number && slices.Contains(left, step) }
}

func TestARecordThatWasNeverHandedInIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		for n := range 4 {
			s.write("from.cnaf", "value", event(n)...)
		}
		for at, n := range []int{0, 3} { // 1 lies in the quarantine, 2 nowhere
			s.write("submitted", "value", append(event(n), "submitter=cnaf", fmt.Sprintf("door=from.cnaf/0/%d", n))...)
			s.write("recorded", "value", append(event(n), "submittedpartition=0", "submittedoffset="+strconv.Itoa(at))...)
		}
		s.write("quarantine", "value", headerOrigin+"=relais.from.cnaf/0-1")
		found, total := s.audit("cnaf")
		if diff := cmp.Diff([]string{"never_handed_in cnaf from.cnaf/0/2 evt-2"}, found); diff != "" {
			t.Errorf("differences (-want +got):\n%s", diff)
		}
		if total.Quarantined != 1 || total.Outcomes != 2 {
			t.Errorf("got %+v", total)
		}
		if found, _ := s.audit("cnam"); found != nil {
			t.Errorf("cnam is told of what is not its own: %v", found)
		}
	})
}

func TestNothingIsOverlookedBeforeTheFirstAndAfterTheLastThatWasHandedIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		for n := range 3 {
			s.write("from.cnaf", "value", event(n)...)
		}
		s.write("from.cnam", "value", event(9)...) // nothing of cnam was handed in at all
		s.write("submitted", "value", append(event(1), "submitter=cnaf", "door=from.cnaf/0/1")...)
		s.write("recorded", "value", append(event(1), "submittedpartition=0", "submittedoffset=0")...)
		found, _ := s.audit("")
		want := []string{"never_handed_in cnaf from.cnaf/0/0 evt-0", "never_handed_in cnaf from.cnaf/0/2 evt-2", "never_handed_in cnam from.cnam/0/0 evt-9"}
		if diff := cmp.Diff(want, found); diff != "" {
			t.Errorf("differences (-want +got):\n%s", diff)
		}
	})
}

func TestARecordThatWaitedForAGatewayIsNoDifference(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		written := time.Now()
		s.write("from.cnaf", "value", event(0)...)
		time.Sleep(time.Hour) // the gateways were away
		s.write("submitted", "value", append(event(0), "submitter=cnaf", "door=from.cnaf/0/0")...)
		s.write("recorded", "value", append(event(0), "submittedpartition=0", "submittedoffset=0")...)
		found, total := s.auditOf(span{from: written.Add(-time.Minute), to: written.Add(time.Minute)})
		if found != nil || total.HandedIn != 0 {
			t.Errorf("found %v, %+v", found, total)
		}
	})
}

// TestARepairIsNoDifference writes what the ledger does where relais.submitted was cut
// after two of its submissions had been judged: fillers in their places, a mark, and
// what had come after the cut once more.
func TestARepairIsNoDifference(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		for n := range 4 {
			for _, step := range []string{"from", "submitted", "recorded", "cnaf", "cnam", "office"} {
				if step != "submitted" || n < 2 {
					s.steps(n)[step]()
				}
			}
		}
		own := func(what string, n int) []string {
			return []string{"id=" + what + strconv.Itoa(n), "source=/participants/hub/repair", "type=" + schemas.TypeProbeSent, "submitter=hub", "repair=" + what}
		}
		s.write("submitted", "probe", own("filler", 2)...)
		s.write("submitted", "probe", own("filler", 3)...)
		s.write("submitted", "probe", own("mark", 4)...)
		s.write("recorded", "probe", append(own("mark", 4), "submittedpartition=0", "submittedoffset=4")...)
		found, total := s.audit("")
		if diff := cmp.Diff([]string(nil), found); diff != "" {
			t.Errorf("differences (-want +got):\n%s", diff)
		}
		if total.HandedIn != 2 || total.Repaired != 3 || total.Outcomes != 5 || total.Copies != 12 {
			t.Errorf("got %+v", total)
		}
	})
}

func TestAFromTopicThatLostItsEndIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.write("from.cnaf", "value", event(0)...)
		for n := range 3 { // two of which no longer stand there
			s.write("submitted", "value", append(event(n), "submitter=cnaf", fmt.Sprintf("door=from.cnaf/0/%d", n))...)
			s.write("recorded", "value", append(event(n), "submittedpartition=0", "submittedoffset="+strconv.Itoa(n))...)
		}
		found, _ := s.audit("cnaf")
		if diff := cmp.Diff([]string{"from_cut cnaf from.cnaf/0/1 "}, found); diff != "" {
			t.Errorf("differences (-want +got):\n%s", diff)
		}
	})
}

func TestTheQuarantineIsCountedForItsOwnerAndWithinTheSpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		began := time.Now()
		s.write("from.cnaf", "value", event(0)...)
		s.write("from.cnaf", "value", event(1)...)
		s.write("quarantine", "value", headerOrigin+"=relais.from.cnaf/0-0")
		time.Sleep(time.Hour)
		s.write("quarantine", "value", headerOrigin+"=relais.from.cnaf/0-1")
		for participant, want := range map[string]int64{"cnaf": 1, "cnam": 0, "": 1} {
			found, total := s.auditOf(span{from: began.Add(-time.Minute), to: began.Add(time.Minute), participant: participant})
			if found != nil || total.Quarantined != want {
				t.Errorf("for %q: found %v, %d quarantined, want %d", participant, found, total.Quarantined, want)
			}
		}
	})
}
