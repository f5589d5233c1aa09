package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
	dir "github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/directory/deadline"
)

var update = flag.Bool("update", false, "write what the stories now say into testdata")

// TestStories plays each story of testdata through a whole hub and compares what
// everybody then saw. A line that begins with `>` is done, the lines beneath are
// what came of it. `go test ./services/hub -run Stories -update` writes them anew.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.story")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".story"), func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var got string
			synctest.Test(t, func(t *testing.T) { got = play(t, string(want)) })
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("the story goes otherwise (-told +happened):\n%s", diff)
			}
		})
	}
}

func play(t *testing.T, text string) string {
	// It starts with the first that happens: what a story waits before costs nothing.
	town := emptyTown(t)
	defer func() { town.stop() }()
	var told strings.Builder
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, ">"):
			told.WriteString(line)
			told.WriteString(town.do(strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), ">"))))
		case strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "":
			told.WriteString(line)
		}
	}
	return told.String()
}

// town is a hub on a network in memory, and those who live with it.
type town struct {
	t       *testing.T
	network *kfake.VirtualNetwork
	client  *http.Client
	broker  *broker.Broker
	cursors map[string]string
	data    string
	secure  bool
	stop    func()
}

func newTown(t *testing.T) *town {
	town := emptyTown(t)
	town.start()
	return town
}

// emptyTown is a town whose hub does not run yet.
func emptyTown(t *testing.T) *town {
	town := &town{t: t, network: new(kfake.VirtualNetwork), cursors: map[string]string{}, data: filepath.Join(t.TempDir(), "data"), stop: func() {}}
	town.client = &http.Client{Transport: &http.Transport{DialContext: town.network.DialContext, DisableKeepAlives: true}}
	return town
}

// start starts a hub and waits until it says that it is ready.
func (w *town) start() {
	w.t.Helper()
	settings := config.DefaultHub()
	settings.Partitions, settings.Data = 3, w.data
	settings.Secure = w.secure
	settings.ProbeEvery = 0 // places and counts are the story's own
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("RELAIS_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	said, out := io.Pipe()
	h := New(settings, log, out, Network{Listen: w.network.Listen, Dial: w.network.DialContext})
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() {
		err := h.Run(ctx)
		_ = out.CloseWithError(io.EOF)
		done <- err
	}()
	var heard strings.Builder
	for buffer := make([]byte, 256); !strings.Contains(heard.String(), "ready\n"); {
		n, err := said.Read(buffer)
		heard.Write(buffer[:n])
		if err != nil {
			w.t.Fatalf("the hub ended (%v) after it said %q", <-done, heard.String())
		}
	}
	var err error
	w.broker, err = broker.New(broker.Config{Brokers: []string{settings.Kafka}, Dial: w.network.DialContext})
	if err != nil {
		w.t.Fatal(err)
	}
	w.stop = func() {
		_ = w.broker.Close()
		w.client.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("the hub ended with %v", err)
		}
	}
}

// do does one line and tells what came of it.
func (w *town) do(words []string) string {
	if words[0] == "wait" {
		d, err := time.ParseDuration(words[1])
		if err != nil {
			w.t.Fatal(err)
		}
		<-time.After(d)
		return ""
	}
	if w.broker == nil {
		w.start()
	}
	switch {
	case words[0] == "set":
		w.set(words[1], strings.Join(words[2:], " "))
		return ""
	case words[0] == "restart":
		w.stop()
		w.start()
		return ""
	case words[1] == "reads":
		return w.reads(words[0])
	case words[1] == "replays":
		return w.replays(words[0], strings.Join(words[2:], " "))
	case words[1] == "shows":
		return w.shows(words[0], words[2], words[3:])
	case words[1] == "posts":
		return w.posts(words[0], w.event(words[0], words[2:]))
	case words[1] == "writes":
		return w.writes(words[0], w.event(words[0], words[2:]))
	}
	w.t.Fatalf("a story cannot do %q", words)
	return ""
}

