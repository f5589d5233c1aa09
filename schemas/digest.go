package schemas

import "crypto/sha256"

// Digest is the SHA-256 of an event's type, subject and content. Two submissions
// with one id are repeats of each other when their digests are the same, whether
// they came as JSON or as Avro, and by whatever version of the schema.
//
// What is digested is the type, a line feed, the subject, a line feed, and the
// payload as FormatJSON writes it, which leaves out what is at its default. A
// payload that is no event counts as none. The ledger's decisions rest on these
// bytes: another digest of the same content is a new rules version.
func Digest(typ, subject string, payload any) [sha256.Size]byte {
	b := make([]byte, 0, len(typ)+len(subject)+1024)
	b = append(append(b, typ...), '\n')
	b = append(append(b, subject...), '\n')
	if content, err := FormatJSON(payload); err == nil {
		b = append(b, content...)
	}
	return sha256.Sum256(b)
}
