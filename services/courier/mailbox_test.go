package courier

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/directory"
)

func want[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got)\n%s", what, diff)
	}
}

func TestOperatorReadsItsEventsOnceAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		start := time.Now()
		var expected []string
		for i := range 30 {
			dossier := fmt.Sprintf("cnaf.dossier-%d", i%7)
			p := broker.PartitionOf([]byte(dossier), partitions)
			id := fmt.Sprintf("event-%02d", i)
			w.address("cnaf", w.fact(id, dossier, schemas.Place{Partition: p, Offset: int64(i)}, start.Add(time.Duration(i)*time.Second)))
			expected = append(expected, id)
		}
		w.address("cnam", w.fact("other", "cnam.x", schemas.Place{}, start))

		first := w.get("dev-cnaf", "")
		want(t, "all at once", expected, first.ids())
		want(t, "an event", map[string]any{
			"specversion": "1.0", "id": "event-00", "source": "/participants/cnaf/si", "type": schemas.TypeReferralAccepted,
			"subject": "cnaf.dossier-0", "datacontenttype": "application/json", "data": map[string]any{},
			"sequence": "0000000001", "receivedtime": start.UTC().Format("2006-01-02T15:04:05.000Z"), "recipient": "cnaf",
			"submittedpartition": fmt.Sprint(broker.PartitionOf([]byte("cnaf.dossier-0"), partitions)), "submittedoffset": "0",
		}, first.events[0])
		want(t, "nothing again", nil, w.get("dev-cnaf", "?cursor="+first.cursor).ids())

		var pieces []string
		a := w.get("dev-cnaf", "?limit=4")
		for ; len(a.events) > 0; a = w.get("dev-cnaf", "?limit=4&cursor="+a.cursor) {
			if len(a.events) > 4 {
				t.Fatalf("%d events where 4 were asked for", len(a.events))
			}
			pieces = append(pieces, a.ids()...)
		}
		want(t, "at the end", "false", a.more)
		for dossier := range 7 {
			var whole, inPieces []string
			for i := dossier; i < 30; i += 7 {
				whole = append(whole, expected[i])
			}
			for _, id := range pieces {
				if slices.Contains(whole, id) {
					inPieces = append(inPieces, id)
				}
			}
			want(t, fmt.Sprintf("dossier %d in pieces", dossier), whole, inPieces)
		}
	})
}

func TestRoutersRepetitionsAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		fact := func(offset int64) schemas.Event {
			return w.fact(fmt.Sprintf("event-%d", offset), "cnaf.d", schemas.Place{Partition: 1, Offset: offset}, time.Now())
		}
		for _, offset := range []int64{3, 5, 9} {
			w.address("cnaf", fact(offset))
		}
		a := w.get("dev-cnaf", "")
		want(t, "the first time", []string{"event-3", "event-5", "event-9"}, a.ids())
		for _, offset := range []int64{5, 9, 12, 5, 9, 12} {
			w.address("cnaf", fact(offset))
		}
		a = w.get("dev-cnaf", "?cursor="+a.cursor)
		want(t, "after the router wrote some again", []string{"event-12"}, a.ids())
		want(t, "from the beginning", []string{"event-3", "event-5", "event-9", "event-12"}, w.get("dev-cnaf", "").ids())
	})
}

func TestOfficeReadsItsOwnEventsFromTheSharedTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 40 {
			office := "demo-1"
			if i%10 != 0 {
				office = "demo-2"
			}
			// One event goes to two offices; what is new is told by office.
			e := w.fact(fmt.Sprintf("event-%02d", i), "cnaf.d", schemas.Place{Partition: i % 2, Offset: int64(i)}, time.Now())
			w.addressOffice(office, e)
			if i == 10 {
				w.addressOffice("demo-2", e)
			}
		}
		want(t, "the one's", []string{"event-00", "event-10", "event-20", "event-30"}, w.get("dev-demo-1", "").ids())
		want(t, "the other's", 37, len(w.get("dev-demo-2", "").events))
	})
}