// set changes a deadline, as an admin did a minute ago.
func (w *town) set(setting, asked string) {
	value, err := deadline.Change(setting, "", asked, time.Now().Add(-time.Minute))
	if err != nil {
		w.t.Fatal(err)
	}
	record, err := dir.Setting{Name: setting, Value: value}.Record()
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.broker.Produce(w.t.Context(), broker.Record{Topic: "relais.directory", Key: []byte(record.Key), Value: record.Value}); err != nil {
		w.t.Fatal(err)
	}
}

// alias is a case id as stories write it: d1 stands for a UUID.
var alias = regexp.MustCompile(`\bd([0-9])\b`)

const aliased = "00000000-0000-7000-8000-00000000000"

func unalias(s string) string { return alias.ReplaceAllString(s, aliased+"$1") }

func realias(s string) string { return strings.ReplaceAll(s, aliased, "d") }

// event reads `<id> <Type> about <case> [attribute=value …] <data>`.
func (w *town) event(who string, words []string) map[string]any {
	e := map[string]any{
		"specversion": "1.0", "id": words[0], "source": schemas.Source(who, "story"), "subject": unalias(words[3]),
		"type": typeNamed(words[1]), "time": time.Now().UTC().Format(time.RFC3339), "datacontenttype": "application/json",
	}
	rest := words[4:]
	for len(rest) > 0 && !strings.HasPrefix(rest[0], "{") {
		name, value, _ := strings.Cut(rest[0], "=")
		e[name] = unalias(value)
		rest = rest[1:]
	}
	data := unalias(strings.Join(rest, " "))
	if data == "" {
		data = "{}"
	}
	e["data"] = json.RawMessage(data)
	return e
}

func typeNamed(name string) string {
	for _, e := range schemas.Catalogue() {
		if e.Name == name {
			return e.Type
		}
	}
	return "fr.relais.referral.v1." + name
}

func (w *town) posts(who string, event map[string]any) string {
	body, err := json.Marshal(event)
	if err != nil {
		w.t.Fatal(err)
	}
	answer, status, _ := w.call(http.MethodPost, "/v1/events", who, schemas.StructuredContentType, body, "Prefer", "wait=30")
	var told struct {
		Outcome, Sequence, Code, Detail string
		First                           struct{ Place string }
	}
	if err := json.Unmarshal(answer, &told); err != nil {
		return fmt.Sprintf("%d %s\n", status, answer)
	}
	switch {
	case told.Code != "":
		return strings.TrimSpace(realias(fmt.Sprintf("refused %s %s", told.Code, told.Detail))) + "\n"
	case told.Sequence != "":
		return told.Outcome + " " + told.Sequence + "\n"
	case told.First.Place != "":
		return told.Outcome + " of " + told.First.Place + "\n"
	}
	return told.Outcome + "\n"
}

