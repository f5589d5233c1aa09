//go:build unix

package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/services/internal/enginetest"
)

// examples are those of deploy/examples, each for an operator of its own: others use
// the same hub meanwhile.
var examples = []struct {
	name, participant, service string
	// ready ends the test where what the example stands on is not installed, and says
	// with what to replace the README's words for it.
	ready func(t *testing.T, dir string) (words, by string)
}{
	{"curl", "dgfip", "impots-argent/declaration-de-revenus-en-ligne", func(t *testing.T, _ string) (string, string) {
		enginetest.Program(t, "curl")
		enginetest.Program(t, "jq")
		return "", ""
	}},
	{"kcat", "ants", "papiers-titres/renouvellement-du-titre-de-sejour", func(t *testing.T, _ string) (string, string) {
		enginetest.Program(t, "kcat")
		enginetest.Program(t, "jq")
		return "", ""
	}},
	{"python", "cnav", "retraite/releve-de-carriere", func(t *testing.T, _ string) (string, string) {
		return ".venv/bin/python", python(t)
	}},
	{"node", "cnam", "sante-handicap/carte-europeenne-d-assurance-maladie", func(t *testing.T, dir string) (string, string) {
		enginetest.Program(t, "node")
		installed(t, "node", filepath.Join(dir, "node_modules", "kafkajs"))
		return "", ""
	}},
	{"java", "ft", "emploi-formation/demande-et-suivi-de-formation", func(t *testing.T, dir string) (string, string) {
		enginetest.Program(t, "java")
		installed(t, "java", filepath.Join(dir, "target", "dependency"))
		installed(t, "java", filepath.Join(dir, "target", "classes"))
		return "", ""
	}},
}

// installed ends the test where a README's first line has not been done.
func installed(t *testing.T, tool, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		enginetest.Lacking(t, tool, fmt.Sprintf("%v: do the install line of the README beside it", err))
	}
}

// TestExamplesDoWhatTheirReadmesSay runs each example by its README's lines, and then
// does to it what happens to an operator's system: it is killed again and again while
// referrals come, what was sent goes out once more, and one referral is refused. In the
// end it has everything once, and has answered it once.
func TestExamplesDoWhatTheirReadmesSay(t *testing.T) {
	t.Parallel()
	for _, x := range examples {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(root, "deploy", "examples", x.name)
			words, by := x.ready(t, dir)
			s := newSystem(t, theHub(t), x.name, x.participant, words, by)
			orders, one, two := s.orders()

			first := s.refer(x.service)
			s.hand(orders)
			receiving := s.start()
			s.keeps(one, two+".corrected", first.id)
			receiving.kill()
			if !strings.Contains(s.said, "REFUSED "+two+" unknown_service") {
				t.Errorf("it did not say why %s was refused:\n%s", two, s.said)
			}

			second := s.refer(x.service)
			receiving = s.start()
			s.keeps(second.id)
			receiving.kill() // with or without its answer

			before, _, _ := strings.Cut(orders, "\n")
			s.hand(before + "\n")
			third := s.refer(x.service)
			receiving = s.start()
			all := []referred{first, second, third}
			for _, r := range all {
				s.keeps(r.id, "received-"+r.place)
			}
			receiving.kill()

			kept := s.kept()
			for _, id := range []string{one, two + ".corrected", first.id, second.id, third.id, "received-" + first.place, "received-" + second.place, "received-" + third.place} {
				if n := len(slices.DeleteFunc(slices.Clone(kept), func(k string) bool { return k != id })); n != 1 {
					t.Errorf("it has %s %d times", id, n)
				}
			}
			for _, r := range all {
				if got := s.h.typesOf(t, "demo-1", r.subject, 2); !cmp.Equal(got, []string{"ReferralMade", "ReferralReceived"}) {
					t.Errorf("the office got %v of %s", got, r.subject)
				}
			}
		})
	}
}

// TestExamplesSignInToASecuredHub lets an operator in for each example and gives the
// example what the hub told it, once: a password, an API key, and who signed the hub's
// certificate. The files are those that run against an open hub.
func TestExamplesSignInToASecuredHub(t *testing.T) {
	ofOneProcess(t)
	t.Parallel()
	dir, certificate := t.TempDir(), enginetest.NewCertificate(t)
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM([]byte(read(t, certificate.CertFile)))
	h := ownHub(t, dir, "--secure", "--tls-cert", certificate.CertFile, "--tls-key", certificate.KeyFile)
	admin := strings.TrimSpace(read(t, filepath.Join(dir, "data", "admin.key")))
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}}}
	t.Cleanup(client.CloseIdleConnections)
	for _, x := range examples {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			words, by := x.ready(t, filepath.Join(root, "deploy", "examples", x.name))
			who := "operator-" + x.name
			told := letIn(t, client, h.http, admin, who, "scram")
			s := newSystem(t, h, x.name, who, words, by)
			s.env = []string{"RELAIS_PASSWORD=" + told.Kafka.Password, "RELAIS_KEY=" + told.HTTP.APIKey, "RELAIS_CA=" + certificate.CertFile}
			orders, one, two := s.orders()
			s.hand(orders)
			receiving := s.start()
			s.keeps(one, two+".corrected")
			receiving.kill()
		})
	}
}

// access is what a participant is told once.
type access struct {
	Kafka struct{ Password string }
	HTTP  struct {
		APIKey string `json:"api_key"`
	}
}

