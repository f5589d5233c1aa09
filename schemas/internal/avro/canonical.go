package avro

import (
	"slices"
	"strconv"
	"strings"

	"github.com/relais-fr/relais/schemas/internal/strictjson"
)

// canonical writes a schema without white space: the attributes of Avro in
// the order in which its Java library writes them, then those of others as they
// stood. The normal form has full names everywhere and sorts what has no order.
func canonical(root *schemaType, normal bool) string {
	w := printer{normal: normal, written: map[*schemaType]bool{}}
	w.typ(root, "")
	return string(w.b)
}

type printer struct {
	b       []byte
	normal  bool
	written map[*schemaType]bool // named types, which are written once
}

// typ writes t where unqualified names mean those of space.
func (w *printer) typ(t *schemaType, space string) {
	switch t.kind {
	case kindUnion:
		w.b = append(w.b, '[')
		for i, b := range t.branches {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			w.typ(b, space)
		}
		w.b = append(w.b, ']')
	case kindRecord, kindEnum, kindFixed:
		w.named(t, space)
	case kindArray:
		w.container(t, `{"type":"array","items":`, space)
	case kindMap:
		w.container(t, `{"type":"map","values":`, space)
	default:
		if len(t.props) == 0 {
			w.text(t.kind.String())
			return
		}
		w.b = append(w.b, `{"type":`...)
		w.text(t.kind.String())
		w.others(t.props)
		w.b = append(w.b, '}')
	}
}

func (w *printer) container(t *schemaType, head, space string) {
	w.b = append(w.b, head...)
	w.typ(t.items, space)
	w.others(t.props)
	w.b = append(w.b, '}')
}

func (w *printer) named(t *schemaType, space string) {
	if w.written[t] {
		if w.normal || t.space != space {
			w.text(t.fullName())
		} else {
			w.text(t.name)
		}
		return
	}
	w.written[t] = true
	w.b = append(w.b, `{"type":`...)
	switch {
	case t.isError:
		w.text("error")
	default:
		w.text(t.kind.String())
	}
	if w.normal {
		w.member("name", t.fullName())
	} else {
		w.member("name", t.name)
	}
	// A name without a dot would be read in the namespace around it.
	if t.space != space && (!w.normal || t.space == "") {
		w.member("namespace", t.space)
	}
	w.doc(t.doc)
	switch t.kind {
	case kindEnum:
		w.texts("symbols", t.symbols)
		if t.fallback != "" {
			w.member("default", t.fallback)
		}
	case kindFixed:
		w.b = append(w.b, `,"size":`...)
		w.b = strconv.AppendInt(w.b, int64(t.size), 10)
	default:
		w.fields(t)
	}
	w.others(t.props)
	w.aliases(t.aliases)
	w.b = append(w.b, '}')
}

func (w *printer) fields(t *schemaType) {
	w.b = append(w.b, `,"fields":[`...)
	for i, f := range t.fields {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = append(w.b, `{"name":`...)
		w.text(f.name)
		w.b = append(w.b, `,"type":`...)
		w.typ(f.typ, t.space)
		w.doc(f.doc)
		if f.def != nil {
			w.b = append(w.b, `,"default":`...)
			w.json(f.def)
		}
		if f.order != "" && f.order != "ascending" {
			w.member("order", f.order)
		}
		w.aliases(f.aliases)
		w.others(f.props)
		w.b = append(w.b, '}')
	}
	w.b = append(w.b, ']')
}

func (w *printer) text(s string) { w.b = strictjson.AppendString(w.b, s) }

func (w *printer) member(key, value string) {
	w.b = append(w.b, ',')
	w.text(key)
	w.b = append(w.b, ':')
	w.text(value)
}

func (w *printer) doc(doc *string) {
	if doc != nil {
		w.member("doc", *doc)
	}
}

func (w *printer) texts(key string, texts []string) {
	w.b = append(w.b, ',')
	w.text(key)
	w.b = append(w.b, ":["...)
	for i, s := range texts {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.text(s)
	}
	w.b = append(w.b, ']')
}

func (w *printer) aliases(aliases []string) {
	if len(aliases) == 0 {
		return
	}
	if w.normal {
		aliases = slices.Sorted(slices.Values(aliases))
	}
	w.texts("aliases", aliases)
}

// others writes the properties that are not Avro's own.
func (w *printer) others(props []jsonMember) {
	if w.normal {
		props = sortedMembers(props)
	}
	for i := range props {
		w.b = append(w.b, ',')
		w.text(props[i].key)
		w.b = append(w.b, ':')
		w.json(&props[i].value)
	}
}

func (w *printer) json(n *jsonNode) {
	switch n.kind {
	case jsonNull:
		w.b = append(w.b, "null"...)
	case jsonBool, jsonNumber:
		w.b = append(w.b, n.text...)
	case jsonString:
		w.text(n.text)
	case jsonList:
		w.b = append(w.b, '[')
		for i := range n.list {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			w.json(&n.list[i])
		}
		w.b = append(w.b, ']')
	case jsonObject:
		members := n.members
		if w.normal {
			members = sortedMembers(members)
		}
		w.b = append(w.b, '{')
		for i := range members {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			w.text(members[i].key)
			w.b = append(w.b, ':')
			w.json(&members[i].value)
		}
		w.b = append(w.b, '}')
	}
}

func sortedMembers(members []jsonMember) []jsonMember {
	return slices.SortedFunc(slices.Values(members), func(a, b jsonMember) int { return strings.Compare(a.key, b.key) })
}
