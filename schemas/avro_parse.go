package schemas

import (
	"slices"
	"strconv"
	"strings"
)

// avroParser turns the JSON of a schema into types. Names are resolved as they
// are met: a type is defined before it is referred to, depth first.
type avroParser struct {
	names  map[string]*avroType
	fields int
	// withDefault are the fields whose defaults are judged at the end, once every
	// record is whole.
	withDefault []*avroField
}

func (p *avroParser) parse(n *jsonNode, space string) (*avroType, error) {
	switch n.kind {
	case jsonString:
		return p.named(n.text, space)
	case jsonList:
		return p.union(n, space)
	case jsonObject:
		return p.complex(n, space)
	default:
		return nil, schemaError("a type is a name, an object or a list")
	}
}

// named is a primitive type, or one that was defined before.
func (p *avroParser) named(name, space string) (*avroType, error) {
	if k, ok := avroPrimitive(name); ok {
		return &avroType{kind: k}, nil
	}
	full := name
	if !strings.Contains(name, ".") {
		full = qualify(space, name)
	}
	for _, candidate := range []string{full, name} {
		if t := p.names[candidate]; t != nil {
			return t, nil
		}
	}
	return nil, schemaError("the type %.80q is not defined", name)
}

func (p *avroParser) union(n *jsonNode, space string) (*avroType, error) {
	t := &avroType{kind: avroUnion}
	seen := map[string]bool{}
	for i := range n.list {
		b, err := p.parse(&n.list[i], space)
		if err != nil {
			return nil, err
		}
		if b.kind == avroUnion {
			return nil, schemaError("a union directly in a union")
		}
		key := b.kind.String()
		if b.name != "" {
			key = "." + b.fullName()
		}
		if seen[key] {
			return nil, schemaError("the same type twice in a union")
		}
		seen[key] = true
		t.branches = append(t.branches, b)
	}
	if len(t.branches) == 0 {
		return nil, schemaError("a union without a type")
	}
	return t, nil
}

func (p *avroParser) complex(n *jsonNode, space string) (*avroType, error) {
	typ := n.member("type")
	if typ == nil || typ.kind != jsonString {
		return nil, schemaError("a type without the name of its type")
	}
	switch typ.text {
	case "record", "error", "enum", "fixed":
		return p.define(n, typ.text, space)
	case "array":
		return p.container(avroArray, n, "items", space)
	case "map":
		return p.container(avroMap, n, "values", space)
	}
	if k, ok := avroPrimitive(typ.text); ok {
		t := &avroType{kind: k, props: schemaProps(n, false)}
		t.setLogical(n)
		return t, nil
	}
	return p.named(typ.text, space)
}

func (p *avroParser) container(kind avroKind, n *jsonNode, of, space string) (*avroType, error) {
	items := n.member(of)
	if items == nil {
		return nil, schemaError("%s without %s", kind, of)
	}
	inner, err := p.parse(items, space)
	if err != nil {
		return nil, err
	}
	return &avroType{kind: kind, items: inner, props: schemaProps(n, false)}, nil
}

// define parses a record, an enum or a fixed.
func (p *avroParser) define(n *jsonNode, kind, space string) (*avroType, error) {
	t := &avroType{props: schemaProps(n, kind == "enum")}
	if err := t.setName(n, space); err != nil {
		return nil, err
	}
	full := t.fullName()
	if p.names[full] != nil {
		return nil, schemaError("%s is defined twice", full)
	}
	p.names[full] = t
	var err error
	if t.doc, err = optionalText(n, "doc"); err != nil {
		return nil, err
	}
	switch kind {
	case "enum":
		err = t.setEnum(n)
	case "fixed":
		err = t.setFixed(n)
	default:
		t.kind, t.isError = avroRecord, kind == "error"
		err = p.setFields(t, n)
	}
	return t, err
}

