package lifecycle_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/lifecycle"
)

var (
	machines = []*lifecycle.Machine{&lifecycle.Referral, &lifecycle.Appointment, &lifecycle.Visit}
	entered  = time.Date(2026, 5, 14, 9, 0, 0, 0, time.UTC)
	allHats  = []lifecycle.Hat{lifecycle.Sender, lifecycle.Recipient, lifecycle.Party, lifecycle.Hub}
)

// allowed says what the tables of domain.md allow, written down a second time as
// plain text so that a slip in the table does not pass as its own proof: event,
// state, hat, to; the hours after the state was entered at which it holds.
var allowed = parse(`
	ReferralMade            -                                                                    sender    made
	ReferralReceived        made                                                                 recipient received
	ReviewStarted           received                                                             recipient in_review
	InformationRequested    in_review accepted in_progress                                       recipient info_requested
	InformationProvided     info_requested                                                       sender    in_review
	ReferralAccepted        received in_review                                                   recipient accepted
	ReferralStarted         accepted scheduled                                                   recipient in_progress
	ReferralCompleted       in_review accepted scheduled in_progress                             recipient completed
	ReferralRefused         made received in_review info_requested accepted scheduled in_progress recipient refused
	ReferralRerouted        made received in_review accepted                                     recipient rerouted
	ReferralCancelled       made received in_review info_requested accepted scheduled in_progress completed sender cancelled
	ReferralWithdrawn       made received in_review info_requested accepted scheduled in_progress completed hub withdrawn
	ReferralExpired         made received in_review info_requested                               hub       expired
	ReferralClosed          completed                                                            sender    closed
	ReferralClosed          completed                                                            hub       closed
	ReferralReopened        refused completed closed                                             sender    in_review
	ReferralReopened        refused completed closed                                             recipient in_review
	MessagePosted           made received in_review info_requested accepted scheduled in_progress completed closed refused rerouted cancelled withdrawn expired sender =
	MessagePosted           made received in_review info_requested accepted scheduled in_progress completed closed refused rerouted cancelled withdrawn expired recipient =
	DeadlineApproaching     made received in_review info_requested accepted scheduled in_progress completed hub =
	DeadlineBreached        made received in_review info_requested accepted scheduled in_progress completed hub =
	EscalationRaised        made received in_review info_requested accepted scheduled in_progress completed hub =
	AppointmentBooked       -                                                                    party     booked
	AppointmentRescheduled  booked                                                               party     booked
	AppointmentCancelled    booked unreported                                                    party     cancelled_by_service
	AppointmentAttended     booked unreported                                                    party     attended
	AppointmentMissed       booked unreported                                                    party     missed
	AppointmentReminderDue  booked                                                               hub       =
	AppointmentUnreported   booked                                                               hub       unreported
	VisitRecorded           -                                                                    party     recorded
	VisitCorrected          recorded corrected                                                   party     corrected
	VisitVoided             recorded corrected                                                   party     voided
`)

type question struct {
	event string
	from  lifecycle.State
	hat   lifecycle.Hat
}

func parse(table string) map[question]lifecycle.State {
	hats := map[string]lifecycle.Hat{"sender": lifecycle.Sender, "recipient": lifecycle.Recipient, "party": lifecycle.Party, "hub": lifecycle.Hub}
	answers := map[question]lifecycle.State{}
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		event, states, hat, to := f[0], f[1:len(f)-2], hats[f[len(f)-2]], f[len(f)-1]
		for _, s := range states {
			q := question{event, lifecycle.State(strings.TrimPrefix(s, "-")), hat}
			answers[q] = lifecycle.State(to)
			if to == "=" {
				answers[q] = q.from
			}
		}
	}
	return answers
}

func eventsOf(m *lifecycle.Machine) []string {
	var events []string
	for _, a := range m.Arrows {
		if !slices.Contains(events, a.Event) {
			events = append(events, a.Event)
		}
	}
	return events
}

func name(event string) string { return event[strings.LastIndexByte(event, '.')+1:] }

