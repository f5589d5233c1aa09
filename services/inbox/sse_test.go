package inbox_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/directory"
)

// listener is a page that listens.
type listener struct {
	answer *httptest.ResponseRecorder
	leave  func()
}

// listen opens the stream as EventSource does: lastID is empty at the first
// connection, when the address says where to begin.
func (w *world) listen(office, after, lastID string) *listener {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:8080/offices/"+office+"/events?after="+after, nil)
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	l := &listener{answer: httptest.NewRecorder()}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.mux.ServeHTTP(l.answer, r)
	}()
	l.leave = func() { cancel(); <-ended }
	synctest.Wait()
	return l
}

var (
	streamEvent = regexp.MustCompile(`id: (\S+)\nevent: (\w+)\ndata: (.*)\n\n`)
	streamAfter = regexp.MustCompile(`data-stream="[^"]*after=([^"]*)"`)
)

// heard are the ids of the notices that came, and `reset`s.
func (l *listener) heard() []string {
	synctest.Wait()
	var list []string
	for _, m := range streamEvent.FindAllStringSubmatch(l.answer.Body.String(), -1) {
		if m[2] == "notice" {
			list = append(list, m[1])
		} else {
			list = append(list, m[2]+" "+m[1])
		}
	}
	return list
}

// arrives delivers an event to the office and returns its id in the stream.
func (w *world) arrives(office string) string {
	w.t.Helper()
	partition := broker.PartitionOf([]byte(office), partitions)
	bounds, err := w.broker.RangeOf(w.t.Context(), w.broker.Topic("to.offices"), partition)
	if err != nil {
		w.t.Fatal(err)
	}
	ids++
	subject := fmt.Sprintf("0198f3c2-6a41-7c3e-9b1d-%012d", ids)
	w.deliver(office, schemas.Event{ID: fmt.Sprint("event-", ids), Source: schemas.Source("cnaf", "si"), Subject: subject}, made("cnaf", office))
	return strconv.Itoa(partition) + "-" + strconv.FormatInt(bounds.Next, 10)
}

func (w *world) after(page string) string {
	w.t.Helper()
	m := streamAfter.FindStringSubmatch(page)
	if m == nil {
		w.t.Fatalf("the page does not listen\n%s", page)
	}
	return m[1]
}

func TestAPageHearsWhatArrivesOnceAndInOrder(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.arrives(office)
		w.settle(time.Second)
		after := w.after(w.page("/offices/" + office))
		var want []string
		want = append(want, w.arrives(office)) // between the page and its stream
		l := w.listen(office, after, "")
		defer l.leave()
		began := time.Now()
		want = append(want, w.arrives(office))
		w.settle(300 * time.Millisecond)
		if diff := cmp.Diff(want, l.heard()); diff != "" {
			t.Errorf("heard within %v (-want +got):\n%s", time.Since(began), diff)
		}
		w.arrives("demo-2")
		want = append(want, w.arrives(office), w.arrives(office))
		w.settle(time.Minute)
		if diff := cmp.Diff(want, l.heard()); diff != "" {
			t.Errorf("heard (-want +got):\n%s", diff)
		}
		if got := w.metric("relais_sse_clients"); got != 1 {
			t.Errorf("%v clients", got)
		}
		if h := l.answer.Header(); h.Get("Content-Type") != "text/event-stream; charset=utf-8" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("header %v", h)
		}
		if !strings.Contains(l.answer.Body.String(), ": \n\n") {
			t.Error("there was no heartbeat")
		}
	})
}

