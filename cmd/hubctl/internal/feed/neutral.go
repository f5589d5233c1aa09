package feed

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/relais-fr/relais/schemas"
)

// Neutral is the feed in which an office's software tells its day: one JSON
// object a line, with names of no vendor's.
//
//	{"id":"7144…","type":"visit.recorded","office":"fs-563","operator":"DGFIP","service":"impots-argent/…",
//	 "channel":"counter","duration_min":15,"occurred_at":"2024-05-14T03:35:32Z","recorded_at":"…"}
//
// The line's id becomes the event's id and, where the line opens a case, the
// case's. The same line always makes the same event: recorded_at, when it was
// typed, is not part of it.
type Neutral struct {
	// Feeder is who hands in, for the offices.
	Feeder string
	// Zone is the time zone of an office; false for one that is not known.
	Zone func(office string) (*time.Location, bool)
	// History marks every event as a record of the past.
	History bool
}

var _ Format = Neutral{}

// line is a line of the feed. Fields that are not named here are passed over.
type line struct {
	ID          string `json:"id"`
	Type        string `json:"type"`
	Office      string `json:"office"`
	Operator    string `json:"operator"`
	Service     string `json:"service"`
	Channel     string `json:"channel"`
	DurationMin *int   `json:"duration_min"`
	OccurredAt  string `json:"occurred_at"`
	StartsAt    string `json:"starts_at"`
	Visit       string `json:"visit"`
	Appointment string `json:"appointment"`
	Outcome     string `json:"outcome"`
}

// Types of lines.
const (
	visitRecorded        = "visit.recorded"
	referralMade         = "referral.made"
	appointmentBooked    = "appointment.booked"
	appointmentClosed    = "appointment.closed"
	appointmentCancelled = "appointment.cancelled"
)

// Outline reads what must be known to keep the order.
func (f Neutral) Outline(text []byte) Event {
	var l line
	if json.Unmarshal(text, &l) != nil {
		return Event{}
	}
	return l.outline()
}

func (l line) outline() Event {
	switch l.Type {
	case visitRecorded:
		return Event{Name: "VisitRecorded", Dossier: l.ID, First: true}
	case referralMade:
		return Event{Name: "ReferralMade", Dossier: l.ID, First: true}
	case appointmentBooked:
		return Event{Name: "AppointmentBooked", Dossier: l.ID, First: true}
	case appointmentCancelled:
		return Event{Name: "AppointmentCancelled", Dossier: l.Appointment}
	case appointmentClosed:
		if l.Outcome == "noshow" {
			return Event{Name: "AppointmentMissed", Dossier: l.Appointment}
		}
		return Event{Name: "AppointmentAttended", Dossier: l.Appointment}
	}
	return Event{}
}

// Event maps the line.
func (f Neutral) Event(text []byte) (Event, error) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return Event{}, refuse("line: not a JSON object of the neutral feed: %s", plain(err))
	}
	out := l.outline()
	payload, err := f.payload(l)
	if err != nil {
		return out, err
	}
	happened, err := instant("occurred_at", l.OccurredAt)
	if err != nil {
		return out, err
	}
	e := schemas.Event{
		ID: l.ID, Source: schemas.Source(l.Office, f.Feeder), Type: schemas.TypeOf(payload), Subject: out.Dossier, Time: happened,
	}
	if f.History {
		e.Extensions = map[string]string{schemas.AttrHistory: "true"}
	}
	if out.JSON, err = schemas.MarshalStructured(e, payload); err != nil {
		return out, asRefusal(err)
	}
	return out, nil
}

// payload is the event's data.
func (f Neutral) payload(l line) (any, error) {
	switch l.Type {
	case visitRecorded:
		return f.visit(l)
	case referralMade:
		return f.referral(l)
	case appointmentBooked:
		return f.booking(l)
	case appointmentCancelled:
		return &schemas.AppointmentCancelled{By: "unknown"}, nil
	case appointmentClosed:
		switch l.Outcome {
		case "seen":
			return &schemas.AppointmentAttended{}, nil
		case "noshow":
			return &schemas.AppointmentMissed{}, nil
		}
		return nil, refuse("outcome: %.40q is neither seen nor noshow", l.Outcome)
	}
	return nil, refuse("type: %.40q is not a type of the neutral feed", l.Type)
}

