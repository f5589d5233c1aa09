package avro

import (
	"strconv"
	"strings"
)

func (t *schemaType) setName(n *jsonNode, space string) error {
	name := n.member("name")
	if name == nil || name.kind != jsonString {
		return invalid("a named type without a name")
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
	if _, primitive := primitiveKind(t.fullName()); primitive || !validFullName(t.fullName()) || !validName(t.name) {
		return invalid("%.80q is not a name", t.fullName())
	}
	if t.aliases, err = textList(n, "aliases"); err != nil {
		return err
	}
	for i, alias := range t.aliases {
		if !strings.Contains(alias, ".") {
			t.aliases[i] = qualify(t.space, alias)
		}
		if !validFullName(t.aliases[i]) {
			return invalid("%.80q is not a name", alias)
		}
	}
	return nil
}

func (t *schemaType) setEnum(n *jsonNode) error {
	t.kind = kindEnum
	symbols, err := textList(n, "symbols")
	if err != nil {
		return err
	}
	if len(symbols) == 0 {
		return invalid("the enum %s has no symbols", t.name)
	}
	seen := make(map[string]bool, len(symbols))
	for _, s := range symbols {
		if !validName(s) || seen[s] {
			return invalid("%.80q is not a symbol, or is one twice", s)
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
			return invalid("the default of the enum %s is not one of its symbols", t.name)
		}
		t.fallback = *fallback
	}
	return nil
}

func (t *schemaType) setFixed(n *jsonNode) error {
	t.kind = kindFixed
	size := n.member("size")
	if size == nil || size.kind != jsonNumber {
		return invalid("the fixed %s has no size", t.name)
	}
	bytes, err := strconv.Atoi(size.text)
	if err != nil || bytes < 0 {
		return invalid("the fixed %s has no size", t.name)
	}
	if bytes > maxFixedBytes {
		return tooLarge("a fixed of more than %d bytes", maxFixedBytes)
	}
	t.size = bytes
	t.setLogical(n)
	return nil
}

// setLogical takes over the logical type if this kind can have it; Avro says to
// ignore any other.
func (t *schemaType) setLogical(n *jsonNode) {
	lt := n.member("logicalType")
	if lt == nil || lt.kind != jsonString {
		return
	}
	ok := false
	switch lt.text {
	case "date", "time-millis":
		ok = t.kind == kindInt
	case "time-micros", "timestamp-millis", "timestamp-micros", "timestamp-nanos",
		"local-timestamp-millis", "local-timestamp-micros", "local-timestamp-nanos":
		ok = t.kind == kindLong
	case "uuid":
		ok = t.kind == kindString || t.kind == kindFixed && t.size == 16
	case "duration":
		ok = t.kind == kindFixed && t.size == 12
	case "decimal":
		ok = (t.kind == kindBytes || t.kind == kindFixed) && t.setDecimal(n)
	}
	if ok {
		t.logical = lt.text
	}
}

func (t *schemaType) setDecimal(n *jsonNode) bool {
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
