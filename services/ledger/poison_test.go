package ledger

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

// poisonous is the schema id that makes a toxicRegistry panic.
const poisonous = 666

// toxicRegistry panics when it is asked for the schema of poisoned data, and for as
// many times as it is told when it is asked for the id of refusals.
type toxicRegistry struct {
	enginetest.Schemas
	refusals int
}

func (s *toxicRegistry) Schema(ctx context.Context, id int) (string, error) {
	if id == poisonous {
		panic("poison")
	}
	return s.Schemas.Schema(ctx, id)
}

func (s *toxicRegistry) ID(ctx context.Context, typ string) (int, error) {
	if typ == schemas.TypeSubmissionRefused && s.refusals > 0 {
		s.refusals--
		panic("no refusals today")
	}
	return s.Schemas.ID(ctx, typ)
}

// submitPoison writes a submission whose data cannot be read without a panic.
func (h *house) submitPoison(by, id, dossier string) {
	h.t.Helper()
	data := binary.BigEndian.AppendUint32([]byte{0}, poisonous)
	e := schemas.Event{
		ID: id, Source: schemas.Source(by, "test"), Type: schemas.TypeReferralReceived, Subject: dossier, Time: time.Now(),
		DataContentType: schemas.AvroContentType, DataSchema: "http://registry.example/schemas/ids/1", Data: data,
		Extensions: map[string]string{
			schemas.AttrPartitionKey: dossier, schemas.AttrReceivedTime: time.Now().UTC().Format(time.RFC3339Nano), schemas.AttrRules: "1",
			schemas.AttrSubmitter: by, schemas.AttrSenderRole: string(schemas.RoleOperator), schemas.AttrRecipientRole: string(schemas.RoleOperator),
		},
	}
	if _, err := h.broker.Produce(h.t.Context(), broker.Record{
		Topic: "relais.submitted", Partition: broker.PartitionOf([]byte(dossier), 2), Key: []byte(dossier),
		Value: data, Headers: schemas.Headers(e), Time: time.Now(),
	}); err != nil {
		h.t.Fatal(err)
	}
}

func TestAPoisonousSubmissionIsRefusedAndThePartitionGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.schemas = new(toxicRegistry)
		h.submit("demo-1", "e1", "d1", referral("demo-1", "cnaf"))
		h.submitPoison("cnaf", "e2", "d1")
		h.submit("cnaf", "e3", "d1", &schemas.ReferralReceived{})
		h.submitPoison("cnaf", "e2", "d1")
		h.submit("cnaf", "e4", "d1", &schemas.ReferralAccepted{})
		h.open()
		want := []string{
			"d1 ReferralMade 0000000001 → offices/demo-1,cnaf",
			"d1 SubmissionRefused  → cnaf",
			"d1 ReferralReceived 0000000002 → offices/demo-1,cnaf",
			// Its id is not burnt: each attempt is refused anew.
			"d1 SubmissionRefused  → cnaf",
			"d1 ReferralAccepted 0000000003 → offices/demo-1,cnaf",
		}
		if diff := cmp.Diff(want, h.recorded(5)); diff != "" {
			t.Errorf("recorded (-want +got):\n%s", diff)
		}
		if got := h.refusals("d1"); !cmp.Equal(got, []string{"e2 hub_error", "e2 hub_error"}) {
			t.Errorf("refused %q", got)
		}
		if n := testutil.ToFloat64(h.ledger.metrics.poison); n != 2 {
			t.Errorf("relais_ledger_panics_total is %v", n)
		}
		h.stop()
		// An owner that only folds does not meet it again.
		h.flush()
		h.open()
		h.submit("cnaf", "e5", "d1", &schemas.ReferralStarted{})
		h.recorded(6)
		if n := testutil.ToFloat64(h.ledger.metrics.poison); n != 0 {
			t.Errorf("the next owner panicked %v times", n)
		}
		h.stop()
	})
}

func TestAPanicWhileAnOutcomeIsMadeGivesAnotherOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.schemas = &toxicRegistry{refusals: 1}
		h.submit("demo-1", "e1", "d1", referral("demo-1", "cnaf"))
		h.submit("msa", "x", "d1", &schemas.ReferralAccepted{})
		h.submit("msa", "y", "d1", &schemas.ReferralAccepted{})
		h.open()
		h.recorded(3)
		if got := h.refusals("d1"); !cmp.Equal(got, []string{"x hub_error", "y not_a_party"}) {
			t.Errorf("refused %q", got)
		}
		h.stop()
	})
}

