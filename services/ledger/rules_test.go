package ledger

import (
	"testing"

	"github.com/relais-fr/relais/schemas"
)

func TestADossierIsJudgedByTheNewestRulesThatJudgedItBefore(t *testing.T) {
	report := func(id string, rules int) claim {
		return claim{
			by: "hub", id: id, subject: "d1", payload: &schemas.DeliveryChanged{Place: "3-0", Recipient: "cnaf", State: "dead", Channel: "kafka", EventID: "e1", Sender: new("cnaf")},
			change: func(s *submission) { s.Rules = rules },
		}
	}
	d := openDesk(t)
	tell(t, d, []told{
		{report("r1", 1), "refusal not_your_participant", ""},
		{report("r2", 2), "fact → cnaf", ""},
		// A gateway that has not heard of the activation yet stamps the version
		// before.
		{report("r3", 1), "fact → cnaf", ""},
	})
}

func TestAProbeGoesToTheHubSinceRulesTwo(t *testing.T) {
	probe := func(id string, rules int) claim {
		return claim{by: "hub", id: id, subject: id, payload: &schemas.ProbeSent{Sent: at("2026-05-14T09:00:00Z")}, change: func(s *submission) { s.Rules = rules }}
	}
	tell(t, openDesk(t), []told{{probe("p1", 1), "fact → ", ""}})
	d := openDesk(t)
	tell(t, d, []told{{probe("p2", 2), "fact → hub", ""}})
	if d.dossier.known() {
		t.Error("a probe leaves something behind")
	}
}
