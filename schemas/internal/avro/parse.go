package avro

import (
	"slices"
	"strings"
)

// parser turns the JSON of a schema into types. Names are resolved as they
// are met: a type is defined before it is referred to, depth first.
type parser struct {
	names  map[string]*schemaType
	fields int
	// withDefault are the fields whose defaults are judged at the end, once every
	// record is whole.
	withDefault []*schemaField
}

func (p *parser) parse(n *jsonNode, space string) (*schemaType, error) {
	switch n.kind {
	case jsonString:
		return p.named(n.text, space)
	case jsonList:
		return p.union(n, space)
	case jsonObject:
		return p.complex(n, space)
	default:
		return nil, invalid("a type is a name, an object or a list")
	}
}

// named is a primitive type, or one that was defined before.
func (p *parser) named(name, space string) (*schemaType, error) {
	if k, ok := primitiveKind(name); ok {
		return &schemaType{kind: k}, nil
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
	return nil, invalid("the type %.80q is not defined", name)
}

func (p *parser) union(n *jsonNode, space string) (*schemaType, error) {
	t := &schemaType{kind: kindUnion}
	seen := map[string]bool{}
	for i := range n.list {
		b, err := p.parse(&n.list[i], space)
		if err != nil {
			return nil, err
		}
		if b.kind == kindUnion {
			return nil, invalid("a union directly in a union")
		}
		key := b.kind.String()
		if b.name != "" {
			key = "." + b.fullName()
		}
		if seen[key] {
			return nil, invalid("the same type twice in a union")
		}
		seen[key] = true
		t.branches = append(t.branches, b)
	}
	if len(t.branches) == 0 {
		return nil, invalid("a union without a type")
	}
	return t, nil
}

func (p *parser) complex(n *jsonNode, space string) (*schemaType, error) {
	typ := n.member("type")
	if typ == nil || typ.kind != jsonString {
		return nil, invalid("a type without the name of its type")
	}
	switch typ.text {
	case "record", "error", "enum", "fixed":
		return p.define(n, typ.text, space)
	case "array":
		return p.container(kindArray, n, "items", space)
	case "map":
		return p.container(kindMap, n, "values", space)
	}
	if k, ok := primitiveKind(typ.text); ok {
		t := &schemaType{kind: k, props: schemaProps(n, false)}
		t.setLogical(n)
		return t, nil
	}
	return p.named(typ.text, space)
}

func (p *parser) container(kind typeKind, n *jsonNode, of, space string) (*schemaType, error) {
	items := n.member(of)
	if items == nil {
		return nil, invalid("%s without %s", kind, of)
	}
	inner, err := p.parse(items, space)
	if err != nil {
		return nil, err
	}
	return &schemaType{kind: kind, items: inner, props: schemaProps(n, false)}, nil
}

// define parses a record, an enum or a fixed.
func (p *parser) define(n *jsonNode, kind, space string) (*schemaType, error) {
	t := &schemaType{props: schemaProps(n, kind == "enum")}
	if err := t.setName(n, space); err != nil {
		return nil, err
	}
	full := t.fullName()
	if p.names[full] != nil {
		return nil, invalid("%s is defined twice", full)
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
		t.kind, t.isError = kindRecord, kind == "error"
		err = p.setFields(t, n)
	}
	return t, err
}

func (p *parser) setFields(t *schemaType, n *jsonNode) error {
	fields := n.member("fields")
	if fields == nil || fields.kind != jsonList {
		return invalid("the record %s has no list of fields", t.name)
	}
	seen := make(map[string]bool, len(fields.list))
	for i := range fields.list {
		if p.fields++; p.fields > maxSchemaFields {
			return tooLarge("more than %d fields", maxSchemaFields)
		}
		f, err := p.field(&fields.list[i], t.space)
		if err != nil {
			return err
		}
		if seen[f.name] {
			return invalid("the field %s stands twice in %s", f.name, t.name)
		}
		seen[f.name] = true
		t.fields = append(t.fields, f)
	}
	return nil
}

func (p *parser) field(n *jsonNode, space string) (*schemaField, error) {
	if n.kind != jsonObject {
		return nil, invalid("a field is an object")
	}
	name := n.member("name")
	if name == nil || name.kind != jsonString || !validName(name.text) {
		return nil, invalid("a field without a valid name")
	}
	f := &schemaField{name: name.text, def: n.member("default"), props: fieldProps(n)}
	typ := n.member("type")
	if typ == nil {
		return nil, invalid("the field %s has no type", f.name)
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
		return nil, invalid("%.80q is not a name", f.aliases[i])
	}
	order, err := optionalText(n, "order")
	if err != nil {
		return nil, err
	}
	if order != nil {
		f.order = strings.ToLower(*order)
		if f.order != "ascending" && f.order != "descending" && f.order != "ignore" {
			return nil, invalid("the field %s has an unknown order", f.name)
		}
	}
	if f.def != nil {
		p.withDefault = append(p.withDefault, f)
	}
	return f, nil
}
