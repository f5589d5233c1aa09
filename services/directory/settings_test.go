package directory

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/services/internal/broker"
	dir "github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/enginetest"
	"github.com/relais-fr/relais/services/internal/problem"
)

func (r *rig) set(token, name, value string) (int, string) {
	r.t.Helper()
	var p problem.Document
	w := r.do(token, "PUT", pathSettings+"/"+name, strings.NewReader(`{"value":"`+value+`"}`), &p)
	return w.Code, p.Detail
}

func TestASettingIsCheckedBeforeItStands(t *testing.T) {
	r := newRig(t, enginetest.NewKafka(t), testSettings())
	for _, trial := range []struct {
		name, token, setting, value string
		status                      int
		says                        string
	}{
		{"a rate is set", "dev-admin", "rate.cnaf", "500", http.StatusOK, ""},
		{"and set again", "dev-admin", "rate.cnaf", "800", http.StatusOK, ""},
		{"only by an admin", "dev-cnaf", "rate.cnaf", "5", http.StatusForbidden, "the admin's"},
		{"not for a stranger", "dev-admin", "rate.nobody", "5", http.StatusUnprocessableEntity, `no participant "nobody"`},
		{"not to what is no number", "dev-admin", "rate.cnaf", "many", http.StatusUnprocessableEntity, "a number of events per second"},
		{"an unknown name is told the known ones", "dev-admin", "colour", "blue", http.StatusNotFound, "known are deadline.<clock>, rate.<participant>, rules"},
		{"partitions never change", "dev-admin", "partitions", "24", http.StatusConflict, "its order would be lost"},
		{"older rules are refused", "dev-admin", "rules", "1", http.StatusUnprocessableEntity, "never judged by older ones"},
		{"rules that are no number", "dev-admin", "rules", "02", http.StatusUnprocessableEntity, "not a rules version"},
		{"newer rules need a ledger", "dev-admin", "rules", "3", http.StatusConflict, "no ledger is there"},
		{"the rules in force stand", "dev-admin", "rules", "2", http.StatusOK, ""},
	} {
		t.Run(trial.name, func(t *testing.T) {
			if status, says := r.set(trial.token, trial.setting, trial.value); status != trial.status || !strings.Contains(says, trial.says) {
				t.Errorf("%d %q", status, says)
			}
		})
	}
	t.Run("a body that says nothing is refused", func(t *testing.T) {
		for _, body := range []string{"", "2", `{"Value":2}`, `{"value":"2","when":"now"}`} {
			if w := r.do("dev-admin", "PUT", pathSettings+"/rules", bytes.NewReader([]byte(body)), nil); w.Code != http.StatusBadRequest {
				t.Errorf("%q: %d %s", body, w.Code, w.Body)
			}
		}
	})
	t.Run("what stands is listed", func(t *testing.T) {
		var all struct{ Settings []dir.Setting }
		r.do("dev-admin", "GET", pathSettings, nil, &all)
		want := []dir.Setting{{Name: "partitions", Value: "3"}, {Name: "rate.cnaf", Value: "800"}, {Name: "rules", Value: "2"}}
		if diff := cmp.Diff(want, all.Settings); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// member joins the ledgers' group as a ledger that says note of itself.
func (r *rig) member(note string) (leave func()) {
	ctx, cancel := context.WithCancel(r.t.Context())
	b := r.broker
	done, joined := make(chan struct{}), make(chan struct{}, 1)
	go func() {
		defer close(done)
		err := b.ConsumeNoted(ctx, b.Topic("ledger"), note, []string{b.Topic("submitted")}, func(ctx context.Context, _ *broker.Claim) error {
			select {
			case joined <- struct{}{}:
			default:
			}
			<-ctx.Done()
			return nil
		})
		if err != nil {
			r.t.Errorf("the member ended: %v", err)
		}
	}()
	<-joined
	return func() {
		cancel()
		<-done
	}
}

// activate asks until the group has settled.
func (r *rig) activate(version string) (status int, says string) {
	for range 100 {
		if status, says = r.set("dev-admin", "rules", version); status != http.StatusServiceUnavailable {
			break
		}
		<-time.After(100 * time.Millisecond)
	}
	return status, says
}

func TestNewerRulesComeIntoForceOnceEveryLedgerKnowsThem(t *testing.T) {
	r := newRig(t, enginetest.NewKafka(t), testSettings())
	leaveNew := r.member(dir.KnownRules(3))
	leaveOld := r.member("")
	if status, says := r.activate("3"); status != http.StatusConflict || !strings.Contains(says, "knows 1") {
		t.Errorf("with a ledger of a release before: %d %q", status, says)
	}
	leaveOld()
	if status, says := r.activate("4"); status != http.StatusConflict || !strings.Contains(says, "knows 3") {
		t.Errorf("with rules that nobody knows: %d %q", status, says)
	}
	var shown struct {
		InForce int `json:"in_force"`
		Known   int `json:"known_by_all"`
	}
	if w := r.do("dev-admin", "GET", pathRules, nil, &shown); w.Code != http.StatusOK || shown.InForce != 2 || shown.Known != 3 {
		t.Errorf("rules show: %d %s", w.Code, w.Body)
	}
	if status, says := r.activate("3"); status != http.StatusOK {
		t.Errorf("with all of them: %d %q", status, says)
	}
	leaveNew()
}
