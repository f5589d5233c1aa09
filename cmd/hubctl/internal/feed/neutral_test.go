package feed

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/cmd/hubctl/internal/datatest"
	"github.com/relais-fr/relais/schemas"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func neutral(t testing.TB) Neutral {
	zones := map[string]*time.Location{"fs-1": zone(t, "Europe/Paris"), "fs-974": zone(t, "Indian/Reunion"), "fs-971": zone(t, "America/Guadeloupe")}
	return Neutral{Feeder: "feeder", Zone: func(office string) (*time.Location, bool) { z, ok := zones[office]; return z, ok }}
}

func TestLinesMapToEvents(t *testing.T) {
	const visit = `{"id":"7144eb416f85db586bbfce20079eb733","type":"visit.recorded","office":"fs-1","operator":"DGFIP","service":"impots-argent/declaration-de-revenus-en-ligne","channel":"counter","duration_min":15,"occurred_at":"2024-05-14T03:35:32Z","recorded_at":"2024-05-14T03:51:10Z"}`
	for _, c := range []struct{ name, line, event string }{
		{
			"a visit", visit,
			`{"specversion":"1.0","id":"7144eb416f85db586bbfce20079eb733","source":"/participants/fs-1/feeder","type":"fr.relais.visit.v1.VisitRecorded",` +
				`"subject":"7144eb416f85db586bbfce20079eb733","time":"2024-05-14T03:35:32Z","datacontenttype":"application/json",` +
				`"data":{"office":"fs-1","day":"2024-05-14","half_day":"morning","channel":"on_site_unplanned","operators":["dgfip"],` +
				`"services":["impots-argent/declaration-de-revenus-en-ligne"],"themes":["money_tax"],"duration":"to_20"}}`,
		},
		{
			"a visit on the day of its office", `{"id":"1","type":"visit.recorded","office":"fs-974","operator":"LAPOSTE","service":"courrier/colis","channel":"remote","occurred_at":"2024-05-14T20:30:00Z"}`,
			`{"specversion":"1.0","id":"1","source":"/participants/fs-974/feeder","type":"fr.relais.visit.v1.VisitRecorded","subject":"1","time":"2024-05-14T20:30:00Z","datacontenttype":"application/json",` +
				`"data":{"office":"fs-974","day":"2024-05-15","half_day":"morning","channel":"video","operators":["laposte"],"services":["courrier/colis"]}}`,
		},
		{
			"a visit in the afternoon", `{"id":"2","type":"visit.recorded","office":"fs-971","operator":"MSA","service":"retraite/x","channel":"outreach","duration_min":61,"occurred_at":"2024-05-14T16:00:00Z"}`,
			`{"specversion":"1.0","id":"2","source":"/participants/fs-971/feeder","type":"fr.relais.visit.v1.VisitRecorded","subject":"2","time":"2024-05-14T16:00:00Z","datacontenttype":"application/json",` +
				`"data":{"office":"fs-971","day":"2024-05-14","half_day":"afternoon","channel":"outside","operators":["msa"],"services":["retraite/x"],"themes":["retirement"],"duration":"over_60"}}`,
		},
		{
			"a referral", `{"id":"82c7a48ac318eefa046cd62387259532","type":"referral.made","office":"fs-1","operator":"CNAV","service":"retraite/pension","visit":"886d8231f2703194fac67bccfdf493a9","occurred_at":"2024-05-14T04:25:25Z","recorded_at":"2024-05-14T04:25:25Z"}`,
			`{"specversion":"1.0","id":"82c7a48ac318eefa046cd62387259532","source":"/participants/fs-1/feeder","type":"fr.relais.referral.v1.ReferralMade","subject":"82c7a48ac318eefa046cd62387259532",` +
				`"time":"2024-05-14T04:25:25Z","datacontenttype":"application/json",` +
				`"data":{"from":"fs-1","to":"cnav","service":"retraite/pension","reference":"PM38-JYHY","theme":"retirement","visit":"886d8231f2703194fac67bccfdf493a9"}}`,
		},
		{
			"an appointment", `{"id":"b2","type":"appointment.booked","office":"fs-974","operator":"CNAF","service":"logement/apl","visit":"886d","starts_at":"2024-05-21T07:30:00Z","occurred_at":"2024-05-14T09:07:21Z"}`,
			`{"specversion":"1.0","id":"b2","source":"/participants/fs-974/feeder","type":"fr.relais.appointment.v1.AppointmentBooked","subject":"b2","time":"2024-05-14T09:07:21Z","datacontenttype":"application/json",` +
				`"data":{"office":"fs-974","operator":"cnaf","mode":"unknown","starts":"2024-05-21T07:30:00Z","service":"logement/apl","time_zone":"Indian/Reunion"}}`,
		},
		{
			"one who came", `{"id":"c1","type":"appointment.closed","office":"fs-1","operator":"CNAF","appointment":"b2","outcome":"seen","occurred_at":"2024-05-21T07:30:00Z"}`,
			`{"specversion":"1.0","id":"c1","source":"/participants/fs-1/feeder","type":"fr.relais.appointment.v1.AppointmentAttended","subject":"b2","time":"2024-05-21T07:30:00Z","datacontenttype":"application/json","data":{}}`,
		},
		{
			"one who did not", `{"id":"c2","type":"appointment.closed","office":"fs-1","operator":"CNAF","appointment":"b2","outcome":"noshow","occurred_at":"2024-05-21T07:30:00Z"}`,
			`{"specversion":"1.0","id":"c2","source":"/participants/fs-1/feeder","type":"fr.relais.appointment.v1.AppointmentMissed","subject":"b2","time":"2024-05-21T07:30:00Z","datacontenttype":"application/json","data":{}}`,
		},
		{
			"one called off", `{"id":"c3","type":"appointment.cancelled","office":"fs-1","operator":"CNAF","appointment":"b2","occurred_at":"2024-05-14T08:55:22Z"}`,
			`{"specversion":"1.0","id":"c3","source":"/participants/fs-1/feeder","type":"fr.relais.appointment.v1.AppointmentCancelled","subject":"b2","time":"2024-05-14T08:55:22Z","datacontenttype":"application/json","data":{"by":"unknown"}}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := neutral(t).Event([]byte(c.line))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.event, string(got.JSON)); diff != "" {
				t.Error("event (-want +got)\n" + diff)
			}
			outline := neutral(t).Outline([]byte(c.line))
			got.JSON = nil
			if diff := cmp.Diff(outline, got); diff != "" {
				t.Error("outline and event differ (-outline +event)\n" + diff)
			}
		})
	}
}

func TestPastIsMarked(t *testing.T) {
	f := neutral(t)
	f.History = true
	got, err := f.Event([]byte(`{"id":"c3","type":"appointment.cancelled","office":"fs-1","appointment":"b2","occurred_at":"2024-05-14T08:55:22Z"}`))
	if err != nil {
		t.Fatal(err)
	}
	e, err := schemas.ParseStructured(got.JSON)
	if err != nil || e.Extensions[schemas.AttrHistory] != "true" {
		t.Errorf("%s: %v", got.JSON, err)
	}
}

func TestLinesThatCannotBeMapped(t *testing.T) {
	for name, c := range map[string]struct {
		line   string
		reason schemas.Reason
		detail string
	}{
		"no JSON":                {`id=3`, schemas.ReasonMalformed, "line: not a JSON object of the neutral feed: broken at byte 1"},
		"cut off":                {`{"id":"1"`, schemas.ReasonMalformed, "line: not a JSON object of the neutral feed: broken at byte 9"},
		"two objects":            {`{} {}`, schemas.ReasonMalformed, "line: not a JSON object of the neutral feed: broken at byte 4"},
		"a list":                 {`[]`, schemas.ReasonMalformed, "line: not a JSON object of the neutral feed: it is of another kind"},
		"a number as id":         {`{"id":7}`, schemas.ReasonMalformed, "line: not a JSON object of the neutral feed: id is of the wrong type"},
		"no type":                {`{"id":"1"}`, schemas.ReasonMalformed, `type: "" is not a type of the neutral feed`},
		"another type":           {`{"type":"visit.dreamt"}`, schemas.ReasonMalformed, `type: "visit.dreamt" is not a type of the neutral feed`},
		"no office":              {`{"type":"visit.recorded","office":"fs-9"}`, schemas.ReasonUnknownParticipant, "office: not in the directory"},
		"no time":                {`{"type":"visit.recorded","office":"fs-1"}`, schemas.ReasonMalformed, "occurred_at: not a time such as 2024-05-14T03:35:32Z"},
		"another channel":        {`{"type":"visit.recorded","office":"fs-1","occurred_at":"2024-05-14T03:35:32Z","channel":"pigeon"}`, schemas.ReasonMalformed, `channel: "pigeon" is not a channel of the neutral feed`},
		"a negative duration":    {`{"type":"visit.recorded","office":"fs-1","occurred_at":"2024-05-14T03:35:32Z","channel":"phone","duration_min":-1}`, schemas.ReasonMalformed, "duration_min: below zero"},
		"no start":               {`{"type":"appointment.booked","office":"fs-1","occurred_at":"2024-05-14T03:35:32Z"}`, schemas.ReasonMalformed, "starts_at: not a time such as 2024-05-14T03:35:32Z"},
		"another outcome":        {`{"type":"appointment.closed","outcome":"late"}`, schemas.ReasonMalformed, `outcome: "late" is neither seen nor noshow`},
		"a time without a zone":  {`{"type":"appointment.cancelled","occurred_at":"2024-05-14 08:55:22"}`, schemas.ReasonMalformed, "occurred_at: not a time such as 2024-05-14T03:35:32Z"},
		"an operator and no end": {`{"type":"appointment.cancelled","operator":"CNAF`, schemas.ReasonMalformed, "line: not a JSON object of the neutral feed: broken at byte 48"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := neutral(t).Event([]byte(c.line))
			var refusal *schemas.Refusal
			if !errors.As(err, &refusal) {
				t.Fatalf("%v is no refusal", err)
			}
			if diff := cmp.Diff(schemas.Refusal{Reason: c.reason, Detail: c.detail}, *refusal); diff != "" {
				t.Error("refusal (-want +got)\n" + diff)
			}
		})
	}
}

func TestDurationBands(t *testing.T) {
	for minutes, want := range map[int]string{0: "to_10", 10: "to_10", 11: "to_20", 20: "to_20", 21: "to_40", 40: "to_40", 41: "to_60", 60: "to_60", 61: "over_60", 600: "over_60"} {
		if got := durationBand(minutes); got != want {
			t.Errorf("%d minutes: %s, want %s", minutes, got, want)
		}
	}
}

// TestSimulatedDayMapsWhole maps the whole day, and holds every event against the
// published language.
func TestSimulatedDayMapsWhole(t *testing.T) {
	zones := datatest.Zones(t)
	f := Neutral{Feeder: "feeder", Zone: func(office string) (*time.Location, bool) { z, ok := zones[office]; return z, ok }}
	file, err := os.Open(datatest.Day(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	names, events, repeats, references := map[string]int{}, map[string]string{}, 0, map[string]bool{}
	lines := bufio.NewScanner(z)
	for n := 1; lines.Scan(); n++ {
		got, err := f.Event(lines.Bytes())
		if err != nil {
			t.Fatalf("line %d: %v", n, err)
		}
		e, err := schemas.ParseStructured(got.JSON)
		if err != nil {
			t.Fatalf("line %d: %v", n, err)
		}
		payload, err := schemas.ParseJSON(e.Type, e.Data)
		if err == nil {
			err = schemas.Validate(payload)
		}
		if _, caseErr := schemas.ParseCaseID(e.Subject); err != nil || caseErr != nil {
			t.Fatalf("line %d: %v, %v", n, err, caseErr)
		}
		names[got.Name]++
		if first, ok := events[e.ID]; ok {
			repeats++
			if first != string(got.JSON) {
				t.Errorf("line %d repeats an id with other content:\n%s\n%s", n, first, got.JSON)
			}
		}
		events[e.ID] = string(got.JSON)
		if r, ok := payload.(*schemas.ReferralMade); ok {
			references[r.Reference] = true
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{
		"VisitRecorded": 41_420, "ReferralMade": 4_875, "AppointmentBooked": 3_190,
		"AppointmentAttended": 2_544, "AppointmentMissed": 228, "AppointmentCancelled": 418,
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error("events (-want +got)\n" + diff)
	}
	if len(events) != 52_468 || repeats != 207 {
		t.Errorf("%d events and %d repeats, want 52,468 and 207", len(events), repeats)
	}
	if len(references) != 4_875 {
		t.Errorf("%d references for 4,875 referrals", len(references))
	}
}

func FuzzNeutral(f *testing.F) {
	f.Add([]byte(`{"id":"1","type":"visit.recorded","office":"fs-1","channel":"phone","duration_min":15,"occurred_at":"2024-05-14T03:35:32Z"}`))
	f.Add([]byte(`{"id":"1","type":"referral.made","office":"fs-1","operator":"CNAF","occurred_at":"0000-01-01T00:00:00+23:59"}`))
	f.Add([]byte(`{"id":"1","type":"appointment.booked","office":"fs-1","starts_at":"9999-12-31T23:59:59Z","occurred_at":"2024-05-14T03:35:32Z"}`))
	format := neutral(f)
	f.Fuzz(func(t *testing.T, line []byte) {
		outline := format.Outline(line)
		got, err := format.Event(line)
		if err != nil {
			return
		}
		if !json.Valid(got.JSON) {
			t.Errorf("%q makes what is no JSON: %q", line, got.JSON)
		}
		got.JSON = nil
		if !cmp.Equal(outline, got) {
			t.Errorf("outline %+v, event %+v", outline, got)
		}
	})
}