func TestEveryArrowLeadsWhereTheDomainSaysAndEveryOtherIsRefused(t *testing.T) {
	asked := map[question]bool{}
	for _, m := range machines {
		states := []lifecycle.State{""}
		for _, w := range m.States {
			states = append(states, w.State)
		}
		for _, event := range eventsOf(m) {
			for _, from := range states {
				for _, hat := range allHats {
					q := question{name(event), from, hat}
					asked[q] = true
					c := lifecycle.Case{State: from, Interrupted: lifecycle.InReview, Since: entered}
					got, err := m.Next(c, event, hat, entered.Add(time.Hour))
					want, ok := allowed[q]
					var refused *lifecycle.NotAllowed
					switch {
					case ok && (err != nil || got != want):
						t.Errorf("%v in %q by %v: got %q, %v; want %q", q.event, from, hat, got, err, want)
					case !ok && !errors.As(err, &refused):
						t.Errorf("%v in %q by %v: got %q; want a refusal", q.event, from, hat, got)
					case !ok && refused.Why == "":
						t.Errorf("%v in %q by %v: the refusal says nothing", q.event, from, hat)
					}
				}
			}
		}
	}
	for q := range allowed {
		if !asked[q] {
			t.Errorf("%v in %q by %v stands in no table", q.event, q.from, q.hat)
		}
	}
}

func TestTimeLimits(t *testing.T) {
	const day = 24 * time.Hour
	cases := []struct {
		what  string
		c     lifecycle.Case
		event string
		by    lifecycle.Hat
		after time.Duration
		want  lifecycle.State
	}{
		{"a refused referral is reopened on its thirtieth day", lifecycle.Case{State: lifecycle.Refused}, schemas.TypeReferralReopened, lifecycle.Sender, 30 * day, lifecycle.InReview},
		{"a refused referral is not reopened after thirty days", lifecycle.Case{State: lifecycle.Refused}, schemas.TypeReferralReopened, lifecycle.Sender, 30*day + 1, ""},
		{"a message is posted on the thirtieth day after the end", lifecycle.Case{State: lifecycle.Expired}, schemas.TypeMessagePosted, lifecycle.Recipient, 30 * day, lifecycle.Expired},
		{"no message is posted later than that", lifecycle.Case{State: lifecycle.Expired}, schemas.TypeMessagePosted, lifecycle.Recipient, 31 * day, ""},
		{"a message is posted at any time before the end", lifecycle.Case{State: lifecycle.InReview}, schemas.TypeMessagePosted, lifecycle.Sender, 400 * day, lifecycle.InReview},
		{"the hub reopens a rerouted referral that has no child after a day", lifecycle.Case{State: lifecycle.Rerouted}, schemas.TypeReferralReopened, lifecycle.Hub, day, lifecycle.InReview},
		{"it does not do so earlier", lifecycle.Case{State: lifecycle.Rerouted}, schemas.TypeReferralReopened, lifecycle.Hub, day - 1, ""},
		{"nor when a child carries the case on", lifecycle.Case{State: lifecycle.Rerouted, HasChild: true}, schemas.TypeReferralReopened, lifecycle.Hub, 2 * day, ""},
		{"the parties cannot reopen a rerouted referral", lifecycle.Case{State: lifecycle.Rerouted}, schemas.TypeReferralReopened, lifecycle.Either, 2 * day, ""},
	}
	for _, tc := range cases {
		t.Run(tc.what, func(t *testing.T) {
			tc.c.Since = entered
			got, err := lifecycle.Referral.Next(tc.c, tc.event, tc.by, entered.Add(tc.after))
			if got != tc.want || (err == nil) != (tc.want != "") {
				t.Errorf("got %q, %v; want %q", got, err, tc.want)
			}
		})
	}
}

