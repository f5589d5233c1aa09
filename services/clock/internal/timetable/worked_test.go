package timetable

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/lifecycle"
	"github.com/relais-fr/relais/services/internal/directory/deadline"
	"github.com/relais-fr/relais/services/internal/directory/territory"
)

// TestTheWorkedExamples reads testdata/worked.txt, which says of each example how
// its dates are computed. They were computed by hand, and are never written by
// this test: whoever changes a rule works them out again.
func TestTheWorkedExamples(t *testing.T) {
	data, err := os.ReadFile("testdata/worked.txt")
	if err != nil {
		t.Fatal(err)
	}
	examples := strings.Split(string(data), "\n## ")[1:]
	if len(examples) < 20 {
		t.Fatalf("only %d examples", len(examples))
	}
	for _, text := range examples {
		name, _, _ := strings.Cut(text, "\n")
		t.Run(name, func(t *testing.T) {
			var want, got []string
			all := false
			e := newExample(t)
			for line := range strings.Lines(text) {
				words := strings.Fields(line)
				switch {
				case strings.HasPrefix(line, "  due "):
					want = append(want, strings.Join(words[1:], " "))
				case strings.HasPrefix(line, "  nothing else"):
					all = true
				case strings.HasPrefix(line, "  "):
					e.do(words)
				}
			}
			for _, timer := range e.dossier.Timers {
				told := e.tell(timer)
				clock, _, _ := strings.Cut(told, " ")
				if all || slices.ContainsFunc(want, func(line string) bool { return strings.HasPrefix(line, clock+" ") }) {
					got = append(got, told)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-by hand +computed:\n%s", diff)
			}
		})
	}
}

// example is one dossier and the parties of its case.
type example struct {
	t       *testing.T
	dossier Dossier
	places  int
	parties map[string]*territory.Calendar
	zone    *time.Location
	rules   map[string]string
}

var holidays, holidaysErr = territory.LoadHolidays()

func newExample(t *testing.T) *example {
	if holidaysErr != nil {
		t.Fatal(holidaysErr)
	}
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	usual := territory.NewCalendar(paris, holidays, territory.Metropole, territory.Week{})
	return &example{t: t, zone: paris, rules: map[string]string{}, parties: map[string]*territory.Calendar{"sender": usual, "recipient": usual}}
}

func (e *example) Calendar(participant string) *territory.Calendar { return e.parties[participant] }

func (e *example) Span(r deadline.Rule, service string, at time.Time) deadline.Span {
	book, err := deadline.Read(func(name string) (string, bool) {
		value, ok := e.rules[name]
		return value, ok
	})
	if err != nil {
		e.t.Fatal(err)
	}
	return book.Span(r, service, at)
}

// do does one line: who a party is, a rule, or a fact with the local time at which
// it was received.
func (e *example) do(words []string) {
	e.t.Helper()
	switch words[0] {
	case "sender", "recipient":
		zone, err := time.LoadLocation(words[1])
		if err != nil {
			e.t.Fatal(err)
		}
		hours, err := territory.ParseWeek(strings.Join(words[3:], " "))
		if err != nil {
			e.t.Fatal(err)
		}
		e.parties[words[0]] = territory.NewCalendar(zone, holidays, words[2], hours)
		e.zone = zone
		return
	case "rule":
		at := e.at(words[1], words[2])
		setting := deadline.Rule(words[3]).Setting()
		value, err := deadline.Change(setting, e.rules[setting], strings.Join(words[4:], " "), at.Add(-time.Minute))
		if err != nil {
			e.t.Fatal(err)
		}
		e.rules[setting] = value
		return
	}
	f := lifecycle.Fact{Subject: "d1", Place: fmt.Sprintf("0-%d", e.places), Received: e.at(words[0], words[1]).UnixMilli()}
	e.places++
	f.Payload = e.payload(words[2:])
	if _, appointment := f.Payload.(*schemas.AppointmentBooked); appointment {
		f.Subject = "d2"
	} else if len(e.dossier.Cases) > 0 {
		f.Subject = e.dossier.Cases[0].ID
	}
	f.Type = schemas.TypeOf(f.Payload)
	e.dossier.Apply(e, f, words[len(words)-1] == "history", "")
}

// at reads a local time, `2026-05-14 09:30`, with seconds where they matter and
// the offset where the hour is there twice.
func (e *example) at(day, clock string) time.Time {
	e.t.Helper()
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02 15:04-07:00"} {
		if at, err := time.ParseInLocation(layout, day+" "+clock, e.zone); err == nil {
			return at
		}
	}
	e.t.Fatalf("%s %s is no time", day, clock)
	return time.Time{}
}

func (e *example) payload(words []string) any {
	e.t.Helper()
	var last Timer
	for _, timer := range e.dossier.Timers {
		if len(words) > 1 && timer.Clock == words[1] {
			last = timer
		}
	}
	switch words[0] {
	case "made":
		p := &schemas.ReferralMade{From: "sender", To: "recipient", Service: "logement/expulsion-du-logement"}
		if len(words) > 1 && words[1] == "urgent" {
			p.Urgency = new("immediate")
		}
		return p
	case "received":
		return &schemas.ReferralReceived{}
	case "reviewed":
		return &schemas.ReviewStarted{}
	case "asked":
		p := &schemas.InformationRequested{}
		if len(words) > 1 {
			day, err := schemas.ParseDay(words[2])
			if err != nil {
				e.t.Fatal(err)
			}
			p.Due = &day
		}
		return p
	case "provided":
		return &schemas.InformationProvided{}
	case "accepted":
		return &schemas.ReferralAccepted{}
	case "completed":
		return &schemas.ReferralCompleted{}
	case "refused":
		return &schemas.ReferralRefused{}
	case "reopened":
		return &schemas.ReferralReopened{}
	case "rerouted":
		return &schemas.ReferralRerouted{Competent: "other", Child: "d1~child"}
	case "booked":
		p := &schemas.AppointmentBooked{Office: "sender", Operator: "recipient", Starts: e.at(words[1], words[2])}
		if len(words) > 3 && words[3] != "history" {
			p.Ends = new(e.at(words[3], words[4]))
		}
		return p
	case "rescheduled":
		return &schemas.AppointmentRescheduled{NewStarts: e.at(words[1], words[2])}
	case "told":
		return e.dossier.Payload(last)
	}
	e.t.Fatalf("an example cannot do %q", words)
	return nil
}

// tell is `receipt 1: 2026-05-18 09:30`; of a warning with the deadline that it
// warns of.
func (e *example) tell(t Timer) string {
	local := func(ms int64) string {
		at := time.UnixMilli(ms).In(e.zone)
		if at.Second() != 0 {
			return at.Format("2006-01-02 15:04:05")
		}
		return at.Format("2006-01-02 15:04")
	}
	s := fmt.Sprintf("%s %d: %s", t.Clock, t.Occurrence, local(t.At))
	if t.Due != t.At {
		s += " warns of " + local(t.Due)
	}
	return s
}
