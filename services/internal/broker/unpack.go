package broker

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Kafka's numbers for how the records of a batch are packed.
const (
	packedNot int16 = iota
	packedGzip
	packedSnappy
	packedLZ4
	packedZstd
)

// unpackBytes undoes a batch's compression. One megabyte can hold gigabytes of
// zeros, so nothing beyond limit is ever unpacked.
func unpackBytes(packing int16, data []byte, limit int) ([]byte, error) {
	switch packing {
	case packedNot:
		if len(data) > limit {
			return nil, ErrBatchTooLarge
		}
		return data, nil
	case packedGzip:
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		return readBounded("gzip", z, limit)
	case packedSnappy:
		return unsnappy(data, limit)
	case packedLZ4:
		return readBounded("lz4", lz4.NewReader(bytes.NewReader(data)), limit)
	case packedZstd:
		z, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(uint64(max(limit, 1<<20))))
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
		defer z.Close()
		out, err := readBounded("zstd", z, limit)
		if errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded) {
			return nil, ErrBatchTooLarge
		}
		return out, err
	}
	return nil, fmt.Errorf("packed in an unknown way (%d)", packing)
}

func readBounded(name string, r io.Reader, limit int) ([]byte, error) {
	var out bytes.Buffer
	n, err := out.ReadFrom(io.LimitReader(r, int64(limit)+1))
	if n > int64(limit) {
		return nil, ErrBatchTooLarge
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return out.Bytes(), nil
}

// xerial begins snappy as Java's clients write it: blocks, each with its
// length, after 16 bytes of magic and versions. Others write one bare block.
var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

var errSnappy = errors.New("snappy: a block is damaged")

func unsnappy(data []byte, limit int) ([]byte, error) {
	if !bytes.HasPrefix(data, xerial) {
		return unsnappyBlock(nil, data, limit)
	}
	if len(data) < 16 {
		return nil, errSnappy
	}
	var out []byte
	for data = data[16:]; len(data) > 0; {
		if len(data) < 4 {
			return nil, errSnappy
		}
		n := int64(binary.BigEndian.Uint32(data))
		if n > int64(len(data)-4) {
			return nil, errSnappy
		}
		var err error
		if out, err = unsnappyBlock(out, data[4:4+n], limit); err != nil {
			return nil, err
		}
		data = data[4+n:]
	}
	return out, nil
}

func unsnappyBlock(out, block []byte, limit int) ([]byte, error) {
	n, err := snappy.DecodedLen(block)
	if err != nil {
		return nil, errSnappy
	}
	if n > limit-len(out) {
		return nil, ErrBatchTooLarge
	}
	plain, err := snappy.Decode(nil, block)
	if err != nil {
		return nil, errSnappy
	}
	if out == nil {
		return plain, nil
	}
	return append(out, plain...), nil
}
