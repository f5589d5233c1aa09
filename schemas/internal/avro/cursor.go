package avro

import (
	"encoding/binary"
	"errors"
	"math"
	"strconv"
	"unicode/utf8"
)

const (
	maxDepth = 64      // nesting of Avro data
	maxSteps = 1 << 20 // values in one event's data
)

// cursor walks Avro bytes that may be hostile. It never goes beyond them,
// never allocates what they ask for, and ends after a bounded number of steps:
// a list may announce 2^62 items that take no byte. The first fault stays in
// err, and every later step does nothing.
type cursor struct {
	data  []byte
	most  int // items of a list
	pos   int
	steps int
	depth int
	err   string
	at    string // path of the field at fault
}

func (c *cursor) fail(what string) {
	if c.err == "" {
		c.err = what
	}
}

// fault is what the walk found wrong, nil when nothing.
func (c *cursor) fault() error {
	if c.err == "" {
		return nil
	}
	if c.at == "" {
		return errors.New("the Avro data " + c.err)
	}
	return errors.New("the Avro data, at the field " + c.at + ", " + c.err)
}

// end fails unless every byte was used.
func (c *cursor) end() {
	if c.err == "" && c.pos != len(c.data) {
		c.fail("goes on after its last field: was it written with another schema?")
	}
}

// skip moves past one value of t, and fails on one that is cut short or that no
// writer may write.
func (c *cursor) skip(t *schemaType) {
	if c.steps++; c.steps > maxSteps {
		c.fail("has too many values")
	}
	if c.err != "" {
		return
	}
	switch t.kind {
	case kindNull:
	case kindBoolean:
		if b := c.bytes(1); b != nil && b[0] > 1 {
			c.fail("has a boolean that is neither 0 nor 1")
		}
	case kindInt:
		if v := c.long(); v < math.MinInt32 || v > math.MaxInt32 {
			c.fail("has a number beyond int")
		}
	case kindLong:
		c.long()
	case kindFloat:
		c.bytes(4)
	case kindDouble:
		c.bytes(8)
	case kindBytes:
		c.block()
	case kindString:
		if !utf8.Valid(c.block()) {
			c.fail("has text that is not valid UTF-8")
		}
	case kindFixed:
		c.bytes(t.size)
	case kindEnum:
		c.index(len(t.symbols))
	case kindUnion:
		if i := c.index(len(t.branches)); c.err == "" {
			c.skip(t.branches[i])
		}
	case kindArray, kindMap:
		c.items(t.kind == kindMap, func(c *cursor) { c.skip(t.items) })
	case kindRecord:
		c.record(t)
	}
}

func (c *cursor) record(t *schemaType) {
	if c.depth++; c.depth > maxDepth {
		c.fail("is nested too deep")
	}
	for _, f := range t.fields {
		if c.err != "" {
			break
		}
		c.skip(f.typ)
		c.inField(f.name)
	}
	c.depth--
}

// inField adds the field to the path of a fault that was found in it.
func (c *cursor) inField(name string) {
	switch {
	case c.err == "":
	case c.at == "":
		c.at = name
	case len(c.at) < 200:
		c.at = name + "." + c.at
	}
}

// items walks the blocks of an array, or of a map with its keys.
func (c *cursor) items(keyed bool, item func(*cursor)) {
	if c.depth++; c.depth > maxDepth {
		c.fail("is nested too deep")
	}
	for total := int64(0); c.err == ""; {
		n := c.long()
		if n == 0 {
			break
		}
		size := int64(-1)
		if n < 0 {
			n, size = -n, c.long()
		}
		// -n of the smallest int64 is itself.
		if total += n; n < 0 || total < 0 || total > int64(c.most) {
			c.fail("has a list of more than " + strconv.Itoa(c.most) + " items")
			break
		}
		start := c.pos
		for range n {
			if keyed && !utf8.Valid(c.block()) {
				c.fail("has text that is not valid UTF-8")
			}
			if item(c); c.err != "" {
				break
			}
		}
		if c.err == "" && size >= 0 && int64(c.pos-start) != size {
			c.fail("has a block of another size than it says")
		}
	}
	c.depth--
}

// long reads a varint of at most ten bytes.
func (c *cursor) long() int64 {
	if c.err != "" {
		return 0
	}
	if c.pos < len(c.data) && c.data[c.pos] < 0x80 {
		v := c.data[c.pos]
		c.pos++
		return int64(v>>1) ^ -int64(v&1)
	}
	u, n := binary.Uvarint(c.data[c.pos:])
	if n <= 0 {
		if n == 0 {
			c.fail(cutShort)
		} else {
			c.fail("has a number of more than 64 bits")
		}
		return 0
	}
	c.pos += n
	return int64(u>>1) ^ -int64(u&1)
}

const cutShort = "ends too early: is it cut short, or written with another schema?"

// bytes takes the next n bytes, nil when there are fewer.
func (c *cursor) bytes(n int) []byte {
	if c.err != "" {
		return nil
	}
	if n < 0 || n > len(c.data)-c.pos {
		c.fail(cutShort)
		return nil
	}
	b := c.data[c.pos : c.pos+n]
	c.pos += n
	return b
}

// block takes bytes that their length goes before.
func (c *cursor) block() []byte {
	n := c.long()
	if n < 0 || n > int64(len(c.data)-c.pos) {
		c.fail(cutShort)
		return nil
	}
	return c.bytes(int(n))
}

// index reads a position in a list of n, of a union or an enum.
func (c *cursor) index(n int) int {
	i := c.long()
	if c.err == "" && (i < 0 || i >= int64(n)) {
		c.fail("chooses a branch or a symbol that its schema does not have")
	}
	if c.err != "" {
		return 0
	}
	return int(i)
}
