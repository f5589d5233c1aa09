package schemas

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// space skips JSON's white space.
func (r *jsonReader) space() {
	for r.pos < len(r.data) {
		switch r.data[r.pos] {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return
		}
	}
}

// expected refuses what stands here because something else was expected.
func (r *jsonReader) expected(kind shapeKind) bool {
	found := "something that is not JSON"
	switch {
	case r.pos == len(r.data):
		found = "the end of the data"
	case r.data[r.pos] == '"':
		found = "a string"
	case r.data[r.pos] == '{':
		found = "an object"
	case r.data[r.pos] == '[':
		found = "a list"
	case r.data[r.pos] == '-' || digit(r.data[r.pos]):
		found = "a number"
	case r.word("null"):
		found = "null"
	case r.word("true") || r.word("false"):
		found = "true or false"
	}
	return r.wrong("here is " + found + "; " + kind.String() + " was expected")
}

// open takes the first character of an object or a list.
func (r *jsonReader) open(bracket byte, kind shapeKind) bool {
	if r.pos == len(r.data) || r.data[r.pos] != bracket {
		return r.expected(kind)
	}
	r.pos++
	return true
}

// next says whether one more element follows, and takes the comma or the closing
// bracket before it does.
func (r *jsonReader) next(bracket byte, first bool) (more, ok bool) {
	r.space()
	switch {
	case r.pos == len(r.data):
		return false, r.wrong("the data ends in the middle")
	case r.data[r.pos] == bracket:
		r.pos++
		return false, true
	case first:
		return true, true
	case r.data[r.pos] != ',':
		return false, r.wrong("a comma or the end was expected; is it JSON?")
	}
	r.pos++
	return true, true
}

// word takes null, true or false if it stands here.
func (r *jsonReader) word(word string) bool {
	if !bytes.HasPrefix(r.data[r.pos:], []byte(word)) {
		return false
	}
	end := r.pos + len(word)
	if end < len(r.data) && wordByte(r.data[end]) {
		return false
	}
	r.pos = end
	return true
}

// number takes a number as JSON writes it; false if none stands here.
func (r *jsonReader) number() ([]byte, bool) {
	start, end := r.pos, r.pos
	for end < len(r.data) && (digit(r.data[end]) || bytes.IndexByte([]byte("+-.eE"), r.data[end]) >= 0) {
		end++
	}
	number := r.data[start:end]
	// Its own grammar is narrower than strconv's: no plus, no leading zero.
	if len(number) == 0 || !json.Valid(number) {
		return nil, false
	}
	r.pos = end
	return number, true
}

// text takes a string and gives it without its quotes and escapes; the bytes are
// the data's own where they can be.
func (r *jsonReader) text(kind shapeKind) ([]byte, bool) {
	if r.pos == len(r.data) || r.data[r.pos] != '"' {
		return nil, r.expected(kind)
	}
	start := r.pos + 1
	for i := start; i < len(r.data); i++ {
		switch c := r.data[i]; {
		case c == '"':
			text := r.data[start:i]
			if !utf8.Valid(text) {
				return nil, r.wrong("it is not valid UTF-8")
			}
			r.pos = i + 1
			return text, true
		case c == '\\':
			return r.escapedText(start, i)
		case c < ' ':
			return nil, r.wrong("it has a control character; is it JSON?")
		}
	}
	return nil, r.wrong("the data ends in the middle of a string")
}

// escapedText is text for a string whose first escape stands at i.
func (r *jsonReader) escapedText(start, i int) ([]byte, bool) {
	text := bytes.Clone(r.data[start:i])
	for i < len(r.data) {
		c := r.data[i]
		switch {
		case c == '"':
			if !utf8.Valid(text) {
				return nil, r.wrong("it is not valid UTF-8")
			}
			r.pos = i + 1
			return text, true
		case c < ' ':
			return nil, r.wrong("it has a control character; is it JSON?")
		case c != '\\':
			text = append(text, c)
			i++
			continue
		}
		char, length := unescape(r.data[i:])
		if length == 0 {
			return nil, r.wrong("it has an escape that JSON does not know, or half of a character")
		}
		text = utf8.AppendRune(text, char)
		i += length
	}
	return nil, r.wrong("the data ends in the middle of a string")
}

// wordByte is an ASCII letter or digit, or any byte beyond ASCII.
func wordByte(c byte) bool {
	return digit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80
}
