package strictjson

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

func TestSkip(t *testing.T) {
	tests := []struct{ name, data, fault string }{
		{"every kind of value", ` {"a" : [ 1, -2.5e3, null, true, false, "\u00e9\ud83d\ude00\\" ], "a":{}} `, ""},
		{"nothing", ` `, "the data ends in the middle"},
		{"as deep as it may be", `[[{}]]`, ""},
		{"a level too deep", `[[[[]]]]`, "it is nested too deep"},
		{"a number with a plus", `[+1]`, "here is something that is not JSON"},
		{"a number with a zero before it", `01`, "here is something that is not JSON"},
		{"a word that only begins like one", `nullify`, "here is something that is not JSON"},
		{"half of a character", `"\ud83d"`, "it has an escape that JSON does not know, or half of a character"},
		{"bytes that are not UTF-8", "\"\xff\"", "it is not valid UTF-8"},
		{"a bare line break", "\"\n\"", "it has a control character; is it JSON?"},
		{"a comma too many", `[1,]`, "here is something that is not JSON"},
		{"a comma too few", `[1 2]`, "a comma or the end was expected; is it JSON?"},
		{"no colon", `{"a" 1}`, "a colon was expected; is it JSON?"},
		{"a name that is none", `{1:1}`, "here is a number; a string was expected"},
		{"a second value", `1 2`, "there is more after the end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := New([]byte(tt.data))
			_, _ = s.Skip(3)
			if ok := s.End(); ok != (tt.fault == "") || s.Fault() != tt.fault {
				t.Errorf("fault %q, want %q", s.Fault(), tt.fault)
			}
		})
	}
}

// FuzzSkip holds the scanner against encoding/json: what it takes, the other takes
// too, and reads the same text.
func FuzzSkip(f *testing.F) {
	for _, seed := range []string{`{"a":[1,null,{"b":"\u00e9"}]}`, `"\ud83d\ude00"`, "\"\xff\"", `"\ud83d"`, `[[[[`, `-0.0e+1`, ` 1 `, `{"a":1,"a":2}`, `"\/"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := New(data)
		_, _ = s.Skip(100)
		if !s.End() {
			if s.Fault() == "" {
				t.Fatal("not taken, and no fault")
			}
			return
		}
		if !json.Valid(data) || !utf8.Valid(data) {
			t.Fatalf("taken, but not JSON: %q", data)
		}
		s = New(data)
		s.Space()
		if s.Peek() != '"' {
			return
		}
		text, ok := s.Text("a string")
		var other string
		if err := json.Unmarshal(data, &other); err != nil || !ok || string(text) != other {
			t.Fatalf("%q is read as %q, by encoding/json as %q (%v)", data, text, other, err)
		}
	})
}

// FuzzAppendString: whatever the text, it is read back, by us and by encoding/json,
// with U+FFFD for what is not UTF-8.
func FuzzAppendString(f *testing.F) {
	for _, seed := range []string{"", `"\/`, "\x00\b\f\n\r\t\x1f\x7f", "é😀\u2028<&>", "a\xffb\xc3", "\uFFFD"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		written := AppendString(nil, text)
		want := string([]rune(text))
		s := New(written)
		if got, ok := s.Text("a string"); !ok || !s.End() || string(got) != want {
			t.Errorf("%q is written %s and read back as %q: %s", text, written, got, s.Fault())
		}
		var other string
		if err := json.Unmarshal(written, &other); err != nil || other != want {
			t.Errorf("%q is written %s, which encoding/json reads as %q: %v", text, written, other, err)
		}
	})
}
