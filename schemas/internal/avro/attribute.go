package avro

import (
	"slices"
	"strings"
)

func optionalText(n *jsonNode, key string) (*string, error) {
	m := n.member(key)
	if m == nil || m.kind == jsonNull {
		return nil, nil
	}
	if m.kind != jsonString {
		return nil, invalid("%s is not a string", key)
	}
	return &m.text, nil
}

func textList(n *jsonNode, key string) ([]string, error) {
	m := n.member(key)
	if m == nil || m.kind == jsonNull {
		return nil, nil
	}
	if m.kind != jsonList {
		return nil, invalid("%s is not a list", key)
	}
	texts := make([]string, len(m.list))
	for i := range m.list {
		if m.list[i].kind != jsonString {
			return nil, invalid("%s is not a list of strings", key)
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
