// Package ownlog reads what a participant itself has of its events, to check a
// statement against: records as `kcat -C -J` prints them, events as
// `hubctl tail --json` prints them, and a book of receipts.
package ownlog

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/statement"
)

// Log is what was read.
type Log struct {
	// events are those of each partition of a book, in the order in which they came.
	events map[page][]statement.Event
	// Books says of which books anything was read.
	Books map[string]bool
	// Statements are those that the log has in itself.
	Statements []statement.Issued

	codec *schemas.Codec
}

type page struct {
	book, topic string
	partition   int
}

// New makes a log that is empty.
func New() *Log {
	return &Log{events: map[page][]statement.Event{}, Books: map[string]bool{}, codec: schemas.NewCodec(ours{})}
}

// Of are the events of one partition of a book. A mailbox does not tell topics.
func (l *Log) Of(book, topic string, partition int) []statement.Event {
	if events := l.events[page{book, topic, partition}]; events != nil {
		return events
	}
	return l.events[page{book, "", partition}]
}

// maxLine bounds one line: a record of the largest size, escaped.
const maxLine = 16 << 20

// Read reads a file of lines. The error names the line at fault.
func (l *Log) Read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	n := 0
	for lines.Scan() {
		n++
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		if err := l.line(line); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("line %d: it is longer than any record", n+1)
	}
	return lines.Err()
}

var errLine = errors.New("it is neither a record of `kcat -C -J`, nor an event of `hubctl tail --json`, nor a receipt with place, source and id")

func (l *Log) line(line []byte) error {
	var found struct {
		SpecVersion string            `json:"specversion"`
		Topic       string            `json:"topic"`
		Partition   *int              `json:"partition"`
		Offset      *int64            `json:"offset"`
		Headers     []json.RawMessage `json:"headers"`
		Payload     json.RawMessage   `json:"payload"`
		Place       string            `json:"place"`
		Source      string            `json:"source"`
		ID          string            `json:"id"`
	}
	if err := json.Unmarshal(line, &found); err != nil {
		return errLine
	}
	switch {
	case found.Topic != "" && found.Partition != nil && found.Offset != nil && *found.Partition >= 0 && *found.Offset >= 0:
		headers, err := headersOf(found.Headers)
		if err != nil {
			return err
		}
		value, err := bytesOf(found.Payload)
		if err != nil {
			return err
		}
		return l.record(found.Topic, *found.Partition, *found.Offset, headers, value)
	case found.SpecVersion != "":
		return l.event(line)
	case found.Place != "" && found.Source != "" && found.ID != "":
		place, err := schemas.ParsePlace(found.Place)
		if err != nil {
			return err
		}
		l.add(page{schemas.BookReceipts, "", place.Partition}, statement.Receipt(place, found.Source, found.ID))
		return nil
	}
	return errLine
}

func (l *Log) add(at page, e statement.Event) {
	l.Books[at.book] = true
	l.events[at] = append(l.events[at], e)
}

// record takes a record as it stands on a topic.
func (l *Log) record(topic string, partition int, offset int64, headers []schemas.Header, value []byte) error {
	switch {
	case strings.Contains(topic, ".from."):
		l.add(page{schemas.BookFrom, topic, partition}, statement.OnFrom(partition, offset, headers, value))
		return nil
	case !strings.Contains(topic, ".to."):
		return fmt.Errorf("the topic %.100q is neither a from nor a to topic of a participant", topic)
	}
	e, ok := statement.OnTo(partition, offset, headers, value)
	if !ok {
		e.Number, e.Replayed = offset, false
		return fmt.Errorf("the record at %s/%d, offset %d has no place of that partition: the hub did not write it", topic, partition, offset)
	}
	l.add(page{schemas.BookTo, topic, partition}, e)
	if e.Type != schemas.TypeStatementIssued || e.Replayed {
		return nil
	}
	payload, err := l.codec.Decode(context.Background(), e.Type, value)
	if err != nil {
		return nil //nolint:nilerr // a statement that cannot be read shows as a changed event
	}
	l.Statements = append(l.Statements, statement.Issued{ID: e.ID, StatementIssued: payload.(*schemas.StatementIssued)})
	return nil
}

// event takes an event of a mailbox: its content is what its JSON comes to in Avro.
func (l *Log) event(line []byte) error {
	e, err := schemas.ParseStructured(line)
	if err != nil {
		return err
	}
	partition, perr := strconv.Atoi(e.Extensions[schemas.AttrSubmittedPartition])
	payload, err := schemas.ParseJSON(e.Type, e.Data)
	if err = errors.Join(perr, err); err != nil {
		return fmt.Errorf("event %.100q: %w", e.ID, err)
	}
	framed, err := l.codec.Encode(context.Background(), payload)
	if err != nil {
		return fmt.Errorf("event %.100q: %w", e.ID, err)
	}
	on, ok := statement.OnTo(partition, -1, schemas.Headers(e), framed)
	if !ok {
		return fmt.Errorf("event %.100q has no place", e.ID)
	}
	l.add(page{schemas.BookTo, "", partition}, on)
	if s, ok := payload.(*schemas.StatementIssued); ok && !on.Replayed {
		l.Statements = append(l.Statements, statement.Issued{ID: e.ID, StatementIssued: s})
	}
	return nil
}

func headersOf(raw []json.RawMessage) ([]schemas.Header, error) {
	headers := make([]schemas.Header, 0, len(raw)/2)
	for i := 0; i+1 < len(raw); i += 2 {
		key, kerr := bytesOf(raw[i])
		value, verr := bytesOf(raw[i+1])
		if err := errors.Join(kerr, verr); err != nil {
			return nil, err
		}
		headers = append(headers, schemas.Header{Key: string(key), Value: value})
	}
	return headers, nil
}

// bytesOf undoes the quoting of a JSON string that kcat wrote: the bytes of a value
// as they are, valid UTF-8 or not, with escapes for what JSON must have escaped.
func bytesOf(raw json.RawMessage) ([]byte, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	if len(raw) < 2 || raw[0] != '"' {
		return nil, errLine
	}
	text := raw[1 : len(raw)-1]
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			b = append(b, text[i])
			continue
		}
		i++
		if at := strings.IndexByte(`bfnrt`, text[i]); at >= 0 {
			b = append(b, "\b\f\n\r\t"[at])
			continue
		}
		if text[i] != 'u' {
			b = append(b, text[i]) // ", \ and /
			continue
		}
		code, err := strconv.ParseUint(string(text[i+1:i+5]), 16, 32)
		if err != nil {
			return nil, errLine
		}
		i += 4
		if code < 0x80 {
			b = append(b, byte(code))
		} else {
			b = append(b, string(rune(code))...)
		}
	}
	return b, nil
}

// ours is a schema source without a registry: every id stands for our own schema of
// the one type that is read by it.
type ours struct{}

func (ours) ID(context.Context, string) (int, error) { return 1, nil }

func (ours) Schema(context.Context, int) (string, error) {
	entry, _ := schemas.Lookup(schemas.TypeStatementIssued)
	return entry.Schema, nil
}