func (w *town) writes(who string, event map[string]any) string {
	body, err := json.Marshal(event)
	if err != nil {
		w.t.Fatal(err)
	}
	key := schemas.Dossier(event["subject"].(string))
	_, err = w.broker.Produce(w.t.Context(), broker.Record{
		Topic: "relais.from." + who, Key: []byte(key), Value: body, Time: time.Now(),
		Headers: []schemas.Header{{Key: "content-type", Value: []byte(schemas.StructuredContentType)}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return ""
}

// reads tells what came to a participant's mailbox since it last looked.
func (w *town) reads(who string) string {
	<-time.After(2 * time.Second)
	var told strings.Builder
	for {
		answer, status, header := w.call(http.MethodGet, "/v1/mailbox?cursor="+w.cursors[who], who, "", nil)
		var events []struct {
			Type, Subject, Sequence, Source, Late, Replay string
			Data                                          struct {
				Reason       string
				SubmissionID string `json:"submission_id"`
			}
		}
		if err := json.Unmarshal(answer, &events); status != http.StatusOK || err != nil {
			return told.String() + fmt.Sprintf("%d %s\n", status, answer)
		}
		w.cursors[who] = header.Get("Relais-Cursor")
		if len(events) == 0 {
			if told.Len() == 0 {
				return "nothing\n"
			}
			return told.String()
		}
		for _, e := range events {
			line := fmt.Sprintf("%s %s about %s", e.Sequence, e.Type[strings.LastIndexByte(e.Type, '.')+1:], realias(e.Subject))
			if e.Data.SubmissionID != "" {
				line += " of " + e.Data.SubmissionID
			}
			if e.Data.Reason != "" {
				line += ": " + e.Data.Reason
			}
			if e.Late == "true" {
				line += " (late)"
			}
			if e.Replay != "" {
				line += " (replayed)"
			}
			told.WriteString(strings.TrimSpace(line) + "\n")
		}
	}
}

// replays asks for events again and tells the last line of the answer.
func (w *town) replays(who, body string) string {
	answer, status, _ := w.call(http.MethodPost, "/v1/replays", who, "application/json", []byte(unalias(body)))
	lines := strings.Split(strings.TrimSpace(string(answer)), "\n")
	var told struct {
		Code, Detail, Cursor string
		DryRun               bool `json:"dry_run"`
		Events               int
		Done                 bool
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &told); err != nil {
		w.t.Fatalf("%s: %v", answer, err)
	}
	switch {
	case status != http.StatusOK:
		return fmt.Sprintf("%d %s: %s\n", status, told.Code, told.Detail)
	case !told.Done:
		return "not done\n"
	case told.DryRun:
		return fmt.Sprintf("%d would be written again\n", told.Events)
	}
	return fmt.Sprintf("%d written again\n", told.Events)
}

// shows tells the state of a dossier's cases, and how many outcomes led there, now or
// as of some time ago: `d1 as of 10m ago`.
func (w *town) shows(who, about string, asOf []string) string {
	path := "/v1/cases/" + unalias(about)
	if len(asOf) > 0 {
		ago, err := time.ParseDuration(asOf[2])
		if err != nil {
			w.t.Fatal(err)
		}
		path += "?at=" + time.Now().Add(-ago).UTC().Format(time.RFC3339Nano)
	}
	answer, status, _ := w.call(http.MethodGet, path, who, "", nil)
	var told struct {
		Cases    []struct{ Case, State string }
		Timeline []struct{ Outcome string }
		Code     string
	}
	if err := json.Unmarshal(answer, &told); err != nil {
		w.t.Fatal(err)
	}
	if status != http.StatusOK {
		return fmt.Sprintf("%d %s\n", status, told.Code)
	}
	var lines strings.Builder
	for _, c := range told.Cases {
		fmt.Fprintf(&lines, "%s %s\n", realias(c.Case), c.State)
	}
	fmt.Fprintf(&lines, "after %d outcomes\n", len(told.Timeline))
	return lines.String()
}

func (w *town) call(method, path, who, contentType string, body []byte, headers ...string) ([]byte, int, http.Header) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), method, "http://127.0.0.1:8080"+path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer dev-"+who)
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := w.client.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer, response.StatusCode, response.Header
}

func TestTwoWholeHubsLiveSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		paris, lyon := newTown(t), newTown(t)
		defer paris.stop()
		defer lyon.stop()
		words := strings.Fields(`e1 ReferralMade about d1 {"from":"cnaf","to":"demo-1","service":"social-famille/demande-ou-actualisation-du-rsa","reference":"7K3F-92QD"}`)
		if got := paris.posts("cnaf", paris.event("cnaf", words)); got != "fact 0000000001\n" {
			t.Errorf("in Paris: %s", got)
		}
		if got := lyon.reads("cnaf"); got != "nothing\n" {
			t.Errorf("in Lyon cnaf reads %s", got)
		}
		if got := paris.reads("demo-1"); got != "0000000001 ReferralMade about d1\n" {
			t.Errorf("in Paris demo-1 reads %s", got)
		}
	})
}
