// Package bulk hands in a file of events: in order within a dossier, as fast as
// the hub takes them, and through every interruption, of the hub or of itself.
//
// It knows the hub's stream of lines and answers, and keeps a journal of which
// lines have their outcome. It leaves to package feed what a line means. The
// command `hubctl import` uses it.
package bulk

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/relais-fr/relais/cmd/hubctl/internal/door"
	"github.com/relais-fr/relais/cmd/hubctl/internal/feed"
	"github.com/relais-fr/relais/schemas"
)

// Import is one file to be handed in.
type Import struct {
	Client *door.Client
	File   string
	Format feed.Format
	// FormatName stands in the journal, so that it is not gone on with in another
	// way.
	FormatName string
	Journal    string
	// Streams is how many requests are on their way at once.
	Streams int
	// Patience is how long the hub may be away before the import gives up.
	Patience time.Duration
	// Progress is told how it goes.
	Progress Progress
}

// Progress is told how an import goes. Its methods may be called at the same
// time.
type Progress interface {
	// Look is called before the file is read the first time.
	Look()
	// Start is called once it is known how many lines there are, and how many of
	// them have their outcome from an earlier run.
	Start(lines, done int)
	// Step is called every now and then.
	Step(c Counts, lines, run int)
	// Note tells of something that went wrong and is tried again, or is over.
	Note(text string)
	// End is called last.
	End()
}

// stepEvery is how often the journal is flushed and progress told.
const stepEvery = 200 * time.Millisecond

// Run hands in every line that has no outcome in the journal yet. It returns when
// all have theirs, ctx ends or something happens that no later try can mend; the
// report is right in each case. The next Run goes on where this one ended; after
// one that came to its end it hands in the whole file again.
func (im *Import) Run(ctx context.Context) (Report, error) {
	im.Progress.Look()
	in := input{im.File}
	s, err := in.look(ctx, im.Format)
	if err != nil {
		return Report{}, err
	}
	acc := newAccount(im.File, s)
	j, err := openJournal(im.Journal, heading{SHA256: s.SHA256, Lines: s.Lines, Format: im.FormatName},
		func(o outcome) { acc.add(o, false) })
	if err != nil {
		return Report{}, err
	}
	if j.anew {
		acc = newAccount(im.File, s)
		im.Progress.Note("the file was imported before: handing all of it in again")
	}
	c, _ := acc.counts()
	im.Progress.Start(s.Lines-s.Blank, c.total())
	started := time.Now()
	r := &run{Import: im, in: in, survey: s, account: acc, journal: j, patience: patience{limit: im.Patience, note: im.Progress.Note}}
	err = r.passes(ctx)
	im.Progress.End()
	report := acc.finish(time.Since(started))
	if err == nil && report.Open == 0 {
		j.end()
	}
	return report, errors.Join(err, j.close())
}

// run is one run of an import.
type run struct {
	*Import
	in      input
	survey  survey
	account *account
	journal *journal
	patience
}

// passes goes through the file once, and a second time for the lines that stand
// before what they depend on. Told at intervals how it goes.
func (r *run) passes(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := make(chan struct{})
	defer close(stop)
	wg.Go(func() {
		tick := time.NewTicker(stepEvery)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				r.step()
				return
			case <-tick.C:
			}
			r.step()
			if err := r.journal.flush(); err != nil {
				cancel(err)
				return
			}
		}
	})
	late := func(e feed.Event) bool { return r.survey.late[e.Dossier] && !e.First }
	err := r.pass(ctx, func(e feed.Event) bool { return !late(e) })
	if err == nil && len(r.survey.late) > 0 {
		err = r.pass(ctx, late)
	}
	return err
}

func (r *run) step() {
	c, now := r.account.counts()
	r.Progress.Step(c, r.survey.Lines-r.survey.Blank, now)
}

// pass hands in those lines that are wanted now, and returns when each of them
// has its outcome.
func (r *run) pass(ctx context.Context, wanted func(feed.Event) bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		wg    sync.WaitGroup
		lanes = make([]chan *item, r.Streams)
	)
	for i := range lanes {
		lanes[i] = make(chan *item, maxBatch)
		l := &lane{client: r.Client, settle: r.settle, account: r.account, trouble: r.trouble, here: map[string]bool{}}
		wg.Go(func() {
			if err := l.run(ctx, lanes[i]); err != nil {
				cancel(err)
			}
		})
	}
	err := r.feed(ctx, lanes, wanted)
	if err != nil {
		cancel(err)
	}
	for _, lane := range lanes {
		close(lane)
	}
	wg.Wait()
	return context.Cause(ctx)
}

// feed reads the file and gives each line to the lane of its dossier.
func (r *run) feed(ctx context.Context, lanes []chan *item, wanted func(feed.Event) bool) error {
	seed := maphash.MakeSeed()
	return r.in.lines(ctx, func(n int, line []byte, tooLong bool) error {
		switch {
		case n > r.survey.Lines:
			return errors.New("the file grows while it is imported: import it again once it is whole")
		case r.account.has(n), len(line) == 0 && !tooLong:
			return nil
		case tooLong:
			return r.settle(refusalOf(n, "", &schemas.Refusal{Reason: schemas.ReasonTooLarge, Detail: fmt.Sprintf("line: at most %d bytes", maxLine)}))
		case !wanted(r.Format.Outline(line)):
			return nil
		}
		event, err := r.Format.Event(line)
		if err != nil {
			var refusal *schemas.Refusal
			if !errors.As(err, &refusal) {
				return err
			}
			return r.settle(refusalOf(n, event.Name, refusal))
		}
		// The text of the line is the reader's own.
		it := &item{line: n, event: event}
		it.event.JSON = append([]byte(nil), event.JSON...)
		select {
		case lanes[maphash.String(seed, event.Dossier)%uint64(len(lanes))] <- it:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
}

// settle notes a line's outcome.
func (r *run) settle(o outcome) error {
	if r.account.add(o, true) {
		r.journal.add(o)
	}
	return nil
}

// patience gives up when the hub has been away for too long. It is safe for
// concurrent use.
type patience struct {
	limit time.Duration
	note  func(string)

	mu    sync.Mutex
	since time.Time // of the first failure without a success after it
	noted bool
}

// noteAfter is how long a trouble may last before it is told.
const noteAfter = time.Second

// trouble takes a failure, or a success when err is nil. Its error ends the
// import.
func (p *patience) trouble(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		if p.noted {
			p.note("the hub takes events again")
		}
		p.since, p.noted = time.Time{}, false
		return nil
	}
	now := time.Now()
	if p.since.IsZero() {
		p.since = now
	}
	if lasted := now.Sub(p.since); lasted >= p.limit {
		return fmt.Errorf("given up after %s: %w", lasted.Round(time.Second), err)
	} else if lasted >= noteAfter && !p.noted {
		p.noted = true
		p.note("trying again: " + err.Error())
	}
	return nil
}
