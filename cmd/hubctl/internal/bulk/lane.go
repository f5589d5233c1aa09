package bulk

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/relais-fr/relais/cmd/hubctl/internal/door"
	"github.com/relais-fr/relais/cmd/hubctl/internal/feed"
	"github.com/relais-fr/relais/schemas"
)

const eventsPath = "/v1/events"

// Bounds of a lane.
const (
	// maxBatch and maxBatchBytes bound what is handed in at once. The hub answers
	// line by line, so that a larger batch saves round trips, not waiting.
	maxBatch      = 500
	maxBatchBytes = 1 << 20
	// maxPending bounds the lines that a lane holds, to choose a batch from.
	maxPending = 4 * maxBatch
	// outcomeWait is how long the hub is asked to wait for an outcome.
	outcomeWait = 30 * time.Second
	// silence is how long a request may bring nothing before it is given up.
	silence = outcomeWait + 30*time.Second
	// The pauses after a failure, doubling.
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
)

// item is a line on its way.
type item struct {
	line  int
	event feed.Event
	// sent is how often it was handed in.
	sent int
	// place is where it stands, once that is known and the outcome is not.
	place string
}

// lane hands in lines, one request at a time. All lines of a dossier go by the
// same lane, and no two of them by the same request: when the first is to be
// repeated, the second has not overtaken it.
type lane struct {
	client  *door.Client
	settle  func(outcome) error
	account *account
	// trouble is told of every failure that a later try may mend, and of success
	// with a nil error. Its own error ends the lane.
	trouble func(error) error

	pending []*item
	// here are the dossiers of the batch that is being put together.
	here map[string]bool
}

// run hands in what comes until lines is closed and all of it has its outcome.
// The error is ctx's, or one that no later try can mend.
func (l *lane) run(ctx context.Context, lines <-chan *item) error {
	pause := firstPause
	for {
		open := l.fill(ctx, lines)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if len(l.pending) == 0 && !open {
			return nil
		}
		batch := l.choose()
		err := l.handIn(ctx, batch)
		before := len(l.pending)
		l.pending = slices.DeleteFunc(l.pending, func(it *item) bool { return it.event.JSON == nil })
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil && !door.Passing(err) {
			return err
		}
		if len(l.pending) < before {
			// It is slow going, but going.
			pause = firstPause
			if err := l.trouble(nil); err != nil {
				return err
			}
		}
		if err == nil {
			continue
		}
		if err := l.trouble(err); err != nil {
			return err
		}
		if !sleep(ctx, pause) {
			return context.Cause(ctx)
		}
		pause = min(2*pause, lastPause)
	}
}

// fill takes what has come, and waits for the first line when there is nothing to
// do. It says whether more may come.
func (l *lane) fill(ctx context.Context, lines <-chan *item) (open bool) {
	for len(l.pending) < maxPending {
		var it *item
		if len(l.pending) == 0 {
			select {
			case <-ctx.Done():
				return true
			case it, open = <-lines:
			}
		} else {
			select {
			case it, open = <-lines:
			default:
				return true
			}
		}
		if !open {
			return false
		}
		l.pending = append(l.pending, it)
	}
	return true
}

// choose puts a batch together, oldest lines first, at most one of a dossier.
func (l *lane) choose() []*item {
	clear(l.here)
	var batch []*item
	size := 0
	for _, it := range l.pending {
		if len(batch) == maxBatch || size+len(it.event.JSON) > maxBatchBytes && len(batch) > 0 {
			break
		}
		if d := it.event.Dossier; d != "" {
			if l.here[d] {
				continue
			}
			l.here[d] = true
		}
		batch = append(batch, it)
		size += len(it.event.JSON) + 1
	}
	return batch
}

