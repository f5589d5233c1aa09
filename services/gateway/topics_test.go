package gateway

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/directory"
)

// framed is the payload in Avro, as a participant's serializer writes it.
func framed(t testing.TB, h *hub, payload any) []byte {
	t.Helper()
	data, err := h.codec.Encode(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// awaitSubmission waits until the event is on `relais.submitted`.
func (h *hub) awaitSubmission(id string) schemas.Event {
	h.t.Helper()
	var e schemas.Event
	h.wait(func() (ok bool) { e, ok = h.submission(id); return ok })
	return e
}

// awaitQuarantine waits until there are n quarantined records, and returns the
// last.
func (h *hub) awaitQuarantine(n int) (broker.Record, quarantined) {
	h.t.Helper()
	var all []broker.Record
	h.wait(func() bool { all = h.read(h.quarantine); return len(all) >= n })
	if len(all) != n {
		h.t.Fatalf("%d records in quarantine, want %d", len(all), n)
	}
	q, ok := readQuarantined(&all[n-1])
	if !ok {
		h.t.Fatal("the quarantined record has no reason")
	}
	return all[n-1], q
}

func TestAvroThatIsHostileOrUnknown(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		good := framed(t, h, &schemas.ReferralMade{From: "fs-1", To: "cnaf", Service: "logement/apl", Reference: "7K3F-92QD"})
		huge := append(good[:5:5], binary.AppendVarint(nil, 1<<40)...)
		trials := []struct {
			name string
			data []byte
			want schemas.Reason
		}{
			{"as it should be", good, unread},
			{"a schema id that the registry does not have", append([]byte{0, 0, 0, 3, 231}, good[5:]...), schemas.ReasonUnknownSchema},
			{"another event's schema", framed(t, h, &schemas.ReferralStarted{}), schemas.ReasonMalformed},
			{"cut short", good[:len(good)-2], schemas.ReasonMalformed},
			{"with bytes behind", append(slices.Clone(good), 1, 2), schemas.ReasonMalformed},
			{"a string of a terabyte", huge, schemas.ReasonMalformed},
			{"no frame", good[5:], schemas.ReasonMalformed},
			{"nothing", nil, schemas.ReasonMalformed},
		}
		for i, trial := range trials {
			id := fmt.Sprint("avro-", i)
			w := referral(attr("id", id))
			h.produce("from.offices", broker.Record{Key: []byte(caseA), Headers: w.headers(schemas.AvroContentType), Value: trial.data})
			if got := h.awaitSubmission(id).Extensions[schemas.AttrVerdict]; got != string(trial.want) {
				t.Errorf("%s: the verdict is %q, want %q", trial.name, got, trial.want)
			}
			r := h.post("dev-fs-1", schemas.AvroContentType, string(trial.data), referral(attr("id", "http-"+id)).httpHeaders()...)
			if code, _ := decoded(t, r)["code"].(string); code != string(trial.want) {
				t.Errorf("%s: POST = %d %s, want %q", trial.name, r.Code, r.Body, trial.want)
			}
		}
	})
}

func TestWhatCannotBeReadGoesToQuarantineWhole(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		trials := []struct {
			name string
			rec  broker.Record
		}{
			{"a record without headers", broker.Record{Key: []byte("k"), Value: []byte(referral().structured())}},
			{"a record of nothing", broker.Record{}},
			{"structured JSON that is none", broker.Record{Headers: []schemas.Header{{Key: "content-type", Value: []byte(schemas.StructuredContentType)}}, Value: []byte("{\xff")}},
			{"an id that stands there twice", broker.Record{Headers: append(referral().headers(schemas.JSONContentType), schemas.Header{Key: "ce_id", Value: []byte("other")}), Value: []byte("{}")}},
			{"a header of ours on it", broker.Record{Headers: []schemas.Header{{Key: headerOrigin, Value: []byte("relais.from.dgfip/0-0")}}, Value: []byte("x")}},
		}
		for i, trial := range trials {
			h.produce("from.cnaf", trial.rec)
			rec, q := h.awaitQuarantine(i + 1)
			if !bytes.Equal(rec.Value, trial.rec.Value) || !bytes.Equal(rec.Key, trial.rec.Key) {
				t.Errorf("%s: the record is not whole", trial.name)
			}
			if got := rec.Headers[:len(rec.Headers)-ownQuarantineHeaders]; len(trial.rec.Headers) > 0 && !cmp.Equal(trial.rec.Headers, got) {
				t.Errorf("%s: its headers are %v", trial.name, got)
			}
			want := quarantined{Place: fmt.Sprint("0-", i), Time: q.Time, Origin: fmt.Sprint("relais.from.cnaf/0-", i), Participant: "cnaf", Reason: "malformed", Detail: q.Detail, SizeBytes: int64(len(trial.rec.Value)), SHA256: q.SHA256}
			if diff := cmp.Diff(want, q); diff != "" || q.Detail == "" || len(q.SHA256) != 2*32 {
				t.Errorf("%s (-want +got):\n%s", trial.name, diff)
			}
		}
		h.produce("from.cnaf", answered().record(caseA))
		if e := h.awaitSubmission("ev-1"); e.Extensions[schemas.AttrVerdict] != "" {
			t.Error("the next record was disturbed")
		}
	})
}

