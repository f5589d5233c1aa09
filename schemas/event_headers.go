package schemas

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	contentTypeHeader = "content-type"
	attributePrefix   = "ce_"
)

// Header is one header of a record on a topic: a `ce_…` attribute or the
// content type. Keys are lower case; a repeated key makes an event malformed.
type Header struct {
	Key   string
	Value []byte
}

// Headers are the record headers of an event in CloudEvents' binary mode for
// Kafka: always lower case, always in the same order, absent attributes left out.
// Two equal events give equal bytes.
func Headers(e Event) []Header {
	var space [MaxHeaders]string
	names := space[:0]
	for name := range e.Extensions {
		names = append(names, name)
	}
	slices.Sort(names)
	// All values stand in one piece of memory: this runs several times per event.
	w := headerWriter{headers: make([]Header, 0, 8+len(names)), values: make([]byte, 0, headerBytes(e))}
	w.add(contentTypeHeader, e.DataContentType)
	w.add("ce_specversion", "1.0")
	w.add("ce_id", e.ID)
	w.add("ce_source", e.Source)
	w.add("ce_type", e.Type)
	w.add("ce_subject", e.Subject)
	if !e.Time.IsZero() {
		w.headers = append(w.headers, Header{Key: "ce_time"})
		w.end(e.Time.AppendFormat(w.values, time.RFC3339Nano))
	}
	w.add("ce_dataschema", e.DataSchema)
	for _, name := range names {
		w.add(attributeKey(name), e.Extensions[name])
	}
	return w.headers
}

// HeaderKey is the key of the header that carries an extension attribute.
func HeaderKey(attribute string) string { return attributeKey(attribute) }

// headerBytes is at least the length of all values of e.
func headerBytes(e Event) int {
	n := len(e.DataContentType) + len("1.0") + len(e.ID) + len(e.Source) + len(e.Type) + len(e.Subject) +
		len(time.RFC3339Nano) + len(e.DataSchema)
	for _, value := range e.Extensions {
		n += len(value)
	}
	return n
}

type headerWriter struct {
	headers []Header
	values  []byte
}

func (w *headerWriter) add(key, value string) {
	if value != "" {
		w.headers = append(w.headers, Header{Key: key})
		w.end(append(w.values, value...))
	}
}

// end gives the last header what was appended to the values.
func (w *headerWriter) end(values []byte) {
	start := len(w.values)
	w.values = values
	w.headers[len(w.headers)-1].Value = values[start:len(values):len(values)]
}

// attributeKeys are the header keys of the attributes that events usually carry:
// made once, not for each event.
var attributeKeys = keysOf(slices.Concat(SenderAttributes, []string{
	AttrPartitionKey, AttrReceivedTime, AttrRules, AttrTerritory, AttrSenderRole, AttrRecipientRole, AttrSubmitter,
	AttrVerdict, AttrVerdictDetail, AttrSequence, AttrSubmittedPartition, AttrSubmittedOffset, AttrParties, AttrLate, AttrRecipient, AttrReplay,
}))

func keysOf(names []string) map[string]string {
	keys := make(map[string]string, len(names))
	for _, name := range names {
		keys[name] = attributePrefix + name
	}
	return keys
}

func attributeKey(name string) string {
	if key, ok := attributeKeys[name]; ok {
		return key
	}
	return attributePrefix + name
}

// formatTime keeps the offset and the fraction that were sent; "" for no time.
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

// FromRecord reads the event in a Kafka record: CloudEvents' binary mode, or
// structured JSON where the content type says so. Headers that are not
// CloudEvents' are passed over. The event's Data is the record's value itself.
//
// An error is a *Refusal; the event then holds what could be read all the same.
func FromRecord(headers []Header, value []byte) (Event, error) {
	if len(headers) > MaxHeaders {
		return Event{}, refuse(ReasonTooLarge, fmt.Sprintf("the record has %d headers, the limit is %d", len(headers), MaxHeaders))
	}
	b := eventBuilder{expected: len(headers) - len([...]string{"content-type", "specversion", "id", "source", "type", "subject"})}
	contentType, contentTypes := "", 0
	values := joinValues(headers)
	for _, h := range headers {
		n := len(boundedValue(h))
		value := values[:n]
		values = values[n:]
		key := h.Key
		if len(key) > len(attributePrefix)+maxAttributeName {
			continue
		}
		// Kafka's keys have case and CloudEvents' are lower; some writers still send
		// Content-Type.
		if key = lowerASCII(key); key == contentTypeHeader {
			contentTypes++
			contentType = value
			continue
		}
		if name, ok := strings.CutPrefix(key, attributePrefix); ok {
			b.set(name, value)
		}
	}
	switch {
	case contentTypes > 1:
		b.refuse(ReasonMalformed, "the header content-type stands there twice")
	case len(contentType) > 200:
		b.refuse(ReasonMalformed, "the header content-type is not a media type")
	case isStructured(contentType):
		return fromStructuredRecord(contentType, value)
	case b.names == 0:
		return Event{}, refuse(ReasonMalformed, "the record has no CloudEvents headers: send ce_specversion, ce_id, ce_source, ce_type and ce_subject "+
			"with content-type "+AvroContentType+", or a whole CloudEvent in JSON with content-type "+StructuredContentType)
	default:
		b.setData(contentType, value)
	}
	return b.finish()
}

// joinValues is the values of all headers in one string, one piece of memory for
// all that is cut from it.
func joinValues(headers []Header) string {
	n := 0
	for _, h := range headers {
		n += len(boundedValue(h))
	}
	var b strings.Builder
	b.Grow(n)
	for _, h := range headers {
		b.Write(boundedValue(h))
	}
	return b.String()
}

// boundedValue is a header's value, cut where it is too long anyway.
func boundedValue(h Header) []byte { return h.Value[:min(len(h.Value), MaxHeaderBytes+1)] }

// isStructured is how CloudEvents tells a whole event from data.
func isStructured(contentType string) bool {
	const prefix = "application/cloudevents"
	return len(contentType) >= len(prefix) && strings.EqualFold(contentType[:len(prefix)], prefix)
}

func fromStructuredRecord(contentType string, value []byte) (Event, error) {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	switch media {
	case StructuredContentType:
		return ParseStructured(value)
	case BatchContentType:
		return Event{}, refuse(ReasonMalformed, "a record holds one event: send each of the batch as a record of its own, as "+StructuredContentType)
	}
	return Event{}, refuse(ReasonMalformed, fmt.Sprintf("events as %.80q are not read: send %s", media, StructuredContentType))
}

func lowerASCII(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			return strings.ToLower(s)
		}
	}
	return s
}
