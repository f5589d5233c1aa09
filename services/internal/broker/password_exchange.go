package broker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// passwordExchange sets or deletes what one user can be checked with by one
// mechanism.
//
// The library's own request is not used: it takes the broker's words about a
// failure to be in the older encoding, so that any refusal is read as a connection
// that broke, and would be tried again for ever.
type passwordExchange struct {
	user           string
	mechanism      kafka.ScramMechanism
	salt, salted   []byte // none to delete
	clientID       string
	versionIsKnown bool
}

// passwordAnswer is what the broker said of it.
type passwordAnswer struct {
	code  int16
	words string
}

var (
	_ protocol.BrokerMessage = (*passwordExchange)(nil)
	_ protocol.RawExchanger  = (*passwordExchange)(nil)
)

// ApiKey implements protocol.Message.
//
//nolint:revive // the interface is the library's
func (*passwordExchange) ApiKey() protocol.ApiKey { return protocol.AlterUserScramCredentials }

// ApiKey implements protocol.Message.
//
//nolint:revive // the interface is the library's
func (*passwordAnswer) ApiKey() protocol.ApiKey { return protocol.AlterUserScramCredentials }

// Broker implements protocol.BrokerMessage: whom the cluster names its controller.
func (*passwordExchange) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	return cluster.Brokers[cluster.Controller], nil
}

// Required implements protocol.RawExchanger.
func (x *passwordExchange) Required(versions map[protocol.ApiKey]int16) bool {
	_, x.versionIsKnown = versions[protocol.AlterUserScramCredentials]
	return true
}

const (
	passwordCorrelation = 0x5c7a11
	// maxPasswordAnswer bounds the answer, which is for one user.
	maxPasswordAnswer = 64 << 10
)

// RawExchange implements protocol.RawExchanger.
func (x *passwordExchange) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if !x.versionIsKnown {
		return nil, fmt.Errorf("%w: the cluster keeps no passwords for SCRAM", kafka.UnsupportedSASLMechanism)
	}
	if _, err := rw.Write(x.request()); err != nil {
		return nil, err
	}
	var head [4]byte
	if _, err := io.ReadFull(rw, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxPasswordAnswer {
		return nil, fmt.Errorf("a change of a password was answered with %d bytes", size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(rw, body); err != nil {
		return nil, err
	}
	return x.parse(body)
}

func (x *passwordExchange) request() []byte {
	const noTags = 0
	w := make(wire, 4, 256)
	w.int16(int16(protocol.AlterUserScramCredentials))
	w.int16(0)
	w.int32(passwordCorrelation)
	w.string(x.clientID)
	w = append(w, noTags)
	if x.salted == nil {
		w = append(w, 2) // one deletion
		w.compact([]byte(x.user))
		w = append(w, byte(x.mechanism), noTags, 1) // no upsertion
	} else {
		w = append(w, 1, 2) // no deletion, one upsertion
		w.compact([]byte(x.user))
		w = append(w, byte(x.mechanism))
		w.int32(scramIterations)
		w.compact(x.salt)
		w.compact(x.salted)
		w = append(w, noTags)
	}
	w = append(w, noTags)
	binary.BigEndian.PutUint32(w, uint32(len(w)-4))
	return w
}

func (w *wire) compact(b []byte) {
	*w = binary.AppendUvarint(*w, uint64(len(b))+1)
	*w = append(*w, b...)
}

// parse reads an answer that begins at its correlation id.
func (x *passwordExchange) parse(body []byte) (*passwordAnswer, error) {
	r := &reader{b: body}
	if got := r.int32(); r.err == nil && got != passwordCorrelation {
		return nil, errors.New("the broker answered another request")
	}
	r.tags()
	r.int32() // throttled, milliseconds
	if n := r.uvarint(); r.err == nil && n != 2 {
		return nil, fmt.Errorf("a change of one password was answered for %d", n-1)
	}
	if user := string(r.compact()); r.err == nil && user != x.user {
		return nil, errors.New("the broker answered for another user")
	}
	a := &passwordAnswer{code: r.int16(), words: string(r.compact())}
	r.tags()
	if r.err != nil {
		return nil, errors.New("the broker's answer to a change of a password ends too early")
	}
	return a, nil
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// compact is a length, greater by one, and so many bytes; nil for none.
func (r *reader) compact() []byte {
	n := r.uvarint()
	if n == 0 {
		return nil
	}
	if n-1 > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	return r.take(int(n - 1))
}

// tags skips tagged fields, of which we know none.
func (r *reader) tags() {
	for n := r.uvarint(); n > 0 && r.err == nil; n-- {
		r.uvarint()
		size := r.uvarint()
		if size > uint64(len(r.b)) {
			r.fail()
			return
		}
		r.skip(int(size))
	}
}
