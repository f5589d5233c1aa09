package directory

import (
	"encoding/csv"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/relais-fr/relais/services"
	dir "github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/directory/directorytest"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

func TestTheFirstRun(t *testing.T) {
	kafka := enginetest.NewKafka(t)
	r := newRig(t, kafka, testSettings())
	now := r.host.Directory.Snapshot()
	t.Run("publishes the operators, their services, the hub and the sample", func(t *testing.T) {
		if n := len(now.Operators()); n != 12 {
			t.Errorf("%d operators", n)
		}
		if n := len(now.Services()); n < 30 {
			t.Errorf("%d services", n)
		}
		for id, role := range map[string]dir.Role{"hub": dir.RoleHub, "cnaf": dir.RoleOperator, "feeder": dir.RoleFeeder, "demo-1": dir.RoleOffice} {
			if p, ok := now.Participant(id); !ok || p.Role != role {
				t.Errorf("%s is %+v", id, p)
			}
		}
		feeder, _ := now.Participant("feeder")
		if !feeder.MayFeed("fs-563") {
			t.Error("the feeder may not hand in for an office")
		}
	})
	t.Run("publishes the number of partitions and the rules in force", func(t *testing.T) {
		if diff := cmp.Diff(map[string]string{"partitions": "3", "rules": "2"}, now.Settings()); diff != "" {
			t.Errorf("settings (-want +got):\n%s", diff)
		}
	})
	t.Run("makes the topics of operators and feeders", func(t *testing.T) {
		for _, name := range []string{"from.cnaf", "to.cnaf", "from.feeder", "to.urssaf"} {
			if _, err := r.broker.Partitions(t.Context(), r.broker.Topic(name)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	if err := r.stop(); err != nil {
		t.Errorf("it stopped with %v", err)
	}

	t.Run("a second run publishes nothing", func(t *testing.T) {
		topic := r.broker.Topic(dir.Topic)
		before, err := r.broker.Ranges(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		again := newRig(t, kafka, testSettings())
		if err := again.SetSetting(t.Context(), dir.Setting{Name: dir.SettingRules, Value: "2"}); err != nil {
			t.Fatal(err)
		}
		if err := again.stop(); err != nil {
			t.Fatal(err)
		}
		after, err := r.broker.Ranges(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("the topic's range (-first run +second):\n%s", diff)
		}
	})
	t.Run("a later run lets nobody in again who was shut out, and closes nobody's doors", func(t *testing.T) {
		again := newRig(t, kafka, testSettings())
		shut := slices.Clone(again.host.Directory.Operators()[:3])
		shut[0].SuspendedSince, shut[1].ClosedOn, shut[2].DoorsSince = "2026-11-23T09:00:00Z", "2026-11-23", "2026-11-23T09:00:00Z"
		records, err := recordsOf(shut[0], shut[1], shut[2])
		if err != nil {
			t.Fatal(err)
		}
		if err := again.log.publish(t.Context(), records); err != nil {
			t.Fatal(err)
		}
		if err := again.stop(); err != nil {
			t.Fatal(err)
		}
		now := newRig(t, kafka, testSettings()).host.Directory.Snapshot()
		if diff := cmp.Diff(shut, now.Operators()[:3]); diff != "" {
			t.Errorf("operators (-want +got):\n%s", diff)
		}
	})
	t.Run("a newer rules version is published for all", func(t *testing.T) {
		again := newRig(t, kafka, testSettings())
		if err := again.SetSetting(t.Context(), dir.Setting{Name: dir.SettingRules, Value: "3"}); err != nil {
			t.Fatal(err)
		}
		if v, _ := again.host.Directory.Setting(dir.SettingRules); v != "3" {
			t.Errorf("rules %q", v)
		}
	})
	t.Run("another number of partitions is refused in a sentence", func(t *testing.T) {
		// The hub's own topics already have their partitions; only the setting is
		// another one.
		again := newRig(t, kafka, testSettings())
		host := again.host
		host.Settings.Partitions = 4
		host.Metrics, host.HTTP = prometheus.NewRegistry(), http.NewServeMux()
		another, err := New(host)
		if err != nil {
			t.Fatal(err)
		}
		err = another.begin(t.Context())
		if err == nil || !strings.Contains(err.Error(), "start it with 3") {
			t.Errorf("error %v", err)
		}
	})
}

func TestAwayFromLoopbackThereIsNoSample(t *testing.T) {
	settings := testSettings()
	settings.HTTP = "0.0.0.0:8083"
	r := newRig(t, enginetest.NewKafka(t), settings)
	if _, ok := r.host.Directory.Participant("feeder"); ok || r.host.Directory.Snapshot().OfficeCount() != 0 {
		t.Error("the sample was published")
	}
	if len(r.host.Directory.Operators()) != 12 {
		t.Error("the operators were not")
	}
}

func TestAParticipantThatComesLaterGetsItsTopics(t *testing.T) {
	r := newRig(t, enginetest.NewKafka(t), testSettings())
	records, err := recordsOf(dir.Participant{ID: "departement-23", Name: "Creuse", Role: dir.RolePartner})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.log.publish(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	for _, spec := range services.ParticipantTopics(testSettings(), "departement-23") {
		if n, err := r.broker.Partitions(t.Context(), spec.Name); err != nil || n != spec.Partitions {
			t.Errorf("%s has %d partitions: %v", spec.Name, n, err)
		}
	}
}

func TestTheSampleOffices(t *testing.T) {
	offices, err := sampleOffices()
	if err != nil {
		t.Fatal(err)
	}
	kinds, zones := map[dir.Kind]int{}, map[string]int{}
	for i, o := range offices {
		kinds[o.Kind]++
		zones[o.TimeZone]++
		if !dir.IsDemo(o.ID) || o.Matricule != 0 || !strings.Contains(o.Name, "démonstration") || o.Lat == nil || o.EPCI == "" && o.Department != "978" {
			t.Errorf("%+v", o)
		}
		if i == 0 && (o.ID != "demo-1" || o.Commune != "Vannes") {
			t.Errorf("the first one is %s in %s", o.ID, o.Commune)
		}
		for _, quirk := range o.Quirks {
			if !strings.HasPrefix(quirk, "hours_") {
				t.Errorf("%s has the quirk %s", o.ID, quirk)
			}
		}
	}
	if len(offices) < 36 || len(kinds) != 4 || len(zones) != 7 {
		t.Errorf("%d offices, kinds %v, zones %v", len(offices), kinds, zones)
	}
}

func TestTheBasket(t *testing.T) {
	known := map[string]bool{}
	all, err := operators()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range all {
		known[o.ID] = true
	}
	list, err := basket()
	if err != nil {
		t.Fatal(err)
	}
	outside := 0
	offered := map[string]bool{}
	for _, s := range list {
		for _, o := range s.Operators {
			offered[o] = true
			if !known[o] {
				t.Errorf("%s names the operator %q", s.Code, o)
			}
		}
		outside += len(s.Outside)
		if s.Label == "" || !strings.HasPrefix(s.Code, s.Theme+"/") {
			t.Errorf("%+v", s)
		}
	}
	if len(known) != 12 || len(offered) != 12 || outside == 0 {
		t.Errorf("%d operators, %d with services, %d outside bodies", len(known), len(offered), outside)
	}
}

func TestTheBasketIsTheOneOfTheSharedData(t *testing.T) {
	for name, columns := range map[string][]int{"operators.csv": {0, 1, 2, 3, 4, 5}, "services.csv": {0, 1, 2, 3}} {
		f, err := os.Open(directorytest.SharedData(t, "reference", name))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(f).ReadAll()
		_ = f.Close()
		if err != nil {
			t.Fatal(err)
		}
		var want, got [][]string
		for _, row := range rows[1:] {
			var cells []string
			for _, i := range columns {
				cells = append(cells, row[i])
			}
			want = append(want, cells)
		}
		if err := table(name, func(c []string) { got = append(got, slices.Clone(c)) }); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-shared +compiled in):\n%s", name, diff)
		}
	}
}
