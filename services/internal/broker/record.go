package broker

import (
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
	"time"

	"github.com/relais-fr/relais/schemas"
)

// Record is one record of a partition. A nil Value is a tombstone, an empty one
// is not. Records that were read share memory with the batch they came in: do
// not change them, and copy what is kept for long.
type Record struct {
	Topic     string
	Partition int
	// Offset is the broker's; it is ignored when producing.
	Offset  int64
	Key     []byte
	Value   []byte
	Headers []schemas.Header
	// Time is the record's timestamp, kept to the millisecond; when producing,
	// zero means now.
	Time time.Time
	// Unreadable is nil but for a batch that cannot be unpacked; see there.
	Unreadable *Unreadable
}

// Unreadable stands in a Record for a whole stored batch that is damaged, or
// would take more memory than Config.MaxUnpacked allows. The record's offset is
// the batch's first and its Value the first 64 KiB of the batch as stored.
type Unreadable struct {
	Last   int64    // the batch's last offset; all up to it are in it
	Size   int      // bytes of the batch as stored
	Digest [32]byte // SHA-256 of them
	Reason error
}

// Header is the value of the first header with that key, nil without one.
func (r *Record) Header(key string) []byte {
	for i := range r.Headers {
		if r.Headers[i].Key == key {
			return r.Headers[i].Value
		}
	}
	return nil
}

// Mark is the record's fingerprint, of key, value and headers: a log that was cut and
// grew again has another record at the same offset, and a position that keeps the mark
// of its last one notices.
func (r *Record) Mark() string {
	h := fnv.New128a()
	write := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		_, _ = h.Write(n[:])
		_, _ = h.Write(b)
	}
	write(r.Key)
	write(r.Value)
	for i := range r.Headers {
		write([]byte(r.Headers[i].Key))
		write(r.Headers[i].Value)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// size is an upper bound of the record's bytes within a batch.
func (r *Record) size() int {
	const varints = 5 + 10 + 5 + 5 + 5 + 5 + 1
	n := varints + len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += 10 + len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

// PartitionOf places a key on one of n partitions as the default partitioner of
// Java's client does (murmur2). A nil key, which Java places at random, is
// placed like an empty one.
func PartitionOf(key []byte, n int) int {
	return int(murmur2(key)&0x7fffffff) % n
}

func murmur2(data []byte) uint32 {
	const (
		seed = 0x9747b28c
		m    = 0x5bd1e995
		r    = 24
	)
	h := uint32(seed) ^ uint32(len(data))
	for ; len(data) >= 4; data = data[4:] {
		k := uint32(data[0]) | uint32(data[1])<<8 | uint32(data[2])<<16 | uint32(data[3])<<24
		k *= m
		k ^= k >> r
		k *= m
		h *= m
		h ^= k
	}
	switch len(data) {
	case 3:
		h ^= uint32(data[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(data[1]) << 8
		fallthrough
	case 1:
		h ^= uint32(data[0])
		h *= m
	}
	h ^= h >> 13
	h *= m
	h ^= h >> 15
	return h
}
