package broker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/relais-fr/relais/services/internal/broker"
)

// holds waits until the members of a group have so many partitions each.
func (e *engine) holds(want ...any) {
	e.t.Helper()
	for i := 0; i < len(want); i += 2 {
		e.until(fmt.Sprintf("member %d holds %d partitions", i/2+1, want[i+1]), func() bool {
			_, held := want[i].(*consumer).snapshot()
			return held == want[i+1].(int)
		})
	}
}

// distinct is how many different values the members have read, and how many
// they have read in all.
func distinct(members ...*consumer) (different, all int) {
	seen := map[string]bool{}
	for _, c := range members {
		read, _ := c.snapshot()
		all += len(read)
		for _, v := range read {
			seen[v] = true
		}
	}
	return len(seen), all
}

// committed waits until so many of what the members have read is committed: what is
// not, the next owner reads again, as it should.
func (e *engine) committed(want int, members ...*consumer) {
	e.t.Helper()
	e.until(fmt.Sprintf("%d records are committed", want), func() bool {
		kept := 0
		for _, c := range members {
			c.mu.Lock()
			kept += c.kept
			c.mu.Unlock()
		}
		return kept >= want
	})
}

func groupsShare(t *testing.T, e *engine) {
	one, _ := e.client()
	two, _ := e.client()
	topic := e.topic(one, "submitted", 6)
	fill(t, one, topic, 6, 5, "a")
	first := consume(t, one, topic, topic)
	e.holds(first, 6)
	e.committed(30, first)
	second := consume(t, two, topic, topic)
	e.holds(first, 3, second, 3)
	fill(t, one, topic, 6, 5, "b")
	e.committed(60, first, second)
	second.end(t)
	e.holds(first, 6)
	first.end(t)

	// What was committed is not read again.
	third := consume(t, two, topic, topic)
	e.holds(third, 6)
	fill(t, one, topic, 6, 1, "c")
	e.until("the new is read", func() bool { n, _ := distinct(third); return n >= 6 })
	if _, all := distinct(first, second, third); all != 66 {
		t.Errorf("66 records were read %d times", all)
	}
	third.end(t)
}