func TestAPageThatComesBackMissesNothingAndHearsNothingTwice(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		var want, got []string
		last := ""
		after := w.after(w.page("/offices/" + office))
		for i := range 12 {
			l := w.listen(office, after, last)
			if i%3 != 0 {
				want = append(want, w.arrives(office))
				w.settle(time.Second)
			}
			heard := l.heard()
			got = append(got, heard...)
			if len(heard) > 0 {
				last = heard[len(heard)-1]
			}
			l.leave()
			want = append(want, w.arrives(office)) // while nobody listens
			if i%4 == 3 {
				w.stop()
				w.redis.FlushAll()
				w.start()
			}
			w.settle(time.Second)
		}
		l := w.listen(office, after, last)
		w.settle(time.Second)
		got = append(got, l.heard()...)
		l.leave()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("heard (-want +got):\n%s", diff)
		}
		if gaps := w.metric("relais_sse_resume_gap_total"); gaps != 0 {
			t.Errorf("%v gaps", gaps)
		}
	})
}

func TestAPageThatComesBackTooLateIsToldToLoadAgain(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		first := w.arrives(office)
		var last string
		for range 100 {
			last = w.arrives(office)
		}
		w.settle(2 * time.Second)
		l := w.listen(office, "", first)
		if diff := cmp.Diff([]string{"reset " + last}, l.heard()); diff != "" {
			t.Errorf("heard (-want +got):\n%s", diff)
		}
		next := w.arrives(office)
		w.settle(time.Second)
		if diff := cmp.Diff([]string{"reset " + last, next}, l.heard()); diff != "" {
			t.Errorf("heard (-want +got):\n%s", diff)
		}
		l.leave()
		if gaps := w.metric("relais_sse_resume_gap_total"); gaps != 1 {
			t.Errorf("%v gaps", gaps)
		}
	})
}

func TestAnIDThatIsNoneBeginsAnew(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.arrives(office)
		w.settle(time.Second)
		for _, id := range []string{"nonsense", "99-1", "-1", "1-99999999", "x-y"} {
			l := w.listen(office, "", id)
			heard := l.heard()
			l.leave()
			if len(heard) == 0 || !strings.HasPrefix(heard[0], "reset ") {
				t.Errorf("%q: heard %v", id, heard)
			}
		}
		if answer := w.get("/offices/nobody/events"); answer.Code != http.StatusNotFound {
			t.Errorf("an unknown office: %d", answer.Code)
		}
	})
}

func TestAStreamWaitsWhileTheDesksAreBuilt(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		first := w.arrives(office)
		w.settle(time.Second)
		l := w.listen(office, "", first)
		defer l.leave()
		w.redis.FlushAll()
		w.settle(20 * time.Second)
		second := w.arrives(office)
		w.settle(5 * time.Second)
		if diff := cmp.Diff([]string{second}, l.heard()); diff != "" {
			t.Errorf("heard (-want +got):\n%s", diff)
		}
	})
}

func TestAPageHearsWhatAnotherProcessPutsOnTheDesk(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		both := []*world{w, w.another()}
		w.settle(30 * time.Second)
		var want [3][]string
		var listeners [2][3]*listener
		offices := [3]string{"demo-1", "demo-2", "demo-3"}
		for i, p := range both {
			for j, o := range offices {
				listeners[i][j] = p.listen(o, w.after(p.page("/offices/"+o)), "")
			}
		}
		for range 3 {
			for j, o := range offices {
				want[j] = append(want[j], w.arrives(o))
			}
			w.settle(1500 * time.Millisecond)
		}
		for i := range both {
			for j, o := range offices {
				if diff := cmp.Diff(want[j], listeners[i][j].heard()); diff != "" {
					t.Errorf("process %d, %s heard (-want +got):\n%s", i, o, diff)
				}
				listeners[i][j].leave()
			}
		}
	})
}

func TestNoOfficeIsUnknownBeforeTheDirectoryIsThere(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.stop()
		w.directory = directory.NewView()
		w.start()
		// A browser whose stream was told 404 would never come back.
		for _, path := range []string{"/offices/demo-1/events", "/offices/demo-1", "/"} {
			if a := w.get(path); a.Code != http.StatusServiceUnavailable || a.Header().Get("Retry-After") == "" {
				t.Errorf("%s: %d %v", path, a.Code, a.Header())
			}
		}
	})
}
