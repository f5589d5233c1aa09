package inbox_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relais-fr/relais/services/internal/enginetest"
)

// stalls are the ways in which pages of an office can stand still.
var stalls = []struct {
	name  string
	begin func(l *livePages)
}{
	{"nothing is wrong", func(*livePages) {}},
	{"nothing is wrong, again", func(*livePages) {}},
	{"a page reads no more", func(l *livePages) { l.stall(1, true) }},
	{"40 pages read no more", func(l *livePages) { l.stall(40, true) }},
	{"40 pages do not read the first byte", func(l *livePages) { l.stall(40, false) }},
	{"40 new ones read no more each 3 s", func(l *livePages) {
		l.work.Go(func() {
			for range 4 {
				l.stall(40, true)
				pass(l.t.Context(), 3*time.Second)
			}
		})
	}},
}

// livePages are pages of offices that listen, on a network of their own.
type livePages struct {
	*world
	web  *enginetest.Web
	work sync.WaitGroup

	mu    sync.Mutex
	heard map[string]time.Time // by page and notice
	still []net.Conn
}

// follow opens the live page of an office and takes note of when it hears of
// what.
func (l *livePages) follow(ctx context.Context, name, office, after string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:8080/offices/"+office+"/events?after="+after, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	client := l.web.Client(l.t)
	l.work.Go(func() {
		answer, err := client.Do(r)
		if err != nil {
			l.t.Errorf("%s does not listen: %v", name, err)
			return
		}
		defer func() { _ = answer.Body.Close() }()
		for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
			if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				l.mu.Lock()
				l.heard[name+" "+id] = time.Now()
				l.mu.Unlock()
			}
		}
	})
}

// stall opens live pages of the office that never read on, or never read at all.
func (l *livePages) stall(n int, begun bool) {
	for range n {
		conn, err := l.web.DialContext(l.t.Context(), "tcp", "inbox")
		if err != nil {
			l.t.Error(err)
			return
		}
		l.mu.Lock()
		l.still = append(l.still, conn)
		l.mu.Unlock()
		_, _ = fmt.Fprintf(conn, "GET /offices/%s/events HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n", office)
		if begun {
			_, _ = bufio.NewReaderSize(conn, 16).ReadByte()
		}
	}
}

func pass(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// waits are how long other pages waited for what arrived, from the topic to the
// page.
func waits(t *testing.T, begin func(*livePages)) []time.Duration {
	w := newWorld(t)
	w.kafka.Takes(2 * time.Millisecond)
	l := &livePages{world: w, web: enginetest.NewWeb(t, w.mux), heard: map[string]time.Time{}}
	listening, hangUp := context.WithCancel(context.Background())
	offices := []string{office, "demo-2", "demo-3"}
	for _, o := range offices {
		l.follow(listening, "the page of "+o, o, w.after(w.page("/offices/"+o)))
	}
	w.settle(time.Second)
	begin(l)
	w.settle(time.Second)
	l.mu.Lock()
	if listen := w.metric("relais_sse_clients"); listen != float64(len(offices)+len(l.still)) {
		t.Errorf("%v pages listen, and %d stand still", listen, len(l.still))
	}
	l.mu.Unlock()
	uneven := rand.New(rand.NewPCG(1, 2))
	sent := map[string]time.Time{}
	for i := range 240 {
		o := offices[i%len(offices)]
		at := time.Now()
		sent["the page of "+o+" "+w.arrives(o)] = at
		pass(t.Context(), time.Duration(uneven.Int64N(int64(100*time.Millisecond))))
	}
	w.settle(time.Second)
	hangUp()
	for _, conn := range l.still {
		_ = conn.Close()
	}
	l.work.Wait()
	var all []time.Duration
	for what, at := range sent {
		if heard, ok := l.heard[what]; ok {
			all = append(all, heard.Sub(at))
		} else {
			t.Errorf("%s was never heard", what)
		}
	}
	return all
}

func TestAPageThatReadsNoMoreHoldsNoOtherPageUp(t *testing.T) {
	var runs []enginetest.Waits
	for _, s := range stalls {
		synctest.Test(t, func(t *testing.T) {
			runs = append(runs, enginetest.Waits{Run: s.name, All: waits(t, s.begin)})
		})
	}
	enginetest.CompareWaits(t, runs)
}
