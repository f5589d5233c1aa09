package bulk

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// NewProgress tells how an import goes: by a bar where w is a terminal, else by a
// line every few seconds.
func NewProgress(w io.Writer, terminal bool) Progress {
	return &progress{w: w, terminal: terminal}
}

type progress struct {
	w        io.Writer
	terminal bool

	mu      sync.Mutex
	started time.Time
	lines   int
	told    time.Time
	bar     bool // a bar stands on the current line
}

// tellEvery is how often a line is written where there is no terminal.
const tellEvery = 5 * time.Second

func (p *progress) Look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line("reading the file")
}

func (p *progress) Start(lines, done int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.started, p.lines, p.told = time.Now(), lines, time.Now()
	if done > 0 {
		p.line(fmt.Sprintf("going on: %s of %s lines have their outcome", thousands(done), thousands(lines)))
	}
}

func (p *progress) Step(c Counts, lines, run int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if !p.terminal {
		if now.Sub(p.told) >= tellEvery {
			p.told = now
			p.line(state(c, lines, run, now.Sub(p.started)))
		}
		return
	}
	p.write("\r\x1b[K" + bar(c.total(), lines) + " " + state(c, lines, run, now.Sub(p.started)))
	p.bar = true
}

func (p *progress) Note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line(text)
}

func (p *progress) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar {
		p.write("\n")
		p.bar = false
	}
}

// line writes a line of its own; the bar is drawn again under it.
func (p *progress) line(text string) {
	if p.bar {
		text = "\r\x1b[K" + text
	}
	p.write(text + "\n")
	p.bar = false
}

// write writes what nobody may be there to read: that is no reason to stop.
func (p *progress) write(text string) { _, _ = io.WriteString(p.w, text) }

const barWidth = 24

func bar(done, all int) string {
	full := barWidth * done / max(all, 1)
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", barWidth-full) + "]"
}

// state is how far it has come, in words.
func state(c Counts, lines, run int, took time.Duration) string {
	done := c.total()
	s := fmt.Sprintf("%3d %%  %s of %s", 100*done/max(lines, 1), thousands(done), thousands(lines))
	if rate := float64(run) / max(took.Seconds(), 0.001); took >= time.Second && run > 0 {
		left := time.Duration(float64(lines-done) / rate * float64(time.Second))
		s += fmt.Sprintf("  %s/s", thousands(int(rate)))
		if done < lines {
			s += fmt.Sprintf("  %s left", left.Round(time.Second))
		}
	}
	return s + fmt.Sprintf("  facts %s, repeats %s, refusals %s", thousands(c.Facts), thousands(c.Repeats), thousands(c.Refusals))
}
