package gateway

import (
	"testing"
	"time"

	"github.com/relais-fr/relais/schemas"
)

func TestWhatASuspendedParticipantWritesIsRefusedAndBlocksNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		set := func(since string) {
			t.Helper()
			cnaf, _ := h.host.Directory.Participant("cnaf")
			cnaf.SuspendedSince = since
			record, err := cnaf.Record()
			if err != nil {
				t.Fatal(err)
			}
			if err := h.host.Directory.Apply(record); err != nil {
				t.Fatal(err)
			}
		}
		verdict := func(id string) string {
			t.Helper()
			return h.awaitSubmission(id).Extensions[schemas.AttrVerdict]
		}
		// The gateway stands still, so that what was written before is read after.
		h.closed.Store("The disk is full.")
		time.Sleep(3 * time.Second)
		h.produce("from.cnaf", answered(attr("id", "before")).record(caseA))
		time.Sleep(time.Second)
		set(time.Now().UTC().Format(time.RFC3339Nano))
		time.Sleep(time.Second)
		h.produce("from.cnaf", answered(attr("id", "while")).record(caseA))
		h.produce("from.dgfip", answered(attr("id", "neighbour"), attr("source", schemas.Source("dgfip", "test"))).record(caseA))
		h.closed.Store("")

		if got := verdict("before"); got != "" {
			t.Errorf("what was written before is refused: %s", got)
		}
		if got := verdict("neighbour"); got != "" {
			t.Errorf("its neighbour is refused: %s", got)
		}
		if got := verdict("while"); got != string(schemas.ReasonNotYourParticipant) {
			t.Errorf("what was written while it was suspended has the verdict %q", got)
		}
		set("")
		h.produce("from.cnaf", answered(attr("id", "after")).record(caseA))
		if got := verdict("after"); got != "" {
			t.Errorf("what was written after is refused: %s", got)
		}
	})
}
