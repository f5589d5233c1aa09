package directory

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/relais-fr/relais/services/internal/directory/deadline"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

func TestAClocksDeadlineIsSetAtTheDoorAndKeepsItsPast(t *testing.T) {
	r := newRig(t, enginetest.NewKafka(t), testSettings())
	for _, trial := range []struct {
		name, token, setting, value string
		status                      int
		says                        string
	}{
		{"for all", "dev-admin", "deadline.expiry", "45 days", http.StatusOK, ""},
		{"for a service that nobody offers", "dev-admin", "deadline.expiry", "60 days for logement/apl", http.StatusUnprocessableEntity, `has no service "logement/apl"`},
		{"in the singular", "dev-admin", "deadline.reminder", "1 working day", http.StatusOK, ""},
		{"taken back", "dev-admin", "deadline.reminder", "default", http.StatusOK, ""},
		{"only by an admin", "dev-cnaf", "deadline.expiry", "45 days", http.StatusForbidden, "the admin's"},
		{"of no clock", "dev-admin", "deadline.lunch", "1 hour", http.StatusUnprocessableEntity, `"lunch" is no clock with a deadline`},
		{"without a unit", "dev-admin", "deadline.expiry", "45", http.StatusUnprocessableEntity, "write a number and minutes"},
		{"in weeks", "dev-admin", "deadline.expiry", "2 weeks", http.StatusUnprocessableEntity, "write a number and minutes"},
		{"of nothing", "dev-admin", "deadline.expiry", "0 days", http.StatusUnprocessableEntity, "at least 1 day"},
		{"of less than nothing", "dev-admin", "deadline.expiry", "-3 days", http.StatusUnprocessableEntity, "at least 1 day"},
		{"for ever", "dev-admin", "deadline.expiry", "40000 days", http.StatusUnprocessableEntity, "at most 730 days"},
		{"in a unit that is not the clock's", "dev-admin", "deadline.reroute", "3 days", http.StatusUnprocessableEntity, "told in hours"},
		{"for no service", "dev-admin", "deadline.expiry", "45 days for ", http.StatusUnprocessableEntity, "write a number and minutes"},
		{"for two services", "dev-admin", "deadline.expiry", "45 days for a b", http.StatusUnprocessableEntity, `has no service "a b"`},
		{"empty", "dev-admin", "deadline.expiry", "", http.StatusUnprocessableEntity, "write a number and minutes"},
	} {
		t.Run(trial.name, func(t *testing.T) {
			if status, says := r.set(trial.token, trial.setting, trial.value); status != trial.status || !strings.Contains(says, trial.says) {
				t.Errorf("%d %q", status, says)
			}
		})
	}
	book, err := deadline.Read(r.host.Directory.Setting)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, run := range []struct {
		service string
		at      time.Time
		want    string
	}{
		{"", now, "30 days"}, // what was received before the change keeps its rule
		{"", now.Add(time.Hour), "45 days"},
		{"logement/apl", now.Add(time.Hour), "45 days"},
	} {
		if got := book.Span(deadline.Expiry, run.service, run.at).String(); got != run.want {
			t.Errorf("expiry for %q at %s runs %s, want %s", run.service, run.at, got, run.want)
		}
	}
	if got := book.Span(deadline.Reminder, "", now.Add(time.Hour)).String(); got != "5 working days" {
		t.Errorf("what was taken back runs %s", got)
	}
}
