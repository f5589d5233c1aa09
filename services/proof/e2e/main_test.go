// Package e2e proves the whole hub from outside: it builds cmd/hub, runs it as a
// process of its own and meets it as others do, with kcat, a Python client of the
// schema registry, a browser and plain HTTP; and it kills it in the middle.
//
// It knows the doors and what is promised behind them, and nothing of the hub's
// insides: those are proved by the stories of services/hub. It has tests only.
//
// A test that needs a tool is skipped with a word where the tool is missing, and
// fails instead where RELAIS_REQUIRE, a comma-separated list, names it.
// With RELAIS_E2E=local the hub that tests share is the services as processes of
// their own on the engines of RELAIS_ENGINES, as deploy/local starts them; what is
// about the hub in one process is skipped then.
// RELAIS_PYTHON is the interpreter that has confluent_kafka, and RELAIS_TRIES how
// often the way to the page is measured.
package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	// The hub is built by a command that go test's cache does not see through: with
	// this it runs the tests again when the hub has changed.
	_ "github.com/relais-fr/relais/services/hub"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

// hubProgram is the built cmd/hub.
var hubProgram string

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// buildAndRun builds the hub, runs the tests, and ends what they shared.
func buildAndRun(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "relais-e2e-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	hubProgram = filepath.Join(dir, "hub")
	if err := build(hubProgram, "./cmd/hub"); err != nil {
		return 1, err
	}
	shared.dir = dir
	// They wait for others' clients and for each other's groups more than they compute.
	flag.Parse()
	// Three brokers in Java beside them leave no room for that.
	if !onLocal() {
		if err := flag.Set("test.parallel", "8"); err != nil {
			return 1, err
		}
	}
	defer func() { err = errors.Join(err, shared.end()) }()
	return m.Run(), nil
}

// root is the project's folder.
var root = filepath.Join("..", "..", "..")

// build builds a program of the project, with the race detector if this test has
// it.
func build(program, pkg string) error {
	args := []string{"build", "-o", program}
	if withRace {
		args = append(args, "-race")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// sharedProcesses are those that the tests which break nothing have in common.
type sharedProcesses struct {
	dir string

	mu      sync.Mutex
	hub     *hub
	browser *browser
}

var shared sharedProcesses

// theHub is the hub that tests share; each has participants of its own there.
func theHub(t *testing.T) *hub {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	switch {
	case shared.hub != nil:
	case onLocal():
		shared.hub = startLocal(t)
	default:
		h, err := startHub(filepath.Join(shared.dir, "shared"))
		if err != nil {
			t.Fatal(err)
		}
		shared.hub = h
	}
	shared.hub.logOnFailure(t)
	return shared.hub
}

// theBrowser is the browser that tests share, each with pages of its own.
func theBrowser(t *testing.T) *browser {
	t.Helper()
	path := enginetest.Program(t, "chromium", "chromium", "chromium-browser", "google-chrome")
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.browser == nil {
		b, err := startBrowser(path, filepath.Join(shared.dir, "browser"))
		if err != nil {
			t.Fatal(err)
		}
		shared.browser = b
	}
	return shared.browser
}

// end ends the browser first, as it listens to the hub.
func (s *sharedProcesses) end() error {
	var problems []error
	if s.browser != nil {
		problems = append(problems, s.browser.close())
	}
	if s.hub != nil {
		problems = append(problems, s.hub.stop(), s.hub.complaint())
	}
	return errors.Join(problems...)
}

// python is an interpreter that has confluent_kafka.
func python(t *testing.T) string {
	t.Helper()
	path := os.Getenv("RELAIS_PYTHON")
	if path == "" {
		path = enginetest.Program(t, "python", "python3")
	}
	check := exec.CommandContext(t.Context(), path, "-c", "import confluent_kafka.schema_registry.avro")
	if out, err := check.CombinedOutput(); err != nil {
		enginetest.Lacking(t, "python", fmt.Sprintf("%s has no confluent_kafka with Avro (%v): %s", path, err, lastLines(out, 1)))
	}
	return path
}

// lastLines are the last lines of what a program said.
func lastLines(said []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
