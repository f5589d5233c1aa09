package schemas

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// CaseID is what a case id says, the CloudEvents subject of an event.
type CaseID struct {
	// Dossier is the id up to `~`, the whole of it for a dossier's first case.
	Dossier string
	// Own is what follows `~` in the id of a further case; "" for the first.
	Own string
	// Owner is the participant whose prefix the dossier has, who alone may open
	// it; "" when the dossier is a UUID.
	Owner string
}

// ErrCaseID is returned for what is no case id.
var ErrCaseID = errors.New("it is a UUID or <own participant id>.<own string>, with ~<own string> for a further case of a dossier")

// ParseCaseID reads a case id: a UUID with or without hyphens, or
// `<participant>.<own>`; for a further case in a dossier, `<dossier>~<own>`. Own
// strings are letters, digits, `.`, `_` and `-`; the whole is at most
// MaxStringBytes long. A participant's id ends at the first dot.
func ParseCaseID(s string) (CaseID, error) {
	if len(s) > MaxStringBytes {
		return CaseID{}, ErrCaseID
	}
	dossier, own, further := strings.Cut(s, "~")
	if further && !ValidID(own) {
		return CaseID{}, ErrCaseID
	}
	if validUUID(dossier) {
		return CaseID{Dossier: dossier, Own: own}, nil
	}
	owner, rest, ok := strings.Cut(dossier, ".")
	if !ok || !ValidID(owner) || !ValidID(rest) {
		return CaseID{}, ErrCaseID
	}
	return CaseID{Dossier: dossier, Own: own, Owner: owner}, nil
}

// validUUID takes 32 hexadecimal digits, or 36 characters with the hyphens in
// their places. Version and variant are the sender's own affair.
func validUUID(s string) bool {
	switch len(s) {
	case 32:
		return allHex(s)
	case 36:
		return s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' &&
			allHex(s[:8]) && allHex(s[9:13]) && allHex(s[14:18]) && allHex(s[19:23]) && allHex(s[24:])
	}
	return false
}

func allHex(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'f', 'A' <= c && c <= 'F':
		default:
			return false
		}
	}
	return true
}

// ReferenceAlphabet is what a referral's reference is made of: no two characters
// that look or sound alike on paper or on the telephone, and no vowel, so that
// no word comes out by chance.
const ReferenceAlphabet = "23456789CDFHJKMNPQRTVWXY"

// NewReference makes a referral's reference, such as 7K3F-92QD, out of random,
// which is crypto/rand.Reader but in tests. An error is random's own.
func NewReference(random io.Reader) (string, error) {
	// Bytes from there on would favour the first characters of the alphabet.
	const fair = 256 - 256%len(ReferenceAlphabet)
	var reference [9]byte
	var pick [1]byte
	for i := 0; i < len(reference); {
		if i == 4 {
			reference[i] = '-'
			i++
			continue
		}
		if _, err := io.ReadFull(random, pick[:]); err != nil {
			return "", fmt.Errorf("make a reference: %w", err)
		}
		if int(pick[0]) < fair {
			reference[i] = ReferenceAlphabet[int(pick[0])%len(ReferenceAlphabet)]
			i++
		}
	}
	return string(reference[:]), nil
}

// ValidReference says whether s is what NewReference makes.
func ValidReference(s string) bool {
	if len(s) != 9 || s[4] != '-' {
		return false
	}
	for i := 0; i < len(s); i++ {
		if i != 4 && strings.IndexByte(ReferenceAlphabet, s[i]) < 0 {
			return false
		}
	}
	return true
}
