package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/relais-fr/relais/services/internal/enginetest"
)

// clientLimit is how long a program of testdata may take.
const clientLimit = 2 * time.Minute

// steps are what a client of the registry does, in order; one of them cannot delete.
var steps = []string{"registers", "finds it again", "checks what fits", "checks what does not", "is refused what does not fit", "registers the next version", "produces", "consumes"}

// TestRegistryClientsOfOtherLanguages has Confluent's Python client and kafkajs's
// register, look up, check, hand in and read.
func TestRegistryClientsOfOtherLanguages(t *testing.T) {
	t.Parallel()
	for _, client := range []struct {
		language, participant string
		program               func(t *testing.T) *exec.Cmd
	}{
		{"Python", "cnav", func(t *testing.T) *exec.Cmd { return exec.Command(python(t), "testdata/registry.py") }},
		{"Node", "dgfip", func(t *testing.T) *exec.Cmd { return node(t, "testdata/registry.cjs") }},
	} {
		t.Run(client.language, func(t *testing.T) {
			t.Parallel()
			cmd := client.program(t)
			h := theHub(t)
			said, errs := runClient(t, cmd, h.kafka, h.registry, client.participant)
			for _, step := range steps {
				if !strings.Contains("\n"+said, "\n"+step+"\n") {
					t.Fatalf("%q is missing; it says\n%s%s", step, said, errs)
				}
			}
		})
	}
}

// TestAnotherReaderReadsTheSchemaLog has a program that knows Confluent's record format
// only read `_schemas`, deletions of every kind included.
func TestAnotherReaderReadsTheSchemaLog(t *testing.T) {
	t.Parallel()
	interpreter := python(t)
	h := theHub(t)
	for _, ask := range []struct{ method, path, body string }{
		{"PUT", "/config/e2e-log", `{"compatibility":"NONE"}`},
		{"POST", "/subjects/e2e-log/versions", `{"schema":"\"string\""}`},
		{"POST", "/subjects/e2e-log/versions", `{"schema":"{\"type\":\"enum\",\"name\":\"É\",\"symbols\":[\"A\"]}"}`}, // refused
		{"POST", "/subjects/e2e-log/versions", `{"schema":"{\"type\":\"fixed\",\"name\":\"F\",\"size\":2,\"doc\":\"<é&>\"}"}`},
		{"POST", "/subjects/e2e-log/versions", `{"schema":"\"long\""}`},
		{"DELETE", "/subjects/e2e-log/versions/1", ""},
		{"DELETE", "/subjects/e2e-log/versions/3", ""},
		{"DELETE", "/subjects/e2e-log/versions/3?permanent=true", ""},
		{"PUT", "/mode/e2e-log", `{"mode":"READONLY"}`},
		{"POST", "/subjects/e2e%2Fgone/versions", `{"schema":"\"string\""}`},
		{"DELETE", "/subjects/e2e%2Fgone", ""},
		{"POST", "/subjects/e2e%2Fforgotten/versions", `{"schema":"\"bytes\""}`},
		{"DELETE", "/subjects/e2e%2Fforgotten", ""},
		{"DELETE", "/subjects/e2e%2Fforgotten?permanent=true", ""},
	} {
		request, err := http.NewRequestWithContext(t.Context(), ask.method, h.registry+ask.path, strings.NewReader(ask.body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := httpClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
	}
	said, errs := "", ""
	// Tests beside this one register too: between reading the log and asking, something
	// may have come.
	for range 3 {
		if said, errs = runClient(t, exec.Command(interpreter, "testdata/schemalog.py"), h.kafka, h.registry); said == "" {
			break
		}
	}
	if said != "" {
		t.Errorf("log and registry differ:\n%s", said)
	}
	t.Log(strings.TrimSpace(errs))
}

// runClient runs a program of testdata to its end, which has to be a good one.
func runClient(t *testing.T, cmd *exec.Cmd, args ...string) (said, errs string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clientLimit)
	defer cancel()
	run := exec.CommandContext(ctx, cmd.Path, append(cmd.Args[1:], args...)...)
	run.Env = cmd.Env
	var stdout, stderr bytes.Buffer
	run.Stdout, run.Stderr = &stdout, &stderr
	if err := run.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", filepath.Base(cmd.Args[1]), err, &stdout, lastLines(stderr.Bytes(), 10))
	}
	return stdout.String(), stderr.String()
}

// node is a program for Node, with the modules of the folder that RELAIS_NODE names.
func node(t *testing.T, program string) *exec.Cmd {
	t.Helper()
	path := enginetest.Program(t, "node", "node")
	modules := os.Getenv("RELAIS_NODE")
	for _, module := range []string{"kafkajs", "@kafkajs/confluent-schema-registry"} {
		if _, err := os.Stat(filepath.Join(modules, module)); modules == "" || err != nil {
			enginetest.Lacking(t, "node", fmt.Sprintf("RELAIS_NODE names no folder of Node's modules with %s", module))
		}
	}
	cmd := exec.Command(path, program)
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	return cmd
}
