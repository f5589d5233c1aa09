package clock

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/directory/deadline"
)

// story runs a story in a house of its own, in virtual time, and compares what was
// then recorded.
func story(t *testing.T, tell func(h *house, begun time.Time), want ...string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		h := newHouse(t)
		begun := time.Now()
		tell(h, begun)
		if diff := cmp.Diff(want, h.recorded(begun)); diff != "" {
			t.Errorf("recorded (-want +got):\n%s", diff)
		}
	})
}

func TestWhatNobodyAnswersIsRemindedEscalatedAndExpires(t *testing.T) {
	story(t, func(h *house, _ time.Time) {
		h.set(deadline.Receipt, "1 minute")
		h.set(deadline.Reminder, "2 minutes")
		h.set(deadline.ReminderAgain, "3 minutes")
		h.set(deadline.Escalation, "4 minutes")
		h.set(deadline.Expiry, "10 minutes")
		h.judge()
		c, _ := h.wind()
		h.submit("demo-1", "d1", made())
		wait(12 * time.Minute)
		if n := testutil.ToFloat64(c.metrics.timers.WithLabelValues("0")) + testutil.ToFloat64(c.metrics.timers.WithLabelValues("1")); n != 0 {
			h.t.Errorf("%v timers are left", n)
		}
		if n := testutil.CollectAndCount(c.metrics.handedIn); n != 4 {
			h.t.Errorf("%d clocks have run", n)
		}
	},
		"d1 ReferralMade",
		"d1 DeadlineApproaching receipt 1 after 1m0s",
		"d1 DeadlineBreached reminder 1 after 2m0s",
		"d1 EscalationRaised escalation 1 after 4m0s",
		"d1 DeadlineBreached reminder 2 after 5m0s",
		"d1 DeadlineBreached reminder 3 after 8m0s",
		"d1 ReferralExpired expiry after 10m0s",
	)
}

func TestTheClockStandsStillWhileInformationIsAwaited(t *testing.T) {
	story(t, func(h *house, _ time.Time) {
		h.set(deadline.Expiry, "5 minutes")
		h.set(deadline.MissingInformation, "8 minutes")
		h.judge()
		h.wind()
		for _, subject := range []string{"d1", "d2"} {
			h.submit("demo-1", subject, made())
			h.submit("cnaf", subject, &schemas.ReferralReceived{})
			h.submit("cnaf", subject, &schemas.ReviewStarted{})
		}
		wait(2 * time.Minute)
		h.submit("cnaf", "d1", &schemas.InformationRequested{Items: []schemas.InformationItem{{Code: "tax_notice"}}})
		h.submit("cnaf", "d2", &schemas.InformationRequested{Items: []schemas.InformationItem{{Code: "tax_notice"}}})
		wait(6 * time.Minute)
		h.submit("demo-1", "d1", &schemas.InformationProvided{Answered: []string{"tax_notice"}})
		wait(5 * time.Minute)
	},
		"d1 ReferralMade", "d1 ReferralReceived", "d1 ReviewStarted", "d1 InformationRequested", "d1 InformationProvided",
		"d1 ReferralExpired expiry after 11m0s",
		"d2 ReferralMade", "d2 ReferralReceived", "d2 ReviewStarted", "d2 InformationRequested",
		"d2 ReferralExpired missing_information after 10m0s",
	)
}

func TestNothingIsLostOrDoubledByALostStoreAndARestart(t *testing.T) {
	story(t, func(h *house, _ time.Time) {
		h.set(deadline.Reminder, "1 minute")
		h.set(deadline.Expiry, "4 minutes")
		h.judge()
		_, stop := h.wind()
		for _, subject := range []string{"d1", "d2", "d3"} {
			h.submit("demo-1", subject, made())
		}
		wait(90 * time.Second)
		h.flush()
		wait(30 * time.Second)
		stop()
		h.flush()
		wait(3 * time.Minute)
		h.wind()
		wait(time.Minute)
	},
		"d1 ReferralMade", "d1 DeadlineBreached reminder 1 after 1m0s", "d1 ReferralExpired expiry after 5m0s",
		"d2 ReferralMade", "d2 DeadlineBreached reminder 1 after 1m0s", "d2 ReferralExpired expiry after 5m0s",
		"d3 ReferralMade", "d3 DeadlineBreached reminder 1 after 1m0s", "d3 ReferralExpired expiry after 5m0s",
	)
}

func TestTwoClocksAndOneThatWasTakenForDeadMakeOneFactEach(t *testing.T) {
	story(t, func(h *house, _ time.Time) {
		h.set(deadline.Reminder, "1 minute")
		h.set(deadline.Expiry, "4 minutes")
		h.judge()
		_, stop := h.wind()
		h.wind()
		zombie, _ := h.wind()
		// It still looks after every partition, although none is its own.
		for p := range testPartitions {
			o := newOwner(zombie, &broker.Claim{Topic: "relais.recorded", Partition: p})
			o.whole.Store(true)
			go o.watch(h.t.Context())
		}
		for _, subject := range []string{"d1", "d2", "d3"} {
			h.submit("demo-1", subject, made())
		}
		wait(2 * time.Minute)
		stop()
		wait(3 * time.Minute)
	},
		"d1 ReferralMade", "d1 DeadlineBreached reminder 1 after 1m0s", "d1 ReferralExpired expiry after 4m0s",
		"d2 ReferralMade", "d2 DeadlineBreached reminder 1 after 1m0s", "d2 ReferralExpired expiry after 4m0s",
		"d3 ReferralMade", "d3 DeadlineBreached reminder 1 after 1m0s", "d3 ReferralExpired expiry after 4m0s",
	)
}

