package courier

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/pause"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

const (
	// heartbeat keeps proxies from closing a quiet stream, and finds dead ones.
	heartbeat = 15 * time.Second
	// streamLimit is how many events are read ahead of a stream's reader.
	streamLimit = 100
	// writeLimit is how long a reader may take for one event. Who takes longer is cut
	// off, and comes back with the id of the last event that it has.
	writeLimit = 10 * time.Second
	// maxStreams bounds all streams of a courier, maxOwnStreams a participant's.
	maxStreams    = 5_000
	maxOwnStreams = 8
)

// streams counts those that are open. Safe for concurrent use.
type streams struct {
	mu  sync.Mutex
	of  map[string]int
	all int
}

func newStreams() *streams { return &streams{of: map[string]int{}} }

// open counts one more, if there is room for it.
func (s *streams) open(owner string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[owner] >= maxOwnStreams {
		return &failure{schemas.ReasonRateExceeded, "8 streams of this participant are open already; close one"}
	}
	if s.all >= maxStreams {
		return notReady("too many streams are open; read the mailbox, or try again later")
	}
	s.of[owner]++
	s.all++
	return nil
}

func (s *streams) close(owner string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.of[owner]--; s.of[owner] == 0 {
		delete(s.of, owner)
	}
}

// stream answers GET /v1/stream: the participant's events as server-sent events,
// each with the cursor after it as its id. Who comes back with the last id that it
// has, as clients of such streams do by themselves, gets the next event, whichever
// courier answers. Before there is an id, `cursor` says where to begin, as for the
// mailbox.
func (c *Courier) stream(w http.ResponseWriter, r *http.Request) {
	a, err := c.askStream(r)
	if err == nil {
		err = c.streams.open(a.box.owner)
	}
	if err != nil {
		c.refuseStream(w, r, a, err)
		return
	}
	defer c.streams.close(a.box.owner)
	s := &stream{courier: c, ask: a, w: w, control: http.NewResponseController(w)}
	// What is wrong with the cursor is said as an answer, while there can be one.
	if p, err := c.beginStream(r.Context(), a); err != nil {
		c.refuseStream(w, r, a, err)
	} else {
		s.run(r.Context(), p)
	}
}

func (c *Courier) askStream(r *http.Request) (ask, error) {
	b, err := c.boxOfCaller(r)
	if err != nil {
		return ask{}, err
	}
	a, err := parseAsk(r, b)
	if err != nil {
		return a, err
	}
	a.box.mark, a.limit, a.wait = true, streamLimit, heartbeat
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		a.now = false
		a.from, err = cursorOf(last, b)
	}
	return a, err
}

func (c *Courier) beginStream(ctx context.Context, a ask) (page, error) {
	if a.now {
		return c.end(ctx, a.box)
	}
	return c.look(ctx, a.box, a.from, a.limit)
}

func (c *Courier) refuseStream(w http.ResponseWriter, r *http.Request, a ask, err error) {
	d := document(err)
	c.host.Log.LogAttrs(r.Context(), slog.LevelInfo, "stream refused",
		slog.String(telemetry.KeyParticipant, a.box.owner), slog.Int("status", d.Status), slog.Any(telemetry.KeyError, err))
	refuse(w, d)
}

// stream is one that is open.
type stream struct {
	courier *Courier
	ask     ask
	w       http.ResponseWriter
	control *http.ResponseController
	sent    int
	id      string // the last that was written
}

// again is how long a stream waits that could not read, or not be woken.
const again = time.Second

// run writes what comes until the reader is gone or cannot be served any more. A
// log or a registry that does not answer now is waited for.
func (s *stream) run(ctx context.Context, p page) {
	m, started := s.courier.metrics, time.Now()
	m.streams.Inc()
	defer m.streams.Dec()
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	s.w.WriteHeader(http.StatusOK)

	err := s.write([]byte("retry: 1000\n\n"))
	busy := false
	for err == nil {
		if err = s.page(p); err != nil || ctx.Err() != nil {
			break
		}
		s.ask.from = p.cursor
		p, busy, err = s.courier.lookOrWait(ctx, s.ask)
		if errors.Is(err, errSlow) || errors.Is(err, errRegistry) || busy {
			p, err = page{cursor: s.ask.from}, pause.For(ctx, again)
		}
	}
	stalled := errors.Is(err, os.ErrDeadlineExceeded)
	if stalled {
		m.cut.Inc()
	} else if revoked := errors.Is(context.Cause(ctx), auth.ErrRevoked); revoked {
		s.end(auth.ErrRevoked)
	} else if err != nil && ctx.Err() == nil {
		s.end(err)
	}
	s.courier.host.Log.LogAttrs(ctx, slog.LevelInfo, "stream ended", slog.String(telemetry.KeyParticipant, s.ask.box.owner),
		slog.Int(telemetry.KeyCount, s.sent), slog.Duration(telemetry.KeyDuration, time.Since(started)), slog.Bool("stalled", stalled), slog.Any(telemetry.KeyError, err))
}

// page writes the events of a look. After one without any it writes a sign of life,
// and with it the cursor where that has moved: there was something that is not the
// reader's, or that it has.
func (s *stream) page(p page) error {
	for i, event := range p.events {
		if err := s.event("", p.after[i], event); err != nil {
			return err
		}
		s.sent++
		s.courier.metrics.streamed.Inc()
	}
	if len(p.events) > 0 {
		return nil
	}
	beat := []byte(":\n")
	if id := p.cursor.encode(s.ask.box.owner); id != s.id {
		s.id = id
		beat = append(append(append(beat, "id: "...), id...), '\n')
	}
	return s.write(append(beat, '\n'))
}

// end tells why the stream ends, where the reader is there to be told.
func (s *stream) end(err error) {
	if data, err := json.Marshal(document(err)); err == nil {
		_ = s.event("problem", s.id, data)
	}
}

// event writes one event; a line break in JSON stands between its parts only.
func (s *stream) event(name, id string, data []byte) error {
	var b bytes.Buffer
	if id != "" {
		b.WriteString("id: " + id + "\n")
	}
	if name != "" {
		b.WriteString("event: " + name + "\n")
	}
	for line := range bytes.Lines(data) {
		b.WriteString("data: ")
		b.Write(bytes.TrimRight(line, "\r\n"))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	s.id = id
	return s.write(b.Bytes())
}

func (s *stream) write(text []byte) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := s.w.Write(text); err != nil {
		return err
	}
	return s.control.Flush()
}
