// Package strictjson reads JSON from outside, byte by byte, where encoding/json is
// too kind: it takes no invalid UTF-8, no half of a character, no bare control
// character, and whoever uses it sees every member of an object, repeated or not.
// It says in a sender's words what is wrong, and writes strings with as few
// escapes as JSON allows.
//
// What the values mean is for others to say: package shape reads payloads with it,
// package schemas whole CloudEvents.
package strictjson

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// Scanner reads one value after the other and stops at the first fault: its
// methods return false from there on. The zero Scanner has nothing to read.
type Scanner struct {
	data []byte
	pos  int

	fault string
}

// New reads data, which must not change meanwhile.
func New(data []byte) Scanner { return Scanner{data: data} }

// Fault is the first fault, "" when there is none.
func (s *Scanner) Fault() string { return s.fault }

// Fail keeps what is wrong here, unless something was wrong before; it is false.
func (s *Scanner) Fail(fault string) bool {
	if s.fault == "" {
		s.fault = fault
	}
	return false
}

// Peek is the next character, 0 at the end.
func (s *Scanner) Peek() byte {
	if s.pos == len(s.data) {
		return 0
	}
	return s.data[s.pos]
}

// Take takes a character if it stands here.
func (s *Scanner) Take(c byte) bool {
	if s.pos == len(s.data) || s.data[s.pos] != c {
		return false
	}
	s.pos++
	return true
}

// AtEnd skips white space and says whether nothing is left.
func (s *Scanner) AtEnd() bool {
	s.Space()
	return s.pos == len(s.data)
}

// End fails on anything but white space after the value.
func (s *Scanner) End() bool {
	if s.fault != "" {
		return false
	}
	return s.AtEnd() || s.Fail("there is more after the end")
}

// Space skips JSON's white space.
func (s *Scanner) Space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// Expected fails on what stands here, because what was expected: it says both.
func (s *Scanner) Expected(what string) bool {
	found := "something that is not JSON"
	switch {
	case s.pos == len(s.data):
		found = "the end of the data"
	case s.data[s.pos] == '"':
		found = "a string"
	case s.data[s.pos] == '{':
		found = "an object"
	case s.data[s.pos] == '[':
		found = "a list"
	case s.data[s.pos] == '-' || digit(s.data[s.pos]):
		found = "a number"
	case s.Word("null"):
		found = "null"
	case s.Word("true") || s.Word("false"):
		found = "true or false"
	}
	return s.Fail("here is " + found + "; " + what + " was expected")
}

// Open takes the bracket that begins an object or a list.
func (s *Scanner) Open(bracket byte) bool {
	switch {
	case s.Take(bracket):
		return true
	case bracket == '{':
		return s.Expected("an object")
	}
	return s.Expected("a list")
}

// Next says whether one more element follows, and takes the comma or the closing
// bracket before it does. ok is false when neither stands here.
func (s *Scanner) Next(bracket byte, first bool) (more, ok bool) {
	s.Space()
	switch {
	case s.pos == len(s.data):
		return false, s.Fail("the data ends in the middle")
	case s.data[s.pos] == bracket:
		s.pos++
		return false, true
	case first:
		return true, true
	case s.data[s.pos] != ',':
		return false, s.Fail("a comma or the end was expected; is it JSON?")
	}
	s.pos++
	return true, true
}

// Word takes null, true or false if it stands here.
func (s *Scanner) Word(word string) bool {
	if !bytes.HasPrefix(s.data[s.pos:], []byte(word)) {
		return false
	}
	end := s.pos + len(word)
	if end < len(s.data) && wordByte(s.data[end]) {
		return false
	}
	s.pos = end
	return true
}

// Number takes a number as JSON writes it; false if none stands here.
func (s *Scanner) Number() ([]byte, bool) {
	start, end := s.pos, s.pos
	for end < len(s.data) && (digit(s.data[end]) || bytes.IndexByte([]byte("+-.eE"), s.data[end]) >= 0) {
		end++
	}
	number := s.data[start:end]
	// Its own grammar is narrower than strconv's: no plus, no leading zero.
	if len(number) == 0 || !json.Valid(number) {
		return nil, false
	}
	s.pos = end
	return number, true
}

// Text takes a string and gives it without its quotes and escapes; the bytes are
// the data's own where they can be. what is said to have been expected where there
// is no string.
func (s *Scanner) Text(what string) ([]byte, bool) {
	if s.pos == len(s.data) || s.data[s.pos] != '"' {
		return nil, s.Expected(what)
	}
	start := s.pos + 1
	for i := start; i < len(s.data); i++ {
		switch c := s.data[i]; {
		case c == '"':
			text := s.data[start:i]
			if !utf8.Valid(text) {
				return nil, s.Fail("it is not valid UTF-8")
			}
			s.pos = i + 1
			return text, true
		case c == '\\':
			return s.escapedText(start, i)
		case c < ' ':
			return nil, s.Fail("it has a control character; is it JSON?")
		}
	}
	return nil, s.Fail("the data ends in the middle of a string")
}

// escapedText is text for a string whose first escape stands at i.
func (s *Scanner) escapedText(start, i int) ([]byte, bool) {
	text := bytes.Clone(s.data[start:i])
	for i < len(s.data) {
		c := s.data[i]
		switch {
		case c == '"':
			if !utf8.Valid(text) {
				return nil, s.Fail("it is not valid UTF-8")
			}
			s.pos = i + 1
			return text, true
		case c < ' ':
			return nil, s.Fail("it has a control character; is it JSON?")
		case c != '\\':
			text = append(text, c)
			i++
			continue
		}
		char, length := unescape(s.data[i:])
		if length == 0 {
			return nil, s.Fail("it has an escape that JSON does not know, or half of a character")
		}
		text = utf8.AppendRune(text, char)
		i += length
	}
	return nil, s.Fail("the data ends in the middle of a string")
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// wordByte is an ASCII letter or digit, or any byte beyond ASCII.
func wordByte(c byte) bool {
	return digit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80
}