func TestNoStateIsOutOfReachAndEveryEndIsAnEnd(t *testing.T) {
	for _, m := range machines {
		reached := map[lifecycle.State]bool{}
		for _, a := range m.Arrows {
			reached[a.To] = true
			for _, to := range a.OrTo {
				reached[to] = true
			}
		}
		// A referral is scheduled by an appointment, not by an event of its own.
		reached[lifecycle.AfterBooking(lifecycle.Accepted)] = true
		for _, w := range m.States {
			if !reached[w.State] {
				t.Errorf("%s: no arrow leads to %s", m.Kind, w.State)
			}
			if w.FrenchSender == "" || w.FrenchReceiver == "" || w.English == "" {
				t.Errorf("%s: %s lacks a label", m.Kind, w.State)
			}
			for _, hat := range allHats {
				for _, event := range m.Allowed(lifecycle.Case{State: w.State, Since: entered}, hat, entered) {
					next, _ := m.Next(lifecycle.Case{State: w.State, Since: entered}, event, hat, entered)
					if w.End && next != w.State && event != schemas.TypeReferralReopened {
						t.Errorf("%s: %s is an end, but %s leaves it", m.Kind, w.State, event)
					}
				}
			}
		}
	}
}

func TestAnAppointmentMovesItsReferral(t *testing.T) {
	for _, w := range lifecycle.Referral.States {
		want := w.State
		switch w.State {
		case lifecycle.Received, lifecycle.InReview, lifecycle.Accepted, lifecycle.Scheduled, lifecycle.InProgress:
			want = lifecycle.Scheduled
		default:
		}
		if got := lifecycle.AfterBooking(w.State); got != want {
			t.Errorf("booking in %s leads to %s, want %s", w.State, got, want)
		}
		want = w.State
		if w.State == lifecycle.Scheduled {
			want = lifecycle.Accepted
		}
		if got := lifecycle.AfterLastAppointment(w.State); got != want {
			t.Errorf("the last appointment gone in %s leads to %s, want %s", w.State, got, want)
		}
	}
}

func TestEveryCaseEventOfTheCatalogueHasAnArrowAndItsSenders(t *testing.T) {
	for _, e := range schemas.Catalogue() {
		m, ok := lifecycle.Of(e.Type)
		if e.Kind == schemas.KindHub {
			if ok {
				t.Errorf("%s is the hub's own but has an arrow", e.Name)
			}
			continue
		}
		if !ok || m.Kind != e.Kind {
			t.Errorf("%s has no arrow in the life of a %s", e.Name, e.Kind)
			continue
		}
		opens := slices.ContainsFunc(m.Arrows, func(a lifecycle.Arrow) bool { return a.Event == e.Type && len(a.From) == 0 })
		if opens != e.Opens {
			t.Errorf("%s: the catalogue says opens=%v, the table %v", e.Name, e.Opens, opens)
		}
	}
}

func TestACancelledAppointmentSaysByWhom(t *testing.T) {
	for by, want := range map[string]lifecycle.State{"person": lifecycle.CancelledByPerson, "service": lifecycle.CancelledByService, "unknown": lifecycle.CancelledByService} {
		if got := lifecycle.CancelledBy(by); got != want {
			t.Errorf("cancelled by %s: %s, want %s", by, got, want)
		}
	}
}

func ExampleMachine_Next() {
	made := lifecycle.Case{State: lifecycle.Made, Since: entered}
	_, err := lifecycle.Referral.Next(made, schemas.TypeReferralAccepted, lifecycle.Recipient, entered.Add(time.Hour))
	fmt.Println(err)
	received := lifecycle.Case{State: lifecycle.Received, Since: entered}
	_, err = lifecycle.Referral.Next(received, schemas.TypeReferralAccepted, lifecycle.Sender, entered.Add(time.Hour))
	fmt.Println(err)
	state, _ := lifecycle.Referral.Next(received, schemas.TypeReferralAccepted, lifecycle.Recipient, entered.Add(time.Hour))
	fmt.Println(state)
	// Output:
	// ReferralAccepted in state made: it is allowed in received, in_review
	// ReferralAccepted in state received: only the recipient may send it
	// accepted
}
