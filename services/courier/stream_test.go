package courier

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

// listener reads a participant's stream, as clients of server-sent events do: it
// keeps the last id.
type listener struct {
	t      *testing.T
	client *http.Client
	token  string
	query  string
	last   string
	got    []string // ids of events
	beats  int

	answer *http.Response
	lines  *bufio.Scanner
	hangUp context.CancelFunc
}

func (w *world) listener(token string) *listener {
	return &listener{t: w.t, client: enginetest.NewWeb(w.t, w.mux).Client(w.t), token: token}
}

// open connects, or comes back.
func (l *listener) open() *listener {
	l.t.Helper()
	ctx, cancel := context.WithCancel(l.t.Context())
	l.hangUp = cancel
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:8080"+streamPath+l.query, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+l.token)
	if l.last != "" {
		r.Header.Set("Last-Event-ID", l.last)
	}
	if l.answer, err = l.client.Do(r); err != nil { //nolint:bodyclose // close does
		l.t.Fatal(err)
	}
	l.lines = bufio.NewScanner(l.answer.Body)
	l.lines.Buffer(nil, 1<<20)
	return l
}

func (l *listener) close() {
	l.hangUp()
	_ = l.answer.Body.Close()
	synctest.Wait()
}

// next reads one block of the stream: an event, or a sign of life. It says what kind
// of event it was; ok is false at the stream's end.
func (l *listener) next() (name, data string, ok bool) {
	for l.lines.Scan() {
		field, value, _ := strings.Cut(l.lines.Text(), ": ")
		switch field {
		case "":
			if l.lines.Text() == "" {
				return name, data, true
			}
			l.beats++
		case ":":
			l.beats++
		case "id":
			l.last = value
		case "event":
			name = value
		case "data":
			data += value
		}
	}
	return "", "", false
}

// take reads events until it has so many, all told.
func (l *listener) take(n int) {
	l.t.Helper()
	for len(l.got) < n {
		name, data, ok := l.next()
		if !ok || name != "" {
			l.t.Fatalf("after %d events the stream said %q %s", len(l.got), name, data)
		}
		if data == "" {
			continue
		}
		var e struct{ ID string }
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			l.t.Fatalf("%s: %v", data, err)
		}
		l.got = append(l.got, e.ID)
	}
}

func (l *listener) problem() string {
	var d struct {
		Code, Cursor string
	}
	if err := json.NewDecoder(l.answer.Body).Decode(&d); err != nil {
		l.t.Fatal(err)
	}
	l.last = d.Cursor
	return fmt.Sprint(l.answer.StatusCode, " ", d.Code)
}

func TestAStreamGoesOnWhereItsReaderWas(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			r := rand.New(rand.NewPCG(seed, 0))
			l := w.listener("dev-cnaf")
			const all = 400
			written := map[string][]string{} // by dossier
			sent := 0
			send := func(n int) {
				for range n {
					dossier := fmt.Sprintf("cnaf.%d", r.IntN(7))
					p := broker.PartitionOf([]byte(dossier), partitions)
					e := w.fact(fmt.Sprintf("%s/%d", dossier, sent), dossier, schemas.Place{Partition: p, Offset: int64(sent)}, time.Now())
					w.address("cnaf", e)
					if r.IntN(10) == 0 {
						w.address("cnaf", e) // the router came back from a crash
					}
					written[dossier] = append(written[dossier], e.ID)
					sent++
				}
			}
			for sent < all {
				send(1 + r.IntN(60))
				l.open()
				l.take(len(l.got) + r.IntN(sent-len(l.got)+1))
				if r.IntN(3) == 0 {
					// The courier is killed; another one, which has never heard of the
					// reader, takes its place.
					w.stop()
					w.mux, w.reg = http.NewServeMux(), prometheus.NewRegistry()
					settings := config.DefaultHub()
					settings.Partitions = partitions
					w.stop = w.start(w.view, settings)
					l.close()
					other := w.listener("dev-cnaf")
					other.last, other.got = l.last, l.got
					l = other
				} else {
					l.close()
				}
			}
			l.open()
			l.take(sent)
			l.close()
			read := map[string][]string{}
			for _, id := range l.got {
				dossier, _, _ := strings.Cut(id, "/")
				read[dossier] = append(read[dossier], id)
			}
			want(t, "each once, in order by dossier", written, read)
		})
	}
}

func TestAStreamTellsWhatComesAtOnceAndThatItLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.addressOffice("demo-1", w.fact("old", "cnaf.d", schemas.Place{}, time.Now()))
		l := w.listener("dev-demo-1")
		l.query = "?cursor=now"
		l.open()
		defer l.close()
		want(t, "type", "text/event-stream; charset=utf-8", l.answer.Header.Get("Content-Type"))
		done := make(chan struct{})
		go func() {
			defer close(done)
			time.Sleep(10 * time.Second)
			w.addressOffice("demo-2", w.fact("others", "cnaf.d", schemas.Place{Offset: 1}, time.Now()))
			time.Sleep(50 * time.Second)
			w.addressOffice("demo-1", w.fact("new", "cnaf.d", schemas.Place{Offset: 2}, time.Now()))
		}()
		start := time.Now()
		l.take(1)
		want(t, "what came", []string{"new"}, l.got)
		want(t, "after", time.Minute, time.Since(start).Round(time.Second))
		if l.beats < 3 {
			t.Errorf("in a minute it said %d times that it lives", l.beats)
		}
		<-done
	})
}

func TestAStreamAcknowledgesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := broker.PartitionOf([]byte("cnaf.d"), partitions)
		w.address("cnaf", w.fact("event", "cnaf.d", schemas.Place{}, time.Now()))
		l := w.listener("dev-cnaf").open()
		l.take(1)
		l.close()
		l.open()
		l.close()
		committed := func() int64 {
			time.Sleep(2 * ackEvery)
			offsets, err := w.broker.GroupOffsets(t.Context(), "relais.mailbox.cnaf", "relais.to.cnaf", partitions)
			if err != nil {
				t.Fatal(err)
			}
			return offsets[p].Offset
		}
		want(t, "after it came back with the id", 0, committed())
		w.ack("dev-cnaf", `{"cursor":"`+l.last+`"}`)
		want(t, "after its id was acknowledged", 1, committed())
	})
}

func TestAStreamWhoseReaderStandsStillIsCutOffAndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var sent []string
		for i := range 300 {
			e := w.fact(fmt.Sprintf("event-%03d", i), "cnaf.d", schemas.Place{Offset: int64(i)}, time.Now())
			sent = append(sent, e.ID)
			w.address("cnaf", e)
		}
		l := w.listener("dev-cnaf").open()
		l.take(50)
		time.Sleep(2 * writeLimit)
		for cut := false; !cut; { // what was under way still comes
			name, data, ok := l.next()
			cut = !ok || name != ""
			if data != "" && !cut {
				var e struct{ ID string }
				if err := json.Unmarshal([]byte(data), &e); err != nil {
					t.Fatal(err)
				}
				l.got = append(l.got, e.ID)
			}
		}
		if len(l.got) >= 300 {
			t.Error("it was not cut off")
		}
		l.close()
		l.open()
		l.take(300)
		l.close()
		want(t, "all, once and in order", sent, l.got)
	})
}

func TestStreamsOfAParticipantAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var open []*listener
		for range maxOwnStreams {
			open = append(open, w.listener("dev-cnaf").open())
		}
		ninth := w.listener("dev-cnaf").open()
		want(t, "one more", "429 rate_exceeded", ninth.problem())
		another := w.listener("dev-cnam").open()
		want(t, "another's", 200, another.answer.StatusCode)
		open[0].close()
		time.Sleep(time.Second)
		ninth.last = ""
		ninth.open()
		want(t, "one in its place", 200, ninth.answer.StatusCode)
		for _, l := range append(slices.Clone(open[1:]), ninth, another) {
			l.close()
		}
	})
}

func TestAStreamSaysWhatItsReaderMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := broker.PartitionOf([]byte("cnaf.d"), partitions)
		for n := range 4 {
			w.address("cnaf", w.fact(fmt.Sprintf("event-%d", n), "cnaf.d", schemas.Place{Partition: 1, Offset: int64(n)}, time.Now()))
		}
		l := w.listener("dev-cnaf")
		l.last = w.get("dev-cnaf", "?limit=1").cursor
		if err := w.kafka.Cluster.DeleteRecords("relais.to.cnaf", int32(p), 3); err != nil {
			t.Fatal(err)
		}
		want(t, "two are gone", "410 gone", l.open().problem())
		l.open()
		l.take(1)
		want(t, "what is left", []string{"event-3"}, l.got)
		l.close()
	})
}

func TestStreamRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.address("cnaf", w.fact("event", "cnaf.d", schemas.Place{}, time.Now()))
		good := w.get("dev-cnaf", "").cursor
		for _, c := range []struct{ name, token, query, last, answer string }{
			{"no known token", "dev-nobody", "", "", "401 not_signed_in"},
			{"an admin, who has none", "dev-admin", "", "", "403 forbidden"},
			{"another's id", "dev-cnam", "", good, "400 malformed"},
			{"an id of something else", "dev-cnaf", "", "17", "400 malformed"},
			{"another's cursor", "dev-cnam", "?cursor=" + good, "", "400 malformed"},
			{"an id beyond the end", "dev-cnaf", "", cursor{next: map[int]int64{0: 1000}}.encode("cnaf"), "400 malformed"},
		} {
			l := w.listener(c.token)
			l.query, l.last = c.query, c.last
			want(t, c.name, c.answer, l.open().problem())
			l.close()
		}
	})
}

func TestAStreamOutlivesARegistryThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		l := w.listener("dev-cnaf").open()
		defer l.close()
		w.ids.setDown(true)
		w.address("cnaf", w.fact("event", "cnaf.d", schemas.Place{}, time.Now()))
		time.AfterFunc(30*time.Second, func() { w.ids.setDown(false) })
		l.take(1)
		want(t, "what came in the end", []string{"event"}, l.got)
	})
}
