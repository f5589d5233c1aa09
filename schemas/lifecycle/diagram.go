package lifecycle

import (
	"fmt"
	"strings"
)

// Diagram draws the machine as a Mermaid state diagram, arrows in the order of
// the table. Events that change no state are left out.
func (m *Machine) Diagram() string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n")
	line := func(from, to State, event string) {
		name := func(s State) string {
			if s == "" {
				return "[*]"
			}
			return string(s)
		}
		fmt.Fprintf(&b, "    %s --> %s: %s\n", name(from), name(to), short(event))
	}
	for _, a := range m.Arrows {
		switch {
		case a.To == Same:
		case len(a.From) == 0:
			line("", a.To, a.Event)
		case a.To == Before:
			for _, s := range m.interruptible() {
				line(a.From[0], s, a.Event)
			}
		default:
			for _, from := range a.From {
				line(from, a.To, a.Event)
			}
		}
	}
	for _, w := range m.States {
		if w.End {
			line(w.State, "", "")
		}
	}
	return strings.ReplaceAll(b.String(), ": \n", "\n")
}

// interruptible are the states that lead to the one which Before leaves.
func (m *Machine) interruptible() []State {
	for _, a := range m.Arrows {
		if a.To != Before {
			continue
		}
		for _, in := range m.Arrows {
			if in.To == a.From[0] {
				return in.From
			}
		}
	}
	return nil
}
