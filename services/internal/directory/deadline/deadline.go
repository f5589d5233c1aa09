// Package deadline knows how long each clock of the hub runs: the rules, their
// defaults, and the settings of relais.directory that change them.
//
// A rule's setting carries its whole history. A clock runs by the rule that was in
// force when the fact that started it was received, so that a change never
// rewrites the past, not even when everything is computed again from the log. For
// the same reason a default below is never changed: a build that knows better
// begins a history.
//
// The directory's door makes the settings (Change), the clock reads them (Read).
package deadline

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rule is one thing that can be set: how long one clock runs.
type Rule string

// The rules.
const (
	Receipt            Rule = "receipt"
	ReceiptUrgent      Rule = "receipt_urgent"
	Reminder           Rule = "reminder"
	ReminderAgain      Rule = "reminder_again"
	Escalation         Rule = "escalation"
	EscalationAgain    Rule = "escalation_again"
	Expiry             Rule = "expiry"
	MissingInformation Rule = "missing_information"
	ClosingReminder    Rule = "closing_reminder"
	Closing            Rule = "closing"
	Reroute            Rule = "reroute"
	AppointmentBefore  Rule = "appointment_reminder"
	AppointmentReport  Rule = "appointment_report"
)

// rule is what is known of a rule besides its history.
type rule struct {
	Rule
	// Span holds where no setting says otherwise.
	Span
	// units are those that make sense; nil is any.
	units []Unit
	least int
}

var rules = []rule{
	{Receipt, Span{2, WorkingDays}, nil, 1},
	{ReceiptUrgent, Span{4, OpeningHours}, nil, 1},
	{Reminder, Span{5, WorkingDays}, nil, 1},
	{ReminderAgain, Span{10, Days}, nil, 1},
	{Escalation, Span{5, WorkingDays}, nil, 1},
	{EscalationAgain, Span{15, Days}, nil, 1},
	{Expiry, Span{30, Days}, nil, 1},
	{MissingInformation, Span{15, Days}, nil, 1},
	{ClosingReminder, Span{10, Days}, nil, 1},
	{Closing, Span{30, Days}, nil, 1},
	// The ledger reopens a rerouted referral after 24 hours, never before.
	{Reroute, Span{24, Hours}, []Unit{Hours}, 24},
	// It counts back from the start.
	{AppointmentBefore, Span{48, Hours}, []Unit{Minutes, Hours, Days}, 1},
	{AppointmentReport, Span{2, WorkingDays}, nil, 1},
}

// Rules are all that can be set, in the order of the table of the domain.
func Rules() []Rule {
	all := make([]Rule, len(rules))
	for i, d := range rules {
		all[i] = d.Rule
	}
	return all
}

// known is what is known of the rule; nil when there is no such rule.
func (r Rule) known() *rule {
	for i := range rules {
		if rules[i].Rule == r {
			return &rules[i]
		}
	}
	return nil
}

// Default is how long the rule's clock runs where no setting says otherwise.
func (r Rule) Default() Span { return r.known().Span }

// Check says what is wrong with a span as the rule's, which is one of Rules.
func (r Rule) Check(s Span) error {
	k := r.known()
	switch {
	case k.units != nil && !slices.Contains(k.units, s.Unit):
		return fmt.Errorf("%s is told in %s", r, join(k.units))
	case s.N < k.least:
		return fmt.Errorf("%s is at least %s", r, Span{k.least, s.Unit})
	case s.N > maxOf[s.Unit]:
		return fmt.Errorf("%s is at most %s", r, Span{maxOf[s.Unit], s.Unit})
	}
	return nil
}

func names() string {
	var all []string
	for _, r := range Rules() {
		all = append(all, string(r))
	}
	return strings.Join(all, ", ")
}

func join(units []Unit) string {
	var all []string
	for _, u := range units {
		all = append(all, string(u))
	}
	return strings.Join(all, " or ")
}

// ErrUnreadable says that a stored setting is none that the door made.
var ErrUnreadable = errors.New("the setting is not readable")

// Book is every rule with its history. It does not change and is safe for
// concurrent use.
type Book struct{ histories map[Rule]history }

// Read reads the histories out of the directory's settings. A setting that is not
// readable is an error, and no reason to fall back on a default: a referral would
// expire by a rule that nobody set.
func Read(setting func(name string) (value string, ok bool)) (*Book, error) {
	b := &Book{histories: map[Rule]history{}}
	var problems []error
	for _, r := range Rules() {
		value, ok := setting(r.Setting())
		if !ok {
			continue
		}
		h, err := parseHistory(r, value)
		problems = append(problems, err)
		b.histories[r] = h
	}
	return b, errors.Join(problems...)
}

// Span is how long the rule's clock runs, for a service of the basket ("" for
// none), when the fact that starts it was received at a time.
func (b *Book) Span(r Rule, service string, at time.Time) Span {
	if s, ok := b.histories[r].at(service, at); ok {
		return s
	}
	if s, ok := b.histories[r].at("", at); ok {
		return s
	}
	return r.Default()
}