// handIn hands the batch in and settles what is answered. An item that has its
// outcome loses its JSON. The error says why some have none.
func (l *lane) handIn(ctx context.Context, batch []*item) error {
	var placed, rest []*item
	for _, it := range batch {
		if it.place != "" {
			placed = append(placed, it)
		} else {
			rest = append(rest, it)
		}
	}
	var trouble error
	for _, it := range placed {
		if err := l.ask(ctx, it); err != nil {
			trouble = err
			break
		}
	}
	if len(rest) == 0 {
		return trouble
	}
	return errors.Join(trouble, l.post(ctx, rest))
}

// post sends the lines as one stream and reads the answers as they come.
func (l *lane) post(ctx context.Context, batch []*item) error {
	var body bytes.Buffer
	for _, it := range batch {
		body.Write(it.event.JSON)
		body.WriteByte('\n')
		if it.sent++; it.sent == 2 {
			l.account.again()
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// A hub that was stopped in its tracks keeps the connection and says nothing.
	quiet := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer quiet.Stop()
	res, err := l.client.Do(ctx, door.Request{
		Method: http.MethodPost, Path: eventsPath, Body: body.Bytes(),
		Header: http.Header{
			"Content-Type": {"application/x-ndjson"},
			"Prefer":       {"wait=" + strconv.Itoa(int(outcomeWait/time.Second))},
		},
	})
	if err != nil {
		return l.silent(ctx, err)
	}
	defer func() { _ = res.Body.Close() }()
	var passing error
	answers := bufio.NewReaderSize(res.Body, 64<<10)
	for i, it := range batch {
		line, err := answers.ReadBytes('\n')
		if err != nil {
			return l.silent(ctx, &door.AwayError{Hub: l.client.Base(eventsPath), Err: noEOF(err)})
		}
		quiet.Reset(silence)
		var a answer
		if err := json.Unmarshal(line, &a); err != nil || a.Line != i+1 {
			return fmt.Errorf("the hub's answer to a stream is not what was expected (at line %d of the file)", it.line)
		}
		if err := l.take(it, a); err != nil {
			if !door.Passing(err) {
				return err
			}
			passing = err
		}
	}
	// Read to the end, so that the connection is used again.
	_, _ = io.Copy(io.Discard, answers)
	return passing
}

var errSilent = errors.New("it has said nothing for a minute")

// silent is err, or that the hub was silent where that ended the request.
func (l *lane) silent(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errSilent) {
		return &door.AwayError{Hub: l.client.Base(eventsPath), Err: errSilent}
	}
	return err
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// take settles the item by its answer. The error is a passing *door.Problem when
// the answer is not the last word.
func (l *lane) take(it *item, a answer) error {
	o, ok, err := a.settled(it.line, it.event.Name)
	switch {
	case err != nil:
		return err
	case ok:
		it.event.JSON = nil
		return l.settle(o)
	case a.Place != "":
		it.place = a.Place
		return &door.Problem{Status: http.StatusServiceUnavailable, Title: "The ledger has not decided yet."}
	case a.Problem != nil:
		return &door.Problem{Status: http.StatusServiceUnavailable, Title: "The hub did not take a line.", Code: a.Problem.Code, Detail: a.Problem.Detail}
	}
	return fmt.Errorf("the hub's answer for line %d tells neither a place nor a problem", it.line)
}

// ask asks for the outcome of an item whose place is known. When the hub does not
// know the place, the item is handed in again.
func (l *lane) ask(ctx context.Context, it *item) error {
	var a answer
	err := l.client.Get(ctx, eventsPath+"/"+it.place, &a)
	var p *door.Problem
	if errors.As(err, &p) && p.Code == notFound {
		it.place = ""
		return &door.Problem{Status: http.StatusServiceUnavailable, Title: "The hub does not know a place that it gave."}
	}
	if err != nil {
		return err
	}
	if a.Place == "" {
		a.Place = it.place
	}
	return l.take(it, a)
}

const notFound = "not_found"

// refusalOf is the outcome of a line that could not be mapped.
func refusalOf(line int, name string, r *schemas.Refusal) outcome {
	return outcome{line: line, result: resultRefusal, name: name, reason: string(r.Reason), detail: r.Detail}
}

// sleep waits; false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
