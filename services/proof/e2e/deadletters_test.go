package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/relais-fr/relais/schemas"
)

var update = flag.Bool("update", false, "write what hubctl now says into testdata")

// desk is where somebody works with hubctl.
type desk struct {
	t       *testing.T
	hub     *hub
	program string
	told    bytes.Buffer
}

func newDesk(t *testing.T, h *hub) *desk {
	t.Helper()
	program := filepath.Join(t.TempDir(), "hubctl")
	if err := build(program, "./cmd/hubctl"); err != nil {
		t.Fatal(err)
	}
	return &desk{t: t, hub: h, program: program}
}

// moments are times of day as hubctl shows them.
var moments = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`)

// progress is what hubctl says meanwhile, or does not when it is quick.
var progress = regexp.MustCompile(`(?m)^\d+ of \d+ redriven\n`)

// says calls hubctl and gives its exit code and all that it says.
func (w *desk) says(line string) (code int, said string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.program, strings.Fields(line)...)
	cmd.Env = append(cmd.Environ(), "RELAIS_HUB="+w.hub.http, "RELAIS_TOKEN=")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatalf("hubctl %s: %v\n%s", line, err, out)
	}
	return cmd.ProcessState.ExitCode(), moments.ReplaceAllString(string(out), "TIME")
}

// sees calls hubctl and writes down what it says.
func (w *desk) sees(line string) {
	w.t.Helper()
	code, said := w.says(line)
	fmt.Fprintf(&w.told, "$ hubctl %s\n%s", line, progress.ReplaceAllString(said, ""))
	if code != 0 {
		fmt.Fprintf(&w.told, "(exit code %d)\n", code)
	}
	w.told.WriteByte('\n')
}

// until calls hubctl until it says the words.
func (w *desk) until(line, words string) {
	w.t.Helper()
	limit := time.After(kafkaLimit)
	for {
		_, said := w.says(line)
		if strings.Contains(said, words) {
			return
		}
		select {
		case <-limit:
			w.t.Fatalf("hubctl %s does not come to say %q but\n%s", line, words, said)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// keepsAtMost sets how large a record a topic takes.
func keepsAtMost(t *testing.T, c *kgo.Client, topic, size string) {
	t.Helper()
	ask := kmsg.NewPtrIncrementalAlterConfigsRequest()
	about := kmsg.NewIncrementalAlterConfigsRequestResource()
	about.ResourceType, about.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	config.Name, config.Value = "max.message.bytes", &size
	about.Configs = append(about.Configs, config)
	ask.Resources = append(ask.Resources, about)
	answer, err := ask.RequestWith(t.Context(), c)
	if err == nil {
		err = kerr.ErrorForCode(answer.Resources[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("%s is to keep at most %s bytes: %v", topic, size, err)
	}
}

func deleteTopic(t *testing.T, c *kgo.Client, topic string) {
	t.Helper()
	ask := kmsg.NewPtrDeleteTopicsRequest()
	ask.TopicNames = []string{topic}
	about := kmsg.NewDeleteTopicsRequestTopic()
	about.Topic = &topic
	ask.Topics = append(ask.Topics, about)
	answer, err := ask.RequestWith(t.Context(), c)
	if err == nil {
		err = kerr.ErrorForCode(answer.Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("delete %s: %v", topic, err)
	}
}

func createTopic(t *testing.T, c *kgo.Client, topic string, partitions int32) {
	t.Helper()
	ask := kmsg.NewPtrCreateTopicsRequest()
	about := kmsg.NewCreateTopicsRequestTopic()
	about.Topic, about.NumPartitions, about.ReplicationFactor = topic, partitions, 1
	ask.Topics = append(ask.Topics, about)
	answer, err := ask.RequestWith(t.Context(), c)
	if err == nil {
		err = kerr.ErrorForCode(answer.Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("create %s: %v", topic, err)
	}
}

// TestDeadLettersAtATerminal is the work of those who look after what could not be
// delivered: one operator's topic takes nothing of that size, another's is gone.
// What hubctl said is testdata/deadletters.golden; -update writes it anew.
func TestDeadLettersAtATerminal(t *testing.T) {
	ofOneProcess(t)
	t.Parallel()
	h, err := startHub(t.TempDir()) // it says that deliveries are dead, as it should
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.kill)
	h.logOnFailure(t)
	kafka, at := h.kafkaClient(t), newDesk(t, h)
	at.sees("deadletters list")

	keepsAtMost(t, kafka, "relais.to.cnaf", "200")
	deleteTopic(t, kafka, "relais.to.msa")
	opened := func(office, to, name string) {
		e, _ := newReferral(office, to)
		h.fact(t, office, e.with("subject", office+"."+name).with("id", "made-"+name))
	}
	opened("demo-1", "cnaf", "a")
	h.mailUntil(t, "demo-1", reports(1)) // they take a place among what follows
	opened("demo-2", "cnaf", "b")
	opened("demo-1", "msa", "c")
	h.fact(t, "demo-1", newEvent("demo-1", schemas.TypeReferralCancelled, "demo-1.a", map[string]any{"reason": "person_asked"}).with("id", "cancelled-a"))
	h.mailUntil(t, "demo-1", reports(3))

	at.sees("deadletters list")
	at.sees("deadletters list --all --to cnaf")
	at.sees("deadletters list --as demo-2")
	at.sees("deadletters list --as cnam")
	at.sees("deadletters list --before 2000-01-01")
	at.sees("deadletters list --reason lost")
	at.sees("deadletters show 4-0/cnaf")
	at.sees("deadletters show 10-0/msa --as demo-1")
	at.sees("deadletters show 4-0/cnaf --as cnam")
	at.sees("deadletters show 4-999/cnaf")
	at.sees("deadletters show cnaf")

	at.sees("deadletters redrive")
	at.sees("deadletters redrive --all --rate 0")
	at.sees("deadletters redrive --all --rate 5001")
	at.sees("deadletters redrive --to cnaf --token dev-cnaf")
	at.sees("deadletters redrive the-first")
	at.sees("deadletters redrive 4-999")
	at.sees("deadletters redrive --all --dry-run")
	at.sees("deadletters redrive --to cnaf")
	at.sees("deadletters show 4-0/cnaf --as cnaf")

	keepsAtMost(t, kafka, "relais.to.cnaf", "1048588")
	at.sees("deadletters redrive --to cnaf --dry-run")
	at.sees("deadletters redrive 2-0")
	began := time.Now()
	at.sees("deadletters redrive --all --rate 1")
	if took := time.Since(began); took < time.Second {
		t.Errorf("two events at one a second took %v", took)
	}
	at.sees("deadletters list --to cnaf")
	checkRedriven(t, h, "relais.to.cnaf", "made-b", "made-a", "cancelled-a")

	createTopic(t, kafka, "relais.to.msa", int32(len(h.records(t, "relais.to.cnaf"))))
	at.until("deadletters list", "Everything is delivered.")
	// What waits to be written to a topic that is back is dead no more, and queued.
	at.until("deadletters show 10-0/msa", "delivered: Delivered")
	at.sees("deadletters show 10-0/msa")

	const file = "testdata/deadletters.golden"
	if *update {
		if err := os.WriteFile(file, at.told.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), at.told.String()); diff != "" {
		t.Errorf("at the terminal (-want +told):\n%s", diff)
	}
}

// reports are so many that the sender has got of what was not delivered.
func reports(n int) func(map[string][]mail) bool {
	return func(all map[string][]mail) bool {
		got := 0
		for _, mails := range all {
			for _, m := range mails {
				if m.Type == schemas.TypeDeliveryChanged {
					got++
				}
			}
		}
		return got >= n
	}
}

// checkRedriven wants these events on a topic and no others, partition by partition
// in this order, each marked as a replay and else as it stands on recorded.
func checkRedriven(t *testing.T, h *hub, topic string, ids ...string) {
	t.Helper()
	origins := map[place]*kgo.Record{}
	for _, records := range h.records(t, "relais.recorded") {
		for _, r := range records {
			origins[placeOf(t, r)] = r
		}
	}
	all := h.records(t, topic)
	var copies []*kgo.Record
	for p := range int32(len(all)) {
		copies = append(copies, all[p]...)
	}
	var got []string
	for _, r := range copies {
		got = append(got, header(r, "ce_id"))
		origin := origins[placeOf(t, r)]
		if !bytes.Equal(r.Key, origin.Key) || !bytes.Equal(r.Value, origin.Value) || !r.Timestamp.Equal(origin.Timestamp) {
			t.Errorf("%s has key %s, value %q and time %v, not those of its outcome", header(r, "ce_id"), r.Key, r.Value, r.Timestamp)
		}
		if header(r, "ce_replay") == "" {
			t.Errorf("%s is not marked", header(r, "ce_id"))
		}
		for _, hd := range r.Headers {
			if added := hd.Key == "ce_replay" || hd.Key == "ce_recipient"; !added && header(origin, hd.Key) != string(hd.Value) {
				t.Errorf("%s has %s=%s, and its outcome %q", header(r, "ce_id"), hd.Key, hd.Value, header(origin, hd.Key))
			}
		}
	}
	if diff := cmp.Diff(ids, got); diff != "" {
		t.Errorf("on %s (-want +got):\n%s", topic, diff)
	}
}
