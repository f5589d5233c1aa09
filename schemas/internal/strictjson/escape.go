package strictjson

import (
	"strings"
	"unicode/utf16"
)

// unescape reads one escape of a JSON string, a pair of them for a character
// beyond the first plane. It returns how many bytes it took, 0 if it is none. A
// surrogate without its other half is none: encoding/json would quietly put
// another character there.
func unescape(data []byte) (char rune, length int) {
	if len(data) < 2 {
		return 0, 0
	}
	const short, meaning = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if i := strings.IndexByte(short, data[1]); i >= 0 {
		return rune(meaning[i]), 2
	}
	char, ok := unescapeHex(data)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(char) {
		return char, 6
	}
	second, ok := unescapeHex(data[6:])
	if !ok {
		return 0, 0
	}
	char = utf16.DecodeRune(char, second)
	if char == '\uFFFD' {
		return 0, 0
	}
	return char, 12
}

// unescapeHex reads \u and four hexadecimal digits.
func unescapeHex(data []byte) (rune, bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	var char rune
	for _, c := range data[2:6] {
		switch {
		case digit(c):
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		char = char<<4 | rune(c)
	}
	return char, true
}
