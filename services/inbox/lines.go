package inbox

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/inbox/internal/desk"
)

// lineView is one line of a timeline.
type lineView struct {
	desk.Entry
	Name   string // of the event
	Who    string
	Facts  []fact
	Cut    bool
	Opaque bool
}

// fact is one thing that an event says, in words.
type fact struct{ Label, Value string }

// lines puts the entries of a timeline into words, the latest last.
func (f *frame) lines(entries []desk.Entry) []lineView {
	list := make([]lineView, len(entries))
	for i, e := range entries {
		list[i] = lineView{
			Entry: e, Name: f.Event(e.Type), Who: f.Name(e.By), Facts: f.facts(e),
			Cut: e.Text != "" && e.Sealed > len(e.Text), Opaque: e.Text == "" && e.Sealed > 0,
		}
	}
	return list
}

// facts is what a payload says, in the order of its fields. What is the same for
// every event of the case is in the page's head.
func (f *frame) facts(e desk.Entry) []fact {
	entry, ok := schemas.Lookup(e.Type)
	if !ok {
		return nil
	}
	payload := entry.New()
	if json.Unmarshal(e.Data, payload) != nil {
		return nil
	}
	say := teller{f: f}
	switch p := payload.(type) {
	case *schemas.ReferralMade:
		say.code("f_reason", schemas.TableReferralReason, p.Reason)
		say.code("f_help_level", schemas.TableHelpLevel, p.HelpLevel)
		say.code("f_contact", schemas.TableContactPreference, p.ContactPreference)
		if n := len(p.Attachments); n > 0 {
			say.say("f_attachments", strconv.Itoa(n))
		}
	case *schemas.ReferralReceived:
		say.text("their_reference", p.OwnReference)
		say.text("f_unit", p.Unit)
	case *schemas.ReviewStarted:
		say.text("f_unit", p.Unit)
	case *schemas.InformationRequested:
		var asked []string
		for _, item := range p.Items {
			asked = append(asked, item.Code)
		}
		say.codes("f_items", schemas.TableInformationItem, asked)
		say.day("f_due", p.Due)
	case *schemas.InformationProvided:
		say.codes("f_answered", schemas.TableInformationItem, p.Answered)
	case *schemas.ReferralAccepted:
		if p.PlannedDelayDays != nil {
			say.say("f_delay", strconv.Itoa(*p.PlannedDelayDays))
		}
	case *schemas.ReferralCompleted:
		say.code("f_outcome", schemas.TableReferralOutcome, &p.Outcome)
	case *schemas.ReferralRefused:
		say.refusal(p)
	case *schemas.ReferralRerouted:
		say.say("f_competent", f.Name(p.Competent))
		say.day("f_received", p.Received)
	case *schemas.ReferralCancelled:
		say.code("f_reason", schemas.TableCancellationReason, &p.Reason)
	case *schemas.ReferralClosed:
		say.code("f_useful", schemas.TableUseful, p.Useful)
	case *schemas.ReferralReopened:
		say.code("f_reason", schemas.TableReopeningReason, p.Reason)
	case *schemas.ReferralExpired:
		say.code("f_rule", schemas.TableClock, &p.Clock)
	case *schemas.DeadlineApproaching:
		say.deadline(p.Clock, p.Due)
	case *schemas.DeadlineBreached:
		say.deadline(p.Clock, p.Due)
	case *schemas.EscalationRaised:
		say.deadline(p.Clock, p.Due)
	case *schemas.AppointmentBooked:
		say.moment("f_starts", p.Starts)
		say.code("f_mode", schemas.TableMode, &p.Mode)
		say.text("f_unit", p.Unit)
		say.text("f_motive", p.Motive)
		say.text("f_external", p.ExternalReference)
	case *schemas.AppointmentRescheduled:
		say.moment("f_starts", p.NewStarts)
		say.moment("f_old_starts", p.OldStarts)
	case *schemas.AppointmentCancelled:
		say.code("f_by", schemas.TableCancelledBy, &p.By)
		say.code("f_reason", schemas.TableCancellationReason, p.Reason)
	}
	return say.facts
}

// teller gathers facts in the words of a page; what is absent is not said.
type teller struct {
	f     *frame
	facts []fact
}

func (t *teller) say(label, value string) {
	t.facts = append(t.facts, fact{t.f.T(label), value})
}

func (t *teller) text(label string, v *string) {
	if v != nil {
		t.say(label, *v)
	}
}

func (t *teller) code(label, table string, v *string) {
	if v != nil && *v != "" {
		t.say(label, t.f.Label(table, *v))
	}
}

// codes says several at once.
func (t *teller) codes(label, table string, list []string) {
	words := make([]string, len(list))
	for i, code := range list {
		words[i] = t.f.Label(table, code)
	}
	if len(words) > 0 {
		t.say(label, strings.Join(words, " ; "))
	}
}

func (t *teller) day(label string, d *schemas.Day) {
	if d != nil {
		t.say(label, t.f.Date(d.Time()))
	}
}

func (t *teller) moment(label string, at time.Time) {
	t.say(label, t.f.Moment(at.In(t.f.Now.Location())))
}

func (t *teller) deadline(clock string, due time.Time) {
	t.code("f_rule", schemas.TableClock, &clock)
	t.moment("f_due", due)
}

// refusal says what to do next too: a reason alone helps nobody.
func (t *teller) refusal(p *schemas.ReferralRefused) {
	t.code("f_reason", schemas.TableRefusalReason, &p.Reason)
	if c, ok := schemas.LookupCode(schemas.TableRefusalReason, p.Reason); ok && p.Remedy == nil {
		t.say("f_remedy", t.f.pick(c.RemedyFR, c.RemedyEN))
	}
	t.code("f_remedy", schemas.TableRemedy, p.Remedy)
	if p.AlternativeService != nil {
		t.say("f_alternative", t.f.Service(*p.AlternativeService))
	}
}

// VisitLine is a visit in one line.
func (f *frame) VisitLine(v visit) string {
	words := []string{f.Label(schemas.TableHalfDay, v.HalfDay), f.Label(schemas.TableChannel, v.Channel)}
	for _, code := range v.Themes {
		words = append(words, f.Theme(code))
	}
	for _, code := range v.Services {
		words = append(words, f.Service(code))
	}
	if v.GroupSize != nil {
		words = append(words, fmt.Sprintf("%d %s", *v.GroupSize, f.T("persons")))
	}
	if v.Outcome != nil {
		words = append(words, f.Label(schemas.TableVisitOutcome, *v.Outcome))
	}
	return strings.Join(words, " · ")
}

// visitValues are a visit as answers of its form.
func visitValues(p *schemas.VisitRecorded) url.Values {
	v := url.Values{
		"day": {p.Day.String()}, "half_day": {p.HalfDay}, "channel": {p.Channel},
		"operators": p.Operators, "services": p.Services, "themes": p.Themes,
	}
	for name, s := range map[string]*string{
		"help_level": p.HelpLevel, "outcome": p.Outcome, "duration": p.Duration, "age": p.Age,
		"situation": p.Situation, "residence": p.Residence,
	} {
		if s != nil {
			v.Set(name, *s)
		}
	}
	for name, n := range map[string]*int{"group_size": p.GroupSize, "satisfaction": p.Satisfaction} {
		if n != nil {
			v.Set(name, strconv.Itoa(*n))
		}
	}
	if p.FirstContact != nil {
		v.Set("first_contact", map[bool]string{true: "yes", false: "no"}[*p.FirstContact])
	}
	return v
}
