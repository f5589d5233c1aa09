package schemas

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/relais-fr/relais/schemas/internal/avro"
)

// SchemaSource is a schema registry as the codec needs it.
type SchemaSource interface {
	// Schema is the text of a writer's schema. ErrUnknownSchema means that the
	// registry definitely has no such id; any other error means try again.
	Schema(ctx context.Context, id int) (string, error)
	// ID is the id of our schema of an event type, which is registered if need be.
	ID(ctx context.Context, typ string) (int, error)
}

// ErrUnknownSchema is returned by a SchemaSource for an id that the registry
// does not have.
var ErrUnknownSchema = errors.New("unknown schema")

// frameBytes is how long Confluent's framing is: 0x00 and four bytes of id.
const frameBytes = 5

// Codec turns payloads into Avro in Confluent's framing, and back. It is safe
// for concurrent use. What the registry said of an id never changes and is kept
// for ever.
//
// Bytes from outside are walked by our own bounded reader first, with the schema
// of whoever wrote them; what makes Go values of bytes only ever sees those that
// were found to be a whole value of our own schema.
type Codec struct {
	src    SchemaSource
	events map[string]*eventCodec
}

// canonical is our own schema of one event type. It never changes.
type canonical struct {
	entry   Entry
	own     AvroSchema
	binding *avro.Binding
}

// eventCodec is the codec of one event type.
type eventCodec struct {
	*canonical
	id atomic.Int64 // of our schema, 0 before it is known

	mu       sync.Mutex // guards changes of readings
	readings atomic.Pointer[map[int]*reading]
}

// reading is how data of one writer's schema is read.
type reading struct {
	*avro.Reading
	refuse error // our schema cannot read the writer's
}

// canon are our own schemas, parsed. They are the same for all codecs of a process,
// of which a hub has one for each service, and take some milliseconds to read.
var canon = sync.OnceValue(func() map[string]*canonical {
	pool := avro.NewPool(MaxDataBytes, MaxListItems)
	all := make(map[string]*canonical)
	for _, entry := range Catalogue() {
		own, err := ParseAvro(entry.Schema)
		if err != nil {
			panic(fmt.Sprintf("schemas: %s: %v", entry.Type, err))
		}
		binding, err := pool.Bind(entry.Schema)
		if err != nil {
			panic(fmt.Sprintf("schemas: %s: %v", entry.Type, err))
		}
		all[entry.Type] = &canonical{entry: entry, own: own, binding: binding}
	}
	return all
})

// NewCodec makes a codec of all events of the catalogue. It asks src for nothing
// before the first event.
func NewCodec(src SchemaSource) *Codec {
	c := &Codec{src: src, events: make(map[string]*eventCodec)}
	for typ, own := range canon() {
		e := &eventCodec{canonical: own}
		e.readings.Store(&map[int]*reading{})
		c.events[typ] = e
	}
	return c
}

// ID is the registry's id of our schema of an event type. The error is the
// source's, or a *Refusal for a type that is not in the catalogue.
func (c *Codec) ID(ctx context.Context, typ string) (int, error) {
	e, err := c.event(typ)
	if err != nil {
		return 0, err
	}
	return c.id(ctx, e)
}

func (c *Codec) id(ctx context.Context, e *eventCodec) (int, error) {
	if id := e.id.Load(); id != 0 {
		return int(id), nil
	}
	id, err := c.src.ID(ctx, e.entry.Type)
	if err != nil {
		return 0, fmt.Errorf("id of the schema of %s: %w", e.entry.Type, err)
	}
	e.id.Store(int64(id))
	return id, nil
}

func (c *Codec) event(typ string) (*eventCodec, error) {
	if e := c.events[typ]; e != nil {
		return e, nil
	}
	return nil, refuse(ReasonUnknownSchema, fmt.Sprintf("the type %.150q is not an event of the catalogue", typ))
}

