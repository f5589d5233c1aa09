package broker

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"time"
	"unsafe"

	"github.com/relais-fr/relais/schemas"
)

// A stored batch: 12 bytes of base offset and length, then the header's rest,
// then the records, packed or not.
const (
	batchPrefix   = 12
	batchHeader   = 61
	magicAt       = 16
	checksumFrom  = 21
	attrPacking   = 0x07
	attrAppended  = 0x08 // its time is the broker's, and all its records'
	attrTxn       = 0x10
	attrControl   = 0x20
	keptOfABatch  = 64 << 10
	maxKnownNames = 256
)

// ErrBatchTooLarge is the Reason of an Unreadable that would take more memory than
// Config.MaxUnpacked allows; with any other the batch is damaged.
var ErrBatchTooLarge = errors.New("the batch is too large to be unpacked")

var (
	errOldFormat = errors.New("a batch in a format older than Kafka 0.11")
	errChecksum  = errors.New("the batch's checksum is wrong")
	castagnoli   = crc32.MakeTable(crc32.Castagnoli)
)

// unpacker turns stored batches into records, within bounds.
type unpacker struct {
	tp    topicPartition
	limit int               // bytes of memory that one batch may take
	names map[string]string // header keys seen, so that they are not copied each time
}

// unpacked is what a fetch brought, from the position asked for on.
type unpacked struct {
	records []Record
	next    int64 // where to go on; the position asked for when nothing was brought
	damaged int   // batches that could not be unpacked
}

// unpack reads all whole batches of a fetch. Records before position, of
// aborted transactions, and the markers of transactions are left out.
func (u *unpacker) unpack(a *fetchAnswer, position int64) unpacked {
	out := unpacked{next: position}
	aborted := abortedSet{pending: a.aborted}
	for data := a.records; len(data) >= batchPrefix; {
		length := int64(int32(binary.BigEndian.Uint32(data[8:])))
		if length < batchHeader-batchPrefix || length > int64(len(data)-batchPrefix) {
			break // cut short by the broker: the next fetch has it whole
		}
		batch := data[:batchPrefix+length]
		data = data[batchPrefix+length:]
		h := parseHeader(batch)
		if h.last < position {
			continue
		}
		if aborted.skips(h, batch) {
			out.next = h.last + 1
			continue
		}
		recs, err := u.records(out.records, batch, h, position)
		if err != nil {
			recs = append(out.records, u.damaged(batch, h, err))
			out.damaged++
		}
		out.records, out.next = recs, h.last+1
	}
	return out
}

type header struct {
	base, last int64
	magic      int8
	crc        uint32
	attributes int16
	firstTime  int64
	maxTime    int64
	producer   int64
	count      int32
}

// parseHeader reads a batch of at least batchHeader bytes.
func parseHeader(b []byte) header {
	h := header{
		base:       int64(binary.BigEndian.Uint64(b)),
		magic:      int8(b[magicAt]),
		crc:        binary.BigEndian.Uint32(b[17:]),
		attributes: int16(binary.BigEndian.Uint16(b[21:])),
		firstTime:  int64(binary.BigEndian.Uint64(b[27:])),
		maxTime:    int64(binary.BigEndian.Uint64(b[35:])),
		producer:   int64(binary.BigEndian.Uint64(b[43:])),
		count:      int32(binary.BigEndian.Uint32(b[57:])),
	}
	// The end of the batch is where the reader goes on. It is at its base at
	// least, whatever the batch says.
	h.last = h.base + max(int64(int32(binary.BigEndian.Uint32(b[23:]))), 0)
	if h.magic != 2 {
		h.last = h.base
	}
	return h
}

// time is that of a record so many milliseconds after the batch's first.
func (h header) time(after int64) time.Time {
	if h.attributes&attrAppended != 0 {
		return time.UnixMilli(h.maxTime)
	}
	return time.UnixMilli(h.firstTime + after)
}

func (u *unpacker) damaged(batch []byte, h header, reason error) Record {
	return Record{
		Topic: u.tp.topic, Partition: u.tp.partition, Offset: h.base,
		Value:      batch[:min(len(batch), keptOfABatch)],
		Time:       h.time(0),
		Unreadable: &Unreadable{Last: h.last, Size: len(batch), Digest: sha256.Sum256(batch), Reason: reason},
	}
}

