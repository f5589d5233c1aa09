package hub

import (
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

// request is a frame as a client writes it.
func request(q kmsg.Request, version int16) []byte {
	q.SetVersion(version)
	frame := kbin.AppendInt16(make([]byte, 4), q.Key())
	frame = kbin.AppendInt16(frame, version)
	frame = kbin.AppendInt32(frame, 7)
	frame = kbin.AppendNullableString(frame, nil)
	if q.IsFlexible() {
		frame = append(frame, 0)
	}
	frame = q.AppendTo(frame)
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	return frame
}

// tryPassword signs in with a wrong password, and says whether it was answered as
// such.
func tryPassword(ctx context.Context, address string) (refused bool, err error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	hello := kmsg.NewPtrSASLHandshakeRequest()
	hello.Mechanism = mechanisms[0]
	if _, err := conn.Write(request(hello, 1)); err != nil {
		return false, err
	}
	if err := skipAnswer(conn); err != nil {
		return false, err
	}
	auth := kmsg.NewPtrSASLAuthenticateRequest()
	auth.SASLAuthBytes = []byte("n,,n=mallory,r=0123456789abcdef")
	if _, err := conn.Write(request(auth, 1)); err != nil {
		return false, err
	}
	answer := make([]byte, 10)
	if _, err := io.ReadFull(conn, answer); err != nil {
		return false, err
	}
	return binary.BigEndian.Uint16(answer[8:]) == 58, nil
}

func skipAnswer(conn net.Conn) error {
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return err
	}
	_, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(size[:])))
	return err
}

// A flood of wrong passwords, of connections that say nothing and of garbage, all
// from the same address as one who may come in: who is in goes on, and who comes
// gets in.
func TestAFloodAtTheKafkaDoorKeepsNobodyOut(t *testing.T) {
	tries := 2000
	if enginetest.Required("flood") {
		tries = 100_000
	}
	e := startEmbedded(t, secured, inFolder(t.TempDir()), func(c *EmbeddedConfig) { c.PageCache = true })
	admitted(t, own(t, e), "cnaf")
	login := broker.Login{User: "cnaf", Password: broker.Password(cnafPassword)}
	in, err := broker.New(broker.Config{Brokers: []string{e.KafkaAddr()}, Login: login})
	must(t, err)
	defer func() { _ = in.Close() }()
	produceOnce := func(b *broker.Broker) time.Duration {
		begun := time.Now()
		produce(t, b, broker.Record{Topic: "relais.from.cnaf", Value: []byte("x")})
		return time.Since(begun)
	}
	produceOnce(in)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var flood sync.WaitGroup
	var left, refused atomic.Int64
	left.Store(int64(tries))
	for range 300 {
		flood.Go(func() {
			for left.Add(-1) >= 0 && ctx.Err() == nil {
				if no, _ := tryPassword(ctx, e.KafkaAddr()); no {
					refused.Add(1)
				}
			}
		})
	}
	for range 1000 { // half-open
		conn, err := net.Dial("tcp", e.KafkaAddr())
		must(t, err)
		defer func() { _ = conn.Close() }()
	}
	ended := make(chan struct{})
	go func() { flood.Wait(); close(ended) }()
	var writes, entries []time.Duration
	begun := time.Now()
	for over := false; !over; {
		select {
		case <-ended:
			over = true
		default:
		}
		writes = append(writes, produceOnce(in))
		if len(writes)%20 == 1 {
			came := time.Now()
			comer, err := broker.New(broker.Config{Brokers: []string{e.KafkaAddr()}, Login: login})
			must(t, err)
			produceOnce(comer)
			entries = append(entries, time.Since(came))
			must(t, comer.Close())
		}
	}
	slices.Sort(writes)
	slices.Sort(entries)
	t.Logf("%d tries in %v, %d told that the password is wrong, turned away %v", tries, time.Since(begun).Round(time.Millisecond), refused.Load(), e.TurnedAway())
	t.Logf("meanwhile %d writes of who was in: p50 %v, p99 %v; %d came in and wrote: p50 %v, slowest %v",
		len(writes), writes[len(writes)/2], writes[len(writes)*99/100], len(entries), entries[len(entries)/2], entries[len(entries)-1])
	if slowest := entries[len(entries)-1]; slowest > 30*time.Second {
		t.Errorf("who came in took %v", slowest)
	}
	if refused.Load() == 0 {
		t.Error("nobody was told that the password is wrong")
	}
	e.door.gate.mu.Lock()
	defer e.door.gate.mu.Unlock()
	if n := len(e.door.gate.strangers); n > maxStrangers {
		t.Errorf("%d are signing in", n)
	}
}

