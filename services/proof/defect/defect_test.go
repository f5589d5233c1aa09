package defect_test

import (
	"fmt"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/relais-fr/relais/services/proof/defect"
)

func TestEveryDefectStillFitsTheCode(t *testing.T) {
	root, err := defect.Root()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, d := range slices.Concat(defect.All(), defect.Tools()) {
		t.Run(d.Name, func(t *testing.T) {
			if names[d.Name] || !strings.HasSuffix(d.Clause, ".") {
				t.Errorf("%q: every defect has a name of its own, and a clause that is a sentence", d.Name)
			}
			names[d.Name] = true
			if _, err := defect.Overlay(root, t.TempDir(), d); err != nil {
				t.Error(err)
			}
			if found, err := defect.ByName(d.Name); err != nil || len(found) != 1 {
				t.Errorf("it is not found by its name: %v", err)
			}
		})
	}
}

// TestTheCodeCompilesWithEveryDefect builds many at once: a build for each would
// take minutes. Those that change the same words go into different builds.
func TestTheCodeCompilesWithEveryDefect(t *testing.T) {
	root, err := defect.Root()
	if err != nil {
		t.Fatal(err)
	}
	for i, together := range apart(t, root) {
		t.Run(fmt.Sprintf("build %d", i+1), func(t *testing.T) {
			var names, packages []string
			for _, d := range together {
				names = append(names, d.Name)
				for _, e := range d.Edits {
					packages = append(packages, "./"+path.Dir(e.File))
				}
			}
			t.Logf("with %s", strings.Join(names, ", "))
			overlay, err := defect.Overlay(root, t.TempDir(), together...)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(packages)
			cmd := exec.CommandContext(t.Context(), "go", append([]string{"build", "-overlay", overlay}, slices.Compact(packages)...)...)
			cmd.Dir = root
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// apart puts the defects into as few builds as they fit in.
func apart(t *testing.T, root string) (builds [][]defect.Defect) {
next:
	for _, d := range slices.Concat(defect.All(), defect.Tools()) {
		for i, together := range builds {
			if _, err := defect.Overlay(root, t.TempDir(), append(slices.Clone(together), d)...); err == nil {
				builds[i] = append(together, d)
				continue next
			}
		}
		builds = append(builds, []defect.Defect{d})
	}
	return builds
}

func TestAnUnknownDefectIsToldByName(t *testing.T) {
	if _, err := defect.ByName("fold-left-out", "no-such"); err == nil || !strings.Contains(err.Error(), `"no-such"`) {
		t.Errorf("got %v", err)
	}
}
