package schemas

import (
	"fmt"
	"iter"
	"mime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// maxAttributeName bounds the name of an attribute. CloudEvents advises 20.
const maxAttributeName = 40

// FromAttributes makes an event of its attributes by name (`id`, `source`,
// `partitionkey`, …, as they are without any prefix), a media type and data: one
// set of rules behind every door. The data is checked for its size only. An error
// is a *Refusal; the event then holds what could be read all the same, so that
// the refusal can be told to its sender.
func FromAttributes(attributes iter.Seq2[string, string], contentType string, data []byte) (Event, error) {
	var b eventBuilder
	for name, value := range attributes {
		b.set(name, value)
	}
	b.setData(contentType, data)
	return b.finish()
}

// eventBuilder collects the attributes of one event and keeps the first fault.
type eventBuilder struct {
	event Event
	seen  [MaxHeaders]string
	names int
	bytes int
	// expected is how many extension attributes there may be.
	expected int
	refusal  *Refusal
}

func (b *eventBuilder) refuse(reason Reason, format string, args ...any) {
	if b.refusal == nil {
		b.refusal = refuse(reason, fmt.Sprintf(format, args...))
	}
}

// set takes one attribute. What is at fault is left out of the event.
func (b *eventBuilder) set(name, value string) {
	switch {
	case !validAttribute(name):
		b.refuse(ReasonMalformed, "%.60q is not the name of an attribute: lower-case letters and digits, at most %d", name, maxAttributeName)
		return
	case slices.Contains(b.seen[:b.names], name):
		// Two readers could take either: neither is taken.
		b.refuse(ReasonMalformed, "the attribute %s stands there twice", name)
		b.assign(name, "")
		return
	case b.names == len(b.seen):
		b.refuse(ReasonTooLarge, "more than %d attributes", MaxHeaders)
		return
	}
	b.seen[b.names] = name
	b.names++
	b.bytes += len(name) + len(value)
	switch {
	case len(value) > MaxHeaderBytes:
		b.refuse(ReasonTooLarge, "the attribute %s is longer than %d bytes", name, MaxHeaderBytes)
	case !utf8.ValidString(value):
		b.refuse(ReasonMalformed, "the attribute %s is not valid UTF-8", name)
	case hasControl(value):
		b.refuse(ReasonMalformed, "the attribute %s has control characters", name)
	default:
		b.assign(name, value)
	}
}

func (b *eventBuilder) assign(name, value string) {
	e := &b.event
	switch name {
	case "specversion":
		if value != "1.0" {
			b.refuse(ReasonMalformed, "the attribute specversion is not 1.0")
		}
	case "id":
		e.ID = value
	case "source":
		e.Source = value
	case "type":
		e.Type = value
	case "subject":
		e.Subject = value
	case "dataschema":
		e.DataSchema = value
	case "time":
		b.setTime(value)
	case "data", "datacontenttype":
		b.refuse(ReasonMalformed, "%s cannot be an attribute here: data is the body, its media type is the header content-type", name)
	default:
		if value == "" {
			delete(e.Extensions, name)
			return
		}
		if e.Extensions == nil {
			e.Extensions = make(map[string]string, max(b.expected, 0))
		}
		e.Extensions[name] = value
	}
}

func (b *eventBuilder) setTime(value string) {
	b.event.Time = time.Time{}
	if value == "" {
		return
	}
	t, ok := parseInstant(value)
	if !ok {
		b.refuse(ReasonMalformed, "the attribute time is not a time such as 2026-05-14T09:30:00Z (RFC 3339)")
		return
	}
	b.event.Time = t
}

// parseInstant reads a time by RFC 3339 and keeps its offset. time.Parse alone lets
// a comma, a one-digit hour and an offset of a day pass, and what is sent on must
// be readable by everybody.
func parseInstant(s string) (time.Time, bool) {
	const seconds = "2006-01-02T15:04:05"
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || len(s) <= len(seconds) || t.Format(seconds) != s[:len(seconds)] || s[len(seconds)] == ',' {
		return time.Time{}, false
	}
	_, offset := t.Zone()
	return t, -86400 < offset && offset < 86400
}

// setData takes the data with its media type; nil is no data.
func (b *eventBuilder) setData(contentType string, data []byte) {
	if len(data) > MaxDataBytes+frameBytes {
		b.refuse(ReasonTooLarge, "the data has %d bytes, the limit is %d", len(data), MaxDataBytes)
		return
	}
	media, err := dataMedia(contentType, data)
	if err != nil {
		b.refuse(err.Reason, "%s", err.Detail)
		return
	}
	b.event.DataContentType, b.event.Data = media, data
	b.bytes += len(data)
}

func (b *eventBuilder) finish() (Event, error) {
	if b.bytes > MaxEventBytes {
		b.refuse(ReasonTooLarge, "the event has %d bytes, the limit is %d", b.bytes, MaxEventBytes)
		b.event.Data = nil
	}
	for _, required := range [...]struct{ name, value string }{
		{"id", b.event.ID}, {"source", b.event.Source}, {"type", b.event.Type},
	} {
		if required.value == "" {
			b.refuse(ReasonMalformed, "the attribute %s is missing", required.name)
		}
	}
	if !slices.Contains(b.seen[:b.names], "specversion") {
		b.refuse(ReasonMalformed, "the attribute specversion is missing: send 1.0")
	}
	if b.refusal != nil {
		return b.event, b.refusal
	}
	return b.event, nil
}

// dataMedia is the media type that data is taken for: AvroContentType,
// JSONContentType, or "" for no data at all.
func dataMedia(contentType string, data []byte) (string, *Refusal) {
	switch contentType {
	case AvroContentType, JSONContentType:
		return contentType, nil
	case "":
		// Confluent's serializers set no media type; their frame begins with a zero
		// byte, which JSON never does.
		switch {
		case len(data) == 0:
			return "", nil
		case data[0] == 0:
			return AvroContentType, nil
		case data[0] == '{':
			return JSONContentType, nil
		}
		return "", refuse(ReasonMalformed, "the header content-type is missing: send "+AvroContentType+", "+JSONContentType+" or "+StructuredContentType)
	}
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "", refuse(ReasonMalformed, "the header content-type is not a media type")
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return "", refuse(ReasonMalformed, "the header content-type has a charset other than utf-8")
	}
	switch {
	case media == AvroContentType:
		return AvroContentType, nil
	case media == JSONContentType, media == "text/json", isJSONSuffix(media):
		return JSONContentType, nil
	case media == "application/octet-stream" && len(data) > 0 && data[0] == 0:
		return AvroContentType, nil
	}
	return "", refuse(ReasonMalformed, fmt.Sprintf("the media type %.80q is not taken: send Avro in Confluent's framing as %s, or JSON as %s",
		media, AvroContentType, JSONContentType))
}

func isJSONSuffix(media string) bool {
	return strings.HasSuffix(media, "+json") && !strings.HasPrefix(media, "application/cloudevents")
}

// validAttribute is CloudEvents' rule for names, with a bound.
func validAttribute(name string) bool {
	if name == "" || len(name) > maxAttributeName {
		return false
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// hasControl says whether s has characters that CloudEvents bars from strings:
// controls and noncharacters. s is valid UTF-8, so it has no surrogates.
func hasControl(s string) bool {
	plain := 0
	for plain < len(s) && ' ' <= s[plain] && s[plain] < 0x7f {
		plain++
	}
	// Nearly all are plain ASCII, and all attributes of every event pass here.
	for _, r := range s[plain:] {
		if r < ' ' || r >= 0x7f && r <= 0x9f || r >= 0xfdd0 && r <= 0xfdef || r&0xfffe == 0xfffe {
			return true
		}
	}
	return false
}
