package broker

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

// storedBatch is a batch as a broker stores it, right unless changed.
type storedBatch struct {
	base      int64
	lastDelta int32
	attrs     int16
	producer  int64
	count     int32
	records   []byte
}

func (s storedBatch) bytes() []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(s.base))
	b = binary.BigEndian.AppendUint32(b, uint32(49+len(s.records)))
	b = append(b, 0, 0, 0, 0, 2, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(s.attrs))
	b = binary.BigEndian.AppendUint32(b, uint32(s.lastDelta))
	b = binary.BigEndian.AppendUint64(b, 1000)
	b = binary.BigEndian.AppendUint64(b, 2000)
	b = binary.BigEndian.AppendUint64(b, uint64(s.producer))
	b = append(b, 0, 0, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(s.count))
	b = append(b, s.records...)
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
	return b
}

// plainRecord is one record at an offset delta.
func plainRecord(delta int64, value string) []byte {
	var r []byte
	r = append(r, 0)
	r = binary.AppendVarint(r, 0)
	r = binary.AppendVarint(r, delta)
	r = binary.AppendVarint(r, -1)
	r = binary.AppendVarint(r, int64(len(value)))
	r = append(r, value...)
	r = binary.AppendVarint(r, 0)
	return append(binary.AppendVarint(nil, int64(len(r))), r...)
}

func batchOf(base int64, vs ...string) storedBatch {
	s := storedBatch{base: base, count: int32(len(vs)), lastDelta: int32(len(vs) - 1), producer: -1}
	for i, v := range vs {
		s.records = append(s.records, plainRecord(int64(i), v)...)
	}
	return s
}

func testUnpacker() *unpacker {
	return &unpacker{tp: topicPartition{"t", 3}, limit: 1 << 20}
}

type offsetValue struct {
	Offset int64
	Value  string
}

func offsets(recs []Record) []offsetValue {
	var all []offsetValue
	for _, r := range recs {
		all = append(all, offsetValue{r.Offset, string(r.Value)})
	}
	return all
}

func TestAFetchIsUnpackedFromItsPositionOn(t *testing.T) {
	// Compaction removed offsets 7 to 9; the batch still ends there.
	compacted := batchOf(5, "e", "f")
	compacted.lastDelta = 4
	data := bytes.Join([][]byte{batchOf(0, "a", "b", "c").bytes(), compacted.bytes(), batchOf(10, "k").bytes()}, nil)
	for _, tc := range []struct {
		name     string
		position int64
		data     []byte
		want     []offsetValue
		next     int64
	}{
		{"all of it", 0, data, []offsetValue{{0, "a"}, {1, "b"}, {2, "c"}, {5, "e"}, {6, "f"}, {10, "k"}}, 11},
		{"from the middle of a batch", 2, data, []offsetValue{{2, "c"}, {5, "e"}, {6, "f"}, {10, "k"}}, 11},
		{"from a gap", 7, data[:len(data)-len(batchOf(10, "k").bytes())], nil, 10},
		{"a last batch that is cut short", 0, data[:len(data)-1], []offsetValue{{0, "a"}, {1, "b"}, {2, "c"}, {5, "e"}, {6, "f"}}, 10},
		{"a batch that is cut short, and none before it", 4, data[:len(data)-70], nil, 4},
		{"nothing", 4, nil, nil, 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := testUnpacker().unpack(&fetchAnswer{records: tc.data}, tc.position)
			if diff := cmp.Diff(tc.want, offsets(got.records)); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			if got.next != tc.next {
				t.Errorf("next = %d, want %d", got.next, tc.next)
			}
		})
	}
}

func TestTheTimeOfARecordIsItsOwnOrTheBrokers(t *testing.T) {
	appended := batchOf(0, "a", "b")
	appended.attrs = attrAppended
	for _, tc := range []struct {
		name  string
		batch storedBatch
		want  int64
	}{
		{"its own", batchOf(0, "a", "b"), 1000},
		{"when the broker got it", appended, 2000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := testUnpacker().unpack(&fetchAnswer{records: tc.batch.bytes()}, 0)
			for _, r := range got.records {
				if r.Time.UnixMilli() != tc.want {
					t.Errorf("%s has the time %d, want %d", r.Value, r.Time.UnixMilli(), tc.want)
				}
			}
			if len(got.records) != 2 {
				t.Errorf("%d records", len(got.records))
			}
		})
	}
}

