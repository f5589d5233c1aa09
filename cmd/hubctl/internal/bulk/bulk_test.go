package bulk

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/relais-fr/relais/cmd/hubctl/internal/datatest"
	"github.com/relais-fr/relais/cmd/hubctl/internal/door"
	"github.com/relais-fr/relais/cmd/hubctl/internal/feed"
)

// write makes a file of lines.
func write(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "events.ndjson")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (h *hub) importOf(file string, progress Progress) *Import {
	return &Import{
		Client: h.client(), File: file, Format: feed.CloudEvents{}, FormatName: "cloudevents", Journal: file + ".journal",
		Streams: 4, Patience: time.Minute, Progress: progress,
	}
}

func counts(t *testing.T, what string, want Counts, got Report) {
	t.Helper()
	if diff := cmp.Diff(want, got.Counts); diff != "" {
		t.Errorf("%s (-want +got)\n%s", what, diff)
	}
	if got.Open != 0 {
		t.Errorf("%s: %d lines have no outcome", what, got.Open)
	}
}

// appointments are lines of so many appointments, each booked and then attended.
func appointments(n int) (lines []string) {
	for i := range n {
		id := fmt.Sprintf("cnaf.%04d", i)
		lines = append(lines, booked(id), attended(id+"-seen", id))
	}
	return lines
}

func TestEveryLineIsAccountedFor(t *testing.T) {
	h := newHub(t)
	file := write(t,
		booked("cnaf.a"), "", attended("late-1", "cnaf.b"), `{"specversion":"1.0"`, attended("x", "cnaf.nowhere"),
		booked("cnaf.a"), "   ", booked("cnaf.b"), attended("late-2", "cnaf.b"), strings.Repeat("x", maxLine+1),
	)
	got, err := h.importOf(file, &notes{}).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := Report{
		File: file, Lines: 10, Blank: 2, Counts: Counts{Facts: 4, Repeats: 1, Refusals: 3}, Events: 4, RunLines: 8,
		ByKind: map[string]Counts{
			"AppointmentBooked": {Facts: 2, Repeats: 1}, "AppointmentAttended": {Facts: 2, Refusals: 1}, "unreadable": {Refusals: 2},
		},
		Refused: []Refused{
			{Reason: "malformed", Detail: "line", Count: 1, Lines: []int{4}},
			{Reason: "not_a_party", Detail: "subject", Count: 1, Lines: []int{5}},
			{Reason: "too_large", Detail: "line: at most 1048576 bytes", Count: 1, Lines: []int{10}},
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Report{}, "SHA256", "Seconds", "EventsPerSecond")); diff != "" {
		t.Error("report (-want +got)\n" + diff)
	}
	var b []string
	for _, id := range h.taken {
		if id == "cnaf.b" || strings.HasPrefix(id, "late") {
			b = append(b, id)
		}
	}
	if diff := cmp.Diff([]string{"cnaf.b", "late-1", "late-2"}, b); diff != "" {
		t.Error("lines before and after their opener (-want +got)\n" + diff)
	}
}

func TestSecondImportIsAllRepeats(t *testing.T) {
	h := newHub(t)
	file := write(t, appointments(50)...)
	got, err := h.importOf(file, &notes{}).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	counts(t, "first", Counts{Facts: 100}, got)

	got, err = h.importOf(file, &notes{}).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	counts(t, "again", Counts{Repeats: 100}, got)
	if got.Events != 100 {
		t.Errorf("the lines stand for %d events, want 100", got.Events)
	}
}

func TestHubThatFalters(t *testing.T) {
	for name, falter := range map[string]func(h *hub){
		"cuts its answers off":           func(h *hub) { h.cutAfter = 7 },
		"is not ready now and then":      func(h *hub) { h.busyEvery = 3 },
		"does not take some lines":       func(h *hub) { h.balk["cnaf.0003"], h.balk["cnaf.0004-seen"] = true, true },
		"takes its time to decide":       func(h *hub) { h.slow["cnaf.0003"], h.slow["cnaf.0007-seen"] = true, true },
		"does all that at the same time": func(h *hub) { h.cutAfter, h.busyEvery, h.slow["cnaf.0001"] = 11, 4, true },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHub(t)
			falter(h)
			got, err := h.importOf(write(t, appointments(20)...), &notes{}).Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got.Facts+got.Repeats != 40 || got.Refusals != 0 || got.Open != 0 || got.Events != 40 || len(h.taken) != 40 {
				t.Errorf("report %+v, %d facts on the hub", got, len(h.taken))
			}
		})
	}
}

