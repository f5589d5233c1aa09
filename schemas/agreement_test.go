package schemas_test

import (
	"slices"
	"testing"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/lifecycle"
)

// The catalogue tells people who may send an event; the life cycles decide.
func TestTheCatalogueAndTheLifeCyclesAgree(t *testing.T) {
	for _, m := range []lifecycle.Machine{lifecycle.Referral, lifecycle.Appointment, lifecycle.Visit} {
		hats := map[string]lifecycle.Hat{}
		opens := map[string]bool{}
		for _, arrow := range m.Arrows {
			hats[arrow.Event] |= arrow.By
			opens[arrow.Event] = len(arrow.From) == 0
		}
		for _, e := range schemas.Catalogue() {
			if e.Kind != m.Kind {
				continue
			}
			if opens[e.Type] != e.Opens {
				t.Errorf("%s: the catalogue says opens %t, its life cycle %t", e.Name, e.Opens, opens[e.Type])
			}
			want := []schemas.Role{}
			if e.Opens || m.Kind != schemas.KindReferral {
				// Who opens a case, or is a party of an appointment or a visit, is
				// named by what he is in the directory.
				if hats[e.Type]&(lifecycle.Party|lifecycle.Sender) != 0 {
					want = append(want, schemas.RoleOffice)
				}
				if hats[e.Type]&(lifecycle.Party|lifecycle.Sender) != 0 && m.Kind != schemas.KindVisit {
					want = append(want, schemas.RoleOperator)
				}
				if len(want) > 0 {
					want = append(want, schemas.RoleFeeder)
				}
			} else {
				if hats[e.Type]&lifecycle.Sender != 0 {
					want = append(want, schemas.RoleSender)
				}
				if hats[e.Type]&lifecycle.Recipient != 0 {
					want = append(want, schemas.RoleRecipient)
				}
			}
			if hats[e.Type]&lifecycle.Hub != 0 {
				want = append(want, schemas.RoleHub)
			}
			if !slices.Equal(want, e.Senders) {
				t.Errorf("%s: the catalogue lets %v send it, its life cycle %v", e.Name, e.Senders, want)
			}
		}
	}
}
