package directory

import (
	"slices"
	"time"
)

// Participant is who exchanges through the hub. Ids are lower case: an
// operator's code (`cnaf`), an office's id (`fs-563`), `hub`.
type Participant struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Role Role   `json:"role"`

	// Authority is who answers for the participant, such as a ministry.
	Authority string `json:"authority,omitempty"`
	// LocalNetwork says what its local units are called.
	LocalNetwork string `json:"local_network,omitempty"`
	// PreviousName is what people still call it.
	PreviousName string `json:"previous_name,omitempty"`
	// InBasketSince is the day (2006-01-02) since which an operator's services
	// are in the national basket; empty when not known.
	InBasketSince string `json:"in_basket_since,omitempty"`
	// TimeZone (IANA) and HolidayZone are where its deadlines are counted;
	// empty means Europe/Paris and metropole.
	TimeZone    string `json:"timezone,omitempty"`
	HolidayZone string `json:"holiday_zone,omitempty"`
	// Territory is the code of the department of an office; empty otherwise.
	Territory string `json:"territory,omitempty"`
	// Feeds names the offices that a feeder may hand in for; "*" is all.
	Feeds []string `json:"feeds,omitempty"`
	// ClosedOn is the day (2006-01-02) since which it no longer takes part;
	// empty while it does. A closed participant stays in the directory, because
	// past events point to it.
	ClosedOn string `json:"closed_on,omitempty"`
	// SuspendedSince is the moment (RFC 3339) since which every door is shut to it;
	// empty while they are open. Nothing of it is deleted meanwhile, and nothing is
	// copied to it.
	SuspendedSince string `json:"suspended_since,omitempty"`
	// DoorsSince is the moment (RFC 3339) at which its topics, rights and
	// credentials were complete; empty before.
	DoorsSince string `json:"doors_since,omitempty"`
	// ValidFrom is the day since which the record reads as it does.
	ValidFrom string `json:"valid_from,omitempty"`
}

// Closed says whether the participant has stopped taking part.
func (p Participant) Closed() bool { return p.ClosedOn != "" }

// Active says whether the doors are open to it: it is neither closed nor
// suspended.
func (p Participant) Active() bool { return p.ClosedOn == "" && p.SuspendedSince == "" }

// SuspendedAt says whether the participant was suspended already at the moment.
// One whose record cannot be read was: doors stay shut in doubt.
func (p Participant) SuspendedAt(at time.Time) bool {
	if p.SuspendedSince == "" {
		return false
	}
	since, err := time.Parse(time.RFC3339Nano, p.SuspendedSince)
	return err != nil || !at.Before(since)
}

// HasTopics says whether the participant has topics `from.<id>` and `to.<id>` of
// its own. Offices share theirs; an admin and the hub have none.
func (p Participant) HasTopics() bool {
	return p.Role == RoleOperator || p.Role == RolePartner || p.Role == RoleFeeder
}

// MayFeed says whether the participant is a feeder that may hand in for the
// office.
func (p Participant) MayFeed(office string) bool {
	return p.Role == RoleFeeder && (slices.Contains(p.Feeds, "*") || slices.Contains(p.Feeds, office))
}