const (
	recordSize = int(unsafe.Sizeof(Record{}))
	headerSize = int(unsafe.Sizeof(schemas.Header{}))
)

// records appends the batch's records to into; on an error into is as it was.
func (u *unpacker) records(into []Record, batch []byte, h header, position int64) ([]Record, error) {
	if h.magic != 2 {
		return nil, errOldFormat
	}
	if crc32.Checksum(batch[checksumFrom:], castagnoli) != h.crc {
		return nil, errChecksum
	}
	budget := u.limit
	data, err := unpackBytes(h.attributes&attrPacking, batch[batchHeader:], budget)
	if err != nil {
		return nil, err
	}
	const leastRecord = 7 // bytes
	if h.count < 0 || int(h.count) > len(data)/leastRecord {
		return nil, errTruncated
	}
	if budget -= len(data) + int(h.count)*recordSize; budget < 0 {
		return nil, ErrBatchTooLarge
	}
	r := &reader{b: data}
	into = slices.Grow(into, int(h.count))
	for i := range h.count {
		rec := &reader{b: r.varbytes()}
		record, err := u.record(rec, h, &budget)
		if err == nil {
			err = r.err
		}
		if err != nil {
			return nil, fmt.Errorf("record %d of %d: %w", i, h.count, err)
		}
		if record.Offset >= position {
			into = append(into, record)
		}
	}
	return into, nil
}

func (u *unpacker) record(r *reader, h header, budget *int) (Record, error) {
	r.skip(1) // attributes, of which there are none
	after := r.varint()
	delta := r.varint()
	rec := Record{
		Topic: u.tp.topic, Partition: u.tp.partition,
		Offset: h.base + delta,
		Time:   h.time(after),
		Key:    r.varbytes(),
		Value:  r.varbytes(),
	}
	n := r.varint()
	if r.err != nil {
		return rec, r.err
	}
	if delta < 0 || rec.Offset > h.last {
		return rec, errors.New("its offset is outside the batch")
	}
	if n < 0 || n > int64(len(r.b)) {
		return rec, errTruncated
	}
	if *budget -= int(n) * headerSize; *budget < 0 {
		return rec, ErrBatchTooLarge
	}
	if n > 0 {
		rec.Headers = make([]schemas.Header, n)
	}
	for i := range rec.Headers {
		rec.Headers[i] = schemas.Header{Key: u.name(r.varbytes()), Value: r.varbytes()}
	}
	return rec, r.err
}

func (u *unpacker) name(b []byte) string {
	if s, ok := u.names[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(u.names) < maxKnownNames && len(s) <= 64 {
		if u.names == nil {
			u.names = make(map[string]string)
		}
		u.names[s] = s
	}
	return s
}

// abortedSet follows transactions through a fetch as Kafka's own consumer does:
// a producer's batches from an aborted transaction's first offset on are left
// out until the marker that ends it.
type abortedSet struct {
	pending []abortedTxn // by first offset, as the broker sends them
	active  map[int64]bool
}

// skips says whether the batch's records are not for the reader.
func (s *abortedSet) skips(h header, batch []byte) bool {
	if h.magic != 2 || h.attributes&(attrTxn|attrControl) == 0 {
		return false
	}
	for len(s.pending) > 0 && s.pending[0].first <= h.last {
		if s.active == nil {
			s.active = make(map[int64]bool)
		}
		s.active[s.pending[0].producer] = true
		s.pending = s.pending[1:]
	}
	if h.attributes&attrControl != 0 {
		if isAbortMarker(batch) {
			delete(s.active, h.producer)
		}
		return true
	}
	return s.active[h.producer]
}

// isAbortMarker reads the key of a control record: version, then 0 for abort.
func isAbortMarker(batch []byte) bool {
	r := &reader{b: batch[batchHeader:]}
	r.varint() // length
	r.skip(1)
	r.varint()
	r.varint()
	key := r.varbytes()
	return len(key) >= 4 && binary.BigEndian.Uint16(key[2:]) == 0
}
