package gateway

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/auth"
)

// Bounds of what one request may carry, packed and unpacked alike.
const (
	maxSingleBody = 1 << 20
	maxBatchBody  = 4 << 20
	// maxBatchEvents bounds the events of a batch.
	maxBatchEvents = 1000
)

var errEncoding = errors.New("Content-Encoding: gzip or none")

// unpacked is the request's body as its sender wrote it. The bounds on what comes
// out of it are the caller's to hold.
func unpacked(body io.Reader, encoding string) (io.Reader, error) {
	switch strings.ToLower(encoding) {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, bodyTrouble(err)
		}
		return z, nil
	}
	return nil, errEncoding
}

// readBody reads the whole body, at most limit bytes before and after unpacking.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, refuse(schemas.ReasonTooLarge, "body: at most %d bytes", limit)
	}
	body, err := unpacked(http.MaxBytesReader(w, r.Body, limit), r.Header.Get("Content-Encoding"))
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return nil, bodyTrouble(err)
	}
	if int64(len(data)) > limit {
		return nil, refuse(schemas.ReasonTooLarge, "body: at most %d bytes once unpacked", limit)
	}
	return data, nil
}

// errBodyLost says that the body did not arrive; nobody is left to be told.
var errBodyLost = errors.New("the body did not arrive")

// bodyTrouble tells a body that is at fault from one that did not arrive.
func bodyTrouble(err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return refuse(schemas.ReasonTooLarge, "body: at most %d bytes", tooLarge.Limit)
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), isCorrupt(err):
		return refuse(schemas.ReasonMalformed, "body: not gzip, as Content-Encoding says")
	}
	return errors.Join(errBodyLost, err)
}

// isCorrupt recognises what compress/flate says of bytes that are no gzip.
func isCorrupt(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || strings.HasPrefix(err.Error(), "flate: ")
}

// The prefixes of CloudEvents attributes on HTTP and on Kafka.
const ceHeader = "Ce-"

// binaryEvent reads a CloudEvent in HTTP's binary mode. It is turned into what it
// would be on Kafka, so that both doors read it by the same code.
func binaryEvent(header http.Header, body []byte, by auth.Principal) (schemas.Event, error) {
	headers := make([]schemas.Header, 0, 16)
	for name, values := range header {
		attr, ok := strings.CutPrefix(name, ceHeader)
		if !ok {
			continue
		}
		for _, v := range values {
			value, err := headerValue(v)
			if err != nil {
				return schemas.Event{}, refuse(schemas.ReasonMalformed, "%s: broken percent-encoding", name)
			}
			headers = append(headers, schemas.Header{Key: headerPrefix + strings.ToLower(attr), Value: []byte(value)})
		}
	}
	if len(headers) == 0 {
		return schemas.Event{}, refuse(schemas.ReasonMalformed, "no CloudEvents attributes: send them as ce-id, ce-source, ce-type …, or the whole event as %s", schemas.StructuredContentType)
	}
	// Go hands headers over in no order, and what is refused should be the same
	// each time.
	slices.SortFunc(headers, func(a, b schemas.Header) int { return strings.Compare(a.Key, b.Key) })
	if trace := header.Get("Traceparent"); trace != "" && header.Get("Ce-Traceparent") == "" {
		headers = append(headers, schemas.Header{Key: headerPrefix + schemas.AttrTraceParent, Value: []byte(trace)})
	}
	headers = append(headers, schemas.Header{Key: "content-type", Value: []byte(mediaType(header.Get("Content-Type")))})
	return recordEvent(headers, body, by, channelHTTP)
}

// recordEvent reads the event of a record from outside. A source left out is the
// sender's own, where it speaks for nobody else.
func recordEvent(headers []schemas.Header, value []byte, by auth.Principal, channel string) (schemas.Event, error) {
	e, err := schemas.FromRecord(headers, value)
	if err == nil || e.Source != "" || !speaksForItself(by) {
		return e, err
	}
	for _, h := range headers {
		if strings.EqualFold(h.Key, "content-type") && strings.HasPrefix(mediaType(string(h.Value)), schemas.StructuredContentType) {
			return structuredEvent(value, by, channel)
		}
	}
	source := schemas.Header{Key: headerPrefix + "source", Value: []byte(schemas.Source(by.ID, channel))}
	return schemas.FromRecord(append(slices.Clone(headers), source), value)
}

// structuredEvent reads one JSON CloudEvent, with the sender's own source where it
// was left out.
func structuredEvent(data []byte, by auth.Principal, channel string) (schemas.Event, error) {
	e, err := schemas.ParseStructured(data)
	if err == nil || e.Source != "" || !speaksForItself(by) {
		return e, err
	}
	members, ok := bytes.CutPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{"))
	if !ok {
		return e, err
	}
	return schemas.ParseStructured(append([]byte(`{"source":"`+schemas.Source(by.ID, channel)+`",`), members...))
}

func speaksForItself(by auth.Principal) bool {
	switch by.Role {
	case schemas.RoleOffice, schemas.RoleOperator, schemas.RolePartner:
		return true
	case schemas.RoleFeeder, schemas.RoleHub, schemas.RoleAdmin, schemas.RoleSender, schemas.RoleRecipient, schemas.RoleSubmitter, schemas.RoleAddressee, schemas.RoleObservatory:
	}
	return false
}

// headerValue undoes the quoting and the percent-encoding of CloudEvents' HTTP
// binding.
func headerValue(v string) (string, error) {
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		v = strings.ReplaceAll(strings.ReplaceAll(v[1:len(v)-1], `\"`, `"`), `\\`, `\`)
	}
	if strings.IndexByte(v, '%') < 0 {
		return v, nil
	}
	return url.PathUnescape(v)
}
