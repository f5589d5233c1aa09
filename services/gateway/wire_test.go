package gateway

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
)

// wire is an event in the making, as a participant writes it.
type wire struct {
	attrs map[string]string
	data  string
}

const (
	caseA = "0198f3c2-6a41-7c3e-9b1d-2f4c8a7e5d10"
	caseB = "0198f3c2-6a41-7c3e-9b1d-2f4c8a7e5d11"
)

// referral is a good ReferralMade of fs-1, changed.
func referral(change ...func(*wire)) wire {
	w := wire{
		attrs: map[string]string{
			"specversion": "1.0", "id": "ev-1", "source": "/participants/fs-1/page", "type": schemas.TypeReferralMade,
			"subject": caseA, "time": time.Now().UTC().Format(time.RFC3339),
		},
		data: `{"from":"fs-1","to":"cnaf","service":"logement/apl","reference":"7K3F-92QD"}`,
	}
	return w.with(change...)
}

// visit is a good VisitRecorded of fs-1, changed.
func visit(change ...func(*wire)) wire {
	w := referral(attr("type", schemas.TypeVisitRecorded))
	w.data = `{"office":"fs-1","day":"2000-01-01","half_day":"morning","channel":"phone","operators":["cnaf"],"services":["logement/apl"]}`
	return w.with(change...)
}

// answered is a good answer of cnaf to the referral, changed.
func answered(change ...func(*wire)) wire {
	w := referral(attr("type", schemas.TypeReferralAccepted), attr("source", "/participants/cnaf/http"))
	w.data = `{}`
	return w.with(change...)
}

func (w wire) with(change ...func(*wire)) wire {
	w.attrs = maps.Clone(w.attrs)
	for _, c := range change {
		c(&w)
	}
	return w
}

// attr sets an attribute, or takes it away with "".
func attr(name, value string) func(*wire) {
	return func(w *wire) {
		if w.attrs[name] = value; value == "" {
			delete(w.attrs, name)
		}
	}
}

func data(text string) func(*wire) { return func(w *wire) { w.data = text } }

// replace changes the data's text.
func replace(old, by string) func(*wire) {
	return func(w *wire) { w.data = strings.Replace(w.data, old, by, 1) }
}

// structured is the event as one JSON CloudEvent.
func (w wire) structured() string {
	var b strings.Builder
	b.WriteByte('{')
	for _, name := range slices.Sorted(maps.Keys(w.attrs)) {
		fmt.Fprintf(&b, "%q:%s,", name, jsonText(w.attrs[name]))
	}
	fmt.Fprintf(&b, `"data":%s}`, cmp.Or(w.data, "null"))
	return b.String()
}

func jsonText(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// headers are the event's attributes as a record's headers.
func (w wire) headers(contentType string) []schemas.Header {
	var all []schemas.Header
	if contentType != "" {
		all = append(all, schemas.Header{Key: "content-type", Value: []byte(contentType)})
	}
	for _, name := range slices.Sorted(maps.Keys(w.attrs)) {
		all = append(all, schemas.Header{Key: "ce_" + name, Value: []byte(w.attrs[name])})
	}
	return all
}

// httpHeaders are the event's attributes as HTTP headers, for hub.post.
func (w wire) httpHeaders() []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(w.attrs)) {
		all = append(all, "Ce-"+name, w.attrs[name])
	}
	return all
}

// record is the event as a structured record.
func (w wire) record(key string) broker.Record {
	rec := broker.Record{
		Headers: []schemas.Header{{Key: "content-type", Value: []byte(schemas.StructuredContentType)}}, Value: []byte(w.structured()),
	}
	if key != "" {
		rec.Key = []byte(key)
	}
	return rec
}