func TestSixtyMegabytesThatCompress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, testView(t))
		sender, err := broker.New(broker.Config{Brokers: []string{h.kafka.Addr}, Dial: h.kafka.Dial, Compression: "zstd", MaxBuffered: 256 << 20})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = sender.Close() }()
		for i, size := range []int{60 << 20, 8 << 20} {
			w := referral(attr("id", fmt.Sprint("zeros-", i)))
			rec := broker.Record{Topic: sender.Topic("from.offices"), Key: []byte(caseA), Headers: w.headers(schemas.JSONContentType), Value: make([]byte, size)}
			if _, err := sender.Produce(t.Context(), rec); err != nil {
				t.Fatal(err)
			}
		}
		h.produce("from.offices", referral().record(caseA))
		h.run()
		if e := h.awaitSubmission("zeros-1"); e.Extensions[schemas.AttrVerdict] != string(schemas.ReasonTooLarge) {
			t.Errorf("8 MB: the verdict is %q", e.Extensions[schemas.AttrVerdict])
		}
		rec, q := h.awaitQuarantine(1)
		if !q.Cut || len(rec.Value) > keptOfLarge {
			t.Errorf("60 MB: %d bytes in quarantine, %+v", len(rec.Value), q)
		}
		if e := h.awaitSubmission("ev-1"); e.Extensions[schemas.AttrVerdict] != "" {
			t.Error("the next record was disturbed")
		}
	})
}

func TestARegistryThatIsDownDelaysAndRefusesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		h.registry.setDown(true)
		h.produce("from.offices", referral().record(caseA))
		time.Sleep(time.Minute)
		if n := len(h.submissions()); n != 0 {
			t.Fatalf("%d submissions without a registry", n)
		}
		h.registry.setDown(false)
		if e := h.awaitSubmission("ev-1"); e.Extensions[schemas.AttrVerdict] != "" {
			t.Errorf("the verdict is %q", e.Extensions[schemas.AttrVerdict])
		}
	})
}

func TestShutDoorsDelayATopicAndRefuseNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		h.closed.Store("The disk is full.")
		time.Sleep(10 * time.Second)
		h.produce("from.offices", referral().record(caseA))
		time.Sleep(time.Minute)
		// One fetch may have been under way when the doors were shut.
		h.produce("from.offices", referral(attr("id", "ev-2")).record(caseA))
		time.Sleep(time.Minute)
		if _, ok := h.submission("ev-2"); ok {
			t.Error("a submission through shut doors")
		}
		h.closed.Store("")
		h.awaitSubmission("ev-2")
	})
}

func TestAGatewayGoesOnWhereAnotherLeftOff(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		h.produce("from.cnaf", answered(attr("id", "before")).record(caseA))
		h.awaitSubmission("before")
		time.Sleep(5 * time.Second)
		h.stop()
		h.produce("from.cnaf", answered(attr("id", "between")).record(caseA))
		h.make(h.broker, h.host.Directory, h.host.Settings)
		h.run()
		h.awaitSubmission("between")
		h.produce("from.cnaf", answered(attr("id", "after")).record(caseA))
		h.awaitSubmission("after")
		var ids []string
		for _, e := range h.submissions() {
			ids = append(ids, e.ID)
		}
		if diff := cmp.Diff([]string{"before", "between", "after"}, ids); diff != "" {
			t.Errorf("submissions (-want +got):\n%s", diff)
		}
	})
}

