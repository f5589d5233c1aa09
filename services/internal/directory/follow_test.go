package directory

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/relais-fr/relais/services/internal/broker"
)

// replay is a topic of one partition that gives the batches one by one.
type replay struct {
	held    broker.Range
	batches []broker.Batch
	between func(i int)
}

func (r *replay) Topic(name string) string { return "relais." + name }

func (r *replay) Follow(ctx context.Context, topic string, from func(int, broker.Range) int64, handle func(context.Context, broker.Batch) error) error {
	if topic != "relais.directory" || from(0, r.held) != r.held.First {
		return errors.New("not followed from the beginning of relais.directory")
	}
	for i, b := range r.batches {
		r.between(i)
		if err := handle(ctx, b); err != nil {
			return err
		}
	}
	r.between(len(r.batches))
	return nil
}

func TestAViewFollowsItsTopic(t *testing.T) {
	bad := broker.Record{Key: []byte(OfficeKey("fs-1")), Value: []byte("no JSON")}
	broken := broker.Record{Offset: 9, Unreadable: &broker.Unreadable{Reason: errors.New("the batch is damaged")}}
	rec := func(r Record) broker.Record { return broker.Record{Key: []byte(r.Key), Value: r.Value} }
	records := sample(t)

	v := NewView()
	var ready []bool
	var logged bytes.Buffer
	topic := &replay{
		held: broker.Range{First: 3, Next: 7},
		batches: []broker.Batch{
			{Records: []broker.Record{rec(records[0]), rec(records[1])}, Next: 5},
			{Records: []broker.Record{bad, rec(records[5])}, Next: 7},
			{Records: []broker.Record{broken, {Key: []byte(ParticipantKey("ants"))}}, Next: 9},
			{Next: 9},
		},
		between: func(int) { ready = append(ready, v.IsReady()) },
	}
	if err := v.Run(t.Context(), topic, slog.New(slog.NewTextHandler(&logged, nil))); err != nil {
		t.Fatal(err)
	}

	t.Run("it is ready when it has reached the end that the topic had", func(t *testing.T) {
		want := []bool{false, false, true, true, true}
		for i := range want {
			if ready[i] != want[i] {
				t.Errorf("before batch %d ready is %v", i, ready[i])
			}
		}
	})
	t.Run("it holds what was written and not what was taken away", func(t *testing.T) {
		_, cnaf := v.Participant("cnaf")
		_, ants := v.Participant("ants")
		_, office := v.Office("fs-2")
		if !cnaf || ants || !office {
			t.Errorf("cnaf %v, ants %v, fs-2 %v", cnaf, ants, office)
		}
	})
	t.Run("a writer that waits for its record finds it", func(t *testing.T) {
		if err := v.Await(t.Context(), 8); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := v.Await(ctx, 9); !errors.Is(err, context.Canceled) {
			t.Errorf("waiting for what is not there ended with %v", err)
		}
	})
	t.Run("what it cannot read is logged", func(t *testing.T) {
		for _, want := range []string{"office/fs-1", "offset 9", "damaged"} {
			if !strings.Contains(logged.String(), want) {
				t.Errorf("%q is not in the log:\n%s", want, logged.String())
			}
		}
	})
	t.Run("an empty change changes no version", func(t *testing.T) {
		if v.Version() != 3 {
			t.Errorf("version %d", v.Version())
		}
	})
}

func TestAViewOfAnEmptyTopicIsReadyAtOnce(t *testing.T) {
	v := NewView()
	topic := &replay{batches: []broker.Batch{{}}, between: func(int) {}}
	if err := v.Run(t.Context(), topic, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if !v.IsReady() {
		t.Error("it is not ready")
	}
}
