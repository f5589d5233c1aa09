package desk_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/lifecycle"
	"github.com/relais-fr/relais/services/inbox/internal/desk"
)

const (
	office   = "demo-1"
	referral = "0198f3c2-6a41-7c3e-9b1d-2f4c8a7e5d10"
	child    = referral + "~0198f4d0-12b7-7a90-8c55-6e0b9d3f7a24"
	booked   = referral + "~0198f5aa-93de-7d11-a0c4-b87f2e6c1d39"
)

var start = time.Date(2026, time.May, 14, 9, 0, 0, 0, time.UTC)

// story hands events to one office's desk, a minute after the other.
type story struct {
	t       *testing.T
	office  desk.Office
	dossier desk.Dossier
	offset  int64
}

func (s *story) event(by, subject string, payload any) *desk.Event {
	s.offset++
	return &desk.Event{
		Event: schemas.Event{
			ID: fmt.Sprint("e", s.offset), Source: schemas.Source(by, "page"), Type: schemas.TypeOf(payload), Subject: subject,
		},
		Payload: payload, Office: office, Place: schemas.Place{Partition: 3, Offset: 100 + s.offset}, Offset: s.offset,
		Received: start.Add(time.Duration(s.offset) * time.Minute),
	}
}

func (s *story) happens(by, subject string, payload any) desk.Change {
	s.t.Helper()
	change, ok := desk.Apply(&s.office, &s.dossier, s.event(by, subject, payload))
	if !ok {
		s.t.Fatalf("%s was taken for a repeat", schemas.TypeOf(payload))
	}
	return change
}

func (s *story) want(id string, state lifecycle.State, list desk.List) {
	s.t.Helper()
	c := s.dossier.Find(id)
	if c == nil {
		s.t.Fatalf("case %s is not there", id)
	}
	if c.State != state || c.ListFor(office) != list {
		s.t.Errorf("%s is %s in list %q, want %s in %q", id, c.State, c.ListFor(office), state, list)
	}
}

func made(from, to string) *schemas.ReferralMade {
	return &schemas.ReferralMade{From: from, To: to, Service: "logement/apl", Reference: "7K3F-92QD"}
}

