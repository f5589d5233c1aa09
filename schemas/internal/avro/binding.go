package avro

import (
	"fmt"
	"sync"

	hamba "github.com/hamba/avro/v2"
)

// Pool is what Bindings share: the readers and writers of hamba/avro.
type Pool struct {
	readers sync.Pool // of *hamba.Reader
	writers sync.Pool // of *hamba.Writer
}

// NewPool makes a pool that reads no text or bytes longer than size, and no list
// of more items than items.
func NewPool(size, items int) *Pool {
	api := hamba.Config{
		MaxByteSliceSize:       size,
		MaxSliceAllocSize:      items,
		DisableBlockSizeHeader: true,
		BlockLength:            items,
	}.Freeze()
	p := &Pool{}
	p.readers.New = func() any { return hamba.NewReader(nil, 0, hamba.WithReaderConfig(api)) }
	p.writers.New = func() any { return hamba.NewWriter(nil, 512, hamba.WithWriterConfig(api)) }
	return p
}

// Binding writes and reads Go values with a schema of our own. It is safe for
// concurrent use.
//
// hamba/avro can be made to take all memory by six bytes and to loop for ever by a
// dozen: it may only see bytes that were found to be a whole value of this very
// schema, by a Reading.
type Binding struct {
	pool   *Pool
	schema hamba.Schema
}

// Bind makes a Binding with a schema of our own. The error is hamba's.
func (p *Pool) Bind(schema string) (*Binding, error) {
	// A cache of its own: hamba's default one lets any schema see the names of all.
	parsed, err := hamba.ParseWithCache(schema, "", &hamba.SchemaCache{})
	if err != nil {
		return nil, err
	}
	return &Binding{pool: p, schema: parsed}, nil
}

// Encode is head, then v in Avro. The error is for a v that is not of the schema.
func (b *Binding) Encode(head []byte, v any) ([]byte, error) {
	w := b.pool.writers.Get().(*hamba.Writer)
	defer b.pool.writers.Put(w)
	w.Reset(nil)
	w.Error = nil
	_, _ = w.Write(head)
	w.WriteVal(b.schema, v)
	if w.Error != nil {
		return nil, w.Error
	}
	return append([]byte(nil), w.Buffer()...), nil
}

// Decode reads data, which a Reading gave, into what v points to; nothing of data
// is kept. An error, or a panic of hamba's that becomes one, is our own fault.
func (b *Binding) Decode(data []byte, v any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	r := b.pool.readers.Get().(*hamba.Reader)
	r.Reset(data)
	r.Error = nil
	r.ReadVal(b.schema, v)
	err = r.Error
	r.Reset(nil)
	b.pool.readers.Put(r)
	return err
}
