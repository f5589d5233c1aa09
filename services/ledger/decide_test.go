package ledger

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/lifecycle"
)

// desk hands submissions in to one dossier, as the ledger would see them, and
// writes down what became of them.
type desk struct {
	t       *testing.T
	dossier *dossier
	name    string
	now     time.Time
	offset  int64
}

func openDesk(t *testing.T) *desk {
	return &desk{t: t, dossier: new(dossier), name: "d1", now: time.Date(2026, 5, 14, 9, 0, 0, 0, time.UTC)}
}

var offices = map[string]bool{"demo-1": true, "demo-2": true}

type claim struct {
	by, id, subject string
	payload         any
	time            time.Time // by the sender's word; when it was received, if zero
	change          func(*submission)
}

// saidAt is when the sender says that it happened.
func (c claim) saidAt(received time.Time) time.Time {
	if c.time.IsZero() {
		return received
	}
	return c.time
}

// hand decides and applies one submission and says what became of it:
// `fact → demo-1,cnaf`, `refusal transition_not_allowed`, `repeat of 3-0`.
func (d *desk) hand(c claim) string {
	d.t.Helper()
	d.now = d.now.Add(time.Minute)
	role := schemas.RoleOperator
	if offices[c.by] {
		role = schemas.RoleOffice
	}
	s := newSubmission(schemas.Write(
		schemas.Event{
			ID: c.id, Source: schemas.Source(c.by, "test"), Type: schemas.TypeOf(c.payload), Subject: c.subject, Time: c.saidAt(d.now),
			Extensions: map[string]string{
				schemas.AttrPartitionKey: schemas.Dossier(c.subject), schemas.AttrSubmitter: c.by, schemas.AttrSenderRole: string(role),
				schemas.AttrRecipientRole: string(schemas.RoleOperator),
			},
		},
	), schemas.Place{Partition: 3, Offset: d.offset})
	s.Payload, s.Received, s.Rules = c.payload, d.now.UnixMilli(), 1
	digest := schemas.Digest(s.Type, s.Subject, s.Payload)
	s.Digest = digest[:]
	if c.change != nil {
		c.change(s)
	}
	d.offset++
	v := decide(d.dossier, s)
	out := &outcome{Place: s.Place, Dossier: d.name, Received: clamp(d.dossier, s), Rules: rulesFor(d.dossier, s)}
	said := "fact → " + strings.Join(v.parties, ",")
	switch {
	case v.reason != "":
		out.Refusal = refusalOf(s, v)
		said = "refusal " + string(v.reason)
	case v.repeat != nil:
		out.Repeat = repeatOf(s, v.repeat)
		said = "repeat of " + v.repeat.Place
	default:
		out.Fact, out.Sequence = s, d.dossier.Sequence+1
		if v.late {
			said = "late " + said
		}
	}
	apply(d.dossier, out)
	return said
}

func (d *desk) state(id string) lifecycle.State {
	if c := d.dossier.Find(id); c != nil {
		return c.State
	}
	return ""
}

func referral(from, to string) *schemas.ReferralMade {
	return &schemas.ReferralMade{From: from, To: to, Service: "logement/expulsion-du-logement", Reference: "7K3F-92QD"}
}

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

// told is a story: each line is a submission and what became of it.
type told struct {
	claim claim
	want  string
	state string // of the claim's subject afterwards
}

func tell(t *testing.T, d *desk, story []told) {
	t.Helper()
	for i, line := range story {
		what := fmt.Sprintf("%d: %s hands in %s %s", i, line.claim.by, schemas.TypeOf(line.claim.payload), line.claim.id)
		if got := d.hand(line.claim); got != line.want {
			t.Errorf("%s\n got %s\nwant %s", what, got, line.want)
		}
		if got := string(d.state(line.claim.subject)); got != line.state {
			t.Errorf("%s: then in state %q, want %q", what, got, line.state)
		}
	}
}