func TestAnAcceptanceThatCameFirstIsNotExpired(t *testing.T) {
	story(t, func(h *house, _ time.Time) {
		h.set(deadline.Expiry, "2 minutes")
		stop := h.judge()
		h.wind()
		h.submit("demo-1", "d1", made())
		h.submit("cnaf", "d1", &schemas.ReferralReceived{})
		wait(time.Minute)
		// The ledger is away: the acceptance is handed in, and the clock cannot know.
		stop()
		h.submit("cnaf", "d1", &schemas.ReferralAccepted{})
		wait(2 * time.Minute)
		h.judge()
		wait(5 * time.Minute)
	},
		"d1 ReferralMade", "d1 ReferralReceived", "d1 ReferralAccepted",
		"d1 SubmissionRefused ReferralExpired transition_not_allowed",
	)
}

func TestAGatewayWhoseClockIsBehindIsTriedAgain(t *testing.T) {
	story(t, func(h *house, _ time.Time) {
		h.slow.Store(int64(4 * time.Second))
		h.set(deadline.Expiry, "2 minutes")
		h.judge()
		h.wind()
		h.submit("demo-1", "d1", made())
		wait(4 * time.Minute)
	},
		"d1 ReferralMade",
		"d1 SubmissionRefused ReferralExpired not_yet_due",
		"d1 ReferralExpired expiry after 2m0s",
	)
}

func TestChangingARuleDoesNotRewriteThePast(t *testing.T) {
	story(t, func(h *house, _ time.Time) {
		h.set(deadline.Expiry, "6 minutes")
		h.judge()
		h.wind()
		h.submit("demo-1", "d1", made())
		wait(time.Minute)
		h.set(deadline.Expiry, "2 minutes")
		wait(time.Second)
		h.submit("demo-1", "d2", made())
		wait(time.Minute)
		// All is computed again, with the rules as they are now.
		h.flush()
		wait(6 * time.Minute)
	},
		"d1 ReferralMade", "d1 ReferralExpired expiry after 6m0s",
		"d2 ReferralMade", "d2 ReferralExpired expiry after 3m0s",
	)
}

func TestWhatWasRecordedAsHistoryIsLeftAlone(t *testing.T) {
	story(t, func(h *house, begun time.Time) {
		h.set(deadline.Expiry, "2 minutes")
		h.judge()
		h.wind()
		data, err := h.codec.Encode(h.t.Context(), made())
		if err != nil {
			h.t.Fatal(err)
		}
		e := schemas.Event{
			ID: "old", Source: schemas.Source("demo-1", "test"), Type: schemas.TypeReferralMade, Subject: "d1", Time: begun,
			DataContentType: schemas.AvroContentType, DataSchema: "http://registry.example/schemas/ids/1", Data: data,
			Extensions: map[string]string{schemas.AttrHistory: "true"},
		}
		if err := h.append(h.t.Context(), e, begun, "demo-1", schemas.RoleOffice); err != nil {
			h.t.Fatal(err)
		}
		wait(5 * time.Minute)
	}, "d1 ReferralMade")
}

func TestAReroutedReferralThatNobodyCarriesOnIsReopened(t *testing.T) {
	story(t, func(h *house, begun time.Time) {
		h.judge()
		yesterday := begun.Add(-24*time.Hour + 2*time.Minute)
		h.submitAt("demo-1", "d1", made(), yesterday)
		h.submitAt("cnaf", "d1", &schemas.ReferralRerouted{Competent: "msa", Child: "d1~2"}, yesterday.Add(time.Second))
		h.wind()
		wait(4 * time.Minute)
	}, "d1 ReferralMade", "d1 ReferralRerouted", "d1 ReferralReopened after 2m0s")
}

func TestAnAppointmentIsRemindedOfAndAskedAfter(t *testing.T) {
	story(t, func(h *house, begun time.Time) {
		h.set(deadline.AppointmentBefore, "30 minutes")
		h.set(deadline.AppointmentReport, "5 minutes")
		h.judge()
		h.wind()
		h.submit("demo-1", "d1", &schemas.AppointmentBooked{Office: "demo-1", Operator: "cnaf", Mode: "phone", Starts: begun.Add(31 * time.Minute), Ends: new(begun.Add(40 * time.Minute))})
		wait(46 * time.Minute)
	}, "d1 AppointmentBooked", "d1 AppointmentReminderDue after 1m0s", "d1 AppointmentUnreported after 45m0s")
}

func TestAProbeTravelsTheWholeRoadAndLeavesNothing(t *testing.T) {
	story(t, func(h *house, _ time.Time) {
		h.settings.ProbeEvery = 5 * time.Second
		h.judge()
		h.route()
		c, _ := h.wind()
		wait(2 * time.Minute)
		if n := testutil.CollectAndCount(c.metrics.roundTrip); n == 0 {
			h.t.Error("no probe came back")
		}
		if out, lost := testutil.ToFloat64(c.metrics.probesOut), testutil.ToFloat64(c.metrics.probesLost); out > 1 || lost > 0 {
			h.t.Errorf("%v probes are out, %v lost", out, lost)
		}
		keys, err := h.redis.Keys(h.t.Context(), "*").Result()
		if err != nil {
			h.t.Fatal(err)
		}
		for _, key := range keys {
			if kind, _ := h.redis.Type(h.t.Context(), key).Result(); kind != "string" {
				h.t.Errorf("%s is a %s", key, kind)
			}
		}
		if len(keys) != 2*testPartitions {
			h.t.Errorf("the store holds more than the positions of ledger and clock: %v", keys)
		}
	})
}
