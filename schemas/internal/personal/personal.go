// Package personal sees personal data in a text. It knows how e-mail addresses,
// telephone numbers and French social security numbers are written, and which
// words can hold none of them. What happens to a text that has some is for
// package schemas to say, which shows it to everybody as PersonalData.
package personal

import "strings"

// Data says what in s looks like personal data: "an e-mail address", "a telephone
// number" or "a social security number"; "" when nothing does.
func Data(s string) string {
	if strings.IndexByte(s, 0xa0) >= 0 || strings.IndexByte(s, 0xe2) >= 0 {
		s = typographicSpaces.Replace(s)
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '@':
			if email(s, i) {
				return "an e-mail address"
			}
		case c == '+':
			if internationalPhone(s[i+1:]) {
				return "a telephone number"
			}
		case digit(c) && (i == 0 || !wordByte(s[i-1])):
			if frenchPhone(s[i:]) {
				return "a telephone number"
			}
			if socialSecurityNumber(s[i:]) {
				return "a social security number"
			}
		}
	}
	return ""
}

// typographicSpaces are those that French typography puts into numbers: the
// no-break space, the narrow one, the thin one.
var typographicSpaces = strings.NewReplacer("\u00a0", " ", "\u202f", " ", "\u2009", " ")

// email looks at both sides of the @ at s[at].
func email(s string, at int) bool {
	if at == 0 || !wordByte(s[at-1]) && strings.IndexByte("._%+-", s[at-1]) < 0 {
		return false
	}
	end := at + 1
	for end < len(s) && (wordByte(s[end]) || s[end] == '.' || s[end] == '-') {
		end++
	}
	domain := strings.TrimRight(s[at+1:end], ".-")
	dot := strings.LastIndexByte(domain, '.')
	return dot > 0 && len(domain)-dot > 2
}

// internationalPhone reads ten to fifteen digits after a plus sign, separated or
// not.
func internationalPhone(s string) bool {
	digits := 0
	for i := 0; i < len(s); i++ {
		switch {
		case digit(s[i]):
			digits++
		case wordByte(s[i]):
			return false
		case strings.IndexByte(" .-()/", s[i]) < 0:
			return digits >= 10 && digits <= 15
		}
	}
	return digits >= 10 && digits <= 15
}

// frenchPhone reads 0612345678, 06 12 34 56 78, or the same after 0033. Between
// the pairs stands the same separator everywhere, or none.
func frenchPhone(s string) bool {
	if rest, ok := strings.CutPrefix(s, "0033"); ok {
		rest = strings.TrimLeft(rest, " .-")
		return rest != "" && '1' <= rest[0] && rest[0] <= '9' && pairs(rest[1:])
	}
	return len(s) > 2 && s[0] == '0' && '1' <= s[1] && s[1] <= '9' && pairs(s[2:])
}

// pairs reads four pairs of digits and the end of the word.
func pairs(s string) bool {
	var separator string
	if s != "" && strings.IndexByte(" .-/_", s[0]) >= 0 {
		separator = s[:1]
	}
	for range 4 {
		rest, ok := strings.CutPrefix(s, separator)
		if !ok || len(rest) < 2 || !digit(rest[0]) || !digit(rest[1]) {
			return false
		}
		s = rest[2:]
	}
	return s == "" || !wordByte(s[0])
}

// socialSecurityNumber reads a French NIR: sex, year, month, department, commune,
// order and, if it is there, the two digits of its key, which must then be right.
// The parts may be separated.
func socialSecurityNumber(s string) bool {
	var number [15]byte
	n := 0
	for _, length := range [...]int{1, 2, 2, 2, 3, 3, 2} {
		part := s
		if n > 0 && part != "" && strings.IndexByte(" .-/_", part[0]) >= 0 {
			part = part[1:]
		}
		if len(part) < length || !partOfNIR(part[:length], n) {
			break
		}
		n += copy(number[n:], part[:length])
		s = part[length:]
	}
	if n < 13 || s != "" && wordByte(s[0]) {
		return false
	}
	if strings.IndexByte("123478", number[0]) < 0 || !monthOfNIR(number[3:5]) || string(number[5:7]) == "00" || string(number[10:13]) == "000" {
		return false
	}
	return n == 13 || keyOfNIR(number)
}

// partOfNIR takes digits, and 2A and 2B for the departments of Corsica.
func partOfNIR(part string, at int) bool {
	if at == 5 && (part == "2A" || part == "2B") {
		return true
	}
	for i := 0; i < len(part); i++ {
		if !digit(part[i]) {
			return false
		}
	}
	return true
}

// monthOfNIR takes 01 to 12, and 20 for a month not known.
func monthOfNIR(month []byte) bool {
	m := int(month[0]-'0')*10 + int(month[1]-'0')
	return 1 <= m && m <= 12 || m == 20
}

// keyOfNIR checks the last two digits: 97 less the remainder by 97 of the first
// thirteen, where 2A counts as 19 and 2B as 18.
func keyOfNIR(number [15]byte) bool {
	switch number[6] {
	case 'A':
		number[5], number[6] = '1', '9'
	case 'B':
		number[5], number[6] = '1', '8'
	}
	var value int64
	for _, c := range number[:13] {
		value = value*10 + int64(c-'0')
	}
	return 97-value%97 == int64(number[13]-'0')*10+int64(number[14]-'0')
}

// CodeShaped says whether s has the form of a code: 1 to 40 of lower-case letters,
// digits, underscore and hyphen. Such a value may be repeated to whoever sent it;
// anything else may be somebody's name.
func CodeShaped(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < 'a' || c > 'z') && !digit(c) && c != '_' && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 40
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// wordByte is an ASCII letter or digit, or any byte beyond ASCII.
func wordByte(c byte) bool {
	return digit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80
}
