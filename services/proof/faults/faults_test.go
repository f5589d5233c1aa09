package faults_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/relais-fr/relais/services/proof/faults"
	"github.com/relais-fr/relais/services/proof/plug"
)

// said runs the harness as the command does.
func said(ctx context.Context, args ...string) (code int, out string) {
	var text bytes.Buffer
	code = faults.Main(ctx, args, &text, &text)
	return code, text.String()
}

func TestAHubThatIsKilledAgainAndAgainLosesNothing(t *testing.T) {
	t.Parallel()
	code, out := said(t.Context(), "--embedded", "--seed", "3", "--duration", "5s", "--rate", "100", "--plugs", "kill-hub,kill-hub-starting", "--dir", t.TempDir())
	if code != 0 {
		t.Fatalf("exit code %d:\n%s", code, out)
	}
	if !strings.Contains(out, "0 lost, 0 doubled, 0 out of order") || !strings.Contains(out, "kill-hub") {
		t.Errorf("the account is not told:\n%s", out)
	}
}

func TestADefectPutInOnPurposeIsCaught(t *testing.T) {
	t.Parallel()
	// Ids that are forgotten make a fact or a refusal of every repeat, and some
	// clients repeat themselves.
	code, out := said(t.Context(), "--embedded", "--seed", "4", "--duration", "4s", "--quiet", "3s", "--rate", "200",
		"--plugs", "kill-hub", "--defect", "ids-forgotten", "--dir", t.TempDir())
	if code != 1 || !strings.Contains(out, "doubled") || !strings.Contains(out, "IT DIFFERS") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

func TestWhatIsAskedIsUnderstoodOrSaid(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"help":              {[]string{"--help"}, 0, "-seeds"},
		"the plugs":         {[]string{"--list-plugs"}, 0, "rebalance-storm"},
		"no such plug":      {[]string{"--plugs", "kill-hub,gremlin"}, 2, `no plug is called "gremlin"`},
		"no such defect":    {[]string{"--defect", "gremlin"}, 2, `no defect is called "gremlin"`},
		"a word too many":   {[]string{"now"}, 2, `"now" is not understood`},
		"bounds":            {[]string{"--rate", "0", "--seeds", "0", "--duration", "2h"}, 2, "--duration 2h0m0s"},
		"an unknown flag":   {[]string{"--gently"}, 2, "not defined: -gently"},
		"a defect in built": {[]string{"--defect", "ids-forgotten", "--programs", "."}, 2, "--defect needs a build"},
	} {
		t.Run(name, func(t *testing.T) {
			if code, out := said(t.Context(), tc.args...); code != tc.code || !strings.Contains(out, tc.want) {
				t.Errorf("exit code %d:\n%s", code, out)
			}
		})
	}
}

func TestAnInterruptedTrialEndsWhatItStarted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithCancelCause(t.Context())
	var out interruptible
	out.at, out.then = "events/s for", func() { cancel(context.Canceled) }
	code := faults.Main(ctx, []string{"--embedded", "--plugs", "pause-hub", "--duration", "1m", "--dir", dir}, &out, &out)
	if code != 1 || strings.Contains(out.String(), "attempted") {
		t.Errorf("exit code %d:\n%s", code, out.String())
	}
	if left := holding(t, dir); left != "" {
		t.Errorf("it has left %s", left)
	}
}

// holding names a process or a mount that still uses a folder.
func holding(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "/proc/mounts") {
		if text, err := os.ReadFile(file); err == nil && bytes.Contains(text, []byte(dir)) {
			return string(bytes.ReplaceAll(text, []byte{0}, []byte(" ")))
		}
	}
	return ""
}

// interruptible is an output that does something when it is told a word.
type interruptible struct {
	bytes.Buffer
	at   string
	then func()
}

func (w *interruptible) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(w.at)) {
		w.then()
	}
	return w.Buffer.Write(p)
}

func TestEveryPlugHasANameAndASentence(t *testing.T) {
	names := map[string]bool{}
	for _, p := range plug.All() {
		if names[p.Name] || p.About == "" {
			t.Errorf("%q: every plug has a name of its own, and says what it does", p.Name)
		}
		names[p.Name] = true
	}
	if len(names) < 25 {
		t.Errorf("there are %d plugs", len(names))
	}
}
