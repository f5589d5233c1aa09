package hub

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// guard is a connection from the network to the embedded broker. It lets through
// only what the broker can bear: a frame that claims 4 GB would be allocated, and a
// request of an unknown kind would end the process. Where who calls is asked, it
// also makes signing in work as clients expect it: the broker's own answers are not
// understood by librdkafka, Java and kafkajs, it takes PLAIN with an empty password
// for anybody, and it hangs up on a wrong password without a word.
type guard struct {
	net.Conn

	gate *gate
	stop func() // ends the time limit for signing in

	// Of the reader alone.
	held []byte // to be handed out before anything else
	left int    // bytes of the current frame that are still to come

	mu      sync.Mutex
	waiting []asked // requests whose answers are rewritten, in their order
	rounds  int     // of signing in that went well
	known   bool    // who calls: signed in, or not asked
	gone    bool    // the client has hung up
	once    sync.Once
}

// asked is a request that waits for its answer.
type asked struct {
	key, version int16
	correlation  int32
}

const (
	keyHandshake    = int16(kmsg.SASLHandshake)
	keyVersions     = int16(kmsg.ApiVersions)
	keyAuthenticate = int16(kmsg.SASLAuthenticate)

	headBytes = 12 // a frame's size, and what all requests begin with
	// maxOfStranger bounds the frames of who has not signed in; maxFrame all others,
	// far above what clients send by default.
	maxOfStranger = 16 << 10
	maxFrame      = 16 << 20
	// scramRounds are the exchanges of signing in by SCRAM.
	scramRounds = 2
	// failureDelay slows down who tries passwords.
	failureDelay = 100 * time.Millisecond
)

// mechanisms are those that are offered.
var mechanisms = []string{"SCRAM-SHA-512", "SCRAM-SHA-256"}

var errFrame = errors.New("no request that the embedded broker knows")

// Read implements net.Conn.
func (g *guard) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(g.held) == 0 && g.left == 0 {
		err = g.next()
	}
	switch {
	case err != nil:
	case len(g.held) > 0:
		n = copy(p, g.held)
		g.held = g.held[n:]
	default:
		n, err = g.Conn.Read(p[:min(len(p), g.left)])
		g.left -= n
	}
	if err != nil {
		g.mu.Lock()
		g.gone = true
		g.mu.Unlock()
	}
	return n, err
}

// next begins a frame.
func (g *guard) next() error {
	head := make([]byte, headBytes)
	if _, err := io.ReadFull(g.Conn, head); err != nil {
		return err
	}
	size := int64(binary.BigEndian.Uint32(head))
	a := asked{int16(binary.BigEndian.Uint16(head[4:])), int16(binary.BigEndian.Uint16(head[6:])), int32(binary.BigEndian.Uint32(head[8:]))}
	g.mu.Lock()
	known := g.known
	g.mu.Unlock()
	signing := a.key == keyHandshake || a.key == keyVersions || a.key == keyAuthenticate
	switch {
	case size < headBytes-4, size > maxFrame, kmsg.RequestForKey(a.key) == nil:
		g.gate.refuse(reasonGarbage)
		return errFrame
	case !known && (!signing || size > maxOfStranger):
		g.gate.refuse(reasonNotSignedIn)
		return errFrame
	}
	g.held, g.left = head, int(size)-(headBytes-4)
	if !signing {
		return nil
	}
	if size > maxOfStranger {
		return errFrame
	}
	whole := append(head, make([]byte, g.left)...)
	if _, err := io.ReadFull(g.Conn, whole[headBytes:]); err != nil {
		return err
	}
	if a.key == keyHandshake {
		whole = onlyOffered(whole)
	}
	g.held, g.left = whole, 0
	g.mu.Lock()
	g.waiting = append(g.waiting, a)
	g.mu.Unlock()
	return nil
}

