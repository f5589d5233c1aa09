package directory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	dir "github.com/relais-fr/relais/services/internal/directory"
)

// ChangeKind says in a word what an import would change of an office.
type ChangeKind string

// The kinds of change, the first three alone, the others together.
const (
	ChangeNew       ChangeKind = "new"
	ChangeGone      ChangeKind = "gone" // no longer in the list: closed
	ChangeBack      ChangeKind = "back" // closed before, in the list again
	ChangeRenamed   ChangeKind = "renamed"
	ChangeMoved     ChangeKind = "moved"
	ChangeHours     ChangeKind = "hours"
	ChangeContact   ChangeKind = "contact"
	ChangeForm      ChangeKind = "form"
	ChangeTerritory ChangeKind = "territory"
	ChangeDetails   ChangeKind = "details"
)

// kindOf is the kind of change that a field's change is; fields that are not
// here are details.
var kindOf = map[string]ChangeKind{
	"name":    ChangeRenamed,
	"address": ChangeMoved, "address2": ChangeMoved, "postcode": ChangeMoved, "insee_commune": ChangeMoved,
	"commune": ChangeMoved, "department": ChangeMoved, "lat": ChangeMoved, "lon": ChangeMoved,
	"hours": ChangeHours, "weekly_minutes": ChangeHours, "conditional_days": ChangeHours, "on_appointment": ChangeHours,
	"phone": ChangeContact,
	"kind":  ChangeForm, "mobile": ChangeForm, "format_source": ChangeForm, "group": ChangeForm,
	"department_name": ChangeTerritory, "region": ChangeTerritory, "epci": ChangeTerritory, "timezone": ChangeTerritory, "holiday_zone": ChangeTerritory,
}

// Change is what an import would change of one office.
type Change struct {
	ID    string       `json:"id"`
	Name  string       `json:"name"`
	Kinds []ChangeKind `json:"kinds"`
	// Fields are the fields that differ, by name; none for a new office and for
	// one that is gone.
	Fields []FieldChange `json:"fields,omitempty"`
}

// FieldChange is one field before and after, as JSON; null where it is absent.
type FieldChange struct {
	Field  string          `json:"field"`
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
}

// diff is what the listed offices would change of the official offices in the
// directory, and the records that would do it: changed and new offices valid
// from the day, those that are missing closed on it. Sample offices are left
// alone.
func diff(now *dir.Snapshot, listed []dir.Office, day string) (changes []Change, records []dir.Record, err error) {
	inList := make(map[string]bool, len(listed))
	add := func(c Change, o dir.Office) error {
		o.ValidFrom = day
		r, err := o.Record()
		if err != nil {
			return err
		}
		changes, records = append(changes, c), append(records, r)
		return nil
	}
	for _, o := range listed {
		inList[o.ID] = true
		had, known := now.Office(o.ID)
		c, err := changeOf(had, known, o)
		if err != nil {
			return nil, nil, fmt.Errorf("compare %s: %w", o.ID, err)
		}
		if c == nil {
			continue
		}
		if err := add(*c, o); err != nil {
			return nil, nil, err
		}
	}
	for _, o := range officialOffices(now) {
		if inList[o.ID] || o.Closed() {
			continue
		}
		o.ClosedOn = day
		if err := add(Change{ID: o.ID, Name: o.Name, Kinds: []ChangeKind{ChangeGone}}, o); err != nil {
			return nil, nil, err
		}
	}
	return changes, records, nil
}

// changeOf compares an office of the list with the directory's; nil when nothing
// would change.
func changeOf(had dir.Office, known bool, listed dir.Office) (*Change, error) {
	c := &Change{ID: listed.ID, Name: listed.Name}
	if !known {
		c.Kinds = []ChangeKind{ChangeNew}
		return c, nil
	}
	closed := had.Closed()
	had.ValidFrom, had.ClosedOn = "", ""
	if same(had, listed) && !closed {
		return nil, nil
	}
	if closed {
		c.Kinds = []ChangeKind{ChangeBack}
	}
	before, err := fieldsOf(had)
	if err != nil {
		return nil, err
	}
	after, err := fieldsOf(listed)
	if err != nil {
		return nil, err
	}
	names := maps.Clone(before)
	maps.Copy(names, after)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if bytes.Equal(before[name], after[name]) {
			continue
		}
		kind, ok := kindOf[name]
		if !ok {
			kind = ChangeDetails
		}
		if !slices.Contains(c.Kinds, kind) {
			c.Kinds = append(c.Kinds, kind)
		}
		c.Fields = append(c.Fields, FieldChange{Field: name, Before: orNull(before[name]), After: orNull(after[name])})
	}
	return c, nil
}

func orNull(v json.RawMessage) json.RawMessage {
	if v == nil {
		return json.RawMessage("null")
	}
	return v
}

// fieldsOf are the office's fields as JSON, by name.
func fieldsOf(o dir.Office) (map[string]json.RawMessage, error) {
	r, err := o.Record()
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	return fields, json.Unmarshal(r.Value, &fields)
}

// officialOffices are the offices of the official list, closed ones included.
func officialOffices(now *dir.Snapshot) []dir.Office {
	return slices.DeleteFunc(now.Offices(), func(o dir.Office) bool { return !strings.HasPrefix(o.ID, dir.OfficialPrefix) })
}

// reused says whether a provisional id has been given to another office: the
// list gives out temp_<n> anew, but past events point to the old one.
func reused(had, listed dir.Office) bool {
	return strings.HasPrefix(listed.ID, dir.OfficialPrefix+"temp_") &&
		had.Name != listed.Name && had.InseeCommune != listed.InseeCommune
}