func TestImportGoesOnAfterItWasStopped(t *testing.T) {
	h := newHub(t)
	ctx, stop := context.WithCancel(t.Context())
	h.onTaken = func(n int) {
		if n == 500 {
			stop()
		}
	}
	file := write(t, appointments(1000)...)
	first, err := h.importOf(file, &notes{}).Run(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("stopped with %v", err)
	}
	if first.Open == 0 {
		t.Fatal("it was stopped too late to show anything")
	}
	progress := &notes{}
	got, err := h.importOf(file, progress).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Facts+got.Repeats != 2000 || got.Refusals != 0 || got.Events != 2000 || len(h.taken) != 2000 {
		t.Errorf("report %+v, %d facts on the hub", got, len(h.taken))
	}
	if got.RunLines != first.Open {
		t.Errorf("%d lines handed in after %d were left open", got.RunLines, first.Open)
	}
	if done := 2000 - first.Open; !progress.has(fmt.Sprintf("start at %d", done)) {
		t.Errorf("progress %q, want a start at %d", progress.lines, done)
	}
}

func TestJournalThatWasCutOffIsGoneOnWith(t *testing.T) {
	h := newHub(t)
	im := h.importOf(write(t, appointments(10)...), &notes{})
	if _, err := im.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(im.Journal)
	if err != nil {
		t.Fatal(err)
	}
	for cut := 0; cut < len(whole); cut += 7 {
		if err := os.WriteFile(im.Journal, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := im.Run(t.Context())
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if got.Facts+got.Repeats != 20 || got.Open != 0 || got.Events != 20 {
			t.Errorf("cut at %d: %+v", cut, got)
		}
	}
}

func TestJournalThatIsNotTheFiles(t *testing.T) {
	h := newHub(t)
	for name, c := range map[string]struct{ journal, says string }{
		"of another file":     {`{"journal":1,"sha256":"00","lines":2,"format":"cloudevents"}` + "\n", "the journal of another file"},
		"no journal":          {"Dear diary,\n", "no journal of an import"},
		"a line that is none": {"", "not a line that an import writes"},
	} {
		t.Run(name, func(t *testing.T) {
			im := h.importOf(write(t, appointments(1)...), &notes{})
			if c.journal == "" {
				if _, err := im.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				good, err := os.ReadFile(im.Journal)
				if err != nil {
					t.Fatal(err)
				}
				c.journal = string(good) + "3 fact AppointmentBooked 0-1\n"
			}
			if err := os.WriteFile(im.Journal, []byte(c.journal), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := im.Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "--restart") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestWhatNoLaterTryCanMendEndsTheImport(t *testing.T) {
	h := newHub(t)
	h.status = 401
	_, err := h.importOf(write(t, appointments(10)...), &notes{}).Run(t.Context())
	var p *door.Problem
	if !errors.As(err, &p) || p.Status != 401 {
		t.Errorf("error %v", err)
	}
}

func TestHubThatStaysAwayIsGivenUp(t *testing.T) {
	h := newHub(t)
	h.status = 503
	im := h.importOf(write(t, appointments(10)...), &notes{})
	im.Patience = 300 * time.Millisecond
	got, err := im.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "given up after") || got.Open != 20 {
		t.Errorf("error %v, report %+v", err, got)
	}
}

func TestTroubleIsToldOnceAndSoIsItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := &notes{}
		p := patience{limit: time.Minute, note: told.Note}
		away := errors.New("nobody answers")
		for range 30 {
			if err := p.trouble(away); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if err := p.trouble(nil); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"trying again: nobody answers", "the hub takes events again"}, told.lines); diff != "" {
			t.Error("told (-want +got)\n" + diff)
		}
		for range 60 {
			if err := p.trouble(away); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if err := p.trouble(away); !errors.Is(err, away) || err.Error() != "given up after 1m0s: nobody answers" {
			t.Errorf("after a minute: %v", err)
		}
	})
}

func TestFilesThatCannotBeRead(t *testing.T) {
	h := newHub(t)
	packed := filepath.Join(t.TempDir(), "events.ndjson.gz")
	f, err := os.Create(packed)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	_, err = z.Write([]byte(strings.Join(appointments(1000), "\n")))
	if err = errors.Join(err, z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	got, err := h.importOf(packed, &notes{}).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	counts(t, "a gzipped file", Counts{Facts: 2000}, got)
	whole, err := os.ReadFile(packed)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(packed, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	im := h.importOf(packed, &notes{})
	im.Journal += ".new"
	if _, err := im.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "damaged after line") {
		t.Errorf("a file cut off: %v", err)
	}
}

// TestLateLinesOfTheSimulatedDay finds those that were typed before what they
// depend on.
func TestLateLinesOfTheSimulatedDay(t *testing.T) {
	day := datatest.Day(t)
	s, err := input{day}.look(t.Context(), feed.Neutral{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Lines != 52_675 || s.Blank != 0 || len(s.late) != 71 {
		t.Errorf("%d lines, %d blank, %d late; want 52,675, 0 and 71", s.Lines, s.Blank, len(s.late))
	}
}

func TestReportInWords(t *testing.T) {
	r := Report{
		File: "day.ndjson.gz", Lines: 52_675, Blank: 1, Counts: Counts{52_000, 207, 467}, Open: 1, Events: 52_000,
		ByKind:   map[string]Counts{"VisitRecorded": {41_213, 207, 0}, "ReferralMade": {10_787, 0, 467}},
		Refused:  []Refused{{"unknown_service", "service: not in the directory", 466, slices.Repeat([]int{7}, 466)}, {"malformed", "", 1, []int{9}}},
		RunLines: 52_674, HandedInAgain: 12, Seconds: 8.7, EventsPerSecond: 6054,
	}
	const want = `day.ndjson.gz: 52,675 lines, 1 of them blank

                                  facts      repeats     refusals
  ReferralMade                   10,787            0          467
  VisitRecorded                  41,213          207            0
  all                            52,000          207          467

  On the hub for these lines: 52,000 events.
  refused unknown_service: 466, service: not in the directory
    lines 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, …
  refused malformed: 1
    line 9
  Without an outcome yet: 1 line. Run the same command again to go on.
  This run: 52,674 lines in 9 s, 6,054/s; 12 handed in more than once.
`
	if diff := cmp.Diff(want, r.Text()); diff != "" {
		t.Error("report (-want +got)\n" + diff)
	}
}

func TestProgress(t *testing.T) {
	var plain, bar strings.Builder
	for _, p := range []Progress{NewProgress(&plain, false), NewProgress(&bar, true)} {
		p.Look()
		p.Start(100, 25)
		p.Step(Counts{Facts: 20, Repeats: 5}, 100, 0)
		p.Note("trying again")
		p.Step(Counts{Facts: 45, Repeats: 5}, 100, 25)
		p.End()
	}
	if want := "reading the file\ngoing on: 25 of 100 lines have their outcome\ntrying again\n"; plain.String() != want {
		t.Errorf("without a terminal: %q, want %q", plain.String(), want)
	}
	for _, part := range []string{"[######..................]  25 %", "\r\x1b[Ktrying again\n", "[############............]  50 %  50 of 100  facts 45, repeats 5, refusals 0\n"} {
		if !strings.Contains(bar.String(), part) {
			t.Errorf("on a terminal: %q has no %q", bar.String(), part)
		}
	}
}

func FuzzParseOutcome(f *testing.F) {
	for _, o := range []outcome{
		{line: 1, result: resultFact, name: "ReferralMade"},
		{line: 7, result: resultRefusal, reason: "malformed", detail: "a \"quoted\"\nthing"},
	} {
		f.Add(string(appendOutcome(nil, o)))
	}
	f.Add("1 fact - - ")
	f.Fuzz(func(t *testing.T, text string) {
		o, err := parseOutcome(text, 1000)
		if err != nil {
			return
		}
		again, err := parseOutcome(string(appendOutcome(nil, o)), 1000)
		if err != nil || again != o {
			t.Errorf("%q is read as %+v, and written and read as %+v, %v", text, o, again, err)
		}
	})
}
