// Package statement is the hub's signed account to a participant: what it is made
// of, how it is signed and chained, and how it is checked against the
// participant's own log, by whoever has both and the hub's public key.
//
// # What a statement is over
//
// A statement (schemas.StatementIssued) has up to three books:
//
//   - from: the participant's topic relais.from.<id>, what it handed in by Kafka;
//   - receipts: what it handed in by HTTP, by the places that it was given in
//     return (`Location: /v1/events/<place>`);
//   - to: its topic relais.to.<id>, what it was given, by Kafka or as its mailbox.
//
// It has a range for each partition of a book on which something new stands:
// the offsets from `first` up to, not including, `next`. A range begins where
// `positions` of the statement before it ended, so that nothing falls between two.
// In the book of receipts, topic, partition and offsets are those of the
// submissions, which is what a place is.
//
// # First occurrences
//
// Topics repeat: a producer that had no answer sends again, and the router writes
// again after a crash. A statement has the first occurrences only.
//
//   - On to, an event's number is the submitted offset in its place (header
//     ce_submittedoffset). A record is a first occurrence when its number is above
//     `highest`, the highest before the range, and above all before it in the
//     range. A record with the header ce_replay never is one, nor one whose
//     ce_submittedpartition is not its own partition, which no router writes.
//   - On from, a record is a repeat when a record before it in the same range has
//     the same source and id, and the same type, subject, time and content. Its
//     number is its offset. What is the same in source and id alone is an event of
//     its own here: the hub answers it with a refusal.
//   - A receipt is given once. Its number is the offset in its place.
//
// # Digests
//
// The content of a record is its value as it stands on the topic; on to, without
// the five bytes of Confluent's frame (0x00 and the schema's id), so that it can be
// had from a mailbox's JSON too. The digest of an event is the SHA-256 of eight
// netstrings (`<length>:<bytes>,`) one after the other:
//
//	book, place, source, id, type, subject, time, content
//
// place is `<partition>-<number>`; source, id, type, subject and time are the
// values of the first headers ce_source … as they are, empty where there is none
// (a structured CloudEvent has them in its content); content is the SHA-256 of the
// content in lower-case hexadecimal. A receipt has book, place, source and id, the
// rest is empty: its content comes back on to, at the same place.
//
// A range has `events`, how many first occurrences there are; `digest`, the
// SHA-256 of their digests one after the other; and `entries`, for each of them
// its offset and its number as differences (unsigned varints, 7 bits a byte, the
// lowest first) and the first 8 bytes of its digest. The first offset counts from
// `first`, the first number from `highest`. So the first difference is named to
// the event: entries tell which one it is, and digest that eight bytes were enough.
//
// A statement has at most schemas.MaxStatementEntries bytes of entries, some
// 13,000 events. A busier hour has several: all but the last say that they are
// not `complete`, and the next goes on with the same span's rest.
//
// # Signature and chain
//
// The canonical form is text, each line ended by a line feed:
//
//	relais-statement-1
//	participant <id>
//	number <number>
//	span <start> <end>                 in milliseconds since 1970
//	predecessor <event id> <hash>      in hexadecimal; `- -` for the first
//	complete <true or false>
//	range <book> <topic> <partition> <first> <next> <highest> <events> <digest> <SHA-256 of entries>
//	position <book> <topic> <next,…> <highest,…>
//	key <key id>
//
// with a line for each range and each position, in their order. The signature is
// Ed25519 over it; a key's id is the first 8 bytes of the SHA-256 of the public
// key, in hexadecimal. A statement's hash is the SHA-256 of its canonical form,
// and stands in the next one as its predecessor's.
//
// The package knows events and nothing of topics or HTTP; the observatory issues
// statements with it and hubctl checks them.
package statement

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/relais-fr/relais/schemas"
)

// Canonical is the form that is signed.
func Canonical(s *schemas.StatementIssued) []byte {
	var b bytes.Buffer
	b.WriteString("relais-statement-1\n")
	fmt.Fprintf(&b, "participant %s\nnumber %d\nspan %d %d\n", s.Participant, s.Number, s.SpanStart.UnixMilli(), s.SpanEnd.UnixMilli())
	if s.Predecessor != nil {
		fmt.Fprintf(&b, "predecessor %s %x\n", *s.Predecessor, s.PredecessorHash)
	} else {
		b.WriteString("predecessor - -\n")
	}
	fmt.Fprintf(&b, "complete %t\n", s.Complete)
	for _, r := range s.Ranges {
		fmt.Fprintf(&b, "range %s %s %d %d %d %d %d %x %x\n", r.Book, r.Topic, r.Partition, r.First, r.Next, r.Highest, r.Events, r.Digest, sha256.Sum256(r.Entries))
	}
	for _, p := range s.Positions {
		fmt.Fprintf(&b, "position %s %s %s %s\n", p.Book, p.Topic, numbers(p.Next), numbers(p.Highest))
	}
	fmt.Fprintf(&b, "key %s\n", s.KeyID)
	return b.Bytes()
}

func numbers(all []int64) string {
	var b strings.Builder
	for i, n := range all {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(n, 10))
	}
	return b.String()
}

// Hash is the statement's hash, by which the next one names it.
func Hash(s *schemas.StatementIssued) []byte {
	sum := sha256.Sum256(Canonical(s))
	return sum[:]
}

// Issued is a statement with the id of the event that it came in.
type Issued struct {
	ID string
	*schemas.StatementIssued
}

// ID is the event id of a participant's statement with that number: a UUIDv8 of
// both, so that whoever issues it again makes a repeat.
func ID(participant string, number int64) string {
	sum := sha256.Sum256([]byte("relais-statement\x00" + participant + "\x00" + strconv.FormatInt(number, 10)))
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// perDossier is how many statements share a dossier: enough that they are few,
// and so few that what the ledger remembers of one stays small.
const perDossier = 256

// Subject is the subject of the event that carries a statement. It follows from
// the number, so that two statements of one number meet in one dossier, and only
// the first becomes a fact.
func Subject(participant string, number int64) string {
	return fmt.Sprintf("%s.statements-%s-%d", schemas.HubParticipant, participant, number/perDossier)
}
