package avro

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// jsonNode is a JSON value that keeps the order of its members.
type jsonNode struct {
	kind    jsonKind
	text    string // of a string, number or boolean
	list    []jsonNode
	members []jsonMember
}

type jsonMember struct {
	key   string
	value jsonNode
}

type jsonKind uint8

const (
	jsonNull jsonKind = iota
	jsonBool
	jsonNumber
	jsonString
	jsonList
	jsonObject
)

func (n *jsonNode) member(key string) *jsonNode {
	for i := range n.members {
		if n.members[i].key == key {
			return &n.members[i].value
		}
	}
	return nil
}

// parseJSONTree parses a schema's JSON within the bounds on schemas. A key that
// stands twice in one object is an error: two readers could take either.
func parseJSONTree(text string) (*jsonNode, error) {
	if len(text) > MaxSchemaBytes {
		return nil, tooLarge("%d bytes, the limit is %d", len(text), MaxSchemaBytes)
	}
	if !utf8.ValidString(text) {
		return nil, invalid("not valid UTF-8")
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	r := treeReader{dec: dec}
	root, err := r.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, invalid("something follows the JSON value")
	}
	return root, nil
}

type treeReader struct {
	dec    *json.Decoder
	values int
}

func (r *treeReader) value(depth int) (*jsonNode, error) {
	if depth > maxSchemaDepth {
		return nil, tooLarge("nested deeper than %d", maxSchemaDepth)
	}
	if r.values++; r.values > maxSchemaValues {
		return nil, tooLarge("more than %d values", maxSchemaValues)
	}
	token, err := r.dec.Token()
	if err != nil {
		return nil, invalid("not JSON: %v", err)
	}
	switch t := token.(type) {
	case nil:
		return &jsonNode{kind: jsonNull}, nil
	case bool:
		if t {
			return &jsonNode{kind: jsonBool, text: "true"}, nil
		}
		return &jsonNode{kind: jsonBool, text: "false"}, nil
	case json.Number:
		return &jsonNode{kind: jsonNumber, text: t.String()}, nil
	case string:
		return &jsonNode{kind: jsonString, text: t}, nil
	case json.Delim:
		if t == '[' {
			return r.list(depth)
		}
		return r.object(depth)
	}
	return nil, invalid("not JSON")
}

func (r *treeReader) list(depth int) (*jsonNode, error) {
	n := &jsonNode{kind: jsonList}
	for r.dec.More() {
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.list = append(n.list, *v)
	}
	return n, r.end()
}

func (r *treeReader) object(depth int) (*jsonNode, error) {
	n := &jsonNode{kind: jsonObject}
	seen := map[string]bool{}
	for r.dec.More() {
		key, err := r.dec.Token()
		if err != nil {
			return nil, invalid("not JSON: %v", err)
		}
		name, ok := key.(string)
		if !ok || seen[name] {
			return nil, invalid("the key %.60q stands twice in one object", name)
		}
		seen[name] = true
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.members = append(n.members, jsonMember{key: name, value: *v})
	}
	return n, r.end()
}

// end reads the bracket that closes a list or an object.
func (r *treeReader) end() error {
	if _, err := r.dec.Token(); err != nil {
		return invalid("not JSON: %v", err)
	}
	return nil
}
