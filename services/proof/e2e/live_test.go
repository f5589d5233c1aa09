package e2e

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

const (
	// liveLimit is the promise: from an operator's client to the office's page.
	liveLimit = time.Second
	// liveTries is how often `go test` tries it.
	liveTries = 10
)

//go:embed testdata/produce.py
var producePy string

// tries is how often the way to the page is measured.
func tries(t *testing.T) int {
	t.Helper()
	given := os.Getenv("RELAIS_TRIES")
	if given == "" {
		return liveTries
	}
	n, err := strconv.Atoi(given)
	if err != nil || n < 1 {
		t.Fatalf("RELAIS_TRIES=%q: use a number", given)
	}
	return n
}

// TestReferralComesOntoThePage has an operator publish referrals with clients that
// are not ours, and a browser that looks at the office's page see them come. It runs
// with no other test of this package.
func TestReferralComesOntoThePage(t *testing.T) {
	n := tries(t)
	t.Run("by kcat, started for each", func(t *testing.T) {
		kcat := enginetest.Program(t, "kcat", "kcat", "kafkacat")
		h, p := watchOffice(t, "demo-1")
		inTime(t, func() []time.Duration {
			var whole, fromExit []time.Duration
			for range n {
				e, reference := newReferral("cnaf", "demo-1")
				pause()
				begun := time.Now()
				publish(t, kcat, h, "relais.from.cnaf", e)
				published := time.Now()
				seen := p.sees(reference)
				whole, fromExit = append(whole, seen.Sub(begun)), append(fromExit, seen.Sub(published))
			}
			report(t, "from before kcat is started to the page", whole)
			report(t, "from kcat's end to the page", fromExit)
			return whole
		})
	})
	t.Run("by a Python producer that stays open", func(t *testing.T) {
		producer := python(t)
		h, p := watchOffice(t, "demo-2")
		publish := openProducer(t, producer, h)
		inTime(t, func() []time.Duration {
			var whole []time.Duration
			for range n {
				e, reference := newReferral("cnaf", "demo-2")
				pause()
				begun := time.Now()
				publish("relais.from.cnaf", e)
				whole = append(whole, p.sees(reference).Sub(begun))
			}
			report(t, "from produce() to the page", whole)
			return whole
		})
	})
}

// pause waits a moment: referrals do not come in step with the page, which takes a
// breath after each look.
func pause() { <-time.After(rand.N(300 * time.Millisecond)) }

// watchOffice opens the page of an office and watches what comes.
func watchOffice(t *testing.T, office string) (*hub, *page) {
	t.Helper()
	b, h := theBrowser(t), theHub(t)
	p := b.open(t, h.http+"/offices/"+office)
	p.until("document.getElementById('live')?.innerText === 'En direct'")
	if state := p.text("document.visibilityState"); state != "visible" {
		t.Fatalf("the window is %s: its timers are not a counsellor's", state)
	}
	p.watch()
	return h, p
}

// sees waits until the page shows a reference, and tells when it did.
func (p *page) sees(reference string) time.Time {
	p.t.Helper()
	limit := time.After(pageLimit)
	for {
		select {
		case s := <-p.seen:
			if s.text == reference {
				return s.at
			}
		case <-limit:
			p.t.Fatalf("%s has not come onto the page in %v; it shows\n%s", reference, pageLimit, p.shows())
		}
	}
}

// publish hands an event in by kcat as structured JSON, as the README does.
func publish(t *testing.T, kcat string, h *hub, topic string, e event) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), kcat, "-P", "-b", h.kafka, "-t", topic, "-k", schemas.Dossier(e.subject()),
		"-H", "content-type="+structured, "-X", "partitioner=murmur2_random")
	cmd.Stdin = bytes.NewReader(append(e.json(t), '\n'))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("kcat: %v\n%s", err, out)
	}
}

// openProducer starts a Python producer; what it returns publishes, and is back
// once the broker has acknowledged.
func openProducer(t *testing.T, python string, h *hub) func(topic string, e event) {
	t.Helper()
	cmd := exec.Command(python, "-c", producePy, h.kafka)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var trouble bytes.Buffer
	cmd.Stderr = &trouble
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the producer ended with %v\n%s", err, &trouble)
		}
	})
	acknowledged := bufio.NewReader(out)
	return func(topic string, e event) {
		t.Helper()
		line, err := json.Marshal(map[string]any{"topic": topic, "key": schemas.Dossier(e.subject()), "event": json.RawMessage(e.json(t))})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Write(append(line, '\n')); err != nil {
			t.Fatal(err)
		}
		if said, err := acknowledged.ReadString('\n'); err != nil || said != "acknowledged\n" {
			t.Fatalf("the producer said %q (%v)", said, err)
		}
	}
}

// report logs how long it took.
func report(t *testing.T, what string, took []time.Duration) {
	t.Helper()
	took = slices.Sorted(slices.Values(took))
	at := func(q float64) time.Duration {
		return took[min(int(q*float64(len(took))), len(took)-1)].Round(time.Millisecond)
	}
	t.Logf("%s: %d tries, least %v, p50 %v, p99 %v, most %v", what, len(took), at(0), at(0.5), at(0.99), at(1))
}

// inTime holds the tries to the promise. One of ten may be late, and the best of three
// rounds counts: a machine that runs all tests of the project at once has moments
// without a core for us, and a hub that keeps no promise keeps it in no round.
func inTime(t *testing.T, round func() []time.Duration) {
	t.Helper()
	for n := 1; ; n++ {
		took := round()
		late := 0
		for _, d := range took {
			if d >= liveLimit {
				late++
			}
		}
		if late <= len(took)/10 || withRace {
			return
		}
		t.Logf("%d of %d referrals were not on the page within %v: %v", late, len(took), liveLimit, took)
		if n == 3 {
			t.Fatalf("in %d rounds", n)
		}
	}
}
