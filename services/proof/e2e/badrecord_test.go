package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/relais-fr/relais/schemas"
)

// badPartition is where the bad records go, all on one and each with a good one
// behind it, so that one that blocks would show.
const badPartition = 1

// structuredRecord is an event in JSON as a record.
func (b *trial) structuredRecord(e event) *kgo.Record {
	r := bareRecord(e.json(b.t))
	r.Headers = []kgo.RecordHeader{{Key: "content-type", Value: []byte(structured)}}
	if subject, ok := e["subject"].(string); ok {
		r.Key = []byte(schemas.Dossier(subject))
	}
	return r
}

// avroRecord is an event in binary mode with Avro for data.
func (b *trial) avroRecord(e event, avro []byte) *kgo.Record {
	r := bareRecord(avro)
	r.Key = []byte(schemas.Dossier(e.subject()))
	for name, value := range e {
		if name != "data" && name != "datacontenttype" {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: "ce_" + name, Value: []byte(value.(string))})
		}
	}
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: "content-type", Value: []byte(schemas.AvroContentType)})
	return r
}

// bareRecord is a record without headers.
func bareRecord(value []byte) *kgo.Record {
	return &kgo.Record{Topic: "relais.from.cnaf", Partition: badPartition, Value: value}
}

func withHeader(r *kgo.Record, name string, value []byte) *kgo.Record {
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: value})
	return r
}

func withKey(r *kgo.Record, key string) *kgo.Record {
	r.Key = []byte(key)
	if key == "" {
		r.Key = nil
	}
	return r
}

// badRecord is a record that cannot become a fact, and what becomes of it: a
// refusal that its sender gets, or a place in quarantine.
type badRecord struct {
	*kgo.Record
	becomes string // refused or quarantined; cut where only the beginning is kept
	reason  string
	detail  string // part of it
}

func badRecords(b *trial) map[string]badRecord {
	good := func() event { return b.referral() }
	zeros := make([]byte, 60<<20)
	return map[string]badRecord{
		"a record without headers":          {bareRecord([]byte("hello")), "quarantined", "malformed", ""},
		"an event in JSON without headers":  {bareRecord(good().json(b.t)), "quarantined", "malformed", ""},
		"a record without headers or value": {bareRecord(nil), "quarantined", "malformed", ""},
		"bytes of no encoding":              {bareRecord([]byte{0xff, 0xfe, 0x00, 0x80}), "quarantined", "malformed", ""},
		"Avro without headers":              {bareRecord(b.avro), "quarantined", "malformed", ""},
		"JSON that ends early":              {withValue(b.structuredRecord(good()), `{"specversion":"1.0"`), "quarantined", "malformed", "JSON"},
		"JSON that is not UTF-8":            {withValue(b.structuredRecord(good()), "{\"id\":\"a\xff\"}"), "quarantined", "malformed", "UTF-8"},
		"an event without an id":            {b.structuredRecord(good().with("id", nil)), "quarantined", "malformed", "id"},
		"an id that is no id":               {b.structuredRecord(good().with("id", "a b")), "quarantined", "malformed", "id"},
		"a header that stands twice":        {withHeader(b.avroRecord(good(), b.avro), "ce_id", []byte("other")), "quarantined", "malformed", "id"},
		"a header that is not UTF-8":        {withHeader(b.avroRecord(good(), b.avro), "ce_priority", []byte{0xff}), "refused", "malformed", "UTF-8"},
		"a header of 5 kB":                  {withHeader(b.avroRecord(good(), b.avro), "ce_priority", bytes.Repeat([]byte("a"), 5000)), "refused", "too_large", "priority"},
		"a hundred headers":                 {withHundred(b.avroRecord(good(), b.avro)), "quarantined", "too_large", "headers"},
		"an unknown type":                   {b.structuredRecord(good().with("type", "fr.relais.referral.v1.ReferralEaten")), "refused", "unknown_schema", "type"},
		"an unknown schema id":              {b.avroRecord(good(), unknownID(b.avro)), "refused", "unknown_schema", "1000000"},
		"truncated Avro":                    {b.avroRecord(good(), b.avro[:len(b.avro)-1]), "refused", "malformed", ""},
		"a string of a terabyte":            {b.avroRecord(good(), framed(b.avro, huge...)), "refused", "malformed", ""},
		"an event without data":             {b.avroRecord(good(), nil), "refused", "malformed", ""},
		"a number that is a word":           {b.structuredRecord(b.accepted("cnaf").field("planned_delay_days", "ten")), "refused", "malformed", "planned_delay_days"},
		"an unknown office":                 {b.structuredRecord(good().field("to", "fs-999999")), "refused", "unknown_participant", "to"},
		"an unknown service":                {b.structuredRecord(good().field("service", "bread/baking")), "refused", "unknown_service", "service"},
		"another's source":                  {b.structuredRecord(good().with("source", "/participants/msa/x")), "refused", "not_your_participant", "source"},
		"another's case id":                 {b.structuredRecord(good().with("subject", "msa.1")), "refused", "not_your_participant", "subject"},
		"a key that disagrees":              {withKey(b.structuredRecord(good()), uuid.NewString()), "refused", "malformed", "key"},
		"an answer without a key":           {withKey(b.structuredRecord(b.accepted("cnaf")), ""), "refused", "malformed", "key"},
		"a case that is not there":          {b.structuredRecord(b.accepted("cnaf").with("subject", uuid.NewString())), "refused", "not_a_party", ""},
		"a state that does not allow it":    {b.structuredRecord(newEvent("cnaf", schemas.TypeReferralClosed, b.subject, map[string]any{})), "refused", "transition_not_allowed", ""},
		"60 MB of nothing, without headers": {bareRecord(zeros), "cut", "too_large", "unpacked"},
		"60 MB of nothing as an event":      {b.avroRecord(good(), zeros), "cut", "too_large", "unpacked"},
	}
}

