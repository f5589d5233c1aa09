package model

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/relais-fr/relais/schemas"
)

// record is what a reader sees of one record.
type record struct {
	offset  int64
	key     string
	value   string
	headers []string // `name=value`, in their order
	attrs   map[string]string
}

// read takes a batch apart.
func read(data []byte) []record {
	var b kmsg.RecordBatch
	if err := b.ReadFrom(data); err != nil {
		panic(err)
	}
	var all []record
	for rest := b.Records; len(rest) > 0; {
		length, n := binary.Varint(rest)
		var r kmsg.Record
		if err := r.ReadFrom(rest[:n+int(length)]); err != nil {
			panic(err)
		}
		rest = rest[n+int(length):]
		rec := record{offset: b.FirstOffset + int64(r.OffsetDelta), key: string(r.Key), value: string(r.Value), attrs: map[string]string{}}
		for _, h := range r.Headers {
			rec.headers = append(rec.headers, h.Key+"="+string(h.Value))
			rec.attrs[strings.TrimPrefix(h.Key, "ce_")] = string(h.Value)
		}
		all = append(all, rec)
	}
	return all
}

// records are all of a partition.
func (k *kafka) records(topic string, part int) []record {
	k.mu.Lock()
	batches := k.topics[topic][part].batches
	k.mu.Unlock()
	var all []record
	for _, b := range batches {
		all = append(all, read(b.data)...)
	}
	return all
}

// number is the submission that an outcome is of.
func (r record) number() int64 {
	n, err := strconv.ParseInt(r.attrs[schemas.AttrSubmittedOffset], 10, 64)
	if err != nil {
		return -1
	}
	return n
}

func (r record) place() string {
	return r.attrs[schemas.AttrSubmittedPartition] + "-" + r.attrs[schemas.AttrSubmittedOffset]
}

// name is what the broker knows a record by: a submission by its sender's id, an
// outcome by its place and content.
func (r record) name() string {
	if r.attrs[schemas.AttrSubmittedOffset] != "" {
		return r.place() + " " + r.value
	}
	return submissionKey(r)
}

// same says whether two records are the same, byte for byte.
func (r record) same(other record) bool {
	return r.key == other.key && r.value == other.value && strings.Join(r.headers, "\n") == strings.Join(other.headers, "\n")
}

// String names the record: `e3 ReferralAccepted of 0-7`.
func (r record) String() string {
	typ := r.attrs["type"]
	typ = typ[strings.LastIndexByte(typ, '.')+1:]
	s := fmt.Sprintf("%s %s %s", r.key, r.attrs["id"], typ)
	if r.attrs[schemas.AttrSubmittedOffset] != "" {
		s += " of " + r.place()
	}
	return s
}

// summary names the records of a batch when it is printed, and not before.
type summary []byte

func (s summary) String() string {
	var names []string
	for _, r := range read(s) {
		names = append(names, r.String())
	}
	return strings.Join(names, "; ")
}
