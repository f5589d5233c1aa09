package e2e

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestHubThatCannotStart starts hubs that cannot run, and reads what they say: one
// sentence that tells which and what to do, and the exit code.
func TestHubThatCannotStart(t *testing.T) {
	ofOneProcess(t)
	t.Parallel()
	h := theHub(t)
	taken := strings.TrimPrefix(h.http, "http://")
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "letters.txt"), []byte("dear"), 0o600); err != nil {
		t.Fatal(err)
	}
	newer := t.TempDir()
	if err := os.WriteFile(filepath.Join(newer, "FORMAT"), []byte("relais-data 99\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := silent.Addr().String()
	_ = silent.Close()
	free := func(args ...string) []string {
		return append([]string{"--http", "127.0.0.1:0", "--kafka", "127.0.0.1:0", "--registry", "127.0.0.1:0"}, args...)
	}
	for name, start := range map[string]struct {
		args []string
		code int
		says []string // all of them, in one line
	}{
		"the data folder is another hub's": {
			free("--data", filepath.Join(shared.dir, "shared", "data")), 1, []string{"in use by another hub", "shared/data", "--data"},
		},
		"the data folder holds something else":     {free("--data", other), 1, []string{"letters.txt", "--data"}},
		"the data folder is of a newer version":    {free("--data", newer), 1, []string{"relais-data 99", "use the hub version that wrote it"}},
		"the port for HTTP is taken":               {free("--http", taken, "--data", t.TempDir()), 1, []string{taken, "--http"}},
		"the port for Kafka is taken":              {free("--kafka", taken, "--data", t.TempDir()), 1, []string{taken, "--kafka"}},
		"the port for the registry is taken":       {free("--registry", taken, "--data", t.TempDir()), 1, []string{taken, "--registry"}},
		"the broker does not answer":               {free("--brokers", nobody, "--data", t.TempDir()), 1, []string{nobody, "--brokers"}},
		"the flag is unknown":                      {free("--color", "blue"), 2, []string{"-color"}},
		"the address has no port":                  {free("--http", "localhost"), 2, []string{`--http "localhost"`, "host:port"}},
		"the address is not on loopback":           {free("--http", "0.0.0.0:0"), 2, []string{"--http 0.0.0.0:0", "loopback"}},
		"a setting is given without its name":      {free("data"), 2, []string{`"data"`, "--name value"}},
		"the number of partitions is out of range": {free("--partitions", "0"), 2, []string{"--partitions 0", "1 to 1000"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out, said := runHub(t, start.args...)
			if code != start.code {
				t.Errorf("the exit code is %d, want %d", code, start.code)
			}
			if out != "" {
				t.Errorf("standard output has %q", out)
			}
			own := ownLines(said)
			if len(own) == 0 || !strings.HasPrefix(own[0], "hub: ") && start.code == 1 {
				t.Fatalf("no sentence in\n%s", said)
			}
			for _, words := range start.says {
				if !strings.Contains(own[0], words) {
					t.Errorf("the sentence is %q, without %q", own[0], words)
				}
			}
			if start.code == 1 && len(own) > 1 {
				t.Errorf("more than one sentence:\n%s", strings.Join(own, "\n"))
			}
			if len(own) > 2 {
				t.Errorf("all usage is told where one line is wrong:\n%s", strings.Join(own, "\n"))
			}
		})
	}
}

// runHub runs a hub that ends by itself.
func runHub(t *testing.T, args ...string) (code int, out, said string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := hubCommand(args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(2*readyLimit, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	if !limit.Stop() {
		t.Fatalf("it still ran after %v:\n%s", 2*readyLimit, &stderr)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// ownLines are the lines that are no log.
func ownLines(said string) (lines []string) {
	for line := range strings.Lines(said) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "time=") {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestHubExplainsItself asks for help and for the version.
func TestHubExplainsItself(t *testing.T) {
	ofOneProcess(t)
	t.Parallel()
	code, out, said := runHub(t, "--help")
	if code != 0 {
		t.Errorf("--help ends with %d", code)
	}
	for _, flag := range []string{"http", "kafka", "registry", "data", "brokers", "redis", "registry-url", "log-level", "version"} {
		if !regexp.MustCompile(`(?m)^\s+-+` + flag + `\b.*\n\s+\S`).MatchString(out + said) {
			t.Errorf("--help does not explain --%s", flag)
		}
	}
	code, out, said = runHub(t, "--version")
	if code != 0 || said != "" || !regexp.MustCompile(`^hub \S+\n$`).MatchString(out) {
		t.Errorf("--version ends with %d and says %q and %q", code, out, said)
	}
}

// TestHubEndsWhenAsked sends SIGTERM while a page listens, a mailbox waits and an
// event is waited for.
func TestHubEndsWhenAsked(t *testing.T) {
	t.Parallel()
	h := ownHub(t, t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	page, err := http.NewRequestWithContext(ctx, http.MethodGet, h.http+"/offices/demo-1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	listening, err := httpClient.Do(page)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listening.Body.Close() }()
	if _, err := listening.Body.Read(make([]byte, 1)); err != nil {
		t.Fatalf("the page's stream: %v", err)
	}
	waiting := make(chan answer, 1)
	go func() {
		a, _ := h.call(ctx, http.MethodGet, "/v1/mailbox", "cnaf", nil, "Prefer", "wait=30")
		waiting <- a
	}()
	begun := time.Now()
	if err := h.stop(); err != nil {
		t.Error(err)
	}
	t.Logf("it took %v to end", time.Since(begun).Round(time.Millisecond))
	<-waiting
}