func TestAnAcknowledgementThatIsLostCostsARepeatAtMost(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		h.kafka.LoseAnswers(kmsg.Produce, 2)
		for i := range 20 {
			h.kafka.LoseAnswers(kmsg.Produce, i%2)
			h.produce("from.cnaf", answered(attr("id", fmt.Sprintf("ev-%02d", i))).record(caseA))
		}
		h.awaitSubmission("ev-19")
		var ids []string
		for _, e := range h.submissions() {
			if !slices.Contains(ids, e.ID) {
				ids = append(ids, e.ID)
			}
		}
		if len(ids) != 20 || !slices.IsSorted(ids) {
			t.Errorf("submissions: %v", ids)
		}
	})
}

func TestALongBatchIsCommittedInSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, testView(t))
		const n = 2*stepRecords + 7
		for i := range n {
			h.produce("from.offices", referral(attr("id", fmt.Sprint("ev-", i))).record(caseA))
		}
		var mu sync.Mutex
		var committed []int64
		h.kafka.Cluster.ControlKey(int16(kmsg.OffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
			h.kafka.Cluster.KeepControl()
			mu.Lock()
			defer mu.Unlock()
			for _, topic := range req.(*kmsg.OffsetCommitRequest).Topics {
				for _, p := range topic.Partitions {
					committed = append(committed, p.Offset)
				}
			}
			return nil, nil, false
		})
		h.run()
		h.awaitSubmission(fmt.Sprint("ev-", n-1))
		h.wait(func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(committed) >= 3
		})
		mu.Lock()
		defer mu.Unlock()
		if diff := cmp.Diff([]int64{stepRecords, 2 * stepRecords, n}, committed); diff != "" {
			t.Errorf("committed offsets (-want +got):\n%s", diff)
		}
	})
}

func TestStepsOfABatch(t *testing.T) {
	at := func(offsets ...int64) broker.Batch {
		b := broker.Batch{Start: offsets[0], Next: offsets[len(offsets)-1]}
		for o := offsets[0]; o < offsets[1]; o += 2 {
			b.Records = append(b.Records, broker.Record{Offset: o})
		}
		return b
	}
	for _, tc := range []struct {
		name  string
		batch broker.Batch
		want  []int64 // where each step goes on
	}{
		{"a short one is one step", at(10, 20, 20), []int64{20}},
		{"offsets without records are stepped over", broker.Batch{Start: 3, Next: 9}, []int64{9}},
		{"what is missing between two steps belongs to the first", at(0, 2*stepRecords+2, 2000), []int64{2 * stepRecords, 2000}},
		{"a full step is not cut", at(0, 2*stepRecords, 1000), []int64{1000}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []int64
			start, records := tc.batch.Start, 0
			for step := range steps(tc.batch) {
				if step.Start != start {
					t.Errorf("a step begins at %d, want %d", step.Start, start)
				}
				start, records = step.Next, records+len(step.Records)
				got = append(got, step.Next)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || records != len(tc.batch.Records) {
				t.Errorf("%d of %d records, goes on at (-want +got):\n%s", records, len(tc.batch.Records), diff)
			}
		})
	}
}

func TestANewParticipantIsHeardWithoutARestart(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		msa := directory.Participant{ID: "msa", Name: "MSA", Role: directory.RoleOperator}
		record, err := msa.Record()
		if err != nil {
			t.Fatal(err)
		}
		if err := h.host.Directory.Apply(record); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if err := h.broker.EnsureTopics(t.Context(), services.ParticipantTopics(h.host.Settings, "msa")...); err != nil {
			t.Fatal(err)
		}
		h.produce("from.msa", answered(attr("source", "/participants/msa/core")).record(caseA))
		if e := h.awaitSubmission("ev-1"); e.Extensions[schemas.AttrSubmitter] != "msa" {
			t.Errorf("handed in by %q", e.Extensions[schemas.AttrSubmitter])
		}
	})
}