// claimed runs act with a claim on a topic's only partition, in a group.
func claimed(t *testing.T, b *broker.Broker, topic string, act func(ctx context.Context, c *broker.Claim)) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	err := b.Consume(ctx, topic, []string{topic}, func(ctx context.Context, c *broker.Claim) error {
		defer stop()
		act(ctx, c)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func whatACommitCarries(t *testing.T, e *engine) {
	b, _ := e.client()
	topic := e.topic(b, "submitted", 1)
	full := strings.Repeat("x", 4096)
	claimed(t, b, topic, func(ctx context.Context, c *broker.Claim) {
		if _, _, ok, err := c.Committed(ctx); ok || err != nil {
			t.Errorf("before the first commit: %v, %v", ok, err)
		}
		// Nobody looks whether the log reaches there.
		if err := c.Commit(ctx, 1000, full); err != nil {
			t.Errorf("4096 bytes: %v", err)
		}
		e.differs("a commit with more than 4096 bytes of metadata", said(c.Commit(ctx, 1001, full+"!")))
		if err := c.Commit(ctx, 999, full); err != nil {
			t.Errorf("a step back: %v", err)
		}
	})
	claimed(t, b, topic, func(ctx context.Context, c *broker.Claim) {
		if offset, metadata, ok, err := c.Committed(ctx); offset != 999 || metadata != full || !ok || err != nil {
			t.Errorf("Committed = %d, %d bytes, %v, %v", offset, len(metadata), ok, err)
		}
	})
}

func newPartitions(t *testing.T, e *engine) {
	b, _ := e.client()
	topic := e.topic(b, "from.cnaf", 2)
	member := consume(t, b, topic, topic)
	e.holds(member, 2)
	more := kmsg.NewPtrCreatePartitionsRequest()
	wanted := kmsg.NewCreatePartitionsRequestTopic()
	wanted.Topic, wanted.Count = topic, 5
	more.Topics, more.TimeoutMillis = append(more.Topics, wanted), 10_000
	if _, err := more.RequestWith(t.Context(), e.other()); err != nil {
		t.Fatal(err)
	}
	e.holds(member, 5)
	member.end(t)
}

// theZombie is an owner whose process stands still for longer than its session,
// is given up, and then goes on as if nothing had been.
func theZombie(t *testing.T, e *engine) {
	one, line := e.client()
	two, _ := e.client()
	topic, effects := e.topic(one, "submitted", 3), e.topic(one, "recorded", 1)
	fill(t, one, topic, 3, 2, "a")

	wakes := make(chan struct{})
	asleep, acted := make(chan struct{}), make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	left := make(chan error, 1)
	var once sync.Once
	go func() {
		left <- one.Consume(ctx, topic, []string{topic}, func(ctx context.Context, c *broker.Claim) error {
			zombie := false
			if c.Partition == 0 {
				once.Do(func() { zombie = true })
			}
			if !zombie {
				<-ctx.Done()
				return nil
			}
			if err := c.Commit(ctx, 1, "1,0"); err != nil {
				return err
			}
			close(asleep)
			<-wakes
			// It knows nothing yet: its context still lives, or has just ended.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
			defer cancel()
			if _, err := one.ProduceBatch(ctx, effects, 0, []broker.Record{text(effects, 0, "the old owner's")}); err != nil {
				acted <- err
				return nil
			}
			acted <- c.Commit(ctx, 2, "2,1")
			return nil
		})
	}()
	<-asleep
	line.Pause()
	stood := time.Now()
	second := consume(t, two, topic, topic)
	e.holds(second, 3)
	if took := time.Since(stood); took < 4*time.Second {
		t.Errorf("it lost its partitions after %v already", took)
	}
	e.until("the new owner has read from where the old one had committed", func() bool { n, _ := distinct(second); return n == 5 })
	produce(t, two, text(effects, 0, "the new owner's"))
	close(wakes)
	line.Resume()
	if err := <-acted; !errors.Is(err, broker.ErrGenerationOver) {
		t.Errorf("the old owner's commit: %v", err)
	}
	// A log has no fence: that is what the two numbers are for.
	wantLog(t, two, effects, 0, "the new owner's", "the old owner's")
	e.until("it is a member again", func() bool { _, held := second.snapshot(); return held < 3 && held > 0 })
	stop()
	if err := <-left; err != nil {
		t.Error(err)
	}
	e.holds(second, 3)
	if n, all := distinct(second); n != 5 || all != 5 {
		t.Errorf("the new owner read %d different records, %d in all", n, all)
	}
	second.end(t)
}

// stream enqueues records 0 to n-1 and calls between once a third is written.
func stream(t *testing.T, b *broker.Broker, topic string, n int, between func()) {
	t.Helper()
	var acks []*broker.Ack
	for i := range n {
		acks = append(acks, b.Enqueue(text(topic, 0, fmt.Sprintf("%03d", i))))
		switch {
		case i == n/3:
			if _, err := acks[i].Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			between()
		case i%10 == 0:
			time.Sleep(time.Millisecond) // so that they go in several requests
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for i, ack := range acks {
		if _, err := ack.Wait(ctx); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
}

func killedLeader(t *testing.T, e *engine) {
	b, _ := e.client()
	reader, _ := e.client()
	topic := e.topic(b, "submitted", 1)
	c := e.other()
	member := consume(t, reader, topic, topic)
	e.holds(member, 1)
	first := e.leader(c, topic, 0)
	stream(t, b, topic, 300, func() { e.kill(first) })
	e.until("another leads", func() bool { return e.leader(c, topic, 0) != first })
	assertInOrder(t, values(readAll(t, b, topic, 0)), 300)
	e.until("the group has read all", func() bool { n, _ := distinct(member); return n == 300 })
	e.revive()
	produce(t, b, text(topic, 0, "300"))
	e.until("the group reads on", func() bool { n, _ := distinct(member); return n == 301 })
	member.end(t)
}

// tooFewReplicas takes away one of a partition's two brokers, where two have to
// have a record before it counts.
func tooFewReplicas(t *testing.T, e *engine) {
	b, _ := e.client(func(c *broker.Config) { c.Replication = 2 })
	topic := e.topic(b, "submitted", 1, "min.insync.replicas", "2")
	produce(t, b, text(topic, 0, "000"))
	c := e.other()
	leader := e.leader(c, topic, 0)
	p, _ := e.metadata(c, topic, 0)
	others := slices.DeleteFunc(p.Replicas, func(n int32) bool { return n == leader })
	if len(others) == 0 {
		// The embedded broker has one copy of each record, whatever it is asked for.
		others = []int32{(leader + 1) % 3}
	}
	e.kill(others[0])
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	waiting := b.Enqueue(text(topic, 0, "001"))
	_, err := waiting.Wait(ctx)
	e.differs("a record for a partition of which too few replicas are there", said(err))
	wantFirst := readAll(t, b, topic, 0)
	if len(wantFirst) == 0 || string(wantFirst[0].Value) != "000" {
		t.Errorf("meanwhile one reads %q", values(wantFirst))
	}
	e.revive()
	if _, err := waiting.Wait(t.Context()); err != nil {
		t.Errorf("when they are back: %v", err)
	}
	produce(t, b, text(topic, 0, "002"))
	assertInOrder(t, values(readAll(t, b, topic, 0)), 3)
}

func allAway(t *testing.T, e *engine) {
	b, _ := e.client()
	reader, _ := e.client()
	topic := e.topic(b, "submitted", 1)
	member := consume(t, reader, topic, topic)
	e.holds(member, 1)
	stream(t, b, topic, 300, func() {
		e.stop()
		if err := b.Ping(t.Context()); err == nil {
			t.Error("Ping says nothing")
		}
		lost := b.Enqueue(text(topic, 0, "while all are away"))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := lost.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a record while all are away: %v", err)
		}
		e.start()
	})
	got := slices.DeleteFunc(values(readAll(t, b, topic, 0)), func(v string) bool { return v == "while all are away" })
	assertInOrder(t, got, 300)
	e.until("the group has read all", func() bool { n, _ := distinct(member); return n == 301 })
	e.holds(member, 1)
	member.end(t)
}

// cutEnd cuts the file of a partition's leader in half while it is down, as a
// power cut or a bad restore may.
func cutEnd(t *testing.T, e *engine) {
	b, _ := e.client()
	topic := e.topic(b, "submitted", 1)
	for i := range 100 {
		produce(t, b, text(topic, 0, fmt.Sprintf("%03d", i)))
	}
	var word string
	if e.onApache() {
		leader := e.leader(e.other(), topic, 0)
		e.kill(leader)
		e.halve(e.segment(e.apache.Log(int(leader)), topic, 0))
		e.revive()
	} else {
		e.stop()
		e.halve(e.segment(e.dir, topic, 0))
		e.start()
	}
	got := readAll(t, b, topic, 0)
	_, err := b.Cursor(topic, 0, 100).Fetch(t.Context())
	next, perr := b.Produce(t.Context(), text(topic, 0, "next"))
	if perr != nil {
		t.Fatal(perr)
	}
	switch {
	case len(got) == 100 && err == nil && next == 100:
		word = "a replica has them"
	case len(got) < 100 && errors.Is(err, broker.ErrOutOfRange) && next == int64(len(got)):
		word = "they are gone without a word, and their offsets are given again"
	default:
		word = fmt.Sprintf("%d records, %v, next at %d", len(got), err, next)
	}
	e.differs("records in the half of a log's file that was cut off", word)
	want := make([]string, len(got))
	for i := range want {
		want[i] = fmt.Sprintf("%03d", i)
	}
	if diff := cmp.Diff(want, values(got)); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
}
