package ledger

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

var update = flag.Bool("update", false, "write the golden log of the newest rules version; only before that version is released")

// goldenLog are submissions that touch every kind of decision of a rules version,
// each at a fixed place and time. What is added for a version stands behind: the
// logs of the versions before stay as they are.
func goldenLog(version int) []claim {
	child := referral("demo-1", "msa")
	child.Parent = new("d1")
	booked := &schemas.AppointmentBooked{Office: "demo-1", Operator: "msa", Mode: "phone", Starts: at("2026-05-14T12:00:00Z"), Referral: new("d1~msa")}
	verdict := func(reason schemas.Reason) func(*submission) {
		return func(s *submission) { s.Verdict, s.VerdictDetail = reason, "data.service: no such service" }
	}
	claims := []claim{
		{by: "demo-1", id: "e1", subject: "d1", payload: referral("demo-1", "cnaf")},
		{by: "demo-1", id: "e1", subject: "d1", payload: referral("demo-1", "cnaf")},
		{by: "demo-1", id: "e1", subject: "d1", payload: referral("demo-1", "cnam")},
		{by: "cnaf", id: "e2", subject: "d1", payload: &schemas.ReferralAccepted{}},
		{by: "cnaf", id: "e2", subject: "d1", payload: &schemas.ReferralAccepted{}},
		{by: "msa", id: "e3", subject: "d1", payload: &schemas.ReferralReceived{}},
		{by: "cnaf", id: "e4", subject: "d1", payload: &schemas.ReferralReceived{}, change: verdict(schemas.ReasonUnknownService)},
		{by: "cnaf", id: "e4", subject: "d1", payload: &schemas.ReferralReceived{OwnReference: new("2026-0514"), Unit: new("CAF du Morbihan")}},
		{by: "cnaf", id: "e5", subject: "d1", payload: &schemas.ReviewStarted{}},
		{by: "cnaf", id: "e6", subject: "d1", payload: &schemas.InformationRequested{Items: []schemas.InformationItem{{Code: "identity_document"}}}},
		{by: "hub", id: "k1", subject: "d1", payload: &schemas.ReferralExpired{Clock: "missing_information", StartedBy: "3-9", Due: at("2026-05-29T09:00:00Z")}},
		{by: "demo-1", id: "e7", subject: "d1", payload: &schemas.InformationProvided{Answered: []string{"identity_document"}}},
		{by: "demo-1", id: "e8", subject: "d1", payload: &schemas.MessagePosted{Audience: "all", Sealed: []byte("…")}},
		{by: "cnaf", id: "e9", subject: "d1", payload: &schemas.ReferralRerouted{Competent: "msa", Child: "d1~msa"}},
		{by: "cnaf", id: "e10", subject: "d1~msa", payload: child},
		{by: "msa", id: "e11", subject: "d1~msa", payload: &schemas.ReferralReceived{}},
		{by: "msa", id: "e12", subject: "d1~rdv", payload: booked},
		{by: "demo-1", id: "e13", subject: "d1~rdv", payload: &schemas.AppointmentCancelled{By: "person", Reason: new("person_ill")}, time: at("2026-05-14T11:00:00Z")},
		{by: "msa", id: "e14", subject: "d1~msa", payload: &schemas.ReferralRefused{Reason: "not_eligible"}},
		{by: "demo-1", id: "e15", subject: "d1~msa", payload: &schemas.ReferralReopened{Reason: new("new_information")}},
		{by: "demo-1", id: "v1", subject: "v1", payload: &schemas.VisitRecorded{Office: "demo-1", Day: 20587, HalfDay: "morning", Channel: "phone", Operators: []string{"cnaf"}, Services: []string{}}},
		{by: "demo-1", id: "v2", subject: "v1", payload: &schemas.VisitVoided{Reason: "raised_in_error"}},
		{by: "hub", id: "p1", subject: "p1", payload: &schemas.ProbeSent{Sent: at("2026-05-14T09:00:00Z")}},
	}
	if version >= rulesReports {
		report := &schemas.DeliveryChanged{Place: "3-0", Recipient: "cnaf", State: "dead", Channel: "kafka", EventID: "e1", Sender: new("offices/demo-1")}
		unsent := *report
		unsent.Sender = nil
		claims = append(
			claims,
			claim{by: "hub", id: "r1", subject: "d1", payload: report},
			claim{by: "hub", id: "r1", subject: "d1", payload: report},
			claim{by: "hub", id: "r2", subject: "d1", payload: &unsent},
			claim{by: "hub", id: "r3", subject: "d2", payload: report},
		)
	}
	return claims
}

