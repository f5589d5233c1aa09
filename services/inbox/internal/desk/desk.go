// Package desk knows what lies on an office's desk: its referrals with their
// timelines, its appointments, its visits, what was refused of its own
// submissions, and the notices of what has just arrived.
//
// It is a function without I/O: Apply takes what is known of an office and of a
// dossier, and an event that the ledger recorded, and says what changes. It
// judges nothing: what is recorded was allowed. Service inbox stores what it
// says and shows it.
package desk

import (
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/lifecycle"
)

// Format is the format of everything here that is stored. Whoever changes a
// stored type, or what Apply makes of an event, changes it, and the desks are
// built again from the log.
const Format = "2"

// Bounds of a desk.
const (
	MaxCases    = 200  // cases of a dossier that are followed
	MaxDays     = 62   // days of visits that are kept
	MaxVisits   = 2000 // visits of a day that are kept
	MaxText     = 4096 // bytes of a text that are kept
	MaxNotices  = 64   // notices that a page can resume from
	MaxEntries  = 500  // entries of a timeline
	MaxOutcomes = 50   // outcomes of the page's own submissions
	MaxRefusals = 50   // refused submissions that are listed
	MaxDone     = 2000 // ended cases that are listed
)

// PageSystem is the system of an office's page in the source of what it hands
// in.
const PageSystem = "page"

// Office is what is known of an office besides its cases.
type Office struct {
	// Above is, per submitted partition, the least offset that is new: a router
	// that crashed delivers again what is below.
	Above []int64 `json:"a,omitempty"`
	// Notices counts the notices that have been written.
	Notices int64 `json:"n,omitempty"`
	// Last is the offset just above that of the last notice, 0 for none.
	Last int64 `json:"l,omitempty"`
	// Days are the days of which visits are kept, the earliest first.
	Days []Day `json:"d,omitempty"`
}

// Day is a day of an office and the number of visits that were recorded of it.
type Day struct {
	Day    schemas.Day `json:"d"`
	Visits int         `json:"n"`
}

// Event is an event as it came to an office.
type Event struct {
	schemas.Event
	Payload any
	// Office is the recipient.
	Office string
	// Place is where it was submitted.
	Place schemas.Place
	// Offset is its place on the office's partition of `to.offices`.
	Offset int64
	// Received is the receivedtime, as the ledger clamped it.
	Received time.Time
}

func (e *Event) history() bool { return e.Extensions[schemas.AttrHistory] == "true" }

// own says whether the office's page handed it in.
func (e *Event) own() bool { return e.Source == schemas.Source(e.Office, PageSystem) }

// Change is what an event changes on a desk. Office and dossier were changed in
// place; what is listed here stands apart from them.
type Change struct {
	// Entry is the next line of the dossier's timeline.
	Entry *Entry
	// Cases are the cases of the dossier that changed.
	Cases []*Case
	// Visit is a change among the visits.
	Visit *VisitChange
	// Outcome tells the page what became of what it handed in.
	Outcome *Outcome
	// Refusal is a submission of the office that was refused.
	Refusal *Refusal
	// Notice tells an open page; nil for records of the past.
	Notice *Notice
}

// Notice says that something arrived.
type Notice struct {
	Offset int64 `json:"o"`
	// Before is the offset just above that of the notice before, 0 for none: a
	// page that has seen up to there misses nothing.
	Before int64  `json:"b"`
	Type   string `json:"t"`
	Case   string `json:"c,omitempty"`
}

// Outcome is what became of a submission of the page.
type Outcome struct {
	Event string `json:"e"`
	Case  string `json:"c"`
	Type  string `json:"t"`
	// Refusal is nil when it was recorded.
	Refusal *Refusal `json:"r,omitempty"`
}

// Refusal is a submission that was refused, or that was not delivered, and why.
type Refusal struct {
	Event      string `json:"e"`
	Case       string `json:"c,omitempty"`
	Type       string `json:"t"`
	Reason     string `json:"r"`
	SentenceFR string `json:"f"`
	SentenceEN string `json:"g"`
	RemedyFR   string `json:"h,omitempty"`
	RemedyEN   string `json:"i,omitempty"`
	Detail     string `json:"d,omitempty"`
	// Received is in Unix milliseconds.
	Received int64 `json:"w"`
	// Report is nil but for an event that was recorded and not delivered.
	Report *Report `json:"p,omitempty"`
}

// Report is that a recipient has not had an event of the office.
type Report struct {
	To    string `json:"t"`
	State string `json:"s"`
	// Since is in Unix milliseconds.
	Since int64 `json:"n"`
}

