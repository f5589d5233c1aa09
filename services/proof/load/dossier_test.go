package load

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/schemas"
)

func TestADossierFollowsFromItsSeed(t *testing.T) {
	events := func() (all []Event) {
		r := rand.New(rand.NewPCG(7, 1))
		for n := range 200 {
			for d := newDossier(r, n); !d.ended(); {
				all = append(all, *d.event("p7"))
			}
		}
		return all
	}
	if diff := cmp.Diff(events(), events()); diff != "" {
		t.Errorf("the same seed makes another load (-one +other):\n%s", diff)
	}
}

func TestDossiersAreOfAllKinds(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 1))
	kinds := map[string]int{}
	for n := range 500 {
		for d := newDossier(r, n); !d.ended(); {
			e := d.event("p7")
			kinds[e.Reason]++
			if e.Topic && e.By != "cnaf" && e.By != "ft" && e.By != "cnam" {
				t.Fatalf("%s has no topic of its own", e.By)
			}
			if e.Topic {
				kinds["topic"]++
			}
			if len(e.Parties) > 1 && e.Parties[1] != "cnaf" && e.Parties[1] != "ft" && e.Parties[1] != "cnam" {
				kinds["to an office"]++
			}
			if d.awaits() != "" {
				kinds["awaited"]++
			}
			if e.Reason != "" && len(e.Parties) != 1 {
				t.Errorf("a refusal is due to %v", e.Parties)
			}
		}
	}
	for _, kind := range []string{"", string(schemas.ReasonTransitionNotAllowed), string(schemas.ReasonNotAParty), "topic", "to an office", "awaited"} {
		if kinds[kind] < 20 {
			t.Errorf("of %q there are %d", kind, kinds[kind])
		}
	}
}
