package ledger

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/schemas"
)

func TestMemoryIsBoundedAndKeepsWhatIsInUse(t *testing.T) {
	m := newMemory()
	used := new(dossier)
	m.put("used", used)
	for i := range 10 * memoryWeight {
		m.put(fmt.Sprint(i), &dossier{Seen: make([]seen, 3)})
		if i%1000 == 0 && m.get("used") != used {
			t.Fatalf("after %d others, the dossier in use is gone", i)
		}
	}
	if n := len(m.young) + len(m.old); n > memoryWeight {
		t.Errorf("%d dossiers are in memory", n)
	}
	if m.get("0") != nil {
		t.Error("a dossier that nobody asked for is still there")
	}
	if m.forget("used"); m.get("used") != nil {
		t.Error("a forgotten dossier is still there")
	}
}

// Somebody else owned the partition in between and decided on the dossier that is
// still in the first ledger's memory.
func TestADossierInMemoryIsNotTrustedOnceTheStoreHasMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.open()
		h.submit("demo-1", "e1", "d1", referral("demo-1", "cnaf"))
		h.recorded(1)
		position := h.position(t)
		h.submit("cnaf", "e2", "d1", &schemas.ReferralReceived{})
		h.recorded(2)
		// The store comes back older than the owner's memory.
		h.restore(t, position)
		h.submit("cnaf", "e3", "d1", &schemas.ReferralReceived{})
		h.submit("cnaf", "e2", "d1", &schemas.ReferralReceived{})
		want := []string{
			"d1 ReferralMade 0000000001 → offices/demo-1,cnaf",
			"d1 ReferralReceived 0000000002 → offices/demo-1,cnaf",
			"d1 SubmissionRefused  → cnaf",
			"d1 SubmissionRepeated  →",
		}
		if diff := cmp.Diff(want, h.recorded(4)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		h.stop()
	})
}

// position is everything in the store, to be put back later.
func (h *house) position(t *testing.T) map[string]string {
	t.Helper()
	keys, err := h.redis.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, key := range keys {
		if value, err := h.redis.Get(t.Context(), key).Result(); err == nil {
			all[key] = value
		}
	}
	return all
}

func (h *house) restore(t *testing.T, all map[string]string) {
	t.Helper()
	h.flush()
	for key, value := range all {
		if err := h.redis.Set(t.Context(), key, value, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
}