func TestAPanicIsTheHubsFaultAndTheNextRecordsGoOn(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		codec := h.judge.codec
		h.judge.codec = nil
		h.produce("from.offices", referral().record(caseA))
		if got := h.awaitSubmission("ev-1").Extensions[schemas.AttrVerdict]; got != string(schemas.ReasonHubError) {
			t.Errorf("the verdict is %q", got)
		}
		if w := h.post("dev-fs-1", schemas.StructuredContentType, referral().structured()); w.Code != http.StatusInternalServerError {
			t.Errorf("POST = %d %s", w.Code, w.Body)
		}
		h.judge.codec = codec
		h.produce("from.offices", referral(attr("id", "ev-2")).record(caseA))
		if got := h.awaitSubmission("ev-2").Extensions[schemas.AttrVerdict]; got != "" {
			t.Errorf("the next record's verdict is %q", got)
		}
		if !strings.Contains(h.log.String(), "judging panicked") {
			t.Error("nobody was told")
		}
	})
}

func TestWhatTheLogDoesNotTakeBecomesARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, testView(t))
		if err := h.broker.DeleteTopics(t.Context(), h.submitted); err != nil {
			t.Fatal(err)
		}
		small := broker.TopicSpec{Name: h.submitted, Partitions: testPartitions, Settings: map[string]string{"max.message.bytes": "4000", "retention.ms": "-1"}}
		if err := h.broker.EnsureTopics(t.Context(), small); err != nil {
			t.Fatal(err)
		}
		h.run()
		sealed := referral(attr("id", "large"), replace(`{"from"`, `{"sealed":"`+strings.Repeat("QUJD", 2000)+`","from"`))
		h.produce("from.offices", sealed.record(caseA))
		h.produce("from.offices", referral(attr("id", "next")).record(caseA))
		if e := h.awaitSubmission("next"); e.Extensions[schemas.AttrVerdict] != "" {
			t.Errorf("the next record's verdict is %q", e.Extensions[schemas.AttrVerdict])
		}
		e, ok := h.submission("large")
		if !ok || e.Extensions[schemas.AttrVerdict] != string(schemas.ReasonTooLarge) || len(e.Data) != 0 {
			t.Errorf("the large one: %v %v", ok, e.Extensions)
		}
		if w := h.post("dev-fs-1", schemas.StructuredContentType, sealed.structured()); w.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("POST = %d %s", w.Code, w.Body)
		}
		var subjects []string
		for _, e := range h.submissions() {
			subjects = append(subjects, e.ID)
		}
		if diff := cmp.Diff([]string{"large", "next"}, subjects); diff != "" {
			t.Errorf("the order (-want +got):\n%s", diff)
		}
	})
}

func TestALogThatLostItsTailKeepsTheDoorsShut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, testView(t))
		h.run()
		w := h.post("dev-fs-1", schemas.StructuredContentType, referral().structured())
		if w.Code != http.StatusAccepted {
			t.Fatalf("POST = %d %s", w.Code, w.Body)
		}
		rec := h.read(h.submitted)[0]
		if err := h.decide(t.Context(), newSeen(), rec); err != nil {
			t.Fatal(err)
		}
		// The same place holds another submission: an offset was used twice.
		other := rec
		other.Offset = 0
		h.stop()
		if err := h.broker.DeleteTopics(t.Context(), h.submitted); err != nil {
			t.Fatal(err)
		}
		if err := h.broker.EnsureTopics(t.Context(), services.HubTopics(h.host.Settings)...); err != nil {
			t.Fatal(err)
		}
		h.make(h.broker, h.host.Directory, h.host.Settings)
		h.start()
		refused := func(word string) {
			t.Helper()
			var w *httptest.ResponseRecorder
			h.wait(func() bool {
				w = h.post("dev-fs-1", schemas.StructuredContentType, referral().structured())
				return strings.Contains(w.Body.String(), word)
			})
			if w.Code != http.StatusServiceUnavailable {
				t.Errorf("POST = %d %s", w.Code, w.Body)
			}
		}
		refused("has lost its tail")
		other.Headers = slices.Clone(rec.Headers)
		for i := range other.Headers {
			if other.Headers[i].Key == "ce_id" {
				other.Headers[i].Value = []byte("another")
			}
		}
		if _, err := h.broker.Produce(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		refused("used twice")
	})
}

