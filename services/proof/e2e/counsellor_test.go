package e2e

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/schemas"
)

// TestAcceptanceTravelsBack has a counsellor receive and accept a referral with the
// mouse, and the operator read both with a Python client of the schema registry.
func TestAcceptanceTravelsBack(t *testing.T) {
	t.Parallel()
	interpreter := python(t)
	b, h := theBrowser(t), theHub(t)
	e, reference := newReferral("cnaf", "demo-3")
	h.fact(t, "cnaf", e)
	heard := consume(t, interpreter, h, "relais.to.cnaf", e.subject())

	p := b.open(t, h.http+"/")
	p.enter(css("#q"), "demo-3")
	p.click(css(`#results a[href="/offices/demo-3"]`))
	p.click(css(`#fresh a[href$="/cases/` + e.subject() + `"]`))
	p.until(css("h1") + `.innerText.includes("` + reference + `")`)
	if got := p.ask("receive", 1); got != "Accuser réception" {
		t.Errorf("the form to receive a referral is called %q", got)
	}
	p.until(css(".state.received") + `?.innerText === "Reçue"`)
	if got := p.ask("accept", 1); got != "Accepter" {
		t.Errorf("the form to accept a referral is called %q", got)
	}
	p.until(css(".state.accepted") + `?.innerText === "Acceptée"`)
	if got := p.text(css("#banner") + ".innerText.trim()"); got != "Enregistré." {
		t.Errorf("after the acceptance the page says %q", got)
	}

	for sequence, typ := range []string{schemas.TypeReferralMade, schemas.TypeReferralReceived, schemas.TypeReferralAccepted} {
		record := next(t, heard)
		got := map[string]string{"key": record.Key}
		for _, name := range []string{"ce_specversion", "ce_type", "ce_subject", "ce_partitionkey", "ce_sequence", "ce_recipient", "ce_source", "content-type"} {
			got[name] = record.Headers[name]
		}
		source := "/participants/demo-3/page"
		if typ == schemas.TypeReferralMade {
			source = "/participants/cnaf/e2e"
		}
		want := map[string]string{
			"key": e.subject(), "ce_specversion": "1.0", "ce_type": typ, "ce_subject": e.subject(), "ce_partitionkey": e.subject(),
			"ce_sequence": fmt.Sprintf("%010d", sequence+1), "ce_recipient": "cnaf", "ce_source": source, "content-type": schemas.AvroContentType,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s arrives otherwise (-want +got):\n%s", typ, diff)
		}
		checkNamed(t, record)
		switch typ {
		case schemas.TypeReferralMade:
			if record.Value["reference"] != reference || record.Value["to"] != "demo-3" {
				t.Errorf("the referral is decoded as %v", record.Value)
			}
		case schemas.TypeReferralAccepted:
			if delay, ok := record.Value["planned_delay_days"]; !ok || delay != nil {
				t.Errorf("the acceptance is decoded as %v", record.Value)
			}
		}
	}
}

// checkNamed checks the headers whose values nobody can foretell.
func checkNamed(t *testing.T, r record) {
	t.Helper()
	for _, name := range []string{"ce_time", "ce_receivedtime"} {
		if at, err := time.Parse(time.RFC3339Nano, r.Headers[name]); err != nil || time.Since(at).Abs() > 10*time.Minute {
			t.Errorf("%s is %q", name, r.Headers[name])
		}
	}
	if !schemas.ValidID(r.Headers["ce_id"]) {
		t.Errorf("ce_id is %q", r.Headers["ce_id"])
	}
	if _, err := schemas.ParsePlace(r.Headers["ce_submittedpartition"] + "-" + r.Headers["ce_submittedoffset"]); err != nil {
		t.Errorf("the place is %q-%q", r.Headers["ce_submittedpartition"], r.Headers["ce_submittedoffset"])
	}
	if !strings.Contains(r.Headers["ce_dataschema"], "/schemas/ids/") {
		t.Errorf("ce_dataschema is %q", r.Headers["ce_dataschema"])
	}
	for name := range r.Headers {
		if name != strings.ToLower(name) {
			t.Errorf("the header %s is not in lower case", name)
		}
	}
}

