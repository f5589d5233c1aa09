package broker_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

func TestAGuardedLogThatIsCutTakesNothingMoreUntilItIsReopened(t *testing.T) {
	bubble(t, func(t *testing.T, k *enginetest.Kafka, b *broker.Broker) {
		topic := makeTopic(t, b, "submitted", 1)
		written := int64(0)
		b.Guard(topic, func(int) int64 { return written })
		write := func(value string) error {
			_, err := b.Produce(t.Context(), text(topic, 0, value))
			return err
		}
		// Repeated attempts are no sign of a cut.
		k.LoseAnswers(kmsg.Produce, 2)
		for _, value := range []string{"a", "b"} {
			if err := write(value); err != nil {
				t.Fatal(err)
			}
		}
		if n := b.Written(topic, 0); n != 4 {
			t.Errorf("Written = %d, want what was acknowledged", n)
		}
		if written = 7; b.Written(topic, 0) != 7 {
			t.Errorf("Written = %d, want what others know", b.Written(topic, 0))
		}
		if err := b.DeleteTopics(t.Context(), topic); err != nil {
			t.Fatal(err)
		}
		makeTopic(t, b, "submitted", 1)
		for _, value := range []string{"c", "d"} {
			var cut *broker.CutError
			if err := write(value); !errors.As(err, &cut) || cut.Base != 0 || cut.Known != 7 {
				t.Errorf("%s: %v", value, err)
			}
		}
		if b.Cut(topic, 0) == nil {
			t.Error("the partition is not known to be cut")
		}
		written = 0
		b.Reopen(topic, 0)
		if err := write("e"); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"c", "e"}, values(readAll(t, b, topic, 0))); diff != "" {
			t.Errorf("the log (-want +got):\n%s", diff)
		}
	})
}