func TestCursorMovesOnWhereNothingIsTheOffices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.fact("event", "cnaf.d", schemas.Place{}, time.Now())
		p := broker.PartitionOf([]byte("demo-1"), partitions)
		var records []broker.Record
		for range 1000 {
			records = append(records, broker.Record{Key: []byte("demo-77"), Value: e.Data, Headers: schemas.Headers(e)})
		}
		for range maxScanned/1000 + 10 {
			if _, err := w.broker.ProduceBatch(t.Context(), w.broker.Topic("to.offices"), p, records); err != nil {
				t.Fatal(err)
			}
		}
		w.addressOffice("demo-1", e)

		a := w.get("dev-demo-1", "", "wait=60")
		want(t, "events within the bound", nil, a.ids())
		want(t, "more", "true", a.more)
		a = w.get("dev-demo-1", "?cursor="+a.cursor)
		want(t, "events beyond it", []string{"event"}, a.ids())
		want(t, "more", "false", a.more)
	})
}

func TestWaitingReaderIsWokenByItsEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		start := time.Now()
		answers := make(chan answer)
		go func() { answers <- w.get("dev-demo-1", "", "respond-async, wait=30") }()
		time.Sleep(10 * time.Second)
		w.addressOffice("demo-2", w.fact("others", "cnaf.d", schemas.Place{Offset: 1}, time.Now()))
		time.Sleep(10 * time.Second)
		w.addressOffice("demo-1", w.fact("own", "cnaf.d", schemas.Place{Offset: 2}, time.Now()))
		a := <-answers
		want(t, "events", []string{"own"}, a.ids())
		want(t, "waited", 20*time.Second, time.Since(start).Round(time.Second))

		a = w.get("dev-demo-1", "?cursor="+a.cursor, "wait=30")
		want(t, "events of a wait in vain", nil, a.ids())
		want(t, "waited in vain", 50*time.Second, time.Since(start).Round(time.Second))

		a = w.get("dev-cnaf", "", "wait=3600")
		want(t, "status of too long a wait", 200, a.status)
		want(t, "waited at most a minute", 110*time.Second, time.Since(start).Round(time.Second))
	})
}

func TestACursorHandedInAgainAcknowledges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		dossier := "cnaf.dossier-1"
		p := broker.PartitionOf([]byte(dossier), partitions)
		for i := range 3 {
			w.address("cnaf", w.fact(fmt.Sprintf("event-%d", i), dossier, schemas.Place{Partition: p, Offset: int64(i)}, time.Now()))
		}
		committed := func() int64 {
			time.Sleep(2 * ackEvery)
			offsets, err := w.broker.GroupOffsets(t.Context(), "relais.mailbox.cnaf", "relais.to.cnaf", partitions)
			if err != nil {
				t.Fatal(err)
			}
			return offsets[p].Offset
		}
		first := w.get("dev-cnaf", "?limit=2")
		want(t, "given out, not acknowledged", 0, committed())
		second := w.get("dev-cnaf", "?cursor="+first.cursor)
		want(t, "the first two", 2, committed())
		w.get("dev-cnaf", "?cursor="+second.cursor)
		want(t, "all", 3, committed())
		w.get("dev-cnaf", "?cursor="+first.cursor)
		want(t, "an old cursor takes nothing back", 3, committed())
	})
}

