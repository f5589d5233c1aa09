package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/broker"
)

// The headers that the gateway puts behind a quarantined record's own. A record
// from outside may have headers of the same names; ours are the last.
const (
	headerOrigin      = "relais-origin" // <topic>/<partition>-<offset>
	headerParticipant = "relais-participant"
	headerReason      = "relais-reason"
	headerDetail      = "relais-detail"
	headerSize        = "relais-size"   // bytes of the value, or of the batch
	headerSHA256      = "relais-sha256" // of the same
	headerCut         = "relais-cut"    // true: only the beginning is here

	ownQuarantineHeaders = 7
)

const (
	// maxQuarantined bounds a record that is kept whole. It is what a `from` topic
	// takes; unpacked it may be far more.
	maxQuarantined = 1 << 20
	// keptOfLarge is what is kept of a larger one.
	keptOfLarge = 64 << 10
)

// quarantineRecord is the record as it goes to `relais.quarantine`: whole where
// that is possible and cut is not asked for, with the reason and where it came
// from.
func (g *Gateway) quarantineRecord(by auth.Principal, rec *broker.Record, why *schemas.Refusal, cut bool) broker.Record {
	size, sum := len(rec.Value), [32]byte{}
	value, headers := rec.Value, rec.Headers
	whole := len(rec.Key) + len(rec.Value)
	for _, h := range rec.Headers {
		whole += len(h.Key) + len(h.Value)
	}
	cut = cut || whole > maxQuarantined
	if rec.Unreadable != nil {
		size, sum, cut = rec.Unreadable.Size, rec.Unreadable.Digest, true
	} else {
		sum = sha256.Sum256(rec.Value)
	}
	key := rec.Key
	if cut {
		value, headers, key = value[:min(len(value), keptOfLarge)], nil, key[:min(len(key), schemas.MaxHeaderBytes)]
	}
	own := []schemas.Header{
		{Key: headerOrigin, Value: []byte(rec.Topic + "/" + strconv.Itoa(rec.Partition) + "-" + strconv.FormatInt(rec.Offset, 10))},
		{Key: headerParticipant, Value: []byte(by.ID)},
		{Key: headerReason, Value: []byte(why.Reason)},
		{Key: headerDetail, Value: []byte(why.Detail)},
		{Key: headerSize, Value: strconv.AppendInt(nil, int64(size), 10)},
		{Key: headerSHA256, Value: []byte(hex.EncodeToString(sum[:]))},
		{Key: headerCut, Value: strconv.AppendBool(nil, cut)},
	}
	return broker.Record{
		Topic: g.quarantine, Partition: 0, Key: key, Value: value, Time: time.Now(),
		Headers: append(append(make([]schemas.Header, 0, len(headers)+len(own)), headers...), own...),
	}
}

// quarantined is a record of `relais.quarantine`, as the admin doors show it.
type quarantined struct {
	Place       string    `json:"place"`
	Time        time.Time `json:"time"`
	Origin      string    `json:"origin"`
	Participant string    `json:"participant"`
	Reason      string    `json:"reason"`
	Detail      string    `json:"detail,omitempty"`
	SizeBytes   int64     `json:"size_bytes"`
	SHA256      string    `json:"sha256"`
	// Cut says that only the beginning was kept: it cannot be redriven.
	Cut bool `json:"cut"`

	// Key, Headers and Value are shown for one record, not in lists.
	Key     []byte             `json:"key,omitempty"`
	Headers []quarantineHeader `json:"headers,omitempty"`
	Value   []byte             `json:"value,omitempty"`
}

type quarantineHeader struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

// readQuarantined reads what quarantineRecord wrote; ok is false for a record
// that it did not write.
func readQuarantined(rec *broker.Record) (q quarantined, ok bool) {
	at := len(rec.Headers) - ownQuarantineHeaders
	if at < 0 || rec.Headers[at].Key != headerOrigin {
		return quarantined{}, false
	}
	own := rec.Headers[at:]
	text := func(i int) string { return string(own[i].Value) }
	size, err := strconv.ParseInt(text(4), 10, 64)
	if err != nil {
		return quarantined{}, false
	}
	return quarantined{
		Place: schemas.Place{Partition: rec.Partition, Offset: rec.Offset}.String(), Time: rec.Time.UTC(),
		Origin: text(0), Participant: text(1), Reason: text(2), Detail: text(3), SizeBytes: size, SHA256: text(5), Cut: text(6) == "true",
	}, true
}

// headerRedriven marks that the record at an offset of the topic was redriven.
const headerRedriven = "relais-redriven"

// redrivenRecord is such a mark. It has none of the headers of a quarantined
// record, so that no list shows it.
func (g *Gateway) redrivenRecord(rec *broker.Record) broker.Record {
	return broker.Record{
		Topic: g.quarantine, Value: []byte{}, Time: time.Now(),
		Headers: []schemas.Header{{Key: headerRedriven, Value: strconv.AppendInt(nil, rec.Offset, 10)}},
	}
}

// redrivenMark is the offset that a mark is about; ok is false for a record that is
// none. What came from outside stands with our own headers behind its own.
func redrivenMark(rec *broker.Record) (offset int64, ok bool) {
	if len(rec.Headers) != 1 || rec.Headers[0].Key != headerRedriven {
		return 0, false
	}
	offset, err := strconv.ParseInt(string(rec.Headers[0].Value), 10, 64)
	return offset, err == nil
}

// originOf is the record as it came, so that it can be judged again.
func originOf(rec *broker.Record, q quarantined) (broker.Record, bool) {
	topic, place, ok := strings.Cut(q.Origin, "/")
	if !ok {
		return broker.Record{}, false
	}
	at, err := schemas.ParsePlace(place)
	if err != nil {
		return broker.Record{}, false
	}
	return broker.Record{
		Topic: topic, Partition: at.Partition, Offset: at.Offset, Key: rec.Key, Value: rec.Value,
		Headers: rec.Headers[:len(rec.Headers)-ownQuarantineHeaders], Time: rec.Time,
	}, true
}

// quarantinedAt reads one quarantined record; ok is false when there is none.
func (g *Gateway) quarantinedAt(ctx context.Context, place schemas.Place) (rec broker.Record, q quarantined, ok bool, err error) {
	rec, ok, err = g.submissionAt(ctx, g.quarantine, place)
	if err != nil || !ok {
		return rec, q, false, err
	}
	q, ok = readQuarantined(&rec)
	return rec, q, ok, nil
}