func TestAReferralIsSentAskedAboutAndClosed(t *testing.T) {
	s := &story{t: t}
	s.happens(office, referral, made(office, "cnaf"))
	s.want(referral, lifecycle.Made, desk.Waiting)
	s.happens("cnaf", referral, &schemas.ReferralReceived{})
	s.happens("cnaf", referral, &schemas.ReviewStarted{})
	s.happens("cnaf", referral, &schemas.InformationRequested{Items: []schemas.InformationItem{{Code: "proof_of_income"}}})
	s.want(referral, lifecycle.InfoRequested, desk.ToDo)
	if diff := cmp.Diff([]string{"proof_of_income"}, s.dossier.Find(referral).Asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	s.happens(office, referral, &schemas.InformationProvided{Answered: []string{"proof_of_income"}})
	s.want(referral, lifecycle.InReview, desk.Waiting)
	s.happens("cnaf", referral, &schemas.ReferralAccepted{})
	s.happens("cnaf", referral, &schemas.ReferralCompleted{Outcome: "favourable"})
	s.want(referral, lifecycle.Completed, desk.ToDo)
	s.happens(office, referral, &schemas.ReferralClosed{})
	s.want(referral, lifecycle.Closed, desk.Done)
	s.happens("cnaf", referral, &schemas.ReferralReopened{})
	s.want(referral, lifecycle.InReview, desk.Waiting)
}

func TestAReferralArrivesAndIsTheOfficesTurn(t *testing.T) {
	s := &story{t: t}
	change := s.happens("cnaf", referral, made("cnaf", office))
	s.want(referral, lifecycle.Made, desk.ToDo)
	if change.Outcome != nil {
		t.Error("what another handed in is no outcome of the page")
	}
	change = s.happens(office, referral, &schemas.ReferralReceived{})
	want := &desk.Outcome{Event: "e2", Case: referral, Type: schemas.TypeReferralReceived}
	if diff := cmp.Diff(want, change.Outcome); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
	s.happens(office, referral, &schemas.ReviewStarted{})
	s.happens(office, referral, &schemas.InformationRequested{})
	s.want(referral, lifecycle.InfoRequested, desk.Waiting)
}

func TestAnAppointmentMovesItsReferral(t *testing.T) {
	s := &story{t: t}
	s.happens(office, referral, made(office, "cnaf"))
	s.happens("cnaf", referral, &schemas.ReferralReceived{})
	s.happens("cnaf", referral, &schemas.ReferralAccepted{})
	first := &schemas.AppointmentBooked{Office: office, Operator: "cnaf", Mode: "phone", Starts: start.Add(48 * time.Hour)}
	change := s.happens("cnaf", booked, first)
	s.want(referral, lifecycle.Scheduled, desk.Waiting)
	s.want(booked, lifecycle.Booked, desk.Agenda)
	if len(change.Cases) != 2 {
		t.Errorf("%d cases changed, want the appointment and its referral", len(change.Cases))
	}
	s.happens("cnaf", booked+"2", first)
	s.happens("cnaf", booked, &schemas.AppointmentRescheduled{NewStarts: start.Add(72 * time.Hour)})
	if got := s.dossier.Find(booked).Starts; got != start.Add(72*time.Hour).UnixMilli() {
		t.Errorf("the appointment starts at %d", got)
	}
	s.happens(office, booked, &schemas.AppointmentCancelled{By: "person"})
	s.want(booked, lifecycle.CancelledByPerson, "")
	s.want(referral, lifecycle.Scheduled, desk.Waiting)
	s.happens(office, booked+"2", &schemas.AppointmentMissed{})
	s.want(referral, lifecycle.Accepted, desk.Waiting)
}

func TestAReroutedReferralIsCarriedOn(t *testing.T) {
	s := &story{t: t}
	s.happens(office, referral, made(office, "cnaf"))
	s.happens("cnaf", referral, &schemas.ReferralRerouted{Competent: "cnam", Child: child})
	s.want(referral, lifecycle.Rerouted, desk.Done)
	if c := s.dossier.Find(referral); c.HasChild || c.Competent != "cnam" {
		t.Errorf("rerouted: %+v", c)
	}
	p := made(office, "cnam")
	p.Parent = new(referral)
	s.happens("cnaf", child, p)
	s.want(child, lifecycle.Made, desk.Waiting)
	if !s.dossier.Find(referral).HasChild {
		t.Error("the parent does not know its child")
	}
}

func TestAnOfficeThatHandedAReferralOnWaitsForNothing(t *testing.T) {
	s := &story{t: t}
	s.happens("cnaf", referral, made("cnaf", office))
	s.happens(office, referral, &schemas.ReferralRerouted{Competent: "cnam", Child: child})
	s.want(referral, lifecycle.Rerouted, desk.Done)
	p := made("cnaf", "cnam")
	p.Parent = new(referral)
	s.happens(office, child, p)
	// The office sees that it was handed in; what follows is between its parties.
	s.want(child, lifecycle.Made, "")
	if !s.dossier.Find(referral).HasChild {
		t.Error("the parent does not know its child")
	}
}

func TestARefusedSubmissionLeavesTheDossierAlone(t *testing.T) {
	s := &story{t: t}
	s.happens(office, referral, made(office, "cnaf"))
	refused := &schemas.SubmissionRefused{
		Reason: "transition_not_allowed", SentenceFR: "Non.", SentenceEN: "No.", SubmissionSource: schemas.Source(office, "page"),
		SubmissionID: "mine", SubmissionType: schemas.TypeReferralClosed,
	}
	change := s.happens("hub", referral, refused)
	s.want(referral, lifecycle.Made, desk.Waiting)
	if change.Outcome == nil || change.Outcome.Event != "mine" || change.Outcome.Refusal == nil || change.Refusal.Reason != "transition_not_allowed" {
		t.Errorf("change %+v", change)
	}
	refused.SubmissionSource = schemas.Source(office, "software")
	if change = s.happens("hub", referral, refused); change.Outcome != nil || change.Refusal == nil {
		t.Errorf("a refusal of the office's software: %+v", change)
	}
}

func TestWhatTheOfficeHasHadChangesNothing(t *testing.T) {
	s := &story{t: t}
	s.happens(office, referral, made(office, "cnaf"))
	e := s.event("cnaf", referral, &schemas.ReferralReceived{})
	before := s.office
	before.Above = append([]int64(nil), s.office.Above...)
	e.Place.Offset = 101
	if _, ok := desk.Apply(&s.office, &s.dossier, e); ok {
		t.Error("an event that is not above was applied")
	}
	if diff := cmp.Diff(before, s.office); diff != "" {
		t.Errorf("office (-want +got):\n%s", diff)
	}
	e.Place = schemas.Place{Partition: 2, Offset: 0}
	if _, ok := desk.Apply(&s.office, &s.dossier, e); !ok {
		t.Error("the first event of another partition was dropped")
	}
}

func TestDeadlinesAreShownUntilTheStateChanges(t *testing.T) {
	s := &story{t: t}
	s.happens(office, referral, made(office, "cnaf"))
	s.happens("hub", referral, &schemas.DeadlineApproaching{Clock: "receipt", StartedBy: "3-101", Due: start})
	if got := s.dossier.Find(referral).Deadline; got != schemas.TypeDeadlineApproaching {
		t.Errorf("deadline %q", got)
	}
	s.happens("cnaf", referral, &schemas.ReferralReceived{})
	if got := s.dossier.Find(referral).Deadline; got != "" {
		t.Errorf("deadline %q after the answer", got)
	}
}

func TestADossierIsBounded(t *testing.T) {
	s := &story{t: t}
	s.happens(office, referral, made(office, "cnaf"))
	for i := range desk.MaxCases + 10 {
		s.happens("cnaf", fmt.Sprint(booked, i), &schemas.AppointmentBooked{Office: office, Operator: "cnaf", Mode: "phone", Starts: start})
	}
	if len(s.dossier.Cases) != desk.MaxCases {
		t.Errorf("%d cases are followed", len(s.dossier.Cases))
	}
}

func TestNoticesResumeExactlyOrSayThatTheyCannot(t *testing.T) {
	s := &story{t: t}
	var kept []desk.Notice
	for range 10 {
		s.offset += 6 // other offices' events stand in between
		kept = append(kept, *s.happens("cnaf", referral, made("cnaf", office)).Notice)
	}
	last := kept[9].Offset
	cases := []struct {
		name  string
		kept  []desk.Notice
		after int64
		want  []desk.Notice
		ok    bool
	}{
		{"from the beginning", kept, -1, kept, true},
		{"after the third", kept, kept[2].Offset, kept[3:], true},
		{"between the third and the fourth", kept, kept[2].Offset + 3, kept[3:], true},
		{"after the last", kept, last, nil, true},
		{"the oldest kept follows at once", kept[5:], kept[4].Offset, kept[5:], true},
		{"one is gone", kept[5:], kept[3].Offset, kept[5:], false},
		{"from the beginning, which is gone", kept[5:], -1, kept[5:], false},
		{"all are gone", nil, kept[3].Offset, nil, false},
		{"of another log", kept, last + 100, nil, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, ok := s.office.Since(c.kept, c.after)
			if ok != c.ok || ok && !cmp.Equal(c.want, got) {
				t.Errorf("got %v, %v; want %v, %v", got, ok, c.want, c.ok)
			}
		})
	}
	if fresh, ok := new(desk.Office).Since(nil, -1); len(fresh) > 0 || !ok {
		t.Error("an empty desk has nothing to miss")
	}
}

func TestRecordsOfThePastGiveNoNotice(t *testing.T) {
	s := &story{t: t}
	e := s.event("cnaf", referral, made("cnaf", office))
	e.Extensions = map[string]string{schemas.AttrHistory: "true"}
	change, _ := desk.Apply(&s.office, &s.dossier, e)
	if change.Notice != nil || s.office.Last != 0 || change.Entry == nil {
		t.Errorf("change %+v", change)
	}
}