// TestTheGoldenLogIsJudgedAsEver judges the golden log and compares every byte of
// every outcome with what this rules version has always made of it. If it fails,
// the change needs a new rules version: raise Rules, decide by the version where
// the two differ, and add a golden file for the new one.
func TestTheGoldenLogIsJudgedAsEver(t *testing.T) {
	for version := 1; version <= Rules; version++ {
		t.Run(fmt.Sprintf("rules version %d", version), func(t *testing.T) {
			file := fmt.Sprintf("testdata/golden-%d.txt", version)
			got := judgeAll(t, goldenLog(version), version)
			if *update && version == Rules {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("an outcome has changed: that needs a new rules version (-ever +now):\n%s", diff)
			}
		})
	}
}

// judgeAll tells each outcome as its record: key, time, headers, and the digest of
// its value.
func judgeAll(t *testing.T, claims []claim, version int) string {
	codec := schemas.NewCodec(enginetest.Schemas{})
	made := &outcomes{codec: codec, topic: "relais.recorded", registryURL: "http://registry.example"}
	dossiers := map[string]*dossier{}
	received := at("2026-05-14T09:00:00Z")
	var told strings.Builder
	for i, c := range claims {
		received = received.Add(time.Minute)
		s := submissionOf(t, codec, c, schemas.Place{Partition: 3, Offset: int64(i)}, received)
		s.Rules = version
		d := dossiers[s.dossier]
		if d == nil {
			d = new(dossier)
			dossiers[s.dossier] = d
		}
		out, err := made.make(t.Context(), d, s, decide(d, s))
		if err != nil {
			t.Fatal(err)
		}
		// What is read back from the log is what was made.
		back, err := made.read(t.Context(), out.record)
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		apply(d, back)
		tellRecord(&told, out.record)
	}
	return told.String()
}

// submissionOf is a claim as a gateway would have written it.
func submissionOf(t *testing.T, codec *schemas.Codec, c claim, place schemas.Place, received time.Time) *submission {
	t.Helper()
	data, err := codec.Encode(t.Context(), c.payload)
	if err != nil {
		t.Fatal(err)
	}
	role := schemas.RoleOperator
	if offices[c.by] {
		role = schemas.RoleOffice
	}
	e := schemas.Event{
		ID: c.id, Source: schemas.Source(c.by, "test"), Type: schemas.TypeOf(c.payload), Subject: c.subject, Time: c.saidAt(received),
		DataContentType: schemas.AvroContentType, DataSchema: "http://registry.example/schemas/ids/1", Data: data,
		Extensions: map[string]string{
			schemas.AttrPartitionKey: schemas.Dossier(c.subject), schemas.AttrReceivedTime: formatMillis(received.UnixMilli()), schemas.AttrRules: "1",
			schemas.AttrSubmitter: c.by, schemas.AttrSenderRole: string(role), schemas.AttrRecipientRole: string(schemas.RoleOperator),
			schemas.AttrTraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		},
	}
	s, err := readSubmission(t.Context(), codec, broker.Record{
		Partition: place.Partition, Offset: place.Offset, Key: []byte(schemas.Dossier(c.subject)), Value: data, Headers: schemas.Headers(e),
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.change != nil {
		c.change(s)
	}
	return s
}

func tellRecord(told *strings.Builder, r broker.Record) {
	fmt.Fprintf(told, "%s at %s\n", r.Key, r.Time.UTC().Format(time.RFC3339Nano))
	for _, h := range r.Headers {
		fmt.Fprintf(told, "  %s: %s\n", h.Key, h.Value)
	}
	fmt.Fprintf(told, "  value: %d bytes, sha256 %x\n\n", len(r.Value), sha256.Sum256(r.Value))
}