func TestAReferralIsMadeAnsweredAndClosed(t *testing.T) {
	both := "fact → offices/demo-1,cnaf"
	tell(t, openDesk(t), []told{
		{claim{by: "demo-1", id: "e1", subject: "d1", payload: referral("demo-1", "cnaf")}, both, "made"},
		{claim{by: "cnaf", id: "e1", subject: "d1", payload: &schemas.ReferralAccepted{}}, "refusal transition_not_allowed", "made"},
		{claim{by: "cnaf", id: "e2", subject: "d1", payload: &schemas.ReferralReceived{}}, both, "received"},
		{claim{by: "demo-1", id: "e3", subject: "d1", payload: &schemas.ReferralAccepted{}}, "refusal transition_not_allowed", "received"},
		{claim{by: "cnaf", id: "e3", subject: "d1", payload: &schemas.ReviewStarted{}}, both, "in_review"},
		{claim{by: "cnaf", id: "e4", subject: "d1", payload: &schemas.InformationRequested{Items: []schemas.InformationItem{{Code: "income_proof"}}}}, both, "info_requested"},
		{claim{by: "demo-1", id: "e5", subject: "d1", payload: &schemas.InformationProvided{Answered: []string{"income_proof"}}}, both, "in_review"},
		{claim{by: "cnaf", id: "e6", subject: "d1", payload: &schemas.ReferralCompleted{Outcome: "favourable"}}, both, "completed"},
		{claim{by: "demo-1", id: "e6", subject: "d1", payload: &schemas.ReferralClosed{Useful: new("yes")}}, both, "closed"},
	})
}

func TestARepeatChangesNothingAndOtherContentIsRefused(t *testing.T) {
	d := openDesk(t)
	received := claim{by: "cnaf", id: "e2", subject: "d1", payload: &schemas.ReferralReceived{}}
	tell(t, d, []told{
		{claim{by: "demo-1", id: "e1", subject: "d1", payload: referral("demo-1", "cnaf")}, "fact → offices/demo-1,cnaf", "made"},
		{claim{by: "demo-1", id: "e1", subject: "d1", payload: referral("demo-1", "cnaf")}, "repeat of 3-0", "made"},
		{received, "fact → offices/demo-1,cnaf", "received"},
		{received, "repeat of 3-2", "received"},
		{claim{by: "cnaf", id: "e2", subject: "d1", payload: &schemas.ReferralReceived{Unit: new("CAF du Rhône")}}, "refusal duplicate_id_other_content", "received"},
		{claim{by: "cnaf", id: "e3", subject: "d1", payload: &schemas.ReferralStarted{}}, "refusal transition_not_allowed", "received"},
		// A business refusal is remembered: the corrected event needs a new id.
		{claim{by: "cnaf", id: "e3", subject: "d1", payload: &schemas.ReferralStarted{}}, "repeat of 3-5", "received"},
	})
	if d.dossier.Sequence != 2 {
		t.Errorf("%d facts, want 2", d.dossier.Sequence)
	}
}

func TestStrangersLearnNothing(t *testing.T) {
	tell(t, openDesk(t), []told{
		// No such dossier, and somebody else's, get the same answer.
		{claim{by: "msa", id: "x1", subject: "d1", payload: &schemas.ReferralReceived{}}, "refusal not_a_party", ""},
		{claim{by: "demo-1", id: "e1", subject: "d1", payload: referral("demo-1", "cnaf")}, "fact → offices/demo-1,cnaf", "made"},
		{claim{by: "msa", id: "x1", subject: "d1", payload: &schemas.ReferralReceived{}}, "refusal not_a_party", "made"},
		{claim{by: "msa", id: "x2", subject: "d1", payload: referral("msa", "cnaf")}, "refusal not_a_party", "made"},
		{claim{by: "demo-2", id: "x3", subject: "d1~2", payload: referral("demo-2", "cnaf")}, "refusal not_a_party", ""},
		{claim{by: "msa", id: "x4", subject: "d1~rdv", payload: &schemas.AppointmentBooked{Office: "demo-1", Operator: "msa", Referral: new("d1")}}, "refusal not_a_party", ""},
		// Nobody can burn another's id.
		{claim{by: "cnaf", id: "x1", subject: "d1", payload: &schemas.ReferralReceived{}}, "fact → offices/demo-1,cnaf", "received"},
	})
}

func TestAFurtherCaseNeedsADossierAndAParty(t *testing.T) {
	tell(t, openDesk(t), []told{
		{claim{by: "demo-1", id: "e1", subject: "d1~2", payload: referral("demo-1", "cnaf")}, "refusal not_a_party", ""},
		{claim{by: "demo-1", id: "e2", subject: "d1", payload: referral("demo-1", "cnaf")}, "fact → offices/demo-1,cnaf", "made"},
		{claim{by: "demo-1", id: "e3", subject: "d1", payload: referral("demo-1", "cnaf")}, "refusal transition_not_allowed", "made"},
		{claim{by: "demo-1", id: "e4", subject: "d1~v", payload: &schemas.VisitRecorded{Office: "demo-1"}}, "refusal transition_not_allowed", ""},
		{claim{by: "demo-1", id: "e5", subject: "d1~2", payload: referral("demo-1", "msa")}, "fact → offices/demo-1,msa", "made"},
	})
}