func TestTheQuarantineIsListedShownAndRedriven(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		// A record that is unreadable only because nobody had said its type of
		// content.
		h.produce("from.cnaf", broker.Record{Key: []byte(caseA), Value: []byte("not an event")})
		h.awaitQuarantine(1) // two topics are read side by side
		h.produce("from.dgfip", answered(attr("id", "a b")).record(caseA))
		h.awaitQuarantine(2)
		var list page
		if err := json.Unmarshal(h.get("dev-admin", "/v1/quarantine?limit=1").Body.Bytes(), &list); err != nil {
			t.Fatal(err)
		}
		if len(list.Items) != 1 || list.Next != "0-1" {
			t.Fatalf("the first page: %+v", list)
		}
		w := h.get("dev-admin", "/v1/quarantine?cursor="+list.Next)
		if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
			t.Fatal(err)
		}
		if len(list.Items) != 1 || list.Next != "0-2" || list.Items[0].Place != "0-1" {
			t.Fatalf("the second page: %+v", list)
		}
		var shown quarantined
		if err := json.Unmarshal(h.get("dev-admin", "/v1/quarantine/0-0").Body.Bytes(), &shown); err != nil {
			t.Fatal(err)
		}
		if sum := shown.SHA256; string(shown.Value) != "not an event" || len(sum) != hex.EncodedLen(32) {
			t.Errorf("shown: %+v", shown)
		}
		redrive := func(place string) *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/quarantine/"+place+"/redrive", http.NoBody)
			r.Header.Set("Authorization", "Bearer dev-admin")
			w := httptest.NewRecorder()
			h.mux.ServeHTTP(w, r)
			return w
		}
		if w := redrive("0-0"); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("what still cannot be read: %d %s", w.Code, w.Body)
		}
		if w := redrive("0-7"); w.Code != http.StatusNotFound {
			t.Errorf("what is not there: %d %s", w.Code, w.Body)
		}
		// As if the rules had been stricter when it came.
		origin := answered().record(caseA)
		origin.Topic = h.broker.Topic("from.cnaf")
		rec := h.quarantineRecord(principalOf(t, h, "cnaf"), &origin, refuse(schemas.ReasonMalformed, "once"), false)
		if _, err := h.broker.Produce(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if w := redrive("0-2"); w.Code != http.StatusAccepted || decoded(t, w)["place"] == nil {
				t.Errorf("what can be read now: %d %s", w.Code, w.Body)
			}
		}
		if e := h.awaitSubmission("ev-1"); e.Extensions[schemas.AttrSubmitter] != "cnaf" || e.Extensions[schemas.AttrVerdict] != "" {
			t.Errorf("redriven as %v", e.Extensions)
		}
		time.Sleep(10 * time.Second)
		if got := h.gauges("relais_dlq_depth", "reason")["malformed"]; got != 2 {
			t.Errorf("%v lie in quarantine after one of three was redriven", got)
		}
	})
}

func TestLabelsComeFromClosedSets(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		h.post("dev-fs-1", schemas.StructuredContentType, referral().structured())
		h.post("dev-fs-2", schemas.StructuredContentType, visit(attr("id", "v"), attr("source", ""), attr("subject", ""), replace("fs-1", "fs-2")).structured())
		h.post("dev-fs-1", schemas.StructuredContentType, referral(attr("type", "x")).structured())
		h.produce("from.cnaf", answered(attr("id", "k")).record(caseA))
		h.awaitSubmission("k")
		time.Sleep(time.Second)
		want := `
# HELP relais_events_ingested_total Events accepted by form and acknowledged by the log, by who handed them in (offices as one).
# TYPE relais_events_ingested_total counter
relais_events_ingested_total{channel="http",event_type="ReferralMade",operator="offices"} 1
relais_events_ingested_total{channel="http",event_type="VisitRecorded",operator="offices"} 1
relais_events_ingested_total{channel="kafka",event_type="ReferralAccepted",operator="cnaf"} 1
# HELP relais_events_rejected_total Events refused at a door, by who handed them in (offices as one) and reason.
# TYPE relais_events_rejected_total counter
relais_events_rejected_total{operator="offices",reason="unknown_schema"} 1
`
		if err := testutil.GatherAndCompare(h.metrics, strings.NewReader(want), "relais_events_ingested_total", "relais_events_rejected_total"); err != nil {
			t.Error(err)
		}
	})
}
