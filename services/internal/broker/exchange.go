package broker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// fetchExchange is a Fetch request for one partition that the library's
// transport routes to the partition's leader, and that writes and reads itself.
//
// The library's own Fetch is not used because of what it does with the answer.
// It allocates what a batch's header asks for (a batch that claims 2^31 records
// ends the process, and the embedded broker stores one), unpacks compressed
// batches without a bound, drops the list of aborted transactions, and does not
// tell where a batch whose last records were compacted away ends, so that a
// reader would ask for the same batch for ever.
type fetchExchange struct {
	topic     string
	partition int32
	offset    int64
	maxWait   time.Duration
	maxBytes  int32
	clientID  string

	version int16
}

// fetchAnswer is the broker's answer for the partition. Records are stored
// batches one after the other, the last one possibly cut short.
type fetchAnswer struct {
	code          int16
	highWatermark int64
	lastStable    int64
	logStart      int64
	aborted       []abortedTxn
	records       []byte
}

type abortedTxn struct{ producer, first int64 }

var (
	_ protocol.BrokerMessage = (*fetchExchange)(nil)
	_ protocol.RawExchanger  = (*fetchExchange)(nil)
)

// ApiKey implements protocol.Message.
//
//nolint:revive // the interface is the library's
func (*fetchExchange) ApiKey() protocol.ApiKey { return protocol.Fetch }

// ApiKey implements protocol.Message.
//
//nolint:revive // the interface is the library's
func (*fetchAnswer) ApiKey() protocol.ApiKey { return protocol.Fetch }

// Broker implements protocol.BrokerMessage: the partition's leader.
func (x *fetchExchange) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	topic, ok := cluster.Topics[x.topic]
	if !ok {
		return protocol.Broker{ID: -1}, protocol.NewErrNoTopic(x.topic)
	}
	partition, ok := topic.Partitions[x.partition]
	if !ok {
		return protocol.Broker{ID: -1}, protocol.NewErrNoPartition(x.topic, x.partition)
	}
	leader, ok := cluster.Brokers[partition.Leader]
	if !ok {
		return protocol.Broker{ID: -1}, protocol.NewErrNoLeader(x.topic, x.partition)
	}
	return leader, nil
}

// Required implements protocol.RawExchanger; the versions are those that the
// library and the broker have in common, at most 11 for Fetch.
func (x *fetchExchange) Required(versions map[protocol.ApiKey]int16) bool {
	x.version = versions[protocol.Fetch]
	return true
}

// The versions of Fetch in use: 4 brought record batches and transactions, 11
// is the last one that the library negotiates.
const (
	fetchVersionMin = 4
	fetchVersionMax = 11
	// fetchCorrelation is the same for all: a connection carries one request
	// at a time, and one that failed is closed.
	fetchCorrelation = 0x7e1a15
	// maxAnswer bounds an answer: MaxBytes, or one batch that is larger.
	maxAnswer = 128 << 20
)

// RawExchange implements protocol.RawExchanger.
func (x *fetchExchange) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if x.version < fetchVersionMin || x.version > fetchVersionMax {
		return nil, fmt.Errorf("the broker speaks no Fetch between versions %d and %d", fetchVersionMin, fetchVersionMax)
	}
	if _, err := rw.Write(x.request()); err != nil {
		return nil, err
	}
	var head [4]byte
	if _, err := io.ReadFull(rw, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxAnswer {
		return nil, fmt.Errorf("a fetch was answered with %d bytes", size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(rw, body); err != nil {
		return nil, err
	}
	return parseFetch(body, x.version)
}

func (x *fetchExchange) request() []byte {
	const noReplica, noEpoch, noOffset, readCommitted = -1, -1, -1, 1
	w := make(wire, 4, 96+len(x.topic)+len(x.clientID))
	w.int16(int16(protocol.Fetch))
	w.int16(x.version)
	w.int32(fetchCorrelation)
	w.string(x.clientID)
	w.int32(noReplica)
	w.int32(int32(x.maxWait.Milliseconds()))
	w.int32(1) // least bytes
	w.int32(x.maxBytes)
	w = append(w, readCommitted)
	if x.version >= 7 {
		w.int32(0)  // no session
		w.int32(-1) // and none to be made
	}
	w.int32(1)
	w.string(x.topic)
	w.int32(1)
	w.int32(x.partition)
	if x.version >= 9 {
		w.int32(noEpoch)
	}
	w.int64(x.offset)
	if x.version >= 5 {
		w.int64(noOffset)
	}
	w.int32(x.maxBytes)
	if x.version >= 7 {
		w.int32(0) // nothing to forget
	}
	if x.version >= 11 {
		w.string("") // no rack
	}
	binary.BigEndian.PutUint32(w, uint32(len(w)-4))
	return w
}

type wire []byte

func (w *wire) int16(v int16) { *w = binary.BigEndian.AppendUint16(*w, uint16(v)) }
func (w *wire) int32(v int32) { *w = binary.BigEndian.AppendUint32(*w, uint32(v)) }
func (w *wire) int64(v int64) { *w = binary.BigEndian.AppendUint64(*w, uint64(v)) }
func (w *wire) string(s string) {
	w.int16(int16(len(s)))
	*w = append(*w, s...)
}

var errShortAnswer = errors.New("the broker's answer to a fetch ends too early")

// parseFetch reads an answer that begins at its correlation id.
func parseFetch(body []byte, version int16) (*fetchAnswer, error) {
	r := &reader{b: body}
	if got := r.int32(); r.err == nil && got != fetchCorrelation {
		return nil, errors.New("the broker answered another request")
	}
	r.int32() // throttled, milliseconds
	if version >= 7 {
		if code := r.int16(); code != 0 {
			return nil, kafka.Error(code)
		}
		r.int32() // session
	}
	if topics := r.int32(); r.err == nil && topics != 1 {
		return nil, fmt.Errorf("a fetch was answered with %d topics", topics)
	}
	r.take(int(r.int16()))
	if partitions := r.int32(); r.err == nil && partitions != 1 {
		return nil, fmt.Errorf("a fetch was answered with %d partitions", partitions)
	}
	r.int32() // partition
	a := &fetchAnswer{code: r.int16(), highWatermark: r.int64(), lastStable: r.int64(), logStart: -1}
	if version >= 5 {
		a.logStart = r.int64()
	}
	for n := r.int32(); n > 0 && r.err == nil; n-- {
		a.aborted = append(a.aborted, abortedTxn{producer: r.int64(), first: r.int64()})
	}
	if version >= 11 {
		r.int32() // a replica that we do not use
	}
	if size := r.int32(); size > 0 {
		a.records = r.take(int(size))
	}
	if r.err != nil {
		return nil, errShortAnswer
	}
	return a, nil
}