func TestWhoDoesNotSignInIsSentAwayInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(kfake.VirtualNetwork)
		e, err := StartEmbedded(t.Context(), EmbeddedConfig{KafkaAddr: "127.0.0.1:9092", Listen: network.Listen, Dial: network.DialContext, Secure: true})
		must(t, err)
		defer func() { must(t, e.Close()) }()
		begun := time.Now()
		conn, err := network.DialContext(t.Context(), "tcp", e.KafkaAddr())
		must(t, err)
		defer func() { _ = conn.Close() }()
		if _, err := conn.Read(make([]byte, 1)); err == nil || time.Since(begun) != signInLimit {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		if n := e.TurnedAway()[reasonTooSlow]; n != 1 {
			t.Errorf("%d too slow", n)
		}
	})
}

// Whatever bytes come, the broker's process goes on: signed in or not, and where
// nobody is asked.
func TestGarbageAtTheKafkaDoorHarmsNobody(t *testing.T) {
	for name, change := range map[string]func(*EmbeddedConfig){"asking": secured, "asking nobody": func(*EmbeddedConfig) {}} {
		t.Run(name, func(t *testing.T) {
			e := startEmbedded(t, change)
			b := own(t, e)
			must(t, b.EnsureTopics(t.Context(), broker.TopicSpec{Name: "relais.from.cnaf", Partitions: 1, Settings: map[string]string{"retention.ms": "-1"}}))
			random := rand.New(rand.NewPCG(1, 2))
			var texts [][]byte
			for _, text := range []string{
				"GET / HTTP/1.1\r\nHost: hub\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\xff\xff\xff\xff", "\x7f\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00",
				"\x00\x00\x00\x00", "\x00\x00\x00\x04\x00\x12\x00\x03", "\x00\x00\x00\x08\x7f\xff\x00\x00\x00\x00\x00\x00", "\x00\x00\x00\x08\xff\xff\xff\xff\x00\x00\x00\x00",
			} {
				texts = append(texts, []byte(text))
			}
			for key := int16(-1); key <= kmsg.MaxKey+1; key++ {
				for version := int16(-1); version < 20; version++ {
					frame := make([]byte, 12+random.IntN(60))
					for i := range frame {
						if random.IntN(3) == 0 { // lengths that are near to what is there
							frame[i] = byte(random.IntN(256))
						} else {
							frame[i] = byte(random.IntN(3))
						}
					}
					binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
					binary.BigEndian.PutUint16(frame[4:], uint16(key))
					binary.BigEndian.PutUint16(frame[6:], uint16(version))
					texts = append(texts, frame)
				}
			}
			for _, text := range texts {
				conn, err := net.Dial("tcp", e.KafkaAddr())
				must(t, err)
				_, _ = conn.Write(text)
				if half, ok := conn.(*net.TCPConn); ok {
					_ = half.CloseWrite()
				}
				_ = conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			}
			if _, err := b.Produce(t.Context(), broker.Record{Topic: "relais.from.cnaf", Value: []byte("x")}); err != nil {
				t.Error(err)
			}
			if e.TurnedAway()[reasonGarbage] == 0 {
				t.Errorf("turned away %v of %d", e.TurnedAway(), len(texts))
			}
		})
	}
}
