package courier

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

// neglects are the ways in which cnaf can leave its mailbox alone.
var neglects = []struct {
	name  string
	begin func(p *post)
}{
	{"nothing is wrong", func(p *post) { p.read("cnaf") }},
	{"nothing is wrong, again", func(p *post) { p.read("cnaf") }},
	{"nobody reads the mailbox", func(*post) {}},
	{"nobody has read 3,000 events in it", func(p *post) { p.fill(3000) }},
	{"10 readers leave their answers", func(p *post) { p.fill(3000); p.leave(10) }},
	{"10 readers wait and leave", func(p *post) { p.leave(10) }},
	{"8 streams are not read", func(p *post) { p.fill(3000); p.stall(8) }},
}

// post is the mailboxes of a world, read over a network of their own.
type post struct {
	*world
	web     *enginetest.Web
	reading context.Context
	work    sync.WaitGroup

	mu    sync.Mutex
	got   map[string]time.Time // by reader and event
	still []net.Conn
}

// read reads a mailbox as it is meant to be read: what comes is waited for.
func (p *post) read(who string) {
	client := p.web.Client(p.t)
	p.work.Go(func() {
		for query := "?cursor=now"; p.reading.Err() == nil; {
			events, cursor, err := p.page(client, who, query)
			if err != nil {
				if p.reading.Err() == nil {
					p.t.Errorf("%s does not read: %v", who, err)
				}
				return
			}
			p.mu.Lock()
			for _, e := range events {
				p.got[who+" "+e.ID] = time.Now()
			}
			p.mu.Unlock()
			query = "?cursor=" + cursor
		}
	})
}

func (p *post) page(client *http.Client, who, query string) (events []struct{ ID string }, cursor string, err error) {
	r, err := http.NewRequestWithContext(p.reading, http.MethodGet, "http://127.0.0.1:8080"+mailboxPath+query, nil)
	if err != nil {
		return nil, "", err
	}
	r.Header.Set("Authorization", "Bearer dev-"+who)
	r.Header.Set("Prefer", "wait=30")
	answer, err := client.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, "", fmt.Errorf("the mailbox says %s", answer.Status)
	}
	return events, answer.Header.Get(CursorHeader), json.NewDecoder(answer.Body).Decode(&events)
}

// leave lets readers ask for cnaf's mailbox and not read the answer but for its
// first byte.
func (p *post) leave(n int) {
	p.abandon(n, mailboxPath+"?limit=1000")
}

// stall opens streams of cnaf's and reads nothing of them.
func (p *post) stall(n int) { p.abandon(n, streamPath) }

func (p *post) abandon(n int, path string) {
	for range n {
		conn, err := p.web.DialContext(p.reading, "tcp", "courier")
		if err != nil {
			p.t.Error(err)
			return
		}
		p.still = append(p.still, conn)
		_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAuthorization: Bearer dev-cnaf\r\nPrefer: wait=30\r\n\r\n", path)
		p.work.Go(func() { _, _ = bufio.NewReaderSize(conn, 16).ReadByte() })
	}
}

// fill puts events into cnaf's mailbox.
func (p *post) fill(n int) {
	var records []broker.Record
	for i := range n {
		e := p.fact(fmt.Sprintf("old-%d", i), "cnaf.old", schemas.Place{Partition: 2, Offset: int64(i)}, time.Now())
		records = append(records, broker.Record{Key: []byte("cnaf.old"), Value: e.Data, Headers: schemas.Headers(e)})
	}
	for chunk := range slices.Chunk(records, 500) {
		if _, err := p.broker.ProduceBatch(p.t.Context(), "relais.to.cnaf", broker.PartitionOf([]byte("cnaf.old"), partitions), chunk); err != nil {
			p.t.Fatal(err)
		}
	}
}

// waits are how long an operator and an office waited for what came into their
// mailboxes, from the topic to the reader.
func waits(t *testing.T, begin func(*post)) []time.Duration {
	w := newWorld(t)
	w.kafka.Takes(2 * time.Millisecond)
	reading, stop := context.WithCancel(context.Background())
	p := &post{world: w, web: enginetest.NewWeb(t, w.mux), reading: reading, got: map[string]time.Time{}}
	p.read("cnam")
	p.read("demo-1")
	begin(p)
	time.Sleep(2 * time.Second)
	uneven := rand.New(rand.NewPCG(1, 2))
	sent := map[string]time.Time{}
	for i := range 240 {
		dossier := fmt.Sprintf("cnam.%d", i%7)
		e := w.fact(fmt.Sprintf("event-%d", i), dossier, schemas.Place{Partition: 1, Offset: int64(i)}, time.Now())
		w.address("cnaf", e)
		for who, address := range map[string]func(string, schemas.Event){"cnam": w.address, "demo-1": w.addressOffice} {
			sent[who+" "+e.ID] = time.Now()
			address(who, e)
		}
		time.Sleep(time.Duration(uneven.Int64N(int64(100 * time.Millisecond))))
	}
	time.Sleep(time.Second)
	stop()
	for _, conn := range p.still {
		_ = conn.Close()
	}
	p.work.Wait()
	var all []time.Duration
	for what, at := range sent {
		if got, ok := p.got[what]; ok {
			all = append(all, got.Sub(at))
		} else {
			t.Errorf("%s never came", what)
		}
	}
	return all
}

func TestAMailboxThatNobodyReadsHoldsNoOtherUp(t *testing.T) {
	var runs []enginetest.Waits
	for _, s := range neglects {
		synctest.Test(t, func(t *testing.T) {
			runs = append(runs, enginetest.Waits{Run: s.name, All: waits(t, s.begin)})
		})
	}
	enginetest.CompareWaits(t, runs)
}
