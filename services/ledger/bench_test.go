package ledger

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

// lives are the submissions of so many referrals, eight events each, as a gateway
// writes them: first of all the first event, then of all the second.
func lives(b *testing.B, codec *schemas.Codec, dossiers int) []broker.Record {
	b.Helper()
	life := []struct {
		by, role string
		payload  any
	}{
		{"demo-1", "office", referral("demo-1", "cnaf")},
		{"cnaf", "operator", &schemas.ReferralReceived{OwnReference: new("2026-0514"), Unit: new("CAF du Morbihan")}},
		{"cnaf", "operator", &schemas.ReviewStarted{}},
		{"cnaf", "operator", &schemas.MessagePosted{Audience: "all", Sealed: make([]byte, 150)}},
		{"cnaf", "operator", &schemas.ReferralAccepted{}},
		{"cnaf", "operator", &schemas.ReferralStarted{}},
		{"cnaf", "operator", &schemas.ReferralCompleted{Outcome: "favourable"}},
		{"demo-1", "office", &schemas.ReferralClosed{}},
	}
	received := at("2026-05-14T09:00:00Z")
	var records []broker.Record
	for i, step := range life {
		data, err := codec.Encode(b.Context(), step.payload)
		if err != nil {
			b.Fatal(err)
		}
		id, err := codec.ID(b.Context(), schemas.TypeOf(step.payload))
		if err != nil {
			b.Fatal(err)
		}
		for n := range dossiers {
			subject := fmt.Sprintf("0198c0de-ac96-774b-bcce-%012d", n)
			e := schemas.Event{
				ID: fmt.Sprintf("0198c0df-ac96-774b-%04d-%012d", i, n), Source: schemas.Source(step.by, "system"), Type: schemas.TypeOf(step.payload), Subject: subject,
				Time: received, DataContentType: schemas.AvroContentType, DataSchema: fmt.Sprintf("http://registry.example/schemas/ids/%d", id), Data: data,
				Extensions: map[string]string{
					schemas.AttrPartitionKey: subject, schemas.AttrReceivedTime: formatMillis(received.UnixMilli()), schemas.AttrRules: "1",
					schemas.AttrSubmitter: step.by, schemas.AttrSenderRole: step.role, schemas.AttrRecipientRole: "operator",
					schemas.AttrTraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", schemas.AttrTerritory: "56",
				},
			}
			records = append(records, broker.Record{
				Partition: 3, Offset: int64(len(records)), Key: []byte(subject), Value: data, Headers: schemas.Headers(e), Time: received,
			})
			received = received.Add(time.Millisecond)
		}
	}
	return records
}

// BenchmarkJudging is all that a ledger does for a submission but for talking to
// its engines: read the stored dossier and the submission, decide, make the
// outcome, apply it, and write the dossier.
func BenchmarkJudging(b *testing.B) {
	codec := schemas.NewCodec(enginetest.Schemas{})
	made := &outcomes{codec: codec, topic: "relais.recorded", registryURL: "http://registry.example"}
	records := lives(b, codec, 1000)
	b.ReportAllocs()
	before := processorTime(b)
	for b.Loop() {
		stored := map[string][]byte{}
		for _, r := range records {
			d, err := decodeDossier(stored[string(r.Key)])
			if err != nil {
				b.Fatal(err)
			}
			s, err := readSubmission(b.Context(), codec, r)
			if err != nil {
				b.Fatal(err)
			}
			v := decide(d, s)
			if v.reason != "" || v.repeat != nil {
				b.Fatalf("%s of %s: %+v", s.Type, s.Subject, v)
			}
			out, err := made.make(b.Context(), d, s, v)
			if err != nil {
				b.Fatal(err)
			}
			apply(d, out)
			stored[string(r.Key)] = d.encode()
		}
	}
	b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N*len(records)), "cpu-ns/event")
}

// processorTime is what the process has used so far, on a machine that others use
// too.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