func TestAReroutingIsCarriedOnByItsChild(t *testing.T) {
	child := referral("demo-1", "msa")
	child.Parent = new("d1")
	wrongTo, wrongFrom := *child, *child
	wrongTo.To, wrongFrom.From = "cnav", "demo-2"
	d := openDesk(t)
	tell(t, d, []told{
		{claim{by: "demo-1", id: "e1", subject: "d1", payload: referral("demo-1", "cnaf")}, "fact → offices/demo-1,cnaf", "made"},
		{claim{by: "cnaf", id: "e2", subject: "d1~msa", payload: child}, "refusal transition_not_allowed", ""},
		{claim{by: "cnaf", id: "e3", subject: "d1", payload: &schemas.ReferralRerouted{Competent: "msa", Child: "elsewhere"}}, "refusal transition_not_allowed", "made"},
		{claim{by: "cnaf", id: "e4", subject: "d1", payload: &schemas.ReferralRerouted{Competent: "cnaf", Child: "d1~msa"}}, "refusal transition_not_allowed", "made"},
		{claim{by: "cnaf", id: "e5", subject: "d1", payload: &schemas.ReferralRerouted{Competent: "msa", Child: "d1~msa"}}, "fact → offices/demo-1,cnaf", "rerouted"},
		{claim{by: "cnaf", id: "e6", subject: "d1~other", payload: child}, "refusal transition_not_allowed", ""},
		{claim{by: "cnaf", id: "e7", subject: "d1~msa", payload: &wrongTo}, "refusal transition_not_allowed", ""},
		{claim{by: "cnaf", id: "e8", subject: "d1~msa", payload: &wrongFrom}, "refusal transition_not_allowed", ""},
		{claim{by: "demo-1", id: "e9", subject: "d1~msa", payload: child}, "refusal transition_not_allowed", ""},
		{claim{by: "msa", id: "e9", subject: "d1~msa", payload: child}, "refusal not_a_party", ""},
		{claim{by: "cnaf", id: "e10", subject: "d1~msa", payload: child}, "fact → offices/demo-1,msa,cnaf", "made"},
		{claim{by: "msa", id: "e10", subject: "d1~msa", payload: &schemas.ReferralReceived{}}, "fact → offices/demo-1,msa", "received"},
		// The office answers and cancels as before.
		{claim{by: "demo-1", id: "e11", subject: "d1~msa", payload: &schemas.ReferralCancelled{Reason: "person_asked"}}, "fact → offices/demo-1,msa", "cancelled"},
	})
	if !d.dossier.Find("d1").HasChild {
		t.Error("the parent does not know its child")
	}
}

func TestAnAppointmentMovesItsReferral(t *testing.T) {
	d := openDesk(t)
	booked := func(id string) *schemas.AppointmentBooked {
		return &schemas.AppointmentBooked{Office: "demo-1", Operator: "cnaf", Mode: "in_person", Starts: at("2026-05-20T09:00:00Z"), Referral: new(id)}
	}
	both := "fact → offices/demo-1,cnaf"
	tell(t, d, []told{
		{claim{by: "demo-1", id: "e1", subject: "d1", payload: referral("demo-1", "cnaf")}, both, "made"},
		{claim{by: "cnaf", id: "e2", subject: "d1", payload: &schemas.ReferralReceived{}}, both, "received"},
		{claim{by: "cnaf", id: "e3", subject: "d1~a", payload: booked("d1")}, both, "booked"},
		{claim{by: "cnaf", id: "e4", subject: "d1~b", payload: booked("d1")}, both, "booked"},
		{claim{by: "cnaf", id: "e5", subject: "d1~c", payload: booked("d1~nothing")}, "refusal not_a_party", ""},
	})
	if got := d.state("d1"); got != lifecycle.Scheduled {
		t.Fatalf("after booking: %s", got)
	}
	tell(t, d, []told{
		{claim{by: "demo-1", id: "e6", subject: "d1~a", payload: &schemas.AppointmentCancelled{By: "unknown"}}, both, "cancelled_by_service"},
	})
	if got := d.state("d1"); got != lifecycle.Scheduled {
		t.Fatalf("one appointment is still live: %s", got)
	}
	tell(t, d, []told{
		{claim{by: "cnaf", id: "e7", subject: "d1~b", payload: &schemas.AppointmentMissed{}}, both, "missed"},
		{claim{by: "cnaf", id: "e8", subject: "d1~b", payload: &schemas.AppointmentAttended{}}, "refusal transition_not_allowed", "missed"},
	})
	if got := d.state("d1"); got != lifecycle.Accepted {
		t.Fatalf("the last live appointment is gone: %s", got)
	}
}

