package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// readyLimit is how long a hub may take from its start to `ready`.
	readyLimit = time.Minute
	// endLimit is how long it may take from SIGTERM to its end: less than those who
	// wait at its doors would stay.
	endLimit = 20 * time.Second
)

// hub is a running process of cmd/hub.
type hub struct {
	http, kafka, registry string

	cmd   *exec.Cmd
	logs  []string     // the files of what it says on standard error
	end   func() error // where it is no process of its own
	ended chan struct{}
	err   error // of its end
}

// startHub starts a hub on free ports with its data in dir, and waits until it
// says that it is ready.
func startHub(dir string, args ...string) (*hub, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	h := &hub{logs: []string{filepath.Join(dir, "hub.log")}, ended: make(chan struct{})}
	log, err := os.OpenFile(h.logs[0], os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	said, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	h.cmd = hubCommand(append([]string{
		"--http", "127.0.0.1:0", "--kafka", "127.0.0.1:0", "--registry", "127.0.0.1:0", "--data", filepath.Join(dir, "data"),
		"--probe-every", "0", // what stands on the logs is what a test put there
	}, args...)...)
	h.cmd.Stdout, h.cmd.Stderr = out, log
	err = h.cmd.Start()
	_ = out.Close()
	if err != nil {
		_ = said.Close()
		return nil, err
	}
	go func() {
		h.err = h.cmd.Wait()
		close(h.ended)
	}()
	if err := h.readDoors(said); err != nil {
		h.kill()
		return nil, fmt.Errorf("%w\n%s", err, h.lastLog(10))
	}
	return h, nil
}

// hubCommand is the hub with arguments, and with no setting from this process's
// environment.
func hubCommand(args ...string) *exec.Cmd {
	cmd := exec.Command(hubProgram, args...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "RELAIS_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	return cmd
}

// readDoors reads what the hub says on standard output: its doors, then `ready`.
func (h *hub) readDoors(said *os.File) error {
	defer func() { _ = said.Close() }()
	if err := said.SetReadDeadline(time.Now().Add(readyLimit)); err != nil {
		return err
	}
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		switch door, address, _ := strings.Cut(lines.Text(), " "); door {
		case "http":
			h.http = address
		case "kafka":
			h.kafka = address
		case "registry":
			h.registry = address
		case "ready":
			if h.http == "" || h.kafka == "" || h.registry == "" {
				return fmt.Errorf("the hub is ready and has not told all its doors: %q, %q, %q", h.http, h.kafka, h.registry)
			}
			return nil
		}
	}
	return fmt.Errorf("the hub has not said `ready`: %w", errors.Join(lines.Err(), io.ErrUnexpectedEOF))
}

// kill ends the hub as a power cut would, but for what the kernel still writes.
func (h *hub) kill() {
	_ = h.cmd.Process.Kill()
	<-h.ended
}

// stop asks the hub to end and wants it to, soon and with exit code 0.
func (h *hub) stop() error {
	if h.end != nil {
		return h.end()
	}
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return errors.Join(err, h.err)
	}
	select {
	case <-h.ended:
	case <-time.After(endLimit):
		h.kill()
		return fmt.Errorf("the hub still ran %v after SIGTERM\n%s", endLimit, h.lastLog(10))
	}
	if h.err != nil {
		return fmt.Errorf("after SIGTERM the hub ended with %w\n%s", h.err, h.lastLog(10))
	}
	return nil
}

func (h *hub) lastLog(lines int) string {
	var all []string
	for _, file := range h.logs {
		log, err := os.ReadFile(file)
		if err != nil {
			return err.Error()
		}
		all = append(all, lastLines(log, lines))
	}
	return strings.Join(all, "\n\n")
}

// logOnFailure shows the end of the hub's log beside a failed test.
func (h *hub) logOnFailure(t *testing.T) {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the hub's log ends with\n%s", h.lastLog(15))
		}
	})
}

// complaint is the first line of the hub's log that says that the hub itself is at
// fault: whatever comes from outside, there is none.
func (h *hub) complaint() error {
	for _, file := range h.logs {
		log, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(log)) {
			for _, sign := range []string{"level=ERROR", "DATA RACE", "panic"} {
				if strings.Contains(line, sign) {
					return fmt.Errorf("%s has %q", filepath.Base(file), strings.TrimSpace(line))
				}
			}
		}
	}
	return nil
}

// ownHub starts a hub for one test, which may kill it.
func ownHub(t *testing.T, dir string, args ...string) *hub {
	t.Helper()
	ofOneProcess(t)
	h, err := startHub(dir, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.kill()
		if err := h.complaint(); err != nil {
			t.Error(err)
		}
	})
	h.logOnFailure(t)
	return h
}

// answer is what came back on HTTP.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// told is the answer to an event, a problem document or not.
type told struct {
	Place, Location, Outcome, Sequence string
	Ignored                            []string

	Code, Title, Detail, Remedy string
	TitleFR                     string `json:"title_fr"`
	RemedyFR                    string `json:"remedy_fr"`
}

func (a answer) told() (t told) {
	if err := json.Unmarshal(a.body, &t); err != nil {
		t.Detail = string(a.body)
	}
	return t
}

// httpClient goes by no proxy, whatever the environment says: all is on loopback.
var httpClient = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}, Timeout: time.Minute}

// call sends a request with a participant's development token; who "" has none.
func (h *hub) call(ctx context.Context, method, path, who string, body io.Reader, headers ...string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, h.http+path, body)
	if err != nil {
		return answer{}, err
	}
	if who != "" {
		request.Header.Set("Authorization", "Bearer dev-"+who)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	response, err := httpClient.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	got, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, got}, err
}

// hand hands an event in and waits for its outcome, up to 20 seconds.
func (h *hub) hand(t *testing.T, who string, e event) answer {
	t.Helper()
	a, err := h.call(t.Context(), http.MethodPost, "/v1/events", who, bytes.NewReader(e.json(t)), "Content-Type", structured, "Prefer", "wait=20")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// fact hands an event in that has to become a fact.
func (h *hub) fact(t *testing.T, who string, e event) told {
	t.Helper()
	a := h.hand(t, who, e)
	if got := a.told(); a.status == http.StatusOK && got.Outcome == "fact" {
		return got
	}
	t.Fatalf("%s of %s was answered with %d: %s", e["type"], who, a.status, a.body)
	return told{}
}