func TestAnAcknowledgementIsCommittedBeforeItIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 3 {
			w.address("cnaf", w.fact(fmt.Sprintf("event-%d", i), "cnaf.d", schemas.Place{Partition: 1, Offset: int64(i)}, time.Now()))
		}
		p := broker.PartitionOf([]byte("cnaf.d"), partitions)
		committed := func() int64 {
			offsets, err := w.broker.GroupOffsets(t.Context(), "relais.mailbox.cnaf", "relais.to.cnaf", partitions)
			if err != nil {
				t.Fatal(err)
			}
			return offsets[p].Offset
		}
		first := w.get("dev-cnaf", "?limit=2").cursor
		want(t, "given out", 0, committed())
		want(t, "acknowledged", "204 ", w.ack("dev-cnaf", `{"cursor":"`+first+`"}`).summary())
		want(t, "two", 2, committed())
		for name, c := range map[string]struct{ token, body, answer string }{
			"the beginning":        {"dev-cnaf", `{"cursor":"` + newCursor().encode("cnaf") + `"}`, "204 "},
			"another's cursor":     {"dev-cnam", `{"cursor":"` + first + `"}`, "400 malformed"},
			"beyond the end":       {"dev-cnaf", `{"cursor":"` + cursor{next: map[int]int64{p: 4}}.encode("cnaf") + `"}`, "400 malformed"},
			"no cursor":            {"dev-cnaf", `{}`, "400 malformed"},
			"no JSON":              {"dev-cnaf", first, "400 malformed"},
			"too large":            {"dev-cnaf", `{"cursor":"` + strings.Repeat("A", 2*maxCursor) + `"}`, "400 malformed"},
			"an office":            {"dev-demo-1", `{"cursor":"` + first + `"}`, "403 forbidden"},
			"nobody that is known": {"dev-nobody", `{"cursor":"` + first + `"}`, "401 not_signed_in"},
		} {
			want(t, name, c.answer, w.ack(c.token, c.body).summary())
		}
		want(t, "still two", 2, committed())
	})
}

func TestAReaderWhoComesTooLateIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := broker.PartitionOf([]byte("cnaf.d"), partitions)
		send := func(n int) {
			w.address("cnaf", w.fact(fmt.Sprintf("event-%d", n), "cnaf.d", schemas.Place{Partition: 1, Offset: int64(n)}, time.Now()))
		}
		empty := w.get("dev-cnaf", "").cursor
		for n := range 4 {
			send(n)
		}
		first := w.get("dev-cnaf", "?limit=1").cursor
		if err := w.kafka.Cluster.DeleteRecords("relais.to.cnaf", int32(p), 3); err != nil {
			t.Fatal(err)
		}
		for name, at := range map[string]string{"one was read": first, "none was there yet": empty} {
			late := w.get("dev-cnaf", "?cursor="+at)
			want(t, name, "410 gone", late.summary())
			want(t, "the header, when "+name, late.cursor, late.header)
			want(t, "what is left, when "+name, []string{"event-3"}, w.get("dev-cnaf", "?cursor="+late.cursor).ids())
		}
		want(t, "without a cursor", []string{"event-3"}, w.get("dev-cnaf", "").ids())
	})
}

func TestReaderFromNowGetsWhatComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.address("cnaf", w.fact("old", "cnaf.d", schemas.Place{Offset: 1}, time.Now()))
		now := w.get("dev-cnaf", "?cursor=now")
		want(t, "events now", nil, now.ids())
		w.address("cnaf", w.fact("new", "cnaf.d", schemas.Place{Offset: 2}, time.Now()))
		want(t, "events since", []string{"new"}, w.get("dev-cnaf", "?cursor="+now.cursor).ids())
	})
}

func TestWhatCannotBeReadHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		to := w.broker.Topic("to.cnaf")
		p := broker.PartitionOf([]byte("cnaf.d"), partitions)
		w.produce(broker.Record{Topic: to, Partition: p, Key: []byte("cnaf.d"), Value: []byte("no event")})
		strange := w.fact("strange", "cnaf.d", schemas.Place{Offset: 1}, time.Now())
		strange.Type, strange.Data = "fr.relais.referral.v9.ReferralDreamt", []byte{0, 0, 0, 0, 9, 1, 2}
		w.address("cnaf", strange)
		w.address("cnaf", w.fact("good", "cnaf.d", schemas.Place{Offset: 2}, time.Now()))

		a := w.get("dev-cnaf", "")
		want(t, "events", []string{"strange", "good"}, a.ids())
		want[any](t, "data as it is", "AAAAAAkBAg==", a.events[0]["data_base64"])
		want[any](t, "its type", schemas.AvroContentType, a.events[0]["datacontenttype"])

		w.address("cnaf", w.fact("later", "cnaf.d", schemas.Place{Offset: 3}, time.Now()))
		want(t, "the cursor after it", []string{"later"}, w.get("dev-cnaf", "?cursor="+a.cursor).ids())
	})
}

func TestMailboxRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.address("cnaf", w.fact("event", "cnaf.d", schemas.Place{}, time.Now()))
		good := w.get("dev-cnaf", "").cursor
		beyond := cursor{next: map[int]int64{0: 1000}}.encode("cnaf")
		foreign := cursor{next: map[int]int64{partitions: 0}}.encode("cnaf")
		for _, c := range []struct {
			name, token, query string
			status             int
			code               string
		}{
			{"no known token", "dev-nobody", "", 401, "not_signed_in"},
			{"an admin, who has none", "dev-admin", "", 403, "forbidden"},
			{"another's cursor", "dev-cnam", "?cursor=" + good, 400, "malformed"},
			{"an office with an operator's cursor", "dev-demo-1", "?cursor=" + good, 400, "malformed"},
			{"a cursor beyond the end", "dev-cnaf", "?cursor=" + beyond, 400, "malformed"},
			{"a cursor of a partition that is not there", "dev-cnaf", "?cursor=" + foreign, 400, "malformed"},
			{"no cursor at all", "dev-cnaf", "?cursor=%20", 400, "malformed"},
			{"a limit of 0", "dev-cnaf", "?limit=0", 400, "malformed"},
			{"a limit beyond the bound", "dev-cnaf", "?limit=1001", 400, "malformed"},
			{"a limit in words", "dev-cnaf", "?limit=all", 400, "malformed"},
			{"a broken query", "dev-cnaf", "?limit=%zz", 400, "malformed"},
		} {
			a := w.get(c.token, c.query)
			want(t, c.name, answer{status: c.status, code: c.code}.summary(), a.summary())
		}
	})
}

func (a answer) summary() string { return fmt.Sprint(a.status, " ", a.code) }

func TestMailboxIsNotReadyBeforeTheDirectoryIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.mux, w.reg = newWorldMux()
		w.start(directory.NewView(), config.DefaultHub())
		want(t, "answer", "503 not_ready", w.get("dev-cnaf", "").summary())
	})
}

func TestMailboxIsNotReadyWhileTheRegistryIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.ids.setDown(true)
		w.address("cnaf", w.fact("event", "cnaf.d", schemas.Place{}, time.Now()))
		want(t, "answer", "503 not_ready", w.get("dev-cnaf", "").summary())
		w.ids.setDown(false)
		want(t, "then", []string{"event"}, w.get("dev-cnaf", "").ids())
	})
}

func TestMailboxIsNotReadyWithoutItsTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if err := w.broker.DeleteTopics(t.Context(), w.broker.Topic("to.cnam")); err != nil {
			t.Fatal(err)
		}
		want(t, "answer", "503 not_ready", w.get("dev-cnam", "").summary())
	})
}

func TestPreferredWait(t *testing.T) {
	for line, wait := range map[string]time.Duration{
		"":                          0,
		"wait=10":                   10 * time.Second,
		"respond-async , WAIT = 5":  5 * time.Second,
		`wait="7"`:                  7 * time.Second,
		"wait=5; foo=bar":           5 * time.Second,
		"wait=61":                   time.Minute,
		"wait=99999999999999999999": 0,
		"wait=-1":                   0,
		"wait":                      0,
		"waiting=3":                 0,
	} {
		want(t, line, wait, preferredWait([]string{line}))
	}
}

func TestTopicIsNotFollowedOnceNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.get("dev-cnaf", "", "wait=2")
		a := w.get("dev-cnaf", "", "wait=2")
		want(t, "followed while readers come and go", 1, w.followed())
		time.Sleep(3 * bellLinger)
		want(t, "followed later", 0, w.followed())

		answers := make(chan answer)
		go func() { answers <- w.get("dev-cnaf", "?cursor="+a.cursor, "wait=30") }()
		time.Sleep(time.Second)
		w.address("cnaf", w.fact("event", "cnaf.d", schemas.Place{}, time.Now()))
		want(t, "events of the next who waits", []string{"event"}, (<-answers).ids())
	})
}