func TestASubmissionThatCannotEvenBeRefusedHaltsItsPartitionAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.schemas = &toxicRegistry{refusals: 3}
		p := broker.PartitionOf([]byte("d1"), 2)
		elsewhere := "d2"
		for i := 3; broker.PartitionOf([]byte(elsewhere), 2) == p; i++ {
			elsewhere = fmt.Sprint("d", i)
		}
		h.submit("msa", "x", "d1", &schemas.ReferralAccepted{})
		h.submit("demo-1", "e1", elsewhere, referral("demo-1", "cnaf"))
		h.open()
		if want := fmt.Sprintf("partition %d is halted: submission 0 makes this build panic even when it refuses it; run another build", p); h.halts() != want {
			t.Errorf("readiness says %q", h.halts())
		}
		if diff := cmp.Diff([]string{elsewhere + " ReferralMade 0000000001 → offices/demo-1,cnaf"}, h.recorded(1)); diff != "" {
			t.Errorf("the other partition (-want +got):\n%s", diff)
		}
		// Whatever made it panic is gone: it looks again by itself.
		h.recorded(2)
		h.goesOn()
		h.stop()
	})
}

func TestAPanicWhileAnOutcomeIsAppliedDropsTheMemoryAndRefuses(t *testing.T) {
	registry := prometheus.NewRegistry()
	l := &Ledger{metrics: newMetrics(registry), codec: schemas.NewCodec(enginetest.Schemas{})}
	l.outcomes = &outcomes{codec: l.codec, topic: "relais.recorded"}
	log := new(strings.Builder)
	o := &owner{Ledger: l, faulty: map[int64]fault{}, log: slog.New(slog.NewTextHandler(log, nil))}
	r := submittedRecord(t, l.codec)
	out, err := o.decideOne(t.Context(), new(dossier), r)
	if err != nil || out.Fact == nil {
		t.Fatalf("%v %v", out, err)
	}
	// No dossier at all is what apply does not expect.
	if err := o.applyOne(t.Context(), nil, out, r); !errors.Is(err, errFoldAgain) {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(log.String(), "place=0-7") || !strings.Contains(log.String(), "apply") {
		t.Errorf("the log does not name it:\n%s", log)
	}
	out, err = o.decideOne(t.Context(), new(dossier), r)
	if err != nil || out.Refusal == nil || out.Refusal.Reason != string(schemas.ReasonHubError) {
		t.Fatalf("%v %v", out, err)
	}
	if err := o.applyOne(t.Context(), new(dossier), out, r); err != nil {
		t.Error(err)
	}
	var broken *IntegrityError
	if err := o.unfoldable(t.Context(), 7, guarded(func() error { apply(nil, out); return nil })); !errors.As(err, &broken) || !broken.OfBuild {
		t.Errorf("a recorded outcome that cannot be applied: %v", err)
	}
}

// submittedRecord is a submission at offset 7.
func submittedRecord(t *testing.T, codec *schemas.Codec) broker.Record {
	t.Helper()
	payload := referral("demo-1", "cnaf")
	data, err := codec.Encode(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	e := schemas.Event{
		ID: "e1", Source: schemas.Source("demo-1", "test"), Type: schemas.TypeOf(payload), Subject: "d1", Time: at("2026-05-14T09:00:00Z"),
		DataContentType: schemas.AvroContentType, DataSchema: "http://registry.example/schemas/ids/1", Data: data,
		Extensions: map[string]string{
			schemas.AttrPartitionKey: "d1", schemas.AttrReceivedTime: "2026-05-14T09:00:00Z", schemas.AttrRules: "1",
			schemas.AttrSubmitter: "demo-1", schemas.AttrSenderRole: string(schemas.RoleOffice), schemas.AttrRecipientRole: string(schemas.RoleOperator),
		},
	}
	return broker.Record{Topic: "relais.submitted", Offset: 7, Key: []byte("d1"), Value: data, Headers: schemas.Headers(e)}
}

// refusals tells what was refused of a dossier, and why.
func (h *house) refusals(dossier string) (told []string) {
	h.t.Helper()
	for _, r := range h.records("relais.recorded", broker.PartitionOf([]byte(dossier), 2)) {
		if string(r.Header("ce_type")) != schemas.TypeSubmissionRefused {
			continue
		}
		payload, err := h.codec.Decode(h.t.Context(), schemas.TypeSubmissionRefused, r.Value)
		if err != nil {
			h.t.Fatal(err)
		}
		refused := payload.(*schemas.SubmissionRefused)
		told = append(told, refused.SubmissionID+" "+refused.Reason)
	}
	return told
}