// record is one record as consume.py tells it.
type record struct {
	Key     string
	Headers map[string]string
	Value   map[string]any
}

//go:embed testdata/consume.py
var consumePy string

// consume reads a topic with the Python client; the records of one subject come by
// the channel, which is closed when the client ends.
func consume(t *testing.T, python string, h *hub, topic, subject string) <-chan record {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, python, "-c", consumePy, h.kafka, h.registry, topic)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var trouble bytes.Buffer
	cmd.Stderr = &trouble
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	records, over := make(chan record, 1000), make(chan error, 1)
	go func() {
		defer close(records)
		lines := json.NewDecoder(bufio.NewReader(out))
		for {
			var r record
			if err := lines.Decode(&r); err != nil {
				over <- err
				return
			}
			if r.Headers["ce_subject"] == subject {
				records <- r
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		err := <-over
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the consumer ended with %v\n%s", err, &trouble)
		}
	})
	return records
}

func next(t *testing.T, records <-chan record) record {
	t.Helper()
	select {
	case r, ok := <-records:
		if !ok {
			t.Fatal("the consumer has ended")
		}
		return r
	case <-time.After(pageLimit):
		t.Fatalf("nothing came in %v", pageLimit)
	}
	return record{}
}

// TestDoubleClickIsOneEvent clicks twice on a form's button: where the page's
// script stops the second click, and where there is none and both are sent.
func TestDoubleClickIsOneEvent(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string][]string{
		"with the page's script": nil,
		"without any script":     {noScript},
	} {
		t.Run(name, func(t *testing.T) {
			b, h := theBrowser(t), theHub(t)
			e, _ := newReferral("cnaf", "demo-4")
			h.fact(t, "cnaf", e)
			h.shows(t, "/offices/demo-4/cases/"+e.subject())
			p := b.open(t, h.http+"/offices/demo-4/cases/"+e.subject(), settings...)
			p.ask("receive", 2)
			p.until(css(".state.received"))
			p.ask("accept", 2)
			p.until(css(".state.accepted"))
			if got := p.text(`String(document.querySelectorAll(".timeline > li").length)`); got != "3" {
				t.Errorf("the timeline has %s events, want 3:\n%s", got, p.shows())
			}
			if got := h.typesOf(t, "cnaf", e.subject(), 3); !cmp.Equal(got, []string{"ReferralMade", "ReferralReceived", "ReferralAccepted"}) {
				t.Errorf("the operator got %v", got)
			}
			if got := p.text(`location.pathname`); got != "/offices/demo-4/cases/"+e.subject() {
				t.Errorf("the browser ended at %s", got)
			}
		})
	}
}

// noScript keeps pages from running theirs.
const noScript = "Emulation.setScriptExecutionDisabled"

// shows waits until there is a page at a path: the desk has what was just recorded a
// moment after it was.
func (h *hub) shows(t *testing.T, path string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), pageLimit)
	defer cancel()
	for {
		a, err := h.call(ctx, http.MethodGet, path, "", nil)
		switch {
		case err != nil:
			t.Fatal(err)
		case a.status == http.StatusOK:
			return
		}
		pause()
	}
}

// typesOf are the events of a case in a participant's mailbox, once there are so many
// of them or no more come.
func (h *hub) typesOf(t *testing.T, who, subject string, count int) (types []string) {
	t.Helper()
	for limit := time.Now().Add(pageLimit); ; {
		if types = h.typesNow(t, who, subject); len(types) >= count || time.Now().After(limit) {
			return types
		}
		pause()
	}
}

func (h *hub) typesNow(t *testing.T, who, subject string) (types []string) {
	t.Helper()
	for cursor := ""; ; {
		a, err := h.call(t.Context(), http.MethodGet, "/v1/mailbox?cursor="+cursor, who, nil)
		if err != nil || a.status != http.StatusOK {
			t.Fatalf("the mailbox answered %d (%v): %s", a.status, err, a.body)
		}
		var events []struct{ Type, Subject string }
		if err := json.Unmarshal(a.body, &events); err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Subject == subject {
				types = append(types, e.Type[strings.LastIndexByte(e.Type, '.')+1:])
			}
		}
		if cursor = a.header.Get("Relais-Cursor"); len(events) == 0 {
			return types
		}
	}
}

