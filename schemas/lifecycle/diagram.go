package lifecycle

import (
	"fmt"
	"slices"
	"strings"
)

// Diagram draws the machine as a Mermaid state diagram, arrows in the order of
// the table. The states that are no end stand together in one box, `open`, and an
// event that is allowed in all of them is drawn once, from the box. Events that
// change no state are left out.
func (m *Machine) Diagram() string {
	var open, ends []State
	for _, w := range m.States {
		if w.End {
			ends = append(ends, w.State)
		} else {
			open = append(open, w.State)
		}
	}
	var inside, outside strings.Builder
	for _, a := range m.Arrows {
		for _, to := range m.targets(a) {
			switch {
			case len(a.From) == 0:
				fmt.Fprintf(&outside, "    [*] --> %s: %s\n", to, short(a.Event))
			case slices.Equal(a.From, open) && slices.Contains(ends, to):
				fmt.Fprintf(&outside, "    open --> %s: %s\n", to, short(a.Event))
			default:
				for _, from := range a.From {
					if slices.Contains(open, from) && slices.Contains(open, to) {
						fmt.Fprintf(&inside, "        %s --> %s: %s\n", from, to, short(a.Event))
					} else {
						fmt.Fprintf(&outside, "    %s --> %s: %s\n", from, to, short(a.Event))
					}
				}
			}
		}
	}
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n    direction LR\n    state open {\n")
	b.WriteString(inside.String())
	for _, s := range open {
		if !strings.Contains(inside.String(), string(s)) {
			fmt.Fprintf(&b, "        %s\n", s)
		}
	}
	b.WriteString("    }\n")
	b.WriteString(outside.String())
	for _, s := range ends {
		fmt.Fprintf(&b, "    %s --> [*]\n", s)
	}
	return b.String()
}

// targets are the states that an arrow leads to; none for one that changes none.
func (m *Machine) targets(a Arrow) []State {
	switch a.To {
	case Same:
		return nil
	case Before:
		for _, in := range m.Arrows {
			if in.To == a.From[0] {
				return in.From
			}
		}
		return nil
	default:
		return append([]State{a.To}, a.OrTo...)
	}
}