// Encode writes a payload, a pointer to one of the event types, with our schema
// in Confluent's framing. The error is a *Refusal for a payload that is none or
// is larger than MaxDataBytes, else the source's.
func (c *Codec) Encode(ctx context.Context, payload any) ([]byte, error) {
	e, err := c.event(TypeOf(payload))
	if err != nil {
		return nil, err
	}
	id, err := c.id(ctx, e)
	if err != nil {
		return nil, err
	}
	var frame [frameBytes]byte
	binary.BigEndian.PutUint32(frame[1:], uint32(id))
	framed, err := e.binding.Encode(frame[:], payload)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", e.entry.Name, err)
	}
	if len(framed) > MaxDataBytes+frameBytes {
		return nil, refuse(ReasonTooLarge, fmt.Sprintf("the data has %d bytes, the limit is %d", len(framed)-frameBytes, MaxDataBytes))
	}
	return framed, nil
}

// Decode reads the data of an event of type typ, in Confluent's framing, written
// with any registered schema of that name that ours can read. The error is a
// *Refusal for what will never be read, else the source's: try again. The payload
// shares no memory with framed.
func (c *Codec) Decode(ctx context.Context, typ string, framed []byte) (any, error) {
	e, err := c.event(typ)
	if err != nil {
		return nil, err
	}
	id, data, err := unframe(framed)
	if err != nil {
		return nil, err
	}
	r, err := c.reading(ctx, e, id)
	if err != nil {
		return nil, err
	}
	if data, err = r.Canonical(data); err != nil {
		return nil, refuse(ReasonMalformed, err.Error())
	}
	payload := e.entry.New()
	// That data which is a whole value of our schema cannot be read is our own fault.
	if err := e.binding.Decode(data, payload); err != nil {
		return nil, refuse(ReasonHubError, fmt.Sprintf("decode %s: %v", e.entry.Name, err))
	}
	return payload, nil
}

// SchemaID is the schema id in Confluent's framing, false when framed is not in
// that framing.
func SchemaID(framed []byte) (id int, ok bool) {
	id, _, err := unframe(framed)
	return id, err == nil
}

func unframe(framed []byte) (id int, data []byte, err error) {
	switch {
	case len(framed) < frameBytes || framed[0] != 0:
		return 0, nil, refuse(ReasonMalformed, "the data is not in Confluent's framing: a zero byte, four bytes of schema id, then Avro")
	case len(framed) > MaxDataBytes+frameBytes:
		return 0, nil, refuse(ReasonTooLarge, fmt.Sprintf("the data has %d bytes, the limit is %d", len(framed)-frameBytes, MaxDataBytes))
	}
	id = int(int32(binary.BigEndian.Uint32(framed[1:])))
	if id <= 0 {
		return 0, nil, refuse(ReasonUnknownSchema, fmt.Sprintf("%d is not a schema id", id))
	}
	return id, framed[frameBytes:], nil
}

// reading is how e reads data of the writer's schema id. Answers of the registry
// are kept, unknown ids are not: somebody may register them.
func (c *Codec) reading(ctx context.Context, e *eventCodec, id int) (*reading, error) {
	if r := (*e.readings.Load())[id]; r != nil {
		return r, r.refuse
	}
	text, err := c.src.Schema(ctx, id)
	if errors.Is(err, ErrUnknownSchema) {
		return nil, refuse(ReasonUnknownSchema, fmt.Sprintf("the schema registry has no schema %d", id))
	}
	if err != nil {
		return nil, fmt.Errorf("writer schema %d: %w", id, err)
	}
	r := e.newReading(id, text)
	e.mu.Lock()
	defer e.mu.Unlock()
	all := maps.Clone(*e.readings.Load())
	all[id] = r
	e.readings.Store(&all)
	return r, r.refuse
}

func (e *eventCodec) newReading(id int, text string) *reading {
	writer, err := ParseAvro(text)
	if err != nil {
		return &reading{refuse: refuse(ReasonUnknownSchema, fmt.Sprintf("schema %d: %v", id, err))}
	}
	if writer.FullName != e.entry.Type {
		return &reading{refuse: refuse(ReasonMalformed,
			fmt.Sprintf("schema %d is that of %.200s, the event's type is %s", id, writer.FullName, e.entry.Type))}
	}
	if found := e.own.CannotRead(writer); len(found) > 0 {
		return &reading{refuse: refuse(ReasonUnknownSchema,
			fmt.Sprintf("schema %d is not compatible with ours of %s: at %.100s, %s", id, e.entry.Type, found[0].Path, found[0].Detail))}
	}
	return &reading{Reading: avro.NewReading(e.own, writer, MaxListItems)}
}
