package services

import (
	"context"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/problem"
)

// Routes is where a service registers its doors; *http.ServeMux is one.
type Routes interface {
	http.Handler
	Handle(pattern string, handler http.Handler)
	HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request))
}

// Doors are the HTTP doors of a process: a mux that asks the table of rights who may
// come in, before the service sees the request. It gives every request that has a
// body a time to bring it, so that a sender who dribbles holds nothing for long.
type Doors struct {
	mux  *http.ServeMux
	auth *auth.Auth

	mu       sync.Mutex
	patterns []string
}

var _ Routes = (*Doors)(nil)

// NewDoors makes doors that nobody has registered yet.
func NewDoors(a *auth.Auth) *Doors { return &Doors{mux: http.NewServeMux(), auth: a} }

// Handle registers a door. Like http.ServeMux it panics where that is wrong: for a
// pattern without rights too, since nobody could say who may come in.
func (d *Doors) Handle(pattern string, handler http.Handler) {
	door, ok := auth.Doors()[pattern]
	if !ok {
		panic("services: no rights are given for " + pattern + "; package auth has the table")
	}
	d.mu.Lock()
	d.patterns = append(d.patterns, pattern)
	d.mu.Unlock()
	d.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if door.Own {
			handler.ServeHTTP(w, d.timed(w, r))
			return
		}
		by, err := d.auth.Admit(r, pattern)
		if err != nil {
			problem.Write(w, problem.From(err))
			return
		}
		if by.ID == "" {
			handler.ServeHTTP(w, d.timed(w, r))
			return
		}
		ctx := auth.With(r.Context(), by)
		if !door.Long && !isStreamed(r) {
			handler.ServeHTTP(w, d.timed(w, r.WithContext(ctx)))
			return
		}
		live, done := d.auth.Live(ctx, by)
		defer done()
		control := http.NewResponseController(w)
		// Who waits for a body that may come no more stops waiting.
		defer context.AfterFunc(live, func() { _ = control.SetReadDeadline(time.Now()) })()
		r = r.WithContext(live)
		r.Body = &liveBody{r.Body, live}
		handler.ServeHTTP(w, d.timed(w, r))
	})
}

// isStreamed says whether the body is lines that may come for as long as they like;
// whoever takes them has a patience of its own.
func isStreamed(r *http.Request) bool {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return kind == "application/x-ndjson"
}

// timed gives the body a time to come.
func (d *Doors) timed(w http.ResponseWriter, r *http.Request) *http.Request {
	if r.Body != nil && r.Body != http.NoBody && !isStreamed(r) {
		r.Body = &timely{ReadCloser: r.Body, control: http.NewResponseController(w)}
	}
	return r
}

// liveBody ends with its context: a deadline that is set anew from read to read would
// forget that it is over.
type liveBody struct {
	io.ReadCloser
	live context.Context
}

// Read implements io.Reader.
func (b *liveBody) Read(p []byte) (int, error) {
	if b.live.Err() != nil {
		return 0, context.Cause(b.live)
	}
	return b.ReadCloser.Read(p)
}

// HandleFunc registers a door.
func (d *Doors) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	d.Handle(pattern, http.HandlerFunc(handler))
}

// ServeHTTP implements http.Handler.
func (d *Doors) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.mux.ServeHTTP(w, r) }

// Patterns are those of the doors that are registered, sorted.
func (d *Doors) Patterns() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(slices.Values(d.patterns))
}

const (
	// bodyPause is how long a body may stand still.
	bodyPause = 30 * time.Second
	// bodyBytesPerSecond is what a body must bring on the whole, beyond bodyPause: a
	// slow line has a hundred times that.
	bodyBytesPerSecond = 256
)

// timely is a body that has to come.
type timely struct {
	io.ReadCloser
	control *http.ResponseController
	begun   time.Time
	read    int64
}

// Read reads what has come. A body that stands still, or comes by a byte at a time,
// ends with os.ErrDeadlineExceeded, and so does its connection.
func (t *timely) Read(p []byte) (int, error) {
	now := time.Now()
	if t.begun.IsZero() {
		t.begun = now
	}
	due := t.begun.Add(bodyPause + time.Duration(t.read/bodyBytesPerSecond)*time.Second)
	if due.Before(now) {
		return 0, os.ErrDeadlineExceeded
	}
	// Not every writer has a deadline: those of tests have not.
	_ = t.control.SetReadDeadline(earlier(due, now.Add(bodyPause)))
	n, err := t.ReadCloser.Read(p)
	t.read += int64(n)
	if err != nil {
		_ = t.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