func withValue(r *kgo.Record, value string) *kgo.Record {
	r.Value = []byte(value)
	return r
}

func withHundred(r *kgo.Record) *kgo.Record {
	for i := range 100 {
		withHeader(r, fmt.Sprintf("x-%d", i), []byte("x"))
	}
	return r
}

// TestBadRecordsOnATopic publishes records that cannot become facts, as a client of
// Kafka may. Each is refused, with a sentence that its sender gets, or, where
// nothing names it, goes to the quarantine whole; and the good record behind each
// goes through.
func TestBadRecordsOnATopic(t *testing.T) {
	t.Parallel()
	b := newTrial(t, "demo-19")
	h := b.h
	before := h.quarantine(t)
	producer := h.kafkaClient(t, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(100<<20),
		kgo.ProducerBatchCompression(kgo.GzipCompression()), kgo.MaxBufferedBytes(0))
	bad := badRecords(b)
	ids, goods := map[string]string{}, map[string]event{}
	for name, record := range bad {
		ids[name] = idOf(record.Record)
		produce(t, producer, record.Record)
		next := b.referral()
		goods[name] = next
		r := b.structuredRecord(next)
		produce(t, producer, r)
	}
	mail := h.mailUntil(t, "cnaf", func(all map[string][]mail) bool {
		for _, e := range goods {
			if len(all[e["id"].(string)]) == 0 {
				return false
			}
		}
		for name, record := range bad {
			if record.becomes == "refused" && len(all[ids[name]]) == 0 {
				return false
			}
		}
		return true
	})
	quarantined := h.quarantine(t)
	for name, record := range bad {
		t.Run(name, func(t *testing.T) {
			if got := mail[goods[name]["id"].(string)]; len(got) != 1 || got[0].Type != schemas.TypeReferralMade {
				t.Errorf("of the good record behind it came %v", got)
			}
			if record.becomes == "refused" {
				checkRefusal(t, mail[ids[name]], record)
				return
			}
			held, ok := quarantined[originOf(record.Record)]
			if !ok {
				t.Fatalf("it is not in quarantine; its sender got %v", mail[ids[name]])
			}
			checkHeld(t, h, held, record)
		})
	}
	wantHeld := len(before)
	for _, record := range bad {
		if record.becomes != "refused" {
			wantHeld++
		}
	}
	if len(quarantined) != wantHeld {
		t.Errorf("%d records are in quarantine, want %d", len(quarantined), wantHeld)
	}
}

// TestRecordOfTenMegabytes is refused by the Kafka door itself: it could not be
// written back, and its producer learns of it at once.
func TestRecordOfTenMegabytes(t *testing.T) {
	t.Parallel()
	b := newTrial(t, "demo-20")
	producer := b.h.kafkaClient(t, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(100<<20),
		kgo.ProducerBatchCompression(kgo.NoCompression()))
	err := producer.ProduceSync(t.Context(), bareRecord(make([]byte, 10<<20))).FirstErr()
	if !errors.Is(err, kerr.MessageTooLarge) && !errors.Is(err, kerr.RecordListTooLarge) {
		t.Errorf("the broker answers %v", err)
	}
	next := b.referral()
	produce(t, producer, b.structuredRecord(next))
	b.h.mailUntil(t, "cnaf", func(all map[string][]mail) bool { return len(all[next["id"].(string)]) > 0 })
}

func produce(t *testing.T, producer *kgo.Client, r *kgo.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), kafkaLimit)
	defer cancel()
	if err := producer.ProduceSync(ctx, r).FirstErr(); err != nil {
		t.Fatalf("publish %d bytes: %v", len(r.Value), err)
	}
}

// idOf is the id of a record's event, as far as it has one.
func idOf(r *kgo.Record) string {
	if id := header(r, "ce_id"); id != "" {
		return id
	}
	var e struct{ ID string }
	_ = json.Unmarshal(r.Value, &e)
	return e.ID
}

func originOf(r *kgo.Record) string { return fmt.Sprintf("%s/%d-%d", r.Topic, r.Partition, r.Offset) }

// mail is an event as the mailbox gives it.
type mail struct {
	ID, Type, Subject string
	Data              struct {
		Reason       string
		Detail       string
		SubmissionID string `json:"submission_id"`
		SentenceFR   string `json:"sentence_fr"`
		SentenceEN   string `json:"sentence_en"`
		RemedyFR     string `json:"remedy_fr"`
		RemedyEN     string `json:"remedy_en"`
	}
}

