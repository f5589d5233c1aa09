package desk_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/inbox/internal/desk"
)

const visit = "0198f3bf-0d55-7e62-8f1a-94c6d2b0e7a8"

func recorded(day schemas.Day) *schemas.VisitRecorded {
	return &schemas.VisitRecorded{Office: office, Day: day, HalfDay: "morning", Channel: "phone"}
}

func TestAVisitIsRecordedCorrectedAndVoided(t *testing.T) {
	s := &story{t: t}
	today := schemas.DayOf(start)
	v := s.happens(office, visit, recorded(today)).Visit
	if v.Day != today || v.Value == nil || v.Case != visit {
		t.Errorf("recorded: %+v", v)
	}
	s.happens(office, visit+"2", recorded(today-1))
	v = s.happens(office, visit, (*schemas.VisitCorrected)(recorded(today-1))).Visit
	if diff := cmp.Diff([]schemas.Day{today}, v.Without); diff != "" || v.Day != today-1 || v.Value == nil {
		t.Errorf("corrected: %+v", v)
	}
	v = s.happens(office, visit, &schemas.VisitVoided{Reason: "duplicate"}).Visit
	if diff := cmp.Diff([]schemas.Day{today - 1, today}, v.Without); diff != "" || v.Value != nil {
		t.Errorf("voided: %+v", v)
	}
}

func TestOnlyTheLatestDaysAreKept(t *testing.T) {
	s := &story{t: t}
	today := schemas.DayOf(start)
	for i := range schemas.Day(desk.MaxDays) {
		s.happens(office, visit, recorded(today-i))
	}
	if v := s.happens(office, visit, recorded(today-desk.MaxDays)).Visit; v.Value != nil || v.Forget != nil {
		t.Errorf("a visit before all days that are kept: %+v", v)
	}
	v := s.happens(office, visit, recorded(today+1)).Visit
	if diff := cmp.Diff([]schemas.Day{today - desk.MaxDays + 1}, v.Forget); diff != "" || v.Value == nil {
		t.Errorf("a new day: %+v", v)
	}
	if len(s.office.Days) != desk.MaxDays {
		t.Errorf("%d days are kept", len(s.office.Days))
	}
}

func TestADayOfVisitsIsBounded(t *testing.T) {
	s := &story{t: t}
	kept := 0
	for range desk.MaxVisits + 5 {
		if s.happens(office, visit, recorded(schemas.DayOf(start))).Visit.Value != nil {
			kept++
		}
	}
	if kept != desk.MaxVisits {
		t.Errorf("%d visits are kept", kept)
	}
}

func TestAVisitIsReadAsItWasKept(t *testing.T) {
	want := desk.Visit{Type: schemas.TypeVisitCorrected, Received: start.Add(17 * time.Millisecond), Data: []byte{0, 0, 0, 0, 1, 9}}
	got, err := desk.DecodeVisit(desk.EncodeVisit(want))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("visit (-want +got):\n%s", diff)
	}
	for _, bad := range [][]byte{nil, []byte("r1234567"), []byte("x12345678data")} {
		if _, err := desk.DecodeVisit(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
