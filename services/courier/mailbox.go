package courier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/problem"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

const (
	mailboxPath = "/v1/mailbox"
	ackPath     = "/v1/mailbox/ack"
	streamPath  = "/v1/stream"

	channelMailbox = "mailbox"
	channelStream  = "stream"

	// CursorHeader carries the cursor for the next request.
	CursorHeader = "Relais-Cursor"
	// MoreHeader is "true" when the answer stopped before the end, and the next
	// request should not wait.
	MoreHeader = "Relais-More"
)

// mailbox answers GET /v1/mailbox: the events of the participant whose token it
// is, from its cursor on.
func (c *Courier) mailbox(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	a, p, err := c.serve(r)
	status := http.StatusOK
	if err != nil {
		d := document(err)
		status = d.Status
		refuse(w, d)
	} else {
		c.write(w, a, p)
	}
	c.metrics.requests.WithLabelValues(strconv.Itoa(status/100) + "xx").Inc()
	c.account(r.Context(), a, p, status, err, time.Since(started))
}

// refuse answers with a problem, and where it has a cursor to go on with, with that
// where a reader looks for the next one.
func refuse(w http.ResponseWriter, d problem.Document) {
	if d.Cursor != "" {
		w.Header().Set(CursorHeader, d.Cursor)
	}
	problem.Write(w, d)
}

// serve reads the request and then the box.
func (c *Courier) serve(r *http.Request) (ask, page, error) {
	b, err := c.boxOfCaller(r)
	if err != nil {
		return ask{}, page{}, err
	}
	a, err := parseAsk(r, b)
	if err != nil {
		return a, page{}, err
	}
	if a.now {
		p, err := c.end(r.Context(), b)
		return a, p, err
	}
	p, _, err := c.lookOrWait(r.Context(), a)
	if err == nil && errors.Is(context.Cause(r.Context()), auth.ErrRevoked) {
		return a, page{}, auth.ErrRevoked
	}
	if err == nil {
		c.acks.note(b, a.from)
	}
	return a, p, err
}

// boxOfCaller is the box of whoever sent the request.
func (c *Courier) boxOfCaller(r *http.Request) (box, error) {
	if !c.host.Directory.IsReady() {
		return box{}, notReady("the directory is still being read")
	}
	by, err := c.host.Auth.Authenticate(r)
	if err != nil {
		return box{}, err
	}
	return c.boxOf(by)
}

// boxOf is where the participant's events stand. An office's are on one
// partition of the topic that all offices share.
func (c *Courier) boxOf(by auth.Principal) (box, error) {
	n, err := c.partitions()
	if err != nil {
		return box{}, err
	}
	b := box{owner: by.ID, partitions: n}
	if by.Role == directory.RoleOffice {
		b.topic, b.key = c.host.Broker.Topic("to."+schemas.OfficesParticipant), by.ID
		b.read = []int{broker.PartitionOf([]byte(by.ID), n)}
		return b, nil
	}
	if p, ok := c.host.Directory.Participant(by.ID); !ok || !p.HasTopics() {
		return box{}, &failure{problem.CodeForbidden, "only an operator, a partner, a feeder or an office has a mailbox"}
	}
	b.topic = c.host.Broker.Topic("to." + by.ID)
	for p := range n {
		b.read = append(b.read, p)
	}
	return b, nil
}