func (t *avroType) setName(n *jsonNode, space string) error {
	name := n.member("name")
	if name == nil || name.kind != jsonString {
		return schemaError("a named type without a name")
	}
	own, err := optionalText(n, "namespace")
	if err != nil {
		return err
	}
	t.name, t.space = name.text, space
	if own != nil {
		t.space = *own
	}
	if i := strings.LastIndexByte(name.text, '.'); i >= 0 {
		t.space, t.name = name.text[:i], name.text[i+1:]
	}
	if _, primitive := avroPrimitive(t.fullName()); primitive || !validFullName(t.fullName()) || !validName(t.name) {
		return schemaError("%.80q is not a name", t.fullName())
	}
	if t.aliases, err = textList(n, "aliases"); err != nil {
		return err
	}
	for i, alias := range t.aliases {
		if !strings.Contains(alias, ".") {
			t.aliases[i] = qualify(t.space, alias)
		}
		if !validFullName(t.aliases[i]) {
			return schemaError("%.80q is not a name", alias)
		}
	}
	return nil
}

func (t *avroType) setEnum(n *jsonNode) error {
	t.kind = avroEnum
	symbols, err := textList(n, "symbols")
	if err != nil {
		return err
	}
	if len(symbols) == 0 {
		return schemaError("the enum %s has no symbols", t.name)
	}
	seen := make(map[string]bool, len(symbols))
	for _, s := range symbols {
		if !validName(s) || seen[s] {
			return schemaError("%.80q is not a symbol, or is one twice", s)
		}
		seen[s] = true
	}
	t.symbols = symbols
	fallback, err := optionalText(n, "default")
	if err != nil {
		return err
	}
	if fallback != nil {
		if !seen[*fallback] {
			return schemaError("the default of the enum %s is not one of its symbols", t.name)
		}
		t.fallback = *fallback
	}
	return nil
}

func (t *avroType) setFixed(n *jsonNode) error {
	t.kind = avroFixed
	size := n.member("size")
	if size == nil || size.kind != jsonNumber {
		return schemaError("the fixed %s has no size", t.name)
	}
	bytes, err := strconv.Atoi(size.text)
	if err != nil || bytes < 0 {
		return schemaError("the fixed %s has no size", t.name)
	}
	if bytes > maxFixedBytes {
		return schemaTooLarge("a fixed of more than %d bytes", maxFixedBytes)
	}
	t.size = bytes
	t.setLogical(n)
	return nil
}

func (p *avroParser) setFields(t *avroType, n *jsonNode) error {
	fields := n.member("fields")
	if fields == nil || fields.kind != jsonList {
		return schemaError("the record %s has no list of fields", t.name)
	}
	seen := make(map[string]bool, len(fields.list))
	for i := range fields.list {
		if p.fields++; p.fields > maxSchemaFields {
			return schemaTooLarge("more than %d fields", maxSchemaFields)
		}
		f, err := p.field(&fields.list[i], t.space)
		if err != nil {
			return err
		}
		if seen[f.name] {
			return schemaError("the field %s stands twice in %s", f.name, t.name)
		}
		seen[f.name] = true
		t.fields = append(t.fields, f)
	}
	return nil
}

func (p *avroParser) field(n *jsonNode, space string) (*avroField, error) {
	if n.kind != jsonObject {
		return nil, schemaError("a field is an object")
	}
	name := n.member("name")
	if name == nil || name.kind != jsonString || !validName(name.text) {
		return nil, schemaError("a field without a valid name")
	}
	f := &avroField{name: name.text, def: n.member("default"), props: fieldProps(n)}
	typ := n.member("type")
	if typ == nil {
		return nil, schemaError("the field %s has no type", f.name)
	}
	var err error
	if f.typ, err = p.parse(typ, space); err != nil {
		return nil, err
	}
	if f.doc, err = optionalText(n, "doc"); err != nil {
		return nil, err
	}
	if f.aliases, err = textList(n, "aliases"); err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(f.aliases, func(a string) bool { return !validName(a) }); i >= 0 {
		return nil, schemaError("%.80q is not a name", f.aliases[i])
	}
	order, err := optionalText(n, "order")
	if err != nil {
		return nil, err
	}
	if order != nil {
		f.order = strings.ToLower(*order)
		if f.order != "ascending" && f.order != "descending" && f.order != "ignore" {
			return nil, schemaError("the field %s has an unknown order", f.name)
		}
	}
	if f.def != nil {
		p.withDefault = append(p.withDefault, f)
	}
	return f, nil
}

