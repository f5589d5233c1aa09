package avro

import (
	"encoding/binary"
	"math"
	"slices"
	"unicode/utf8"
)

// plan turns data written with one schema into the same data as another
// would have written it: one step for a pair of types that Avro can resolve. The
// step reads one value from c and appends it to out.
type plan func(c *cursor, out []byte) []byte

// newPlan makes the plan by which reader reads what writer wrote. They were
// found compatible before.
func newPlan(reader, writer *schemaType) plan {
	p := planner{made: map[typePair]*plan{}}
	return p.plan(reader, writer)
}

type planner struct {
	made map[typePair]*plan
}

func (p *planner) plan(reader, writer *schemaType) plan {
	switch {
	case writer.kind == kindUnion:
		return p.fromUnion(reader, writer)
	case reader.kind == kindUnion:
		return p.intoUnion(reader, writer)
	}
	switch reader.kind {
	case kindRecord:
		return p.record(reader, writer)
	case kindArray, kindMap:
		return p.list(reader, writer)
	case kindEnum:
		return planEnum(reader, writer)
	case kindFloat, kindDouble:
		return planFloat(reader.kind, writer.kind)
	case kindString:
		if writer.kind == kindBytes {
			return planText
		}
		return planSame(writer)
	default:
		return planSame(writer)
	}
}

// planSame takes what has the same bytes in both: null, boolean, int and long,
// string and bytes, fixed.
func planSame(writer *schemaType) plan {
	return func(c *cursor, out []byte) []byte {
		start := c.pos
		c.skip(writer)
		return append(out, c.data[start:c.pos]...)
	}
}

// fromUnion reads the branch that the writer chose. The reader, compatible with
// every branch, may be a union or not.
func (p *planner) fromUnion(reader, writer *schemaType) plan {
	branches := make([]plan, len(writer.branches))
	for i, b := range writer.branches {
		branches[i] = p.plan(reader, b)
	}
	return func(c *cursor, out []byte) []byte {
		i := c.index(len(branches))
		if c.err != "" {
			return out
		}
		return branches[i](c, out)
	}
}

func (p *planner) intoUnion(reader, writer *schemaType) plan {
	i, _ := readerBranch(reader, writer, &compatibility{asked: map[typePair]bool{}}, spot{})
	if i < 0 {
		return func(c *cursor, out []byte) []byte {
			c.fail("has a value that no branch of the union takes")
			return out
		}
	}
	branch := p.plan(reader.branches[i], writer)
	return func(c *cursor, out []byte) []byte {
		return branch(c, appendZigzag(out, int64(i)))
	}
}

// record plans a pair once: a type may hold itself.
func (p *planner) record(reader, writer *schemaType) plan {
	pair := typePair{reader, writer}
	if made := p.made[pair]; made != nil {
		return func(c *cursor, out []byte) []byte { return (*made)(c, out) }
	}
	made := new(plan)
	p.made[pair] = made
	*made = p.fields(reader, writer)
	return *made
}

// fields reads the writer's fields in the writer's order and writes the reader's
// in the reader's, with the default of those that the writer does not have.
func (p *planner) fields(reader, writer *schemaType) plan {
	byName := make(map[string]*schemaField, len(writer.fields))
	for _, f := range writer.fields {
		byName[f.name] = f
	}
	into := make(map[*schemaField][]int, len(writer.fields))
	for i, f := range reader.fields {
		if w := writtenField(f, byName); w != nil {
			into[w] = append(into[w], i)
		}
	}
	plans := make([][]plan, len(writer.fields))
	targets := make([][]int, len(writer.fields))
	for i, f := range writer.fields {
		targets[i] = into[f]
		for _, r := range into[f] {
			plans[i] = append(plans[i], p.plan(reader.fields[r].typ, f.typ))
		}
	}
	return func(c *cursor, out []byte) []byte {
		if c.steps++; c.steps > maxSteps {
			c.fail("has too many values")
		}
		if c.depth++; c.depth > maxDepth {
			c.fail("is nested too deep")
		}
		values := make([][]byte, len(reader.fields))
		for i, f := range writer.fields {
			if c.err != "" {
				break
			}
			start := c.pos
			for j, r := range targets[i] {
				c.pos = start
				values[r] = plans[i][j](c, []byte{})
			}
			if len(targets[i]) == 0 {
				c.skip(f.typ)
			}
			c.inField(f.name)
		}
		c.depth--
		for i, v := range values {
			if v == nil {
				v = reader.fields[i].encoded
			}
			out = append(out, v...)
		}
		return out
	}
}

func (p *planner) list(reader, writer *schemaType) plan {
	item := p.plan(reader.items, writer.items)
	keyed := writer.kind == kindMap
	return func(c *cursor, out []byte) []byte {
		var values []byte
		n := int64(0)
		c.items(false, func(c *cursor) {
			if n++; keyed {
				start := c.pos
				if !utf8.Valid(c.block()) {
					c.fail("has text that is not valid UTF-8")
				}
				values = append(values, c.data[start:c.pos]...)
			}
			values = item(c, values)
		})
		if n > 0 {
			out = append(appendZigzag(out, n), values...)
		}
		return append(out, 0)
	}
}

func planEnum(reader, writer *schemaType) plan {
	positions := make([]int64, len(writer.symbols))
	for i, s := range writer.symbols {
		r := slices.Index(reader.symbols, s)
		if r < 0 {
			r = slices.Index(reader.symbols, reader.fallback)
		}
		positions[i] = int64(r)
	}
	return func(c *cursor, out []byte) []byte {
		i := c.index(len(positions))
		if c.err != "" {
			return out
		}
		return appendZigzag(out, positions[i])
	}
}

func planText(c *cursor, out []byte) []byte {
	start := c.pos
	if !utf8.Valid(c.block()) {
		c.fail("has text that is not valid UTF-8")
	}
	return append(out, c.data[start:c.pos]...)
}

func planFloat(to, from typeKind) plan {
	return func(c *cursor, out []byte) []byte {
		var v float64
		switch from {
		case kindFloat:
			if b := c.bytes(4); b != nil {
				v = float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
			}
		case kindDouble:
			if b := c.bytes(8); b != nil {
				v = math.Float64frombits(binary.LittleEndian.Uint64(b))
			}
		default:
			v = float64(c.long())
		}
		if to == kindFloat {
			return binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(v)))
		}
		return binary.LittleEndian.AppendUint64(out, math.Float64bits(v))
	}
}
