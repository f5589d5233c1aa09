package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
)

// records are those of a partition.
func (h *house) records(topic string, partition int) []broker.Record {
	h.t.Helper()
	held, err := h.broker.RangeOf(h.t.Context(), topic, partition)
	if err != nil {
		h.t.Fatal(err)
	}
	var all []broker.Record
	cursor := h.broker.Cursor(topic, partition, held.First)
	for cursor.Position() < held.Next {
		batch, err := cursor.Fetch(h.t.Context())
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, batch.Records...)
	}
	return all
}

// cut makes a topic anew with the first so many records of one partition, as a power
// cut or a restore leaves it. What the other partition has stays.
func (h *house) cut(topic string, partition, keep int) {
	h.t.Helper()
	var all []broker.Record
	for p := range 2 {
		records := h.records(topic, p)
		if p == partition {
			records = records[:keep]
		}
		all = append(all, records...)
	}
	if err := h.broker.DeleteTopics(h.t.Context(), topic); err != nil {
		h.t.Fatal(err)
	}
	_ = h.broker.Close()
	h.broker = h.newBroker()
	settings := config.Default("127.0.0.1:0")
	settings.Partitions = 2
	if err := h.broker.EnsureTopics(h.t.Context(), services.HubTopics(settings)...); err != nil {
		h.t.Fatal(err)
	}
	for _, r := range all {
		r.Topic = topic
		if _, err := h.broker.Produce(h.t.Context(), r); err != nil {
			h.t.Fatal(err)
		}
	}
}

// repair asks the door, and tells each repair in a line.
func (h *house) repair(yes bool) (status int, told []string) {
	h.t.Helper()
	r := httptest.NewRequestWithContext(h.t.Context(), "POST", "/v1/repairs", strings.NewReader(fmt.Sprintf(`{"yes":%v}`, yes)))
	r.Header.Set("Authorization", "Bearer dev-admin")
	w := httptest.NewRecorder()
	h.mux.ServeHTTP(w, r)
	var answer struct{ Partitions []repair }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		h.t.Fatalf("%d %s", w.Code, w.Body)
	}
	for _, p := range answer.Partitions {
		told = append(told, fmt.Sprintf("%s; %d fillers, mark %s, again %v, %d overwritten, done %v", p.Fault, p.Fillers, p.Mark, p.HandedIn, p.Overwritten, p.Done))
	}
	return w.Code, told
}

// halts waits until a partition is halted, and gives the words of readiness.
func (h *house) halts() string {
	h.t.Helper()
	for range 300 {
		if len(h.ledger.halted.all()) > 0 {
			_, words := h.ready.State()
			return words
		}
		<-time.After(100 * time.Millisecond)
	}
	h.t.Fatal("nothing is halted")
	return ""
}

// goesOn waits until every partition judges.
func (h *house) goesOn() {
	h.t.Helper()
	for range 300 {
		if ready, _ := h.ready.State(); ready {
			return
		}
		<-time.After(100 * time.Millisecond)
	}
	_, words := h.ready.State()
	h.t.Fatal(words)
}

// outcomes tells what stands on relais.recorded of a partition, by submission.
func (h *house) outcomesOf(partition int) []string {
	var all []string
	for _, r := range h.records("relais.recorded", partition) {
		e, err := schemas.FromRecord(r.Headers, r.Value)
		if err != nil {
			h.t.Fatal(err)
		}
		name := e.Type[strings.LastIndexByte(e.Type, '.')+1:]
		if e.Type == schemas.TypeSubmissionRepeated {
			payload, err := h.codec.Decode(h.t.Context(), e.Type, e.Data)
			if err != nil {
				h.t.Fatal(err)
			}
			name += fmt.Sprintf(" of %d", payload.(*schemas.SubmissionRepeated).FirstOffset)
		}
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Extensions[schemas.AttrSubmittedOffset], name, e.Extensions[schemas.AttrSequence])))
	}
	return all
}