// TestPageWithoutScript does a counsellor's work in a browser that runs no script:
// it finds the office, sees what is there, makes a referral, records a visit, is
// refused, and sees the outcome each time.
func TestPageWithoutScript(t *testing.T) {
	t.Parallel()
	b, h := theBrowser(t), theHub(t)
	e, reference := newReferral("cnaf", "demo-5")
	h.fact(t, "cnaf", e)
	h.shows(t, "/offices/demo-5/cases/"+e.subject())
	p := b.open(t, h.http+"/", noScript)
	p.enter(css("#q"), "Saint-Malo")
	p.click(css("form[role=search] button"))
	p.click(css(`#results a[href="/offices/demo-5"]`))
	p.until(css("#fresh") + `?.innerText.includes("` + reference + `")`)

	p.click(css(`nav.do a[href$="/new/referral"]`))
	p.choose(css("select[name=service]"), "cnaf "+service)
	p.click(css("form.ask button"))
	p.until(css("#banner") + `?.innerText.trim() === "Enregistré."`)
	made := p.text(css(".reference") + ".innerText")
	id := p.text(`decodeURIComponent(location.pathname.split("/").pop())`)
	if got := h.typesOf(t, "cnaf", id, 1); !cmp.Equal(got, []string{"ReferralMade"}) || !schemas.ValidReference(made) {
		t.Errorf("%s is on the page and the operator got %v", made, got)
	}

	p.turnTo(h.http + "/offices/demo-5/new/visit")
	p.click(css("form.ask button"))
	p.until(css("#banner") + `?.innerText.trim() === "Enregistré."`)
	if got := p.text(css("#visits .count") + ".innerText"); got != "1" {
		t.Errorf("%s visits are counted today, want 1", got)
	}

	p.turnTo(h.http + "/offices/demo-5/cases/" + e.subject())
	p.until(formOf("refuse"))
	h.fact(t, "cnaf", newEvent("cnaf", schemas.TypeReferralCancelled, e.subject(), map[string]any{"reason": "person_asked"}))
	p.choose(formOf("refuse")+"?.querySelector('select[name=reason]')", "no_capacity")
	p.ask("refuse", 1)
	p.until(css(".banner.refused"))
	banner := p.text(css(".banner.refused") + ".innerText")
	for _, words := range []string{"Cette action n'est pas possible dans l'état actuel du dossier.", "Consultez l'état du dossier"} {
		if !strings.Contains(banner, words) {
			t.Errorf("the refusal is told without %q:\n%s", words, banner)
		}
	}
}

// TestPageOfABusyOffice has more referrals than the page shows.
func TestPageOfABusyOffice(t *testing.T) {
	t.Parallel()
	h := theHub(t)
	const made, shown = 120, 50
	var batch [][]byte
	for range made {
		e, _ := newReferral("cnaf", "demo-22")
		batch = append(batch, e.json(t))
	}
	body := append(append([]byte("["), bytes.Join(batch, []byte(","))...), ']')
	a, err := h.call(t.Context(), http.MethodPost, "/v1/events", "cnaf", bytes.NewReader(body),
		"Content-Type", "application/cloudevents-batch+json", "Prefer", "wait=10")
	if err != nil || bytes.Count(a.body, []byte(`"outcome":"fact"`)) != made {
		t.Fatalf("%d %.500s (%v)", a.status, a.body, err)
	}
	limit := time.After(pageLimit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		a, err := h.call(t.Context(), http.MethodGet, "/offices/demo-22", "", nil)
		// "Not yet" is what a page says while its very first events are stored.
		if err != nil || a.status != http.StatusOK && a.status != http.StatusServiceUnavailable {
			t.Fatalf("the page is answered with %d (%v)", a.status, err)
		}
		rows, counted := bytes.Count(a.body, []byte(`href="/offices/demo-22/cases/`)), bytes.Contains(a.body, []byte(`<span class="count">120</span>`))
		if rows == shown && counted {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("the page shows %d referrals of %d and has counted all: %t", rows, made, counted)
		}
	}
}