// onlyOffered changes a handshake for a mechanism that is not offered into one that
// the broker does not know either.
func onlyOffered(frame []byte) []byte {
	r := kbin.Reader{Src: frame[headBytes:]}
	r.NullableString() // the client's name
	at := len(frame) - len(r.Src)
	if wants := r.String(); r.Complete() == nil && (wants == mechanisms[0] || wants == mechanisms[1]) {
		return frame
	}
	if at > len(frame) {
		at = len(frame)
	}
	frame = kbin.AppendString(frame[:at:at], "NONE")
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	return frame
}

// Write implements net.Conn: an answer is written in one call.
func (g *guard) Write(p []byte) (int, error) {
	answer := p
	if len(p) >= 8 {
		answer = g.rewrite(p)
	}
	if _, err := g.Conn.Write(answer); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (g *guard) rewrite(p []byte) []byte {
	g.mu.Lock()
	if len(g.waiting) == 0 || g.waiting[0].correlation != int32(binary.BigEndian.Uint32(p[4:])) {
		g.mu.Unlock()
		return p
	}
	a := g.waiting[0]
	g.waiting = g.waiting[1:]
	g.mu.Unlock()
	switch a.key {
	case keyVersions:
		return withHandshake(p, a.version)
	case keyHandshake:
		res := kmsg.NewPtrSASLHandshakeResponse()
		if res.Version = a.version; res.ReadFrom(p[8:]) != nil {
			return p
		}
		res.SupportedMechanisms = mechanisms
		g.mu.Lock()
		g.rounds = 0
		g.mu.Unlock()
		return reframe(p, res.AppendTo(nil))
	}
	g.signedOn()
	return p
}

// withHandshake says that the handshake is spoken in its first version too, which
// librdkafka, Java and kafkajs look for.
func withHandshake(p []byte, version int16) []byte {
	const newest = 5 // beyond it the broker answers in version 0
	res := kmsg.NewPtrApiVersionsResponse()
	if res.Version = version; version > newest || version < 0 {
		res.Version = 0
	}
	if res.ReadFrom(p[8:]) != nil {
		return p
	}
	for i := range res.ApiKeys {
		if res.ApiKeys[i].ApiKey == keyHandshake {
			res.ApiKeys[i].MinVersion = 0
		}
	}
	return reframe(p, res.AppendTo(nil))
}

// reframe is an answer with another body, of which the header has no tags.
func reframe(p, body []byte) []byte {
	frame := append(make([]byte, 4, 8+len(body)), p[4:8]...)
	frame = append(frame, body...)
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	return frame
}

// signedOn counts a step of signing in that the broker was content with: it
// answers no other.
func (g *guard) signedOn() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.rounds++; g.rounds == scramRounds && !g.known {
		g.known = true
		g.stop()
		g.gate.leave(g)
	}
}

// Close implements net.Conn. When the broker hangs up in place of an answer, the
// client is told that it could not sign in.
func (g *guard) Close() error {
	g.once.Do(func() {
		g.mu.Lock()
		failed := !g.gone && len(g.waiting) > 0 && g.waiting[0].key == keyAuthenticate
		var a asked
		if failed {
			a = g.waiting[0]
		}
		g.mu.Unlock()
		// Its place among those who sign in is the next one's while it waits.
		g.stop()
		g.gate.leave(g)
		if failed && !g.gate.ending() {
			g.gate.refuse(reasonRefused)
			g.gate.pause(failureDelay)
			_ = g.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = g.Conn.Write(failure(a))
		}
	})
	return g.Conn.Close()
}

// failure is the answer to a try to sign in that failed. It is the same for a wrong
// password and for a user who does not exist.
func failure(a asked) []byte {
	const saslAuthenticationFailed = 58
	res := kmsg.NewPtrSASLAuthenticateResponse()
	res.Version, res.ErrorCode = a.version, saslAuthenticationFailed
	res.ErrorMessage = new("the user or its password is not known here")
	res.SASLAuthBytes = []byte{}
	frame := make([]byte, 8, 96)
	binary.BigEndian.PutUint32(frame[4:], uint32(a.correlation))
	if res.IsFlexible() {
		frame = append(frame, 0)
	}
	frame = res.AppendTo(frame)
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	return frame
}
