package services_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/config"
)

func TestWhatIsAcknowledgedIsOnTwoBrokersWhereThereAreThree(t *testing.T) {
	for _, tc := range []struct {
		name        string
		replication int
		want        string
	}{
		{"one broker has all there is", 1, "1"},
		{"of two, either may be away", 2, "1"},
		{"of three, one may be away and nothing is on one disk only", 3, "2"},
		{"of five, three may be away", 5, "2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			settings := config.Default("127.0.0.1:0")
			settings.Replication = tc.replication
			for _, spec := range slices.Concat(services.HubTopics(settings), services.ParticipantTopics(settings, "cnaf")) {
				if got := spec.Settings["min.insync.replicas"]; got != tc.want {
					t.Errorf("%s: min.insync.replicas is %q, want %q", spec.Name, got, tc.want)
				}
			}
		})
	}
}

func TestEveryTopicSaysHowLongItKeepsAndWhoMayLead(t *testing.T) {
	settings := config.Default("127.0.0.1:0")
	for _, spec := range slices.Concat(services.HubTopics(settings), services.ParticipantTopics(settings, "cnaf")) {
		for _, name := range []string{"cleanup.policy", "retention.ms", "retention.bytes", "max.message.bytes", "unclean.leader.election.enable", "message.timestamp.type", "message.timestamp.before.max.ms", "message.timestamp.after.max.ms"} {
			if spec.Settings[name] == "" {
				t.Errorf("%s leaves %s to the broker", spec.Name, name)
			}
		}
		if spec.Settings["unclean.leader.election.enable"] != "false" {
			t.Errorf("%s may be led by a broker that lacks acknowledged records", spec.Name)
		}
	}
}

func TestOnlyTheWaysInDistrustTheSendersClock(t *testing.T) {
	settings := config.Default("127.0.0.1:0")
	for _, spec := range slices.Concat(services.HubTopics(settings), services.ParticipantTopics(settings, "cnaf")) {
		from, appended := strings.HasPrefix(spec.Name, "relais.from."), spec.Settings["message.timestamp.type"] == "LogAppendTime"
		if from != appended {
			t.Errorf("%s counts from when the broker got a record: %v", spec.Name, appended)
		}
		ahead := spec.Settings["message.timestamp.after.max.ms"]
		if want := map[bool]string{true: "60000", false: "9223372036854775807"}[spec.Name == "relais.submitted"]; ahead != want {
			t.Errorf("%s takes records of up to %s ms ahead, want %s", spec.Name, ahead, want)
		}
	}
}
