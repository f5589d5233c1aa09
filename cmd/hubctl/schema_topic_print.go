package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/relais-fr/relais/cmd/hubctl/internal/door"
)

// print tells a person what concerns every consumer of the topic.
func (f *topicFound) print(out *printer) {
	if f.Records == 0 {
		out.printf("%s has no record at present: nothing was learnt from it.\n", f.Topic)
		return
	}
	out.printf("%s was read to its end as of the start: %d records on %d partitions.\n", f.Topic, f.Records, f.Partitions)
	if f.Unframed != nil {
		out.printf("  BREAKS on %d without a schema id in front (0x00, four bytes), which no consumer of Avro reads: %s\n", f.Unframed.Count, f.Unframed)
	}
	for _, u := range f.Unknown {
		out.printf("  BREAKS on %d of schema id %d: %s\n    %s\n", u.Count, u.ID, &u.places, door.Printable(u.Detail))
	}
	if f.Tombstones != nil {
		out.printf("  %d tombstones, which a consumer is given as nothing: %s\n", f.Tombstones.Count, f.Tombstones)
	}
	if len(f.Others) > 0 {
		var each []string
		for _, name := range slices.Sorted(maps.Keys(f.Others)) {
			each = append(each, fmt.Sprintf("%s %d", door.Printable(name), f.Others[name]))
		}
		out.printf("  not looked at, for no schema of yours was given: %s\n", strings.Join(each, ", "))
	}
}

// String names the first few places, and says how many more there are.
func (p *places) String() string {
	var all []string
	for _, at := range p.First {
		all = append(all, at.String())
	}
	if more := p.Count - len(p.First); more > 0 {
		all = append(all, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(all, "; ")
}

// topicProgress tells how far the reading is, on one line of a terminal, else by a line
// every few seconds.
type topicProgress struct {
	out      *printer
	terminal bool
	topic    string

	told  time.Time
	drawn bool
}

// How often it is told.
const (
	lineEvery = 5 * time.Second
	drawEvery = 200 * time.Millisecond
)

func (p *topicProgress) step(done, all int64) {
	now := time.Now()
	if p.told.IsZero() {
		p.told = now // a topic that is read at once needs no telling
	}
	text := fmt.Sprintf("reading %s: %3d %%  %d of %d records", p.topic, 100*done/max(all, 1), done, all)
	switch since := now.Sub(p.told); {
	case p.terminal && since >= drawEvery:
		p.out.printf("\r\x1b[K%s", text)
		p.told, p.drawn = now, true
	case !p.terminal && since >= lineEvery:
		p.out.printf("%s\n", text)
		p.told = now
	}
}

func (p *topicProgress) end() {
	if p.drawn {
		p.out.printf("\r\x1b[K")
	}
}
