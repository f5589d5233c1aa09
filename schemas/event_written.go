package schemas

import (
	"slices"
	"strings"
	"time"
)

// Written is an event in a record that the hub itself wrote, with its headers as
// Headers makes them. Its services hand each other most events so, several times
// each: it is read without a map of its extension attributes, and stamped without
// being made anew. It keeps the record's headers, which must not be changed.
type Written struct {
	ID, Source, Type, Subject string
	// Time is when it happened, by the sender's word; zero when not said.
	Time time.Time
	Data []byte

	headers []Header
	own     int // headers before the first extension attribute
}

// Write is the event as Headers writes it.
func Write(e Event) Written {
	w := Written{ID: e.ID, Source: e.Source, Type: e.Type, Subject: e.Subject, Time: e.Time, Data: e.Data, headers: Headers(e)}
	w.own = len(w.headers)
	for i, h := range w.headers {
		if name, ok := strings.CutPrefix(h.Key, attributePrefix); ok && !slices.Contains(contextAttributes[:], name) {
			w.own = i
			break
		}
	}
	return w
}

// contextAttributes are those of CloudEvents itself. The last two are no headers
// of a record in binary mode.
var contextAttributes = [...]string{"specversion", "id", "source", "type", "subject", "time", "dataschema", "data", "datacontenttype"}

// ReadWritten reads what FromRecord reads, with its errors. What somebody wrote in
// another way than Headers is written anew.
func ReadWritten(headers []Header, value []byte) (Written, error) {
	if w, ok := readWritten(headers, value); ok {
		return w, nil
	}
	e, err := FromRecord(headers, value)
	return Write(e), err
}

// readWritten reads headers that are just as Headers writes them, of an event with
// data in Avro. It is never surer than FromRecord: what is out of the ordinary is
// left to that.
func readWritten(headers []Header, value []byte) (w Written, ok bool) {
	if len(headers) > MaxHeaders || len(value) > MaxDataBytes {
		return w, false
	}
	size := len(value)
	for _, h := range headers {
		if size += len(h.Key) + len(h.Value); len(h.Value) == 0 || len(h.Value) > MaxHeaderBytes || !plainText(h.Value) {
			return w, false
		}
	}
	if size > MaxEventBytes {
		return w, false
	}
	w.headers, w.Data = headers, value
	next := func(key string) []byte {
		if w.own < len(headers) && headers[w.own].Key == key {
			w.own++
			return headers[w.own-1].Value
		}
		return nil
	}
	if string(next(contentTypeHeader)) != AvroContentType || string(next("ce_specversion")) != "1.0" {
		return w, false
	}
	w.ID, w.Source = string(next("ce_id")), string(next("ce_source"))
	kind := next("ce_type")
	if entry, known := entryByType[string(kind)]; known {
		w.Type = entry.Type
	} else {
		w.Type = string(kind)
	}
	w.Subject = string(next("ce_subject"))
	if moment := next("ce_time"); moment != nil {
		if w.Time, ok = parseInstant(string(moment)); !ok {
			return w, false
		}
		var space [len(time.RFC3339Nano)]byte
		if string(w.Time.AppendFormat(space[:0], time.RFC3339Nano)) != string(moment) {
			return w, false
		}
	}
	next("ce_dataschema")
	if w.ID == "" || w.Source == "" || w.Type == "" {
		return w, false
	}
	last := ""
	for _, h := range headers[w.own:] {
		name, isAttribute := strings.CutPrefix(h.Key, attributePrefix)
		if !isAttribute || name <= last || !validAttribute(name) || slices.Contains(contextAttributes[:], name) {
			return w, false
		}
		last = name
	}
	return w, true
}

// plainText says whether all of b is printable ASCII, as nearly every value is.
func plainText(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// Attribute is the value of an extension attribute, nil without it. It is the
// record's own memory.
func (w Written) Attribute(name string) []byte {
	for _, h := range w.headers[w.own:] {
		if len(h.Key) == len(attributePrefix)+len(name) && h.Key[len(attributePrefix):] == name {
			return h.Value
		}
	}
	return nil
}

// DataSchema names the schema of the data; nil when nobody said it.
func (w Written) DataSchema() []byte {
	if w.own > 0 && w.headers[w.own-1].Key == "ce_dataschema" {
		return w.headers[w.own-1].Value
	}
	return nil
}

// Participant is the id in the event's source, "" if the source is not one.
func (w Written) Participant() string { return Event{Source: w.Source}.Participant() }

// Stamped is what Headers would make of the event with stamps set over its
// extension attributes; a stamp without a value removes the attribute. stamps are
// sorted by key, each with a key of HeaderKey. Values are shared, not copied.
func (w Written) Stamped(stamps []Header) []Header {
	headers := append(make([]Header, 0, len(w.headers)+len(stamps)), w.headers[:w.own]...)
	for _, h := range w.headers[w.own:] {
		for len(stamps) > 0 && stamps[0].Key < h.Key {
			headers = appendStamp(headers, stamps[0])
			stamps = stamps[1:]
		}
		if len(stamps) > 0 && stamps[0].Key == h.Key {
			h, stamps = stamps[0], stamps[1:]
		}
		headers = appendStamp(headers, h)
	}
	for _, stamp := range stamps {
		headers = appendStamp(headers, stamp)
	}
	return headers
}

func appendStamp(headers []Header, h Header) []Header {
	if len(h.Value) == 0 {
		return headers
	}
	return append(headers, h)
}
