package desk

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/relais-fr/relais/schemas"
)

// Entry is one line of a dossier's timeline. Times are Unix milliseconds.
type Entry struct {
	Place string `json:"p"`
	Event string `json:"i"`
	Case  string `json:"c"`
	Type  string `json:"t"`
	// By is the participant who handed it in.
	By string `json:"b"`
	// Happened is 0 when not said.
	Happened int64 `json:"h,omitempty"`
	Received int64 `json:"w"`
	// State is the state of the case afterwards.
	State string `json:"s,omitempty"`
	Late  bool   `json:"l,omitempty"`
	// Data is the payload as JSON, without its sealed part.
	Data json.RawMessage `json:"d,omitempty"`
	// Text is the sealed part when it is a text, at most MaxText bytes of it.
	// Sealed is its size in bytes.
	Text   string `json:"x,omitempty"`
	Sealed int    `json:"z,omitempty"`
}

func newEntry(e *Event) *Entry {
	line := &Entry{
		Place: e.Place.String(), Event: e.ID, Case: e.Subject, Type: e.Type, By: e.Participant(),
		Received: e.Received.UnixMilli(), Late: e.Extensions[schemas.AttrLate] == "true",
	}
	if !e.Time.IsZero() {
		line.Happened = e.Time.UnixMilli()
	}
	payload, sealed := unseal(e.Payload)
	line.Text, line.Sealed = shorten(sealed), len(sealed)
	// A payload of ours always marshals; were it not so, the line stands without.
	line.Data, _ = json.Marshal(payload)
	return line
}

// unseal takes the sealed part out of a copy of the payload.
func unseal(payload any) (rest any, sealed []byte) {
	switch p := payload.(type) {
	case *schemas.ReferralMade:
		c := *p
		c.Sealed = nil
		return &c, p.Sealed
	case *schemas.InformationRequested:
		c := *p
		c.Sealed = nil
		return &c, p.Sealed
	case *schemas.InformationProvided:
		c := *p
		c.Sealed = nil
		return &c, p.Sealed
	case *schemas.ReferralCompleted:
		c := *p
		c.Sealed = nil
		return &c, p.Sealed
	case *schemas.ReferralRefused:
		c := *p
		c.Sealed = nil
		return &c, p.Sealed
	case *schemas.ReferralReopened:
		c := *p
		c.Sealed = nil
		return &c, p.Sealed
	case *schemas.MessagePosted:
		c := *p
		c.Sealed = nil
		return &c, p.Sealed
	}
	return payload, nil
}

// shorten is the beginning of a sealed part that is a text, "" for other bytes.
func shorten(sealed []byte) string {
	if !utf8.Valid(sealed) {
		return ""
	}
	if len(sealed) <= MaxText {
		return string(sealed)
	}
	cut := MaxText
	for !utf8.RuneStart(sealed[cut]) {
		cut--
	}
	return string(sealed[:cut])
}