func TestALogThatWasCutGoesOnAboveWhatWasJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		p := broker.PartitionOf([]byte("d1"), 2)
		elsewhere := "d2"
		for i := 3; broker.PartitionOf([]byte(elsewhere), 2) == p; i++ {
			elsewhere = fmt.Sprint("d", i)
		}
		h.open()
		h.submit("demo-1", "e1", "d1", referral("demo-1", "cnaf"))
		h.submit("cnaf", "e2", "d1", &schemas.ReferralReceived{})
		h.submit("cnaf", "e3", "d1", &schemas.ReferralAccepted{})
		h.recorded(3)
		h.stop()
		h.cut("relais.submitted", p, 1)
		h.open()
		fault := "relais.submitted ends at 1, but submission 2 has an outcome"
		if want := fmt.Sprintf("partition %d is halted: %s; `hubctl repair` says what it would do about it", p, fault); h.halts() != want {
			t.Errorf("readiness says %q", h.halts())
		}
		if n := testutil.ToFloat64(h.ledger.metrics.halted); n != 1 {
			t.Errorf("relais_ledger_halted is %v", n)
		}
		// The other partition goes on meanwhile.
		h.submit("demo-1", "f1", elsewhere, referral("demo-1", "cnaf"))
		h.recorded(4)

		want := fmt.Sprintf("%s; 2 fillers, mark %d-3, again [], 0 overwritten, done ", fault, p)
		if _, told := h.repair(false); !cmp.Equal(told, []string{want + "false"}) {
			t.Errorf("it would do %q", told)
		}
		if n := len(h.records("relais.submitted", p)); n != 1 {
			t.Errorf("a dry run has written: %d records", n)
		}
		if _, told := h.repair(true); !cmp.Equal(told, []string{want + "true"}) {
			t.Errorf("it did %q", told)
		}
		h.goesOn()
		if status, told := h.repair(true); status != http.StatusOK || told != nil {
			t.Errorf("a second time: %d %q", status, told)
		}
		h.submit("cnaf", "e4", "d1", &schemas.ReferralStarted{})
		h.recorded(6)
		outcomes := []string{"0 ReferralMade 0000000001", "1 ReferralReceived 0000000002", "2 ReferralAccepted 0000000003", "3 ProbeSent 0000000001", "4 ReferralStarted 0000000004"}
		if diff := cmp.Diff(outcomes, h.outcomesOf(p)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		// The next owner finds nothing at odds.
		h.stop()
		h.open()
		h.submit("cnaf", "e5", "d1", &schemas.ReferralCompleted{Outcome: "favourable"})
		h.recorded(7)
		h.stop()
	})
}

func TestWhatStandsAtOffsetsThatWereUsedTwiceIsHandedInAgainInOrder(t *testing.T) {
	for _, trial := range []struct {
		name   string
		broken func(h *house)
	}{
		{"at one go", func(*house) {}},
		{"broken off after the copies", func(h *house) {
			h.kafka.LoseAnswers(kmsg.Produce, 1)
			if status, told := h.repair(true); status != http.StatusServiceUnavailable {
				h.t.Errorf("%d %q", status, told)
			}
		}},
		{"broken off after the copies, and a gateway wrote behind them", func(h *house) {
			h.kafka.LoseAnswers(kmsg.Produce, 1)
			h.repair(true)
			h.submit("cnaf", "e8", "d1", &schemas.ReferralCompleted{Outcome: "favourable"})
		}},
		{"and its owner changed", func(h *house) {
			h.kafka.LoseAnswers(kmsg.Produce, 1)
			h.repair(true)
			h.stop()
			h.flush()
			h.open()
			h.halts()
		}},
	} {
		t.Run(trial.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t)
				p := broker.PartitionOf([]byte("d1"), 2)
				h.open()
				h.submit("demo-1", "e1", "d1", referral("demo-1", "cnaf"))
				h.submit("demo-1", "x1", "d1", &schemas.MessagePosted{Audience: "all", Sealed: []byte("…")})
				h.submit("demo-1", "x2", "d1", &schemas.MessagePosted{Audience: "all", Sealed: []byte("…")})
				h.recorded(3)
				h.stop()
				h.cut("relais.submitted", p, 1)
				// A gateway that did not look went on writing.
				h.submit("cnaf", "e5", "d1", &schemas.ReferralReceived{})
				h.submit("cnaf", "e6", "d1", &schemas.ReferralAccepted{})
				h.submit("cnaf", "e7", "d1", &schemas.ReferralStarted{})
				h.open()
				h.halts()
				trial.broken(h)
				if status, told := h.repair(true); status != http.StatusOK || len(told) != 1 || !strings.Contains(told[0], fmt.Sprintf("again [%d-1 %d-2 %d-3", p, p, p)) {
					t.Errorf("%d %q", status, told)
				}
				h.goesOn()
				h.submit("cnaf", "e9", "d1", &schemas.MessagePosted{Audience: "all", Sealed: []byte("…")})
				var facts []string
				for range 100 {
					facts = nil
					seen := map[string]bool{}
					for i, r := range h.records("relais.recorded", p) {
						e, err := schemas.FromRecord(r.Headers, r.Value)
						if err != nil {
							t.Fatal(err)
						}
						if number := e.Extensions[schemas.AttrSubmittedOffset]; number != fmt.Sprint(i) || seen[number] {
							t.Fatalf("outcome %d is that of submission %s", i, number)
						}
						if e.Extensions[schemas.AttrSequence] != "" && e.Source != repairSource {
							facts = append(facts, e.ID)
						}
					}
					if facts[len(facts)-1] == "e9" {
						break
					}
					<-time.After(100 * time.Millisecond)
				}
				want := []string{"e1", "x1", "x2", "e5", "e6", "e7", "e9"}
				if strings.Contains(trial.name, "behind") {
					want = []string{"e1", "x1", "x2", "e5", "e6", "e7", "e8", "e9"}
				}
				if diff := cmp.Diff(want, facts); diff != "" {
					t.Errorf("facts (-want +got):\n%s\n%s", diff, strings.Join(h.outcomesOf(p), "\n"))
				}
				h.stop()
			})
		})
	}
}