// Apply makes of an event what it changes. ok is false when the office has had
// the event already; then nothing changed. The dossier is the one of the event's
// subject; visits and refusals leave it alone.
func Apply(o *Office, d *Dossier, e *Event) (change Change, ok bool) {
	if !o.isNew(e.Place) {
		return Change{}, false
	}
	switch p := e.Payload.(type) {
	case *schemas.SubmissionRefused:
		change.Refusal = refusal(e, p)
	case *schemas.DeliveryChanged:
		change.Refusal = undelivered(e, p)
	case *schemas.VisitRecorded:
		change.Visit = o.record(e, p.Day)
	case *schemas.VisitCorrected:
		change.Visit = o.correct(e, p.Day)
	case *schemas.VisitVoided:
		change.Visit = o.void(e)
	default:
		if entry, known := schemas.Lookup(e.Type); known && entry.Kind != schemas.KindHub {
			change.Cases, change.Entry = d.apply(e, entry)
		}
	}
	change.Outcome = outcome(e, change.Refusal)
	if !e.history() {
		change.Notice = o.notice(e)
	}
	return change, true
}

// isNew says whether the office has not had the submission, and takes note.
func (o *Office) isNew(p schemas.Place) bool {
	for len(o.Above) <= p.Partition {
		o.Above = append(o.Above, 0)
	}
	if p.Offset < o.Above[p.Partition] {
		return false
	}
	o.Above[p.Partition] = p.Offset + 1
	return true
}

func (o *Office) notice(e *Event) *Notice {
	n := &Notice{Offset: e.Offset, Before: o.Last, Type: e.Type, Case: e.Subject}
	o.Notices++
	o.Last = e.Offset + 1
	return n
}

// Since are the notices after offset `after` (-1 for all), out of those kept, the
// oldest first. ok is false when some in between are no longer kept, or when
// `after` is of another log: the page must begin anew.
func (o *Office) Since(kept []Notice, after int64) (fresh []Notice, ok bool) {
	if after+1 >= o.Last {
		return nil, after+1 == o.Last || after == -1
	}
	for i := range kept {
		if kept[i].Offset > after {
			return kept[i:], kept[i].Before <= after+1
		}
	}
	return nil, false
}

func refusal(e *Event, p *schemas.SubmissionRefused) *Refusal {
	return &Refusal{
		Event: p.SubmissionID, Case: e.Subject, Type: p.SubmissionType, Reason: p.Reason,
		SentenceFR: p.SentenceFR, SentenceEN: p.SentenceEN, RemedyFR: p.RemedyFR, RemedyEN: p.RemedyEN,
		Detail: p.Detail, Received: e.Received.UnixMilli(),
	}
}

// undelivered is what a report of a delivery says.
func undelivered(e *Event, p *schemas.DeliveryChanged) *Refusal {
	r := &Refusal{
		Event: p.EventID, Case: p.Subject, Type: p.EventType, Received: e.Received.UnixMilli(),
		Report: &Report{To: p.Recipient, State: p.State, Since: p.Since.UnixMilli()},
	}
	if p.Reason != nil && p.Undelivered() {
		code, _ := schemas.LookupCode(schemas.TableDeliveryReason, *p.Reason)
		r.Reason, r.SentenceFR, r.SentenceEN, r.RemedyFR, r.RemedyEN = *p.Reason, code.French, code.English, code.RemedyFR, code.RemedyEN
	}
	return r
}

// outcome is nil for what others handed in.
func outcome(e *Event, refused *Refusal) *Outcome {
	if p, ok := e.Payload.(*schemas.SubmissionRefused); ok {
		if p.SubmissionSource != schemas.Source(e.Office, PageSystem) {
			return nil
		}
		return &Outcome{Event: p.SubmissionID, Case: e.Subject, Type: p.SubmissionType, Refusal: refused}
	}
	if !e.own() {
		return nil
	}
	return &Outcome{Event: e.ID, Case: e.Subject, Type: e.Type}
}

// List is one of an office's lists of cases.
type List string

// The lists. A case is in one of them, or in none.
const (
	ToDo    List = "todo"    // the office must act
	Waiting List = "waiting" // somebody else must
	Done    List = "done"    // ended
	Agenda  List = "agenda"  // appointments whose end is not known
)

// Lists are all lists, in the order of the page.
var Lists = []List{ToDo, Agenda, Waiting, Done}

// ListFor is the list of the office in which the case belongs. A referral that
// the office handed on to others is in none: what becomes of it goes to its
// parties, and the office would see it wait for ever.
func (c *Case) ListFor(office string) List {
	switch {
	case c.Hats(office) == 0:
		return ""
	case c.Kind == schemas.KindAppointment && lifecycle.Appointment.Ended(c.State):
		return ""
	case c.Kind == schemas.KindAppointment:
		return Agenda
	case lifecycle.Referral.Ended(c.State):
		return Done
	case c.turn() == c.To && office == c.To, c.turn() == c.From && office == c.From:
		return ToDo
	}
	return Waiting
}

// turn is whose turn it is in a referral that has not ended: the recipient's, but
// for information to be given and for the closing.
func (c *Case) turn() string {
	if c.State == lifecycle.InfoRequested || c.State == lifecycle.Completed {
		return c.From
	}
	return c.To
}