func TestALateCancellationIsRecordedAsLate(t *testing.T) {
	starts := at("2026-05-14T14:00:00Z")
	cancelled := func(by string, when time.Time) claim {
		return claim{by: "demo-1", id: "c", subject: "d1", payload: &schemas.AppointmentCancelled{By: by}, time: when}
	}
	for _, tc := range []struct {
		what string
		c    claim
		want string
	}{
		{"a person cancels four hours before", cancelled("person", starts.Add(-4*time.Hour)), "fact → offices/demo-1,cnaf"},
		{"a person cancels later than that", cancelled("person", starts.Add(-4*time.Hour+time.Second)), "late fact → offices/demo-1,cnaf"},
		{"the service cancels at the last minute", cancelled("service", starts), "fact → offices/demo-1,cnaf"},
	} {
		t.Run(tc.what, func(t *testing.T) {
			d := openDesk(t)
			d.hand(claim{by: "demo-1", id: "b", subject: "d1", payload: &schemas.AppointmentBooked{Office: "demo-1", Operator: "cnaf", Starts: starts}})
			if got := d.hand(tc.c); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestClocksAreEarlyOrTooLateOrRight(t *testing.T) {
	d := openDesk(t)
	expired := func(started string, due string) *schemas.ReferralExpired {
		return &schemas.ReferralExpired{Clock: "answer", StartedBy: started, Due: at(due)}
	}
	tell(t, d, []told{
		{claim{by: "demo-1", id: "e1", subject: "d1", payload: referral("demo-1", "cnaf")}, "fact → offices/demo-1,cnaf", "made"},
		{claim{by: "hub", id: "k1", subject: "d1", payload: expired("3-0", "2026-06-13T09:00:00Z")}, "refusal not_yet_due", "made"},
		{claim{by: "hub", id: "k2", subject: "d1", payload: expired("3-99", "2026-05-01T09:00:00Z")}, "refusal transition_not_allowed", "made"},
	})
	d.now = at("2026-06-13T09:00:00Z")
	tell(t, d, []told{
		// A clock that was early may come again under the same id.
		{claim{by: "hub", id: "k1", subject: "d1", payload: expired("3-0", "2026-06-13T09:00:00Z")}, "fact → offices/demo-1,cnaf", "expired"},
	})
}

func TestOperatorsOnlyMessagesPassTheOfficeBy(t *testing.T) {
	only := &schemas.MessagePosted{Audience: "operators_only", Sealed: []byte("x")}
	tell(t, openDesk(t), []told{
		{claim{by: "demo-1", id: "e1", subject: "d1", payload: referral("demo-1", "cnaf")}, "fact → offices/demo-1,cnaf", "made"},
		{claim{by: "cnaf", id: "e2", subject: "d1", payload: only}, "fact → cnaf", "made"},
		{claim{by: "demo-1", id: "e3", subject: "d1", payload: only}, "fact → offices/demo-1,cnaf", "made"},
	})
}

func TestWhatTheGatewayRefusedGoesToWhoeverCameThroughTheDoor(t *testing.T) {
	s := newSubmission(schemas.Write(schemas.Event{Source: "/participants/cnam/x", Extensions: map[string]string{schemas.AttrSubmitter: "cnaf", schemas.AttrSenderRole: "operator"}}), schemas.Place{})
	s.Verdict = schemas.ReasonNotYourParticipant
	if diff := cmp.Diff([]string{"cnaf"}, doorParties(s)); diff != "" {
		t.Errorf("a claim in another's name (-want +got):\n%s", diff)
	}
	s = newSubmission(schemas.Write(schemas.Event{Source: "/participants/demo-1/feeder", Extensions: map[string]string{schemas.AttrSubmitter: "feeder", schemas.AttrSenderRole: "office"}}), schemas.Place{})
	s.Verdict = schemas.ReasonMalformed
	if diff := cmp.Diff([]string{"offices/demo-1", "feeder"}, doorParties(s)); diff != "" {
		t.Errorf("a feeder's malformed event (-want +got):\n%s", diff)
	}
}

func TestADossierComesBackFromTheStoreAsItWas(t *testing.T) {
	d := openDesk(t)
	d.hand(claim{by: "demo-1", id: "e1", subject: "d1", payload: referral("demo-1", "cnaf")})
	d.hand(claim{by: "cnaf", id: "e2", subject: "d1", payload: &schemas.ReferralReceived{}})
	back, err := decodeDossier(d.dossier.encode())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d.dossier, back); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