func (f Neutral) visit(l line) (any, error) {
	zone, err := f.zone(l.Office)
	if err != nil {
		return nil, err
	}
	happened, err := instant("occurred_at", l.OccurredAt)
	if err != nil {
		return nil, err
	}
	channel, ok := channels[l.Channel]
	if !ok {
		return nil, refuse("channel: %.40q is not a channel of the neutral feed", l.Channel)
	}
	local := happened.In(zone)
	v := &schemas.VisitRecorded{
		Office: l.Office, Day: schemas.DayOf(local), HalfDay: halfDay(local), Channel: channel,
		Operators: []string{participant(l.Operator)}, Services: []string{l.Service},
	}
	if theme := themeOf(l.Service); theme != "" {
		v.Themes = []string{theme}
	}
	if l.DurationMin != nil {
		if *l.DurationMin < 0 {
			return nil, refuse("duration_min: below zero")
		}
		band := durationBand(*l.DurationMin)
		v.Duration = &band
	}
	return v, nil
}

func (f Neutral) referral(l line) (any, error) {
	reference, err := schemas.NewReference(newHashReader(l.ID))
	if err != nil {
		return nil, asRefusal(err)
	}
	r := &schemas.ReferralMade{From: l.Office, To: participant(l.Operator), Service: l.Service, Reference: reference}
	if theme := themeOf(l.Service); theme != "" {
		r.Theme = &theme
	}
	if l.Visit != "" {
		r.Visit = &l.Visit
	}
	return r, nil
}

func (f Neutral) booking(l line) (any, error) {
	zone, err := f.zone(l.Office)
	if err != nil {
		return nil, err
	}
	starts, err := instant("starts_at", l.StartsAt)
	if err != nil {
		return nil, err
	}
	name := zone.String()
	b := &schemas.AppointmentBooked{
		Office: l.Office, Operator: participant(l.Operator), Mode: "unknown", Starts: starts, TimeZone: &name,
	}
	if l.Service != "" {
		b.Service = &l.Service
	}
	return b, nil
}

func (f Neutral) zone(office string) (*time.Location, error) {
	zone, ok := f.Zone(office)
	if !ok {
		return nil, &schemas.Refusal{Reason: schemas.ReasonUnknownParticipant, Detail: "office: not in the directory"}
	}
	return zone, nil
}

func instant(field, text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, refuse("%s: not a time such as 2024-05-14T03:35:32Z", field)
	}
	return t, nil
}

// participant is the id of an operator's code: CNAF is cnaf.
func participant(code string) string { return strings.ToLower(code) }

func refuse(format string, args ...any) *schemas.Refusal {
	return &schemas.Refusal{Reason: schemas.ReasonMalformed, Detail: fmt.Sprintf(format, args...)}
}

// plain is what encoding/json says of a line, without what stands in the line.
func plain(err error) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrong.Field == "" {
			return "it is of another kind"
		}
		return fmt.Sprintf("%s is of the wrong type", wrong.Field)
	}
	if broken, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("broken at byte %d", broken.Offset)
	}
	return "not readable"
}

// hashReader reads bytes that follow from a text and from nothing else, so that
// the same line makes the same reference.
type hashReader struct {
	seed  string
	count int
	rest  []byte
}

func newHashReader(seed string) *hashReader { return &hashReader{seed: seed} }

func (h *hashReader) Read(b []byte) (int, error) {
	if len(h.rest) == 0 {
		sum := sha256.Sum256(fmt.Appendf(nil, "relais reference %d %s", h.count, h.seed))
		h.count++
		h.rest = sum[:]
	}
	n := copy(b, h.rest)
	h.rest = h.rest[n:]
	return n, nil
}