func TestOutcomesThatWereLostAreMadeAgainTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		p := broker.PartitionOf([]byte("d1"), 2)
		h.open()
		h.submit("demo-1", "e1", "d1", referral("demo-1", "cnaf"))
		h.submit("cnaf", "e2", "d1", &schemas.ReferralReceived{})
		h.submit("msa", "e3", "d1", &schemas.ReferralAccepted{})
		h.recorded(3)
		before := h.records("relais.recorded", p)
		h.stop()
		h.cut("relais.recorded", p, 1)
		h.open()
		h.recorded(3)
		after := h.records("relais.recorded", p)
		for i := range before {
			if before[i].Mark() != after[i].Mark() {
				t.Errorf("outcome %d has other bytes than before", i)
			}
		}
		h.stop()
	})
}

// TestARepairThatIsBrokenOffBetweenTwoRequestsIsTakenUpByTheNext has more to hand in
// again than one request holds, and a broker that is away after the first.
func TestARepairThatIsBrokenOffBetweenTwoRequestsIsTakenUpByTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		p := broker.PartitionOf([]byte("d1"), 2)
		h.open()
		h.submit("demo-1", "e1", "d1", referral("demo-1", "cnaf"))
		h.submit("demo-1", "x1", "d1", &schemas.MessagePosted{Audience: "all", Sealed: []byte("…")})
		h.recorded(2)
		h.stop()
		h.cut("relais.submitted", p, 1)
		large := bytes.Repeat([]byte("x"), 250_000)
		var want []string
		for i := range 7 {
			id := fmt.Sprint("m", i)
			h.submit("cnaf", id, "d1", &schemas.MessagePosted{Audience: "all", Sealed: large})
			want = append(want, id)
		}
		h.open()
		h.halts()
		before := len(h.records("relais.submitted", p))
		// The second request is lost with its connection.
		asked := 0
		h.kafka.Cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			h.kafka.Cluster.KeepControl()
			if asked++; asked != 2 {
				return nil, nil, false
			}
			return nil, errors.New("the broker is away"), true
		})
		if status, told := h.repair(true); status != http.StatusServiceUnavailable {
			t.Errorf("%d %q", status, told)
		}
		half := len(h.records("relais.submitted", p)) - before
		if half == 0 || half >= 8 {
			t.Errorf("%d records were appended: nothing was broken off (%d asked)", half, asked)
		}
		if status, told := h.repair(true); status != http.StatusOK || len(told) != 1 || !strings.HasSuffix(told[0], "done true") {
			t.Errorf("%d %q", status, told)
		}
		h.goesOn()
		h.submit("cnaf", "e2", "d1", &schemas.ReferralReceived{})
		var facts []string
		for range 100 {
			facts = nil
			for _, r := range h.records("relais.recorded", p) {
				if string(r.Header("ce_sequence")) != "" && string(r.Header("ce_source")) != repairSource {
					facts = append(facts, string(r.Header("ce_id")))
				}
			}
			if facts[len(facts)-1] == "e2" {
				break
			}
			<-time.After(100 * time.Millisecond)
		}
		if diff := cmp.Diff(append(append([]string{"e1", "x1"}, want...), "e2"), facts); diff != "" {
			t.Errorf("facts (-want +got):\n%s", diff)
		}
		h.stop()
	})
}
