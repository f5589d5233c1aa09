//go:build unix

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/relais-fr/relais/services/internal/enginetest"
)

// block is a block of shell lines in the README, and the heading it stands under.
type block struct{ heading, lines string }

// shellBlocks are the README's blocks marked sh.
func shellBlocks(t *testing.T) (blocks []block) {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	heading, within := "", false
	for line := range strings.Lines(string(readme)) {
		switch {
		case strings.HasPrefix(line, "#") && !within:
			heading = strings.TrimSpace(strings.TrimLeft(line, "#"))
		case line == "```sh\n":
			within = true
			blocks = append(blocks, block{heading: heading})
		case strings.HasPrefix(line, "```"):
			within = false
		case within:
			blocks[len(blocks)-1].lines += line
		}
	}
	return blocks
}

// TestReadmeWordByWord does what the README says, as a newcomer would: its lines
// are given to a shell as they stand, on the default ports, and its clicks are done
// in a browser. Only the data folder is another than the working folder's.
func TestReadmeWordByWord(t *testing.T) {
	ofOneProcess(t)
	t.Parallel()
	if withRace {
		t.Skip("the README's lines build without the race detector")
	}
	for _, tool := range []string{"kcat", "curl", "go"} {
		enginetest.Program(t, tool)
	}
	for _, address := range []string{"127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:9092"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			enginetest.Lacking(t, "ports", fmt.Sprintf("the README's ports are not free: %v", err))
		}
		_ = l.Close()
	}
	n := &newcomer{t: t, data: filepath.Join(t.TempDir(), "relais-data")}
	told := n.blocks()

	hub := n.start(told["go run ./cmd/hub"])
	hub.until("http http://127.0.0.1:8080\nkafka 127.0.0.1:9092\nregistry http://127.0.0.1:8081\nready\n")
	page := theBrowser(t).open(t, "http://127.0.0.1:8080/offices/demo-1")
	page.until(css("#live") + `?.innerText === "En direct"`)

	curl := told["curl"]
	n.says(curl, `"outcome":"fact"`)
	todo := css("section[aria-labelledby=list-todo]") + "?.innerText"
	page.until(todo + `?.includes("À faire") && ` + todo + `?.includes("7K3F-92QD")`)
	n.says(curl, `"outcome":"repeat"`)
	n.says(strings.Replace(curl, "7K3F-92QD", "8K3F-92QD", 1), `"code":"duplicate_id_other_content"`)
	n.says(told["echo"], "")
	page.until(todo + `?.includes("4H7P-XM3C")`)

	tail := n.start(told["go run ./cmd/hubctl tail"])
	tail.until("ReferralMade")
	page.click(css(`#fresh a[href$="/cases/cnaf.first"]`))
	page.until(css("h1") + `.innerText.includes("7K3F-92QD")`)
	n.readmeNames(page.ask("receive", 1))
	page.until(css(".state.received"))
	tail.until("ReferralReceived")
	n.readmeNames(page.ask("accept", 1))
	page.until(css(".state.accepted"))
	tail.until("ReferralAccepted")
	tail.end()
	n.says(told["n=$("], `"outcome":"fact"`)
	n.says(told["kcat -C"], "cnaf.first  ", "ce_type=fr.relais.referral.v1.ReferralAccepted")
	n.says(told["go run ./cmd/hubctl case show"], "ReferralMade", "ReferralReceived", "ReferralAccepted", "accepted")

	hub.end()
	again := n.start(told["go run ./cmd/hub"])
	again.until("ready\n")
	page.turnTo("http://127.0.0.1:8080/offices/demo-1/cases/cnaf.first")
	page.until(css(".state.accepted"))
	again.end()

	secured := n.start(told["go run ./cmd/hub --secure"])
	secured.until("ready\n")
	mailbox := n.mailbox(n.says(told["go run ./cmd/hubctl participant add"], "cnaf is let in.", "password  ", "API key  "))
	n.says(mailbox, `"id":"first-referral"`)
	rotated := n.says(told["go run ./cmd/hubctl participant rotate"], "cnaf has new secrets.", "every door is shut to it", "cnaf is let in again")
	n.says(n.mailbox(rotated), `"id":"first-referral"`)
	n.says(`curl -sS -H 'Authorization: Bearer dev-cnaf' http://127.0.0.1:8080/v1/mailbox`, `"code":"not_signed_in"`)
	secured.end()
}

// mailbox is the line with which a participant that was let in can look into it.
func (n *newcomer) mailbox(told string) string {
	n.t.Helper()
	i := strings.Index(told, "curl ")
	if i < 0 {
		n.t.Fatalf("no line to try it:\n%s", told)
	}
	line, _, _ := strings.Cut(told[i:], "\n")
	return line
}

