package model

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/relais-fr/relais/services/proof/defect"
)

// elsewhere are defects that the schedules do not reach, with the package and the
// test that finds each.
var elsewhere = map[string][2]string{
	// Outcomes follow from submissions alone, so that another owner's are the same,
	// but for the hub's own fault in place of one that the broker refuses. Brokers of
	// the schedules refuse what they have refused, so that the two never meet.
	"base-offset-not-checked": {"./services/ledger", "^TestWhatRestsOnItsOwnFaultWaitsUntilThatIsTheFirst$"},
	"fault-in-company":        {"./services/ledger", "^TestWhatRestsOnItsOwnFaultWaitsUntilThatIsTheFirst$"},
}

// within is how many schedules a defect may stay hidden for. The rarest shows in one
// of ten.
const within = 200

var wentWrong = regexp.MustCompile(`(\d+) schedules from seed .*, (\d+) went wrong`)

// TestTheSchedulesFindEveryDefect builds the model with each defect and demands that
// a schedule goes wrong. With RELAIS_MODEL_SCHEDULES it runs so many, and says how
// many did.
func TestTheSchedulesFindEveryDefect(t *testing.T) {
	if !slices.Contains(strings.Split(os.Getenv("RELAIS_REQUIRE"), ","), "defects") {
		t.Skip("each defect needs a build of its own, some minutes altogether: ask for them with RELAIS_REQUIRE=defects")
	}
	env := append(os.Environ(), "RELAIS_MODEL_SEED=1")
	if os.Getenv("RELAIS_MODEL_SCHEDULES") == "" {
		env = append(env, fmt.Sprint("RELAIS_MODEL_SCHEDULES=", within))
	} else {
		env = append(env, "RELAIS_MODEL_ALL=yes")
	}
	root, err := defect.Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range defect.All() {
		t.Run(d.Name, func(t *testing.T) {
			dir := t.TempDir()
			overlay, err := defect.Overlay(root, dir, d)
			if err != nil {
				t.Fatal(err)
			}
			pkg, run := "./services/proof/model", "^TestRandomSchedules$"
			if there, ok := elsewhere[d.Name]; ok {
				pkg, run = there[0], there[1]
			}
			binary := filepath.Join(dir, "model.test")
			build := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", overlay, "-o", binary, pkg)
			build.Dir = root
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			test := exec.CommandContext(t.Context(), binary, "-test.run", run, "-test.v")
			test.Dir = filepath.Join(root, filepath.FromSlash(pkg))
			test.Env = env
			out, err := test.CombinedOutput()
			if err == nil {
				t.Errorf("nothing found it. %s\n%s", d.Clause, tail(out))
				return
			}
			if _, ok := elsewhere[d.Name]; ok {
				t.Logf("found by %s of %s", run, pkg)
				return
			}
			found := wentWrong.FindSubmatch(out)
			if found == nil {
				t.Fatalf("it failed, but not by a schedule:\n%s", tail(out))
			}
			t.Logf("%s went wrong of %s schedules", found[2], found[1])
		})
	}
}

func tail(out []byte) string {
	const most = 4000
	if len(out) > most {
		out = out[len(out)-most:]
	}
	return string(out)
}