// mailUntil reads a participant's mailbox until what came is enough: all of it, by
// the id of the event, or of the submission that was refused.
func (h *hub) mailUntil(t *testing.T, who string, enough func(map[string][]mail) bool) map[string][]mail {
	t.Helper()
	all := map[string][]mail{}
	limit := time.Now().Add(kafkaLimit)
	for cursor := ""; !enough(all); {
		if time.Now().After(limit) {
			t.Errorf("not all has come to %s in %v", who, kafkaLimit)
			break
		}
		a, err := h.call(t.Context(), http.MethodGet, "/v1/mailbox?limit=1000&cursor="+url.QueryEscape(cursor), who, nil, "Prefer", "wait=2")
		var events []mail
		if err != nil || json.Unmarshal(a.body, &events) != nil {
			t.Fatalf("the mailbox answers %d %.300s (%v)", a.status, a.body, err)
		}
		for _, e := range events {
			id := e.ID
			if e.Data.SubmissionID != "" {
				id = e.Data.SubmissionID
			}
			all[id] = append(all[id], e)
		}
		cursor = a.header.Get("Relais-Cursor")
	}
	return all
}

func checkRefusal(t *testing.T, got []mail, want badRecord) {
	t.Helper()
	if len(got) != 1 || got[0].Type != schemas.TypeSubmissionRefused {
		t.Fatalf("its sender got %v", got)
	}
	data := got[0].Data
	if data.Reason != want.reason || !strings.Contains(data.Detail, want.detail) {
		t.Errorf("it is refused as %s %q, want %s with %q", data.Reason, data.Detail, want.reason, want.detail)
	}
	for _, sentence := range []string{data.SentenceFR, data.SentenceEN, data.RemedyFR, data.RemedyEN} {
		if !strings.HasSuffix(sentence, ".") || len(sentence) < 10 {
			t.Errorf("%q is no sentence", sentence)
		}
	}
}

// held is a record in quarantine, as the admin's door shows it.
type held struct {
	Place, Origin, Participant, Reason, Detail, SHA256 string
	SizeBytes                                          int64 `json:"size_bytes"`
	Cut                                                bool
	Key, Value                                         []byte
	Headers                                            []struct {
		Key   string
		Value []byte
	}
}

// quarantine is what is in quarantine, by where it came from.
func (h *hub) quarantine(t *testing.T) map[string]held {
	t.Helper()
	all := map[string]held{}
	for cursor := ""; ; {
		var page struct {
			Items []held
			Next  string
		}
		h.adminGet(t, "/v1/quarantine?limit=10&cursor="+cursor, &page)
		for _, item := range page.Items {
			all[item.Origin] = item
		}
		if cursor = page.Next; len(page.Items) == 0 {
			return all
		}
	}
}

func (h *hub) adminGet(t *testing.T, path string, into any) {
	t.Helper()
	a, err := h.call(t.Context(), http.MethodGet, path, "admin", nil)
	if err != nil || a.status != http.StatusOK {
		t.Fatalf("%s is answered with %d %.300s (%v)", path, a.status, a.body, err)
	}
	if err := json.Unmarshal(a.body, into); err != nil {
		t.Fatal(err)
	}
}

// checkHeld wants a record to be in quarantine as it was published.
func checkHeld(t *testing.T, h *hub, listed held, want badRecord) {
	t.Helper()
	var whole held
	h.adminGet(t, "/v1/quarantine/"+listed.Place, &whole)
	if whole.Reason != want.reason || !strings.Contains(whole.Detail, want.detail) || whole.Participant != "cnaf" {
		t.Errorf("it is held as %s's for %s %q, want %s with %q", whole.Participant, whole.Reason, whole.Detail, want.reason, want.detail)
	}
	if want.becomes == "cut" {
		// It was never unpacked: what is held is the beginning of the stored batch.
		if !whole.Cut || int64(len(whole.Value)) != min(whole.SizeBytes, 64<<10) || len(whole.SHA256) != 2*sha256.Size {
			t.Errorf("of %d bytes %d are held, cut %t", whole.SizeBytes, len(whole.Value), whole.Cut)
		}
		return
	}
	sum := sha256.Sum256(want.Value)
	if whole.SizeBytes != int64(len(want.Value)) || whole.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("it is said to have %d bytes with the sum %s", whole.SizeBytes, whole.SHA256)
	}
	var headers []kgo.RecordHeader
	for _, header := range whole.Headers {
		headers = append(headers, kgo.RecordHeader{Key: header.Key, Value: header.Value})
	}
	same := slices.EqualFunc(headers, want.Headers, func(a, b kgo.RecordHeader) bool { return a.Key == b.Key && bytes.Equal(a.Value, b.Value) })
	if whole.Cut || !bytes.Equal(whole.Value, want.Value) || !bytes.Equal(whole.Key, want.Key) || !same {
		t.Errorf("it is not held whole: %+v", whole)
	}
}