func TestAHostileBatchIsPassedOnWhole(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(make([]byte, 4<<20))
	_ = z.Close()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	zbomb := enc.EncodeAll(make([]byte, 4<<20), nil)

	good := batchOf(10, "a", "b")
	change := func(f func(s *storedBatch)) []byte {
		s := good
		s.records = bytes.Clone(s.records)
		f(&s)
		return s.bytes()
	}
	for _, tc := range []struct {
		name  string
		batch []byte
		want  error
		last  int64
	}{
		{"that claims 2^31 records", change(func(s *storedBatch) { s.count, s.lastDelta = 1<<31-1, 1<<31-2 }), errTruncated, 10 + 1<<31 - 2},
		{"that claims a negative number of records", change(func(s *storedBatch) { s.count = -5 }), errTruncated, 11},
		{"that claims to end before it begins", change(func(s *storedBatch) { s.lastDelta = -7; s.count = -1 }), errTruncated, 10},
		{"with 4 MB of zeros in gzip", change(func(s *storedBatch) { s.attrs = packedGzip; s.records = bomb.Bytes() }), ErrBatchTooLarge, 11},
		{"with 4 MB of zeros in zstd", change(func(s *storedBatch) { s.attrs = packedZstd; s.records = zbomb }), ErrBatchTooLarge, 11},
		{"in snappy that claims 4 GB", change(func(s *storedBatch) { s.attrs = packedSnappy; s.records = []byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0} }), ErrBatchTooLarge, 11},
		{"in snappy blocks that claim too much", change(func(s *storedBatch) {
			s.attrs = packedSnappy
			s.records = append(append(bytes.Clone(xerial), make([]byte, 8)...), 0xff, 0xff, 0xff, 0xff)
		}), errSnappy, 11},
		{"in an unknown packing", change(func(s *storedBatch) { s.attrs = 7 }), nil, 11},
		{"with many empty headers", change(func(s *storedBatch) {
			r := append(binary.AppendVarint([]byte{0, 0, 0, 1, 0}, 100_000), make([]byte, 200_000)...)
			s.records, s.count = append(binary.AppendVarint(nil, int64(len(r))), r...), 1
		}), ErrBatchTooLarge, 11},
		{"with more headers than bytes", change(func(s *storedBatch) {
			r := binary.AppendVarint([]byte{0, 0, 0, 1, 0}, 1<<40)
			s.records, s.count = append(binary.AppendVarint(nil, int64(len(r))), r...), 1
		}), errTruncated, 11},
		{"with a record outside it", change(func(s *storedBatch) { s.records = append(plainRecord(0, "a"), plainRecord(9, "b")...) }), nil, 11},
		{"with a record that is cut short", change(func(s *storedBatch) { s.records = s.records[:len(s.records)-1] }), errTruncated, 11},
		{"with a wrong checksum", func() []byte { b := good.bytes(); b[17] ^= 1; return b }(), errChecksum, 11},
		{"in an old format", func() []byte { b := good.bytes(); b[16] = 1; return b }(), errOldFormat, 10},
	} {
		t.Run(tc.name, func(t *testing.T) {
			next := batchOf(tc.last+1, "next").bytes()
			got := testUnpacker().unpack(&fetchAnswer{records: append(bytes.Clone(tc.batch), next...)}, 0)
			if len(got.records) != 2 || got.damaged != 1 || got.next != tc.last+2 || string(got.records[1].Value) != "next" {
				t.Fatalf("%d records, %d damaged, next %d", len(got.records), got.damaged, got.next)
			}
			u := got.records[0].Unreadable
			if u == nil || u.Last != tc.last || u.Size != len(tc.batch) || tc.want != nil && !errors.Is(u.Reason, tc.want) {
				t.Errorf("it is %+v", u)
			}
			if v := got.records[0].Value; got.records[0].Offset != 10 || !bytes.HasPrefix(tc.batch, v) || len(v) != min(len(tc.batch), 64<<10) {
				t.Errorf("the record at %d has %d bytes", got.records[0].Offset, len(v))
			}
		})
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(batchOf(3, "a", "b").bytes(), int64(0))
	f.Add(append(batchOf(3, "a").bytes(), batchOf(4, strings.Repeat("x", 300)).bytes()...), int64(4))
	for attrs := range int16(64) {
		s := batchOf(0, "a", "b")
		s.attrs = attrs
		f.Add(s.bytes(), int64(0))
	}
	f.Fuzz(func(t *testing.T, data []byte, position int64) {
		// The checksum would keep the fuzzer out.
		if len(data) >= batchHeader {
			if n := int64(binary.BigEndian.Uint32(data[8:])) + batchPrefix; n >= batchHeader && n <= int64(len(data)) {
				binary.BigEndian.PutUint32(data[17:], crc32.Checksum(data[21:n], castagnoli))
			}
		}
		got := testUnpacker().unpack(&fetchAnswer{records: data, aborted: []abortedTxn{{0, 0}}}, position)
		if got.next < position {
			t.Errorf("it goes back from %d to %d", position, got.next)
		}
		for _, r := range got.records {
			if r.Unreadable == nil && (r.Offset < position || r.Offset >= got.next) {
				t.Errorf("a record at %d, between %d and %d", r.Offset, position, got.next)
			}
		}
	})
}

func FuzzParseFetch(f *testing.F) {
	body := make(wire, 0)
	body.int32(fetchCorrelation)
	body.int32(0)
	body.int16(0)
	body.int32(0)
	body.int32(1)
	body.string("t")
	body.int32(1)
	body.int32(0)
	body.int16(0)
	for range 3 {
		body.int64(7)
	}
	body.int32(1)
	body.int64(1)
	body.int64(2)
	body.int32(-1)
	body.int32(3)
	body = append(body, "abc"...)
	got, err := parseFetch(body, 11)
	if err != nil || string(got.records) != "abc" || got.highWatermark != 7 || len(got.aborted) != 1 {
		f.Fatalf("parseFetch = %+v, %v", got, err)
	}
	for version := range int16(fetchVersionMax + 1) {
		f.Add([]byte(body), version)
	}
	f.Fuzz(func(_ *testing.T, body []byte, version int16) { _, _ = parseFetch(body, version) })
}
