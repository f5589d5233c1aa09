package deadline

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

// set makes changes of a setting, one a day from noon of 1 September.
func set(t *testing.T, r Rule, changes ...string) *Book {
	t.Helper()
	value := ""
	for i, asked := range changes {
		var err error
		if value, err = Change(r.Setting(), value, asked, noon.AddDate(0, 0, i)); err != nil {
			t.Fatal(err)
		}
	}
	b, err := Read(func(name string) (string, bool) { return value, name == r.Setting() })
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestARuleIsTheOneInForceWhenTheFactWasReceived(t *testing.T) {
	const evicted, other = "logement/expulsion-du-logement", "logement/autre"
	b := set(t, Expiry, "45 days", "20 days for "+evicted, "60 days", "default for "+evicted, "default")
	day := func(n int) time.Time { return noon.AddDate(0, 0, n).Add(lead) }
	type asked struct {
		Service string
		At      time.Time
	}
	for _, trial := range []struct {
		asked
		want string
	}{
		{asked{other, day(0).Add(-time.Millisecond)}, "30 days"},
		{asked{other, day(0)}, "45 days"},
		{asked{evicted, day(0)}, "45 days"},
		{asked{evicted, day(1)}, "20 days"},
		{asked{other, day(1)}, "45 days"},
		{asked{evicted, day(2)}, "20 days"},
		{asked{"", day(2)}, "60 days"},
		{asked{evicted, day(3)}, "60 days"},
		{asked{evicted, day(4)}, "30 days"},
		{asked{evicted, day(1).Add(time.Hour)}, "20 days"},
	} {
		if got := b.Span(Expiry, trial.Service, trial.At).String(); got != trial.want {
			t.Errorf("%v: %s, want %s", trial.asked, got, trial.want)
		}
	}
	if got := b.Span(Receipt, "", day(9)).String(); got != "2 working days" {
		t.Errorf("a rule that nobody set: %s", got)
	}
}

func TestAChangeComesIntoForceInAMinuteAndNeverBeforeTheLast(t *testing.T) {
	value, err := Change("deadline.closing", "", "40 days", noon)
	if err != nil {
		t.Fatal(err)
	}
	value, err = Change("deadline.closing", value, "1 day for logement/autre", noon.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"from":"2026-09-01T12:01:00Z","span":"40 days"},{"from":"2026-09-01T12:01:00Z","service":"logement/autre","span":"1 day"}]`
	if diff := cmp.Diff(want, value); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

func TestWhatIsNoDeadlineIsSaidSo(t *testing.T) {
	for _, trial := range []struct{ setting, asked, want string }{
		{"deadline.expiry", "soon", `"soon" is no span: write a number and minutes, hours, days, working days or opening hours`},
		{"deadline.expiry", "30", `"30" is no span: write a number and minutes, hours, days, working days or opening hours`},
		{"deadline.expiry", "3 weeks", `"3 weeks" is no span: write a number and minutes, hours, days, working days or opening hours`},
		{"deadline.expiry", "0 days", "expiry is at least 1 day"},
		{"deadline.expiry", "-3 days", "expiry is at least 1 day"},
		{"deadline.expiry", "731 days", "expiry is at most 730 days"},
		{"deadline.expiry", "30 days for", `"30 days for" is no span: write a number and minutes, hours, days, working days or opening hours`},
		{"deadline.expiry", "30 days for two words", "\"two words\" is no service: write `45 days for logement/expulsion-du-logement`"},
		{"deadline.reroute", "23 hours", "reroute is at least 24 hours"},
		{"deadline.reroute", "2 days", "reroute is told in hours"},
		{"deadline.appointment_reminder", "2 working days", "appointment_reminder is told in minutes or hours or days"},
		{"deadline.tea", "5 minutes", `"tea" is no clock with a deadline: those are ` + names()},
		{"rules", "2", `"rules" is no clock with a deadline: those are ` + names()},
	} {
		_, err := Change(trial.setting, "", trial.asked, noon)
		if err == nil || err.Error() != trial.want {
			t.Errorf("%s %q: %v\nwant %s", trial.setting, trial.asked, err, trial.want)
		}
	}
}

func TestAStoredSettingThatNoDoorMadeIsAnError(t *testing.T) {
	for _, value := range []string{"", "45 days", "{}", `[{"span":"soon"}]`, `[{"span":"0 days"}]`, `[{"from":"today"}]`} {
		_, err := Read(func(name string) (string, bool) { return value, name == "deadline.expiry" })
		if !errors.Is(err, ErrUnreadable) {
			t.Errorf("%q: %v", value, err)
		}
		if value == "" {
			continue
		}
		if _, err := Change("deadline.expiry", value, "45 days", noon); !errors.Is(err, ErrUnreadable) {
			t.Errorf("a change of %q: %v", value, err)
		}
	}
}

func TestEveryRuleHasADefaultThatItAllows(t *testing.T) {
	for _, r := range Rules() {
		if err := r.Check(r.Default()); err != nil {
			t.Error(err)
		}
		again, err := ParseSpan(r.Default().String())
		if err != nil || again != r.Default() {
			t.Errorf("%s reads back as %v, %v", r.Default(), again, err)
		}
	}
}

func FuzzChange(f *testing.F) {
	f.Add("45 days", "")
	f.Add("20 working days for logement/x", `[{"from":"2026-09-01T12:01:00Z","span":"40 days"}]`)
	f.Fuzz(func(t *testing.T, asked, stored string) {
		value, err := Change("deadline.expiry", stored, asked, noon)
		if err != nil {
			return
		}
		if _, err := Read(func(string) (string, bool) { return value, true }); err != nil && !errors.Is(err, ErrUnreadable) {
			t.Errorf("%q cannot be read: %v", value, err)
		}
		if _, err := parseHistory(Expiry, value); err != nil {
			t.Errorf("what was stored cannot be read: %v", err)
		}
	})
}
