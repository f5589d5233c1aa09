package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/relais-fr/relais/schemas"
)

// eventLine is an event for a person, on one line: when it was received, what it
// is, its case, who sent it, and its fields.
func eventLine(e schemas.Event, zone *time.Location) string {
	name := e.Type
	if entry, ok := schemas.Lookup(e.Type); ok {
		name = entry.Name
	}
	from := e.Participant()
	if _, system, err := schemas.ParseSource(e.Source); err == nil {
		from += "/" + system
	}
	parts := []string{shownTime(e.Extensions[schemas.AttrReceivedTime], zone), fmt.Sprintf("%-20s", name), e.Subject}
	if s := strings.TrimLeft(e.Extensions[schemas.AttrSequence], "0"); s != "" {
		parts = append(parts, "#"+s)
	}
	parts = append(parts, "from "+from)
	if e.Extensions[schemas.AttrReplay] != "" {
		parts = append(parts, "(replayed)")
	}
	if e.Type == schemas.TypeDeliveryChanged {
		return strings.Join(append(parts, deliveryWords(e.Data, zone)), "  ")
	}
	if e.Type == schemas.TypeSubmissionRefused {
		return strings.Join(append(parts, refusalWords(e.Data)), "  ")
	}
	return strings.TrimRight(strings.Join(append(parts, fields(e.Data)), "  "), " ")
}

// shownTime is a time of the hub's in the zone, to the second; what is none stays
// as it is.
func shownTime(text string, zone *time.Location) string {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return text
	}
	return t.In(zone).Format(time.DateTime)
}

func refusalWords(data []byte) string {
	var r schemas.SubmissionRefused
	if json.Unmarshal(data, &r) != nil {
		return fields(data)
	}
	text := fmt.Sprintf("%s %s refused: %s", typeName(r.SubmissionType), r.SubmissionID, r.SentenceEN)
	if r.Detail != "" {
		text += " (" + r.Detail + ")"
	}
	if r.RemedyEN != "" {
		text += " " + r.RemedyEN
	}
	return text + " [" + r.Reason + "]"
}

// deliveryWords is a report of a delivery in words.
func deliveryWords(data []byte, zone *time.Location) string {
	var d schemas.DeliveryChanged
	if json.Unmarshal(data, &d) != nil {
		return fields(data)
	}
	what := typeName(d.EventType) + " " + d.EventID + " for " + d.Recipient
	since := shown(d.Since, zone)
	switch reason := reasonOf(&d); {
	case d.Recovered():
		return what + " was delivered after all [" + d.State + "]"
	case reason == schemas.DeliveryNotCollected && d.Deleted != nil:
		return what + " has not been collected since " + since + " and is deleted on " + shown(*d.Deleted, zone) + " [" + reason + "]"
	case reason == schemas.DeliveryDeleted:
		return what + " was not collected since " + since + " and is deleted; the recipient can ask for a replay [" + reason + "]"
	default:
		return what + " is not delivered since " + since + ": " + sentenceOf(reason) + " [" + reason + "]"
	}
}

func typeName(typ string) string {
	if entry, ok := schemas.Lookup(typ); ok {
		return entry.Name
	}
	return typ
}

// fields are the members of a JSON object as name=value, in their order. What is
// sealed is only named: it is not for a terminal.
func fields(data []byte) string {
	var all []string
	_ = members(data, func(name string, value json.RawMessage) {
		all = append(all, name+"="+fieldValue(name, value))
	})
	return strings.Join(all, " ")
}

// members calls each for the members of a JSON object, in their order.
func members(data []byte, each func(name string, value json.RawMessage)) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return errors.New("this is no JSON object")
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return err
		}
		each(name.(string), value)
	}
	return nil
}

func fieldValue(name string, value json.RawMessage) string {
	if name == "sealed" {
		return "(sealed)"
	}
	var text string
	if json.Unmarshal(value, &text) == nil && text != "" && !strings.ContainsAny(text, " \"=\n\t\x1b") {
		return text
	}
	return string(value)
}
