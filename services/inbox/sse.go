package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/inbox/internal/desk"
	"github.com/relais-fr/relais/services/internal/store"
)

const (
	// maxStreams bounds the pages that listen at once.
	maxStreams = 4096
	// heartbeat keeps proxies from closing a quiet stream, and finds dead ones.
	heartbeat = 15 * time.Second
	// pollEvery is how often a stream looks at a desk that another process keeps.
	pollEvery = time.Second
	// writeLimit is how long a client may take for one write.
	writeLimit = 10 * time.Second
)

// streamID is the id of a notice in a stream: its place on `to.offices`, which is
// the same whoever built the desk, and however often.
func streamID(partition int, offset int64) string {
	return strconv.Itoa(partition) + "-" + strconv.FormatInt(offset, 10)
}

// parseStreamID reads a Last-Event-ID of an office. ok is false for an id of
// another partition, or no id at all.
func parseStreamID(id string, partition int) (offset int64, ok bool) {
	rest, ok := strings.CutPrefix(id, strconv.Itoa(partition)+"-")
	if !ok {
		return 0, false
	}
	offset, err := strconv.ParseInt(rest, 10, 64)
	return offset, err == nil && offset >= -1 && id == streamID(partition, offset)
}

// stream is one page that listens.
type stream struct {
	in        *Inbox
	office    string
	partition int
	after     int64 // offset of the last notice it has had
	w         http.ResponseWriter
	control   *http.ResponseController
}

// serveEvents is GET /offices/{office}/events. A page says where it stands by
// Last-Event-ID, or by `after`, which is what it was rendered with; then it gets
// every notice above that once, or the event `reset` when it came back too late.
func (p *pages) serveEvents(w http.ResponseWriter, r *http.Request) {
	in := p.in
	if !in.host.Directory.IsReady() {
		w.Header().Set("Retry-After", "2")
		http.Error(w, "the directory is being loaded", http.StatusServiceUnavailable)
		return
	}
	office, ok := in.host.Directory.Office(r.PathValue("office"))
	if !ok {
		http.Error(w, "unknown office", http.StatusNotFound)
		return
	}
	if in.streams.Add(1) > maxStreams {
		in.streams.Add(-1)
		w.Header().Set("Retry-After", "30")
		http.Error(w, "too many pages listen", http.StatusServiceUnavailable)
		return
	}
	defer in.streams.Add(-1)
	in.metrics.clients.Inc()
	defer in.metrics.clients.Dec()

	s := &stream{in: in, office: office.ID, partition: in.partition(office.ID), w: w, control: http.NewResponseController(w)}
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = r.FormValue("after")
	}
	s.after, ok = parseStreamID(last, s.partition)
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	if err := s.begin(ok); err != nil {
		return
	}
	// The client is gone, or the hub stops: either way there is nobody to tell.
	_ = s.run(r.Context())
}

func (s *stream) begin(known bool) error {
	if !known {
		s.after = -1
		return s.reset()
	}
	return s.write("retry: 1000\n\n")
}

func (s *stream) run(ctx context.Context) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		changed := s.in.wake.wait(s.office)
		if err := s.send(ctx); err != nil {
			return err
		}
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-changed:
				waiting = false
			case <-poll.C:
				_, ours := s.in.tenancy.of(s.partition)
				waiting = ours
			case <-beat.C:
				if err := s.write(": \n\n"); err != nil {
					return err
				}
				// A wake-up that went to another process is caught up with here.
				waiting = false
			}
		}
	}
}

// send writes the notices above those that the page has had.
func (s *stream) send(ctx context.Context) error {
	answers, err := s.in.look(ctx, s.office, store.Get(officeKey(s.office)), store.LRange(noticesKey(s.office), -desk.MaxNotices, -1))
	if _, building := errors.AsType[*notYetError](err); building {
		return nil
	}
	if err != nil {
		return err
	}
	state, err := one[desk.Office](answers[0].Value)
	if err != nil {
		return err
	}
	kept, err := all[desk.Notice](answers[1].Values)
	if err != nil {
		return err
	}
	fresh, ok := state.Since(kept, s.after)
	if !ok {
		s.in.metrics.gaps.Inc()
		s.after = state.Last - 1
		return s.reset()
	}
	for _, n := range fresh {
		if err := s.notice(n); err != nil {
			return err
		}
		s.after = n.Offset
	}
	return nil
}

func (s *stream) notice(n desk.Notice) error {
	entry, _ := schemas.Lookup(n.Type)
	data, err := json.Marshal(map[string]string{"type": n.Type, "case": n.Case, "fr": entry.NameFR, "en": entry.NameEN})
	if err != nil {
		return err
	}
	return s.write(fmt.Sprintf("id: %s\nevent: notice\ndata: %s\n\n", streamID(s.partition, n.Offset), data))
}

// reset tells the page to load again; its id is where the stream goes on.
func (s *stream) reset() error {
	return s.write(fmt.Sprintf("id: %s\nevent: reset\ndata: {}\n\n", streamID(s.partition, s.after)))
}

func (s *stream) write(text string) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}
