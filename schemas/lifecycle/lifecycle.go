// Package lifecycle says what may follow what: the state machines of referrals,
// appointments and visits, as tables that can be read aloud.
//
// One function, Machine.Next, applies them all. It is a pure function of the
// case's state, the event, who sends it and when; it reads no clock. The ledger
// decides with it, the office's page offers what it allows, and the README's
// diagrams are drawn from it.
package lifecycle

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/relais-fr/relais/schemas"
)

// State is where a case stands.
type State string

// Hat is what a sender is to a case. A participant may wear several.
type Hat uint8

// The hats.
const (
	Sender    Hat = 1 << iota // who handed the referral over
	Recipient                 // who is to treat it
	Party                     // office or operator of an appointment, office of a visit
	Hub                       // the hub itself: clocks, mandates
	Either    = Sender | Recipient
)

// String names the hats as the catalogue does.
func (h Hat) String() string {
	switch h {
	case Sender:
		return "sender"
	case Recipient:
		return "recipient"
	case Either:
		return "either"
	case Party:
		return "either party"
	case Hub:
		return "hub"
	}
	return "nobody"
}

// The two targets that are no states of their own.
const (
	// Same leaves the state as it is.
	Same State = "(same)"
	// Before returns to the state that InformationRequested interrupted.
	Before State = "(the state before)"
)

// Arrow is one row of a table: an event, the states it may come in, the state it
// leads to, and who may send it.
type Arrow struct {
	Event string
	// From is empty for an event that opens a case.
	From []State
	To   State
	By   Hat
	// Within bounds the time since the state was entered; After is the least such
	// time. Zero is no bound.
	Within, After time.Duration
	// Childless holds only while no child referral carries the case on.
	Childless bool
	// OrTo are further targets, between which the event's content decides.
	OrTo []State
}

// Words are a state's labels. Where sender and receiver see it differently, they
// have a label each; otherwise the two are equal.
type Words struct {
	State                 State
	FrenchSender, English string
	FrenchReceiver        string
	// End says that the case has come to its end in this state.
	End bool
}

// Machine is the life of one kind of case.
type Machine struct {
	Kind   schemas.Kind
	Arrows []Arrow
	States []Words
}

// Case is what a machine needs to know of a case. The zero Case is one that has
// not been opened.
type Case struct {
	State State
	// Interrupted is the state to which InformationProvided returns.
	Interrupted State
	// Since is when State was entered, by receivedtime.
	Since time.Time
	// HasChild says that a child referral carries the case on.
	HasChild bool
}

// NotAllowed says why an event may not follow. Its reason of refusal is
// transition_not_allowed.
type NotAllowed struct {
	Event string
	State State
	Why   string
}

func (e *NotAllowed) Error() string {
	if e.State == "" {
		return fmt.Sprintf("%s: %s", short(e.Event), e.Why)
	}
	return fmt.Sprintf("%s in state %s: %s", short(e.Event), e.State, e.Why)
}

// Next is the state that the event leads to, when it is sent by somebody wearing
// the hats and received at the given time. It never returns Same or Before. The
// error is a *NotAllowed.
func (m *Machine) Next(c Case, event string, hats Hat, at time.Time) (State, error) {
	why := ""
	for i := range m.Arrows {
		a := &m.Arrows[i]
		if a.Event != event || !a.leaves(c.State) {
			continue
		}
		since := at.Sub(c.Since)
		switch {
		case a.By&hats == 0:
			why = "only the " + m.whoMay(c, event) + " may send it"
		case a.Within > 0 && since > a.Within:
			why = fmt.Sprintf("it is allowed for %d days only", int(a.Within.Hours()/24))
		case a.After > 0 && since < a.After:
			why = fmt.Sprintf("it is allowed after %d hours only", int(a.After.Hours()))
		case a.Childless && c.HasChild:
			why = "a child referral carries the case on"
		default:
			return a.target(c), nil
		}
	}
	if why == "" {
		why = m.whyNot(c, event)
	}
	return "", &NotAllowed{Event: event, State: c.State, Why: why}
}

func (a *Arrow) leaves(s State) bool {
	if s == "" {
		return len(a.From) == 0
	}
	return slices.Contains(a.From, s)
}

func (a *Arrow) target(c Case) State {
	switch a.To {
	case Same:
		return c.State
	case Before:
		return c.Interrupted
	default:
		return a.To
	}
}

// Allowed lists the events that somebody wearing the hats may send now, in the
// order of the table.
func (m *Machine) Allowed(c Case, hats Hat, at time.Time) []string {
	var events []string
	for _, a := range m.Arrows {
		if slices.Contains(events, a.Event) {
			continue
		}
		if _, err := m.Next(c, a.Event, hats, at); err == nil {
			events = append(events, a.Event)
		}
	}
	return events
}

// Has says whether the event belongs to the machine.
func (m *Machine) Has(event string) bool {
	return slices.ContainsFunc(m.Arrows, func(a Arrow) bool { return a.Event == event })
}

// Words are the labels of a state.
func (m *Machine) Words(s State) Words {
	for _, w := range m.States {
		if w.State == s {
			return w
		}
	}
	return Words{State: s, FrenchSender: string(s), FrenchReceiver: string(s), English: string(s)}
}

// Ended says whether a case in state s has come to its end.
func (m *Machine) Ended(s State) bool { return m.Words(s).End }

func (m *Machine) whyNot(c Case, event string) string {
	if c.State == "" {
		return "there is no such case yet"
	}
	var states []string
	for _, a := range m.Arrows {
		if a.Event != event {
			continue
		}
		if len(a.From) == 0 {
			return "the case exists already"
		}
		for _, s := range a.From {
			if !slices.Contains(states, string(s)) {
				states = append(states, string(s))
			}
		}
	}
	return "it is allowed in " + strings.Join(states, ", ")
}

func (m *Machine) whoMay(c Case, event string) string {
	var hats Hat
	for _, a := range m.Arrows {
		if a.Event == event && a.leaves(c.State) {
			hats |= a.By
		}
	}
	var names []string
	for _, h := range []Hat{Sender, Recipient, Party, Hub} {
		if hats&h != 0 {
			names = append(names, h.String())
		}
	}
	return strings.Join(names, " or the ")
}

func short(event string) string {
	return event[strings.LastIndexByte(event, '.')+1:]
}