// letIn lets an operator in.
func letIn(t *testing.T, client *http.Client, door, admin, who, kafka string) (told access) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, door+"/v1/participants", strings.NewReader(`{"id":"`+who+`","name":"`+who+`","role":"operator","kafka":"`+kafka+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+admin)
	r.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusCreated {
		t.Fatalf("%s is not let in: %s %v %s", who, answer.Status, err, body)
	}
	if err := json.Unmarshal(body, &told); err != nil {
		t.Fatal(err)
	}
	return told
}

// readmeLines are what an example's README says to type: the line that sends and the
// one that receives. With the hub's start it is five steps at most.
func readmeLines(t *testing.T, dir string) (send, receive string) {
	t.Helper()
	_, block, _ := strings.Cut(read(t, filepath.Join(dir, "README.md")), "```sh\n")
	block, _, _ = strings.Cut(block, "```")
	lines := strings.Split(strings.TrimSpace(block), "\n")
	if len(lines) > 4 {
		t.Errorf("it takes %d lines and the hub's start", len(lines))
	}
	i := slices.IndexFunc(lines, func(line string) bool { return strings.HasSuffix(line, "< referrals.ndjson") })
	if i < 0 || i+2 != len(lines) {
		t.Fatalf("the README does not end with a line that sends referrals.ndjson and one that receives:\n%s", block)
	}
	return strings.TrimSuffix(lines[i], "< referrals.ndjson"), lines[i+1]
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// system is an example at work as an operator's system.
type system struct {
	t             *testing.T
	h             *hub
	name          string
	participant   string
	dir, state    string
	send, receive string
	env           []string
	said          string // in all its runs
}

func newSystem(t *testing.T, h *hub, name, participant, words, by string) *system {
	t.Helper()
	s := &system{t: t, h: h, name: name, participant: participant, dir: filepath.Join(root, "deploy", "examples", name), state: t.TempDir()}
	s.send, s.receive = readmeLines(t, s.dir)
	if words != "" {
		s.send, s.receive = strings.ReplaceAll(s.send, words, by), strings.ReplaceAll(s.receive, words, by)
	}
	return s
}

// orders are the example's referrals as this participant's, and the ids of the two.
// These are of this run: engines may have been used before.
func (s *system) orders() (lines, one, two string) {
	s.t.Helper()
	run := s.name + "-" + rand.Text()[:6] + "-"
	lines = strings.NewReplacer("cnaf", s.participant, s.name+"-", run).Replace(read(s.t, filepath.Join(s.dir, "referrals.ndjson")))
	return lines, run + "1", run + "2"
}

func (s *system) command(line string) *exec.Cmd {
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = append(hubCommand().Env, "RELAIS_STATE="+s.state, "RELAIS_PARTICIPANT="+s.participant,
		"RELAIS_BROKERS="+s.h.kafka, "RELAIS_REGISTRY_URL="+s.h.registry, "RELAIS_HUB="+s.h.http)
	cmd.Env = append(cmd.Env, s.env...)
	return cmd
}

// hand sends events.
func (s *system) hand(orders string) {
	s.t.Helper()
	cmd := s.command(s.send)
	cmd.Stdin = strings.NewReader(orders)
	limit := time.AfterFunc(time.Minute, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	said, err := cmd.CombinedOutput()
	limit.Stop()
	if s.said += string(said); err != nil {
		s.t.Fatalf("%s ended with %v\n%s", s.send, err, said)
	}
}

// run is one run of the receiver.
type run struct {
	s     *system
	cmd   *exec.Cmd
	out   bytes.Buffer
	ended chan struct{}
}

func (s *system) start() *run {
	s.t.Helper()
	r := &run{s: s, cmd: s.command(s.receive), ended: make(chan struct{})}
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.out
	if err := r.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		_ = r.cmd.Wait() // killed
		close(r.ended)
	}()
	s.t.Cleanup(func() {
		r.kill()
		if s.t.Failed() {
			s.t.Logf("a run of the receiver said\n%s", &r.out)
		}
	})
	return r
}

func (r *run) kill() {
	_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
	<-r.ended
	r.s.said += r.out.String()
}

// referred is a referral that an office made.
type referred struct{ id, subject, place string }

func (s *system) refer(service string) referred {
	s.t.Helper()
	e, _ := newReferral("demo-1", s.participant)
	e["data"].(map[string]any)["service"] = service
	return referred{e["id"].(string), e.subject(), s.h.fact(s.t, "demo-1", e).Place}
}

// kept are the ids of what the receiver keeps. The last line may be half a line.
func (s *system) kept() (ids []string) {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.state, "received.ndjson"))
	if err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var e struct{ ID string }
		if strings.HasSuffix(line, "\n") {
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				s.t.Fatalf("it keeps %q: %v", line, err)
			}
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// keeps waits until the receiver keeps events.
func (s *system) keeps(ids ...string) {
	s.t.Helper()
	limit := time.After(exampleLimit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		kept := s.kept()
		missing := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return slices.Contains(kept, id) })
		if len(missing) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			s.t.Fatalf("in %v it has not received %v; it has %v", exampleLimit, missing, kept)
		}
	}
}

// exampleLimit leaves room for a reader that was killed: its group waits for it first.
const exampleLimit = 2 * time.Minute