// setLogical takes over the logical type if this kind can have it; Avro says to
// ignore any other.
func (t *avroType) setLogical(n *jsonNode) {
	lt := n.member("logicalType")
	if lt == nil || lt.kind != jsonString {
		return
	}
	ok := false
	switch lt.text {
	case "date", "time-millis":
		ok = t.kind == avroInt
	case "time-micros", "timestamp-millis", "timestamp-micros", "timestamp-nanos",
		"local-timestamp-millis", "local-timestamp-micros", "local-timestamp-nanos":
		ok = t.kind == avroLong
	case "uuid":
		ok = t.kind == avroString || t.kind == avroFixed && t.size == 16
	case "duration":
		ok = t.kind == avroFixed && t.size == 12
	case "decimal":
		ok = (t.kind == avroBytes || t.kind == avroFixed) && t.setDecimal(n)
	}
	if ok {
		t.logical = lt.text
	}
}

func (t *avroType) setDecimal(n *jsonNode) bool {
	number := func(key string) (int, bool) {
		m := n.member(key)
		if m == nil {
			return 0, key == "scale"
		}
		v, err := strconv.Atoi(m.text)
		return v, err == nil && m.kind == jsonNumber
	}
	precision, ok := number("precision")
	scale, ok2 := number("scale")
	if !ok || !ok2 || precision <= 0 || scale < 0 || scale > precision {
		return false
	}
	t.precision, t.scale = precision, scale
	return true
}

func optionalText(n *jsonNode, key string) (*string, error) {
	m := n.member(key)
	if m == nil || m.kind == jsonNull {
		return nil, nil
	}
	if m.kind != jsonString {
		return nil, schemaError("%s is not a string", key)
	}
	return &m.text, nil
}

func textList(n *jsonNode, key string) ([]string, error) {
	m := n.member(key)
	if m == nil || m.kind == jsonNull {
		return nil, nil
	}
	if m.kind != jsonList {
		return nil, schemaError("%s is not a list", key)
	}
	texts := make([]string, len(m.list))
	for i := range m.list {
		if m.list[i].kind != jsonString {
			return nil, schemaError("%s is not a list of strings", key)
		}
		texts[i] = m.list[i].text
	}
	return texts, nil
}

var (
	schemaReserved = []string{"type", "name", "namespace", "doc", "aliases", "fields", "symbols", "size", "items", "values"}
	fieldReserved  = []string{"name", "type", "doc", "default", "order", "aliases"}
)

// schemaProps are the members of a type that Avro itself gives no meaning, among
// them logicalType with its parameters.
func schemaProps(n *jsonNode, isEnum bool) []jsonMember {
	return slices.DeleteFunc(slices.Clone(n.members), func(m jsonMember) bool {
		return slices.Contains(schemaReserved, m.key) || isEnum && m.key == "default"
	})
}

func fieldProps(n *jsonNode) []jsonMember {
	return slices.DeleteFunc(slices.Clone(n.members), func(m jsonMember) bool {
		return slices.Contains(fieldReserved, m.key)
	})
}

func validFullName(name string) bool {
	if len(name) > maxNameBytes {
		return false
	}
	for part := range strings.SplitSeq(name, ".") {
		if !validName(part) {
			return false
		}
	}
	return true
}

// validName says whether s is a name by Avro's rule: letters, digits and `_`, not
// a digit first.
func validName(s string) bool {
	if s == "" || len(s) > maxNameBytes {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_':
		case '0' <= c && c <= '9' && i > 0:
		default:
			return false
		}
	}
	return true
}