// partitions is N, by which keys are placed: as the directory says, where it was
// written when the installation was made.
func (c *Courier) partitions() (int, error) {
	text, ok := c.host.Directory.Setting(directory.SettingPartitions)
	if !ok {
		return c.host.Settings.Partitions, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxPartitions {
		return 0, fmt.Errorf("setting %s of the directory is %q", directory.SettingPartitions, text)
	}
	return n, nil
}

// end is an empty page after all that there is now.
func (c *Courier) end(ctx context.Context, b box) (page, error) {
	p := page{cursor: newCursor()}
	for _, partition := range b.read {
		r, err := c.rangeOf(ctx, b.topic, partition)
		if err != nil {
			return page{}, err
		}
		p.cursor.next[partition] = r.Next
	}
	return p, nil
}

// lookOrWait looks, and when there is nothing waits for something to come as long
// as the caller would. busy says that there was no waiting.
func (c *Courier) lookOrWait(ctx context.Context, a ask) (p page, busy bool, err error) {
	p, err = c.look(ctx, a.box, a.from, a.limit)
	if err != nil || a.wait == 0 || len(p.events) > 0 || p.more {
		return p, false, err
	}
	w, ok := c.bells.listen(a.box.topic, a.box.partitions, a.box.key)
	if !ok {
		return p, true, nil
	}
	defer c.bells.leave(w)
	patience := time.NewTimer(a.wait)
	defer patience.Stop()
	// What comes before the bell follows the topic does not ring: look once more
	// when it does.
	for heard := (<-chan struct{})(w.bell.following); ; heard = w.ring {
		select {
		case <-ctx.Done():
			return p, false, nil
		case <-patience.C:
			return p, false, nil
		case <-heard:
		}
		next, err := c.look(ctx, a.box, p.cursor, a.limit)
		if ctx.Err() != nil {
			return p, false, nil
		}
		if err != nil {
			return p, false, err
		}
		next.add(p)
		p = next
		if len(p.events) > 0 || p.more {
			return p, false, nil
		}
	}
}

// add adds an earlier look's work to this one's.
func (p *page) add(earlier page) {
	p.scanned += earlier.scanned
	p.repeats += earlier.repeats
	p.unreadable += earlier.unreadable
}

// write answers with the events as a CloudEvents batch.
func (c *Courier) write(w http.ResponseWriter, a ask, p page) {
	next := p.cursor.encode(a.box.owner)
	link := url.URL{Path: mailboxPath, RawQuery: url.Values{"cursor": {next}, "limit": {strconv.Itoa(a.limit)}}.Encode()}
	h := w.Header()
	h.Set("Content-Type", schemas.BatchContentType)
	h.Set("Cache-Control", "no-store")
	h.Set(CursorHeader, next)
	h.Set(MoreHeader, strconv.FormatBool(p.more))
	h.Set("Link", "<"+link.String()+`>; rel="next"`)
	if a.wait > 0 {
		h.Set("Preference-Applied", "wait="+strconv.Itoa(int(a.wait/time.Second)))
	}
	body := []byte{'['}
	for i, event := range p.events {
		if i > 0 {
			body = append(body, ",\n"...)
		}
		body = append(body, event...)
	}
	// An error means that the reader is gone; it asks again with its old cursor.
	if _, err := w.Write(append(body, "]\n"...)); err == nil {
		c.metrics.delivered.Add(float64(len(p.events)))
	}
}

// failure is an error with a code of its own.
type failure struct {
	code   schemas.Reason
	detail string
}

func (f *failure) Error() string { return string(f.code) + ": " + f.detail }

func malformed(detail string) error { return &failure{schemas.ReasonMalformed, detail} }

func notReady(detail string) error { return &failure{schemas.ReasonNotReady, detail} }

func document(err error) problem.Document {
	var f *failure
	var gap *gapError
	switch {
	case errors.As(err, &f):
		return problem.New(f.code, f.detail)
	case errors.As(err, &gap):
		d := problem.New(problem.CodeGone, gap.Error())
		d.Cursor = gap.cursor
		return d
	case errors.Is(err, errBeyond):
		return problem.New(schemas.ReasonMalformed, errBeyond.Error())
	case errors.Is(err, errSlow):
		return problem.New(schemas.ReasonNotReady, errSlow.Error())
	case errors.Is(err, errRegistry):
		return problem.New(schemas.ReasonNotReady, errRegistry.Error())
	}
	return problem.From(err)
}

// account writes the request's one line.
func (c *Courier) account(ctx context.Context, a ask, p page, status int, err error, took time.Duration) {
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String(telemetry.KeyParticipant, a.box.owner), slog.Int("status", status), slog.Int(telemetry.KeyCount, len(p.events)),
		slog.Int("scanned", p.scanned), slog.Int("repeats", p.repeats), slog.Bool("more", p.more),
		slog.Duration("wait", a.wait), slog.Duration(telemetry.KeyDuration, took),
	}
	if err != nil {
		attrs = append(attrs, slog.Any(telemetry.KeyError, err))
		switch {
		case ctx.Err() != nil, status == http.StatusServiceUnavailable:
			level = slog.LevelWarn
		case status >= 500:
			level = slog.LevelError
		}
	}
	c.host.Log.LogAttrs(ctx, level, "mailbox read", attrs...)
}