// newcomer does what the README says.
type newcomer struct {
	t    *testing.T
	data string
}

// blocks are the README's blocks by how they begin. One that this test does not
// know would go untested, and fails it.
func (n *newcomer) blocks() map[string]string {
	n.t.Helper()
	known := []string{
		"go run ./cmd/hubctl case show", "go run ./cmd/hubctl tail", "go run ./cmd/hubctl participant add", "go run ./cmd/hubctl participant rotate",
		"go run ./cmd/hub --secure", "go run ./cmd/hub", "go test ./...", "curl", "echo", "kcat -C", "n=$(",
	}
	told := map[string]string{}
	for _, b := range shellBlocks(n.t) {
		switch {
		case b.heading == "Start", b.heading == "Ten minutes", b.heading == "Who may come in":
		// The examples' own lines are run by another test.
		case b.heading == "In your own language" && !strings.HasPrefix(b.lines, "cd deploy/examples/"):
		default:
			continue
		}
		i := slices.IndexFunc(known, func(name string) bool { return strings.HasPrefix(b.lines, name) })
		if i < 0 {
			n.t.Errorf("the README says what this test does not do:\n%s", b.lines)
			continue
		}
		told[known[i]] = b.lines
	}
	for _, name := range known {
		if told[name] == "" {
			n.t.Fatalf("the README no longer says %q", name)
		}
	}
	return told
}

// shell is a shell that runs lines in the project's folder, in a process group of
// its own, as a terminal has it.
func (n *newcomer) shell(lines string) *exec.Cmd {
	cmd := exec.Command("sh", "-c", lines)
	cmd.Dir = root
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = append(hubCommand().Env, "RELAIS_DATA="+n.data, "RELAIS_ADMIN_KEY="+filepath.Join(n.data, "admin.key"))
	return cmd
}

// says runs lines that end by themselves, wants the words in what they print, and
// returns it.
func (n *newcomer) says(lines string, words ...string) string {
	n.t.Helper()
	cmd := n.shell(lines)
	var out, trouble bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &trouble
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	limit := time.AfterFunc(time.Minute, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	err := cmd.Wait()
	limit.Stop()
	if err != nil {
		n.t.Fatalf("%s\nended with %v\n%s%s", lines, err, &out, &trouble)
	}
	for _, w := range words {
		if !strings.Contains(out.String(), w) {
			n.t.Errorf("%s\nprinted no %s:\n%s%s", lines, w, &out, &trouble)
		}
	}
	return out.String()
}

// readmeNames wants the README to call a form as the page does.
func (n *newcomer) readmeNames(form string) {
	n.t.Helper()
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		n.t.Fatal(err)
	}
	if !bytes.Contains(readme, []byte("*"+form+"*")) {
		n.t.Errorf("the README does not name the form *%s*", form)
	}
}

// terminal is one in which lines run until they are stopped.
type terminal struct {
	t     *testing.T
	lines string
	cmd   *exec.Cmd
	ended chan error

	mu    sync.Mutex
	said  bytes.Buffer
	fresh chan struct{} // closed when more is said
}

func (n *newcomer) start(lines string) *terminal {
	n.t.Helper()
	term := &terminal{t: n.t, lines: lines, cmd: n.shell(lines), ended: make(chan error, 1), fresh: make(chan struct{})}
	term.cmd.Stdout = term
	if err := term.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = syscall.Kill(-term.cmd.Process.Pid, syscall.SIGKILL) })
	go func() { term.ended <- term.cmd.Wait() }()
	return term
}

// Write takes what the lines print.
func (term *terminal) Write(p []byte) (int, error) {
	term.mu.Lock()
	defer term.mu.Unlock()
	close(term.fresh)
	term.fresh = make(chan struct{})
	return term.said.Write(p)
}

// until waits for the lines to print something.
func (term *terminal) until(words string) {
	term.t.Helper()
	limit := time.After(time.Minute)
	for {
		term.mu.Lock()
		said, fresh := term.said.String(), term.fresh
		term.mu.Unlock()
		if strings.Contains(said, words) {
			return
		}
		select {
		case <-fresh:
		case err := <-term.ended:
			term.t.Fatalf("%s ended with %v and had printed\n%s", term.lines, err, said)
		case <-limit:
			term.t.Fatalf("%s has printed no %q:\n%s", term.lines, words, said)
		}
	}
}

// end presses Ctrl-C.
func (term *terminal) end() {
	term.t.Helper()
	if err := syscall.Kill(-term.cmd.Process.Pid, syscall.SIGINT); err != nil {
		term.t.Fatal(err)
	}
	select {
	case err := <-term.ended:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			term.t.Error(err)
		}
	case <-time.After(endLimit):
		term.t.Errorf("%s still ran %v after Ctrl-C", term.lines, endLimit)
	}
}
